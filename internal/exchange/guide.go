package exchange

import (
	"strings"

	"postern/internal/exchange/guide"
)

// Guide is spec's set-up as steps for a person, in the reference guides' order.
// With a report of Verify each step is marked done or open; nil leaves them
// unknown. portal is the address of our portal, "" if unknown. The error is a
// *Problem.
func Guide(spec Spec, mtas map[string][]string, portal string, report *Report) ([]guide.Step, error) {
	s, err := spec.clean()
	if err != nil {
		return nil, err
	}
	p := guide.Plan{
		Brand: s.Brand, Domains: s.Domains, MTAs: mtas, Addresses: s.Addresses, SmartHost: s.SmartHost, TLSName: s.TLSName,
		CertBound: s.Options.CertificateBound, Organization: s.Options.Connectors == ConnectorOrganization,
		ReceiveName: s.inboundConnector(ConnectorPartner).Name, SendName: s.sendConnector(), ClutterName: s.clutterRule().Name,
		CredsHeader: s.credsHeader(), Processed: s.processedHeader(), Key: s.Key, Internal: s.Options.IncludeInternal,
		SafeList: !s.Options.Hardened, Mailbox: s.validationMailbox(), ArcSealer: s.Options.ArcSealer, OutboundRule: s.Options.OutboundRule, Portal: portal,
	}
	for _, infra := range s.infrastructure() {
		p.Pairs = append(p.Pairs, "*, "+infra)
	}
	for _, o := range s.redirectRules() {
		p.RedirectRules = append(p.RedirectRules, guide.Rule{ID: o.ID, Name: o.Name, Domains: listOf(o.Props["RecipientDomainIs"])})
		if words := listOf(o.Props["ExceptIfHeaderContainsWords"]); len(words) > 0 {
			p.Word = words[0]
		}
	}
	for _, o := range s.stripRules() {
		p.Strip = append(p.Strip, guide.Strip{ID: o.ID, Name: o.Name, Header: text(o.Props["RemoveHeader"])})
	}
	steps := guide.Steps(p)
	if report != nil {
		guide.Mark(steps, findings(report))
	}
	return steps, nil
}

// findings are a report's drifts as the guide's steps know them: pairs of spoofed
// senders by their type, and an accepted domain of the wrong type.
func findings(r *Report) []guide.Finding {
	var list []guide.Finding
	for _, d := range r.Drift {
		object := d.Object
		for _, kind := range []string{"spoof-internal", "spoof-external"} {
			if strings.HasPrefix(object, kind+"-") {
				object = kind
			}
		}
		list = append(list, guide.Finding{Object: object, Field: d.Field})
	}
	for _, c := range r.Checks {
		if c.ID == "accepted-domain" || c.ID == "internal-relay" {
			list = append(list, guide.Finding{Object: "accepted-domain", Field: "DomainType"})
		}
	}
	return list
}
