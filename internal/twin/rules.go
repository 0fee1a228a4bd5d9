package twin

import (
	"slices"
	"strings"

	"postern/internal/twin/wire"
)

// An outcome is what the mail flow rules made of a message.
type outcome struct {
	route    string // outbound connector
	tls      bool   // only with TLS
	drop     bool
	hold     string     // rule that sends it to quarantine
	reject   wire.Reply // zero for none
	deferred string     // rule that could not be carried out and says Defer
}

// runRules runs the tenant's mail flow rules in the order of their priority.
func (m *transit) runRules() outcome {
	var out outcome
	for _, r := range m.t.Objects("TransportRule") {
		if r.String("State") != "Enabled" || !m.matches(r) {
			continue
		}
		name := r.String("Name")
		if r.String("Mode") != "Enforce" {
			m.note("rule", "'%s' would have matched (mode %s)", name, r.String("Mode"))
			continue
		}
		m.note("rule", "'%s' matched", name)
		if !m.carryOut(r, &out) {
			return out
		}
		if r.Bool("StopRuleProcessing") || out.drop || out.hold != "" || out.reject.Code != 0 {
			break
		}
	}
	return out
}

// matches: every condition holds and no exception does.
func (m *transit) matches(r Object) bool {
	for _, p := range ruleConditions {
		if unset(r[p.prop]) {
			continue
		}
		if !m.holds(r, p.prop, "") {
			return false
		}
	}
	if unknownCondition(r) {
		return false
	}
	for _, p := range ruleConditions {
		if !unset(r["ExceptIf"+p.prop]) && m.holds(r, p.prop, "ExceptIf") {
			m.note("rule", "'%s' does not apply: exception %s", r.String("Name"), p.prop)
			return false
		}
	}
	return true
}

// unknownCondition reports whether the rule has a condition the twin cannot judge;
// such a rule never matches. Each condition has an exception of the same name.
func unknownCondition(r Object) bool {
	for name := range r {
		cond, ok := strings.CutPrefix(name, "ExceptIf")
		if !ok || unset(r[cond]) {
			continue
		}
		if !slices.ContainsFunc(ruleConditions, func(p phrase) bool { return p.prop == cond || p.with == cond }) {
			return true
		}
	}
	return false
}

// carryOut does a rule's actions. It returns false when the rule could not be
// carried out and the message has to wait.
func (m *transit) carryOut(r Object, out *outcome) bool {
	if v, ok := r["SetSCL"]; ok && !unset(v) {
		m.scl = r.String("SetSCL")
		if m.scl == "-1" {
			m.skipped = "SKN"
		}
	}
	if name := r.String("SetHeaderName"); name != "" {
		m.setHeader(name, r.String("SetHeaderValue"))
	}
	if name := r.String("RemoveHeader"); name != "" {
		gone := func(n string) bool { return strings.EqualFold(n, name) }
		m.head, m.extra = m.head.without(gone), m.extra.without(gone)
	}
	if prefix := r.String("PrependSubject"); prefix != "" {
		m.head = m.head.set("Subject", strings.TrimRight(prefix, " ")+" "+m.head.first("Subject"), true)
	}
	m.readdress(r)
	switch {
	case r.Bool("DeleteMessage"):
		out.drop = true
	case r.Bool("Quarantine"):
		out.hold = r.String("Name")
	case r.String("RejectMessageReasonText") != "" || r.String("RejectMessageEnhancedStatusCode") != "":
		code := r.String("RejectMessageEnhancedStatusCode")
		if code == "" {
			code = "5.7.1"
		}
		out.reject = wire.Reply{Code: 550, Text: code + " TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy: " + r.String("RejectMessageReasonText")}
	}
	if c := r.String("RouteMessageOutboundConnector"); c != "" {
		o := m.t.Object("OutboundConnector", c)
		if o == nil || !o.Bool("Enabled") {
			m.note("rule", "'%s' could not be carried out: the connector '%s' is missing or off", r.String("Name"), c)
			if r.String("RuleErrorAction") == "Defer" {
				out.deferred = r.String("Name")
				return false
			}
			return true
		}
		out.route, out.tls = o.String("Name"), r.Bool("RouteMessageOutboundRequireTls")
	}
	return true
}

// setHeader is the action SetHeader: it "adds or modifies" (documentation).
func (m *transit) setHeader(name, value string) {
	if m.head.has(name) {
		m.head = m.head.set(name, value, m.t.twin.opt.KeepCopies)
		return
	}
	m.extra = m.extra.set(name, value, false)
}

// readdress does the actions that add or replace recipients.
func (m *transit) readdress(r Object) {
	if to := r.List("RedirectMessageTo"); len(to) > 0 {
		m.env.To = append([]string{}, to...)
	}
	for _, p := range []string{"AddToRecipients", "CopyTo", "BlindCopyTo"} {
		for _, a := range r.List(p) {
			if !listed(m.env.To, a) {
				m.env.To = append(m.env.To[:len(m.env.To):len(m.env.To)], a)
			}
		}
	}
}
