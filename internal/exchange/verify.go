package exchange

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// Severity says how bad a finding is.
type Severity string

const (
	Info     Severity = "info"     // worth knowing
	Warning  Severity = "warning"  // not as wanted; mail still takes the right way
	Critical Severity = "critical" // mail is lost, rejected, or passes the relay by
)

// A Drift is one field of one object that is not as wanted.
type Drift struct {
	Object   string        `json:"object"`
	Field    string        `json:"field"`
	Want     any           `json:"want"`
	Have     any           `json:"have"`
	Severity Severity      `json:"severity"`
	Note     mail.Sentence `json:"note,omitzero"` // what it does to the mail
}

// A Report is the outcome of Verify. OK means that no drift is worse than Info.
type Report struct {
	Tenant string  `json:"tenant"`
	OK     bool    `json:"ok"`
	Drift  []Drift `json:"drift"`
	Checks []Check `json:"checks,omitempty"`
}

// verify compares what is wanted with what is there.
func verify(spec Spec, state *State, cur *Current) *Report {
	r := &Report{Tenant: spec.Tenant, OK: true, Drift: []Drift{}}
	p := &planner{spec: spec, cur: cur, state: state, objects: spec.objects(autoConnector(spec, cur))}
	for _, rule := range cur.Rules {
		p.order = append(p.order, nameOf(rule))
	}
	for _, o := range p.objects {
		r.Drift = append(r.Drift, o.drift(cur.Object(o.Kind, o.Name))...)
	}
	r.order(p)
	for _, d := range r.Drift {
		if d.Severity != Info {
			r.OK = false
		}
	}
	return r
}

func (o Object) drift(current map[string]any) []Drift {
	if current == nil {
		sev := Warning
		if o.Kind == OutboundConnector || o.Kind == InboundConnector || o.Kind == TransportRule {
			sev = Critical
		}
		return []Drift{{Object: o.ID, Field: "", Want: "present", Have: "absent", Severity: sev, Note: mail.Say("The object is missing.")}}
	}
	var out []Drift
	for _, f := range o.differences(current) {
		sev, note := o.severity(f)
		out = append(out, Drift{o.ID, f.Name, masked(f.Name, f.Want), masked(f.Name, f.Have), sev, note})
	}
	if o.Kind == TransportRule && o.Active && !enabled(current) {
		sev, note := Critical, mail.Say("The rule is switched off.")
		if isRedirect(o) {
			note = mail.Say("The relay rule is switched off, so mail is delivered without passing the relay.")
		}
		out = append(out, Drift{o.ID, "State", "Enabled", current["State"], sev, note})
	}
	if o.Kind == OutboundConnector && boolOf(current["IsValidated"]) == "false" {
		out = append(out, Drift{o.ID, "IsValidated", true, current["IsValidated"], Info, mail.Say("The connector changed since it was validated.")})
	}
	return out
}

func masked(name string, v any) any {
	if _, hashes := v.(keyHashes); hashes {
		return "***"
	}
	m := Values{name: v}
	if name == "SetHeaderValue" || strings.HasSuffix(name, "HeaderContainsWords") {
		return maskedValue(m, name)
	}
	return v
}

// severity judges one difference.
func (o Object) severity(f Field) (Severity, mail.Sentence) {
	switch {
	case strings.HasPrefix(f.Name, "RestrictDomainsTo") && boolOf(f.Have) == "true":
		return Critical, mail.Say("With this switch Exchange rejects all mail from the Internet that does not come from the relay, while senders still deliver to Microsoft. Switch it off at once.")
	case isRedirect(o) && f.Name == "ExceptIfHeaderContainsWords" && slices.Contains(folded(listOf(f.Have)), "yes"):
		return Critical, mail.Say("Anybody can write this word into a header and so pass the relay by.")
	case isRedirect(o) && strings.HasPrefix(f.Name, "ExceptIf"):
		return Critical, mail.Say("Mail of this exception passes the relay by, or returned mail goes round in a loop.")
	case isRedirect(o) && f.Name == "SetHeaderValue":
		return Critical, mail.Say("The relay refuses mail without a valid key.")
	case o.Kind == OutboundConnector:
		return Critical, mail.Say("Mail may not reach the relay, or reach another host.")
	case o.Kind == InboundConnector && (f.Name == "Enabled" || f.Name == "SenderIPAddresses" || f.Name == "TlsSenderCertificateName"):
		return Critical, mail.Say("Exchange may not recognise the relay when mail comes back.")
	case isRedirect(o), o.Where == "X14":
		return Critical, mail.Say("Mail may pass the relay by.")
	}
	return Warning, mail.Sentence{}
}

// order names rules that stand in the wrong place.
func (r *Report) order(p *planner) {
	last := -1
	for _, o := range p.objects {
		at := p.index(o.Name)
		switch {
		case o.Kind != TransportRule || at < 0:
		case o.Where == "X14" && at != p.stripIndex(o):
			r.Drift = append(r.Drift, Drift{o.ID, "Priority", p.stripIndex(o), at, Warning, mail.Say("Rules before it may believe a forged header.")})
		case isRedirect(o):
			last = max(last, at)
			if out := p.outboundIndex(); at < out {
				r.Drift = append(r.Drift, Drift{o.ID, "Priority", out + 1, at, Warning, mail.Say("It must come after the outbound relay's rule.")})
			}
		case o.ID == "rule-clutter" && at < last:
			r.Drift = append(r.Drift, Drift{o.ID, "Priority", last + 1, at, Warning, mail.Say("It must come after the relay rule.")})
		}
	}
}
