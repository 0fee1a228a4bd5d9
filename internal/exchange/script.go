package exchange

import (
	"time"

	"postern/internal/exchange/script"
)

// ScriptOptions say where the script's report goes.
type ScriptOptions struct {
	Organization string // domain that the administrator connects to
	ReportURL    string // https address that takes the report; "" for none
	ReportToken  string // single use
	Now          time.Time
}

// Script is spec's set-up as one PowerShell script. It holds the relay key, so
// spec.Key must be known. The error is a *Problem or names a value that cannot be
// written.
func Script(spec Spec, opt ScriptOptions) (string, error) {
	s, err := spec.clean()
	if err != nil {
		return "", err
	}
	if s.Key == "" {
		return "", &Problem{Code: "key-unknown", Cause: "The script needs the relay key, which is stored only as a hash.", Mend: "Rotate the relay key and make the script with the new one."}
	}
	setup := script.Setup{
		Tenant: s.Tenant, Organization: opt.Organization, Brand: s.Brand, Domains: s.Domains, Predicates: rulePredicates,
		OutboundRule: s.Options.OutboundRule, Mailbox: s.validationMailbox(), ReportURL: opt.ReportURL, ReportToken: opt.ReportToken, Generated: opt.Now,
	}
	for _, o := range s.objects(ConnectorPartner) {
		if o.Kind == SpoofItem { // the script finds a pair as Exchange shows it
			o.Name = "*, " + text(o.Create["SendingInfrastructure"]) + ", " + text(o.Create["SpoofType"])
		}
		setup.Objects = append(setup.Objects, script.Object{ID: o.ID, Kind: string(o.Kind), Name: o.Name, Props: o.Props, Defaults: o.Defaults, Create: o.Create,
			Adds: o.Adds, Redirect: isRedirect(o), First: o.Where == "X14", Steps: o.Steps, Why: o.Why})
	}
	return script.Render(setup)
}
