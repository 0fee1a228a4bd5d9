package exchange

import (
	"encoding/json"
	"time"

	"postern/internal/exchange/script"
	"postern/internal/mail"
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
		return "", &Problem{Code: "key-unknown", Cause: mail.Say("The script needs the relay key, which is stored only as a hash."), Mend: mail.Say("Rotate the relay key and make the script with the new one.")}
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
			Adds: o.Adds, Redirect: isRedirect(o), First: o.Where == "X14", Steps: o.Steps, Why: o.Why.String()})
	}
	return script.Render(setup)
}

// maxReport bounds a script's report, in octets.
const maxReport = 1 << 20

// A ScriptReport is what a run of the script printed.
type ScriptReport struct {
	Tenant  string   `json:"tenant"`
	Mode    string   `json:"mode"` // "Apply", "Verify", "Rollback"
	OK      bool     `json:"ok"`
	Done    []string `json:"done"`    // actions
	Drift   []Drift  `json:"drift"`   // after the run
	Foreign []Drift  `json:"foreign"` // what others changed and a roll back left alone
	Problem string   `json:"problem"` // why it stopped; "" if it did not
}

// ReadScriptReport reads a report that a person uploaded or the script sent. It
// comes from outside: it is believed as far as it says what was done, and nothing
// in it is run or trusted. The error is a *Problem.
func ReadScriptReport(tenant string, octets []byte) (*ScriptReport, error) {
	bad := func(why mail.Sentence) error {
		return NewProblem("script-report", mail.Say("This is not a report of Postern's script: %s.", why), mail.Say("Upload the JSON text that the script printed at its end."), nil)
	}
	if len(octets) > maxReport {
		return nil, bad(mail.Say("it is too large"))
	}
	var r ScriptReport
	if err := json.Unmarshal(octets, &r); err != nil {
		return nil, bad(mail.Say("it cannot be read (%v)", err))
	}
	if r.Tenant != tenant {
		return nil, NewProblem("script-report", mail.Say("The report is of tenant “%s”, not of “%s”.", r.Tenant, tenant), mail.Say("Upload it at the tenant whose script was run."), nil)
	}
	switch r.Mode {
	case "Apply", "Verify", "Rollback":
	default:
		return nil, bad(mail.Say("it names no mode"))
	}
	return &r, nil
}

// Report is r as Verify would report it.
func (r *ScriptReport) Report() *Report {
	drift := r.Drift
	if drift == nil {
		drift = []Drift{}
	}
	return &Report{Tenant: r.Tenant, OK: r.OK, Drift: drift}
}
