package portal

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/policy"
)

// The form of a scope has, for each verdict V: n-V, the number, and r-V, the slider,
// both beginning at c-V; a-V, the action; own-V, ticked if it is decided here, and
// was-V if it was. Whoever changes a value decides, without ticking anything.

// readChoices reads the form against the rules that count now.
func readChoices(q url.Values, rules mail.Rules, at mail.Scope) (mail.Choices, error) {
	c := mail.Choices{Thresholds: map[mail.Verdict]int{}, Actions: map[mail.Verdict]mail.Action{}}
	wider := widerThan(rules, at)
	for _, v := range policy.Classes() {
		name := string(v)
		if !q.Has("n-" + name) {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(firstChanged(q.Get("c-"+name), q.Get("n-"+name), q.Get("r-"+name))))
		if err != nil {
			return c, errors.New("a threshold must be a whole number of points")
		}
		act := mail.Action(q.Get("a-" + name))
		from := sourceOf(wider, at, v)
		own, was := q.Has("own-"+name), q.Has("was-"+name)
		if !own && was {
			continue // it was unticked: decided by the wider scope again
		}
		if own || n != from.Threshold || act != from.Action {
			c.Thresholds[v], c.Actions[v] = n, act
		}
	}
	return c, nil
}

// firstChanged is the first of values that is not what it began as.
func firstChanged(began string, values ...string) string {
	for _, v := range values {
		if v != "" && v != began {
			return v
		}
	}
	return values[0]
}

// choiceFields are what a scope's rules come to, as the form sends it.
func choiceFields(next mail.Rules, at mail.Scope, c mail.Choices) []field {
	fields := []field{{"at", scopeName(at)}, {"shown", "yes"}}
	for _, v := range policy.Classes() {
		_, decided := c.Thresholds[v]
		_, acts := c.Actions[v]
		if decided || acts {
			s, name := sourceOf(next, at, v), string(v)
			fields = append(fields, field{"n-" + name, strconv.Itoa(s.Threshold)}, field{"a-" + name, string(s.Action)}, field{"own-" + name, "on"})
		}
	}
	return fields
}

// widerThan is rules without what is decided at a scope itself.
func widerThan(rules mail.Rules, at mail.Scope) mail.Rules {
	wider, err := admin.Chosen(rules, at, mail.Choices{})
	if err != nil {
		return rules // of a scope that is not there
	}
	return wider
}

func sourceOf(rules mail.Rules, at mail.Scope, v mail.Verdict) policy.Source {
	for _, s := range policy.Sources(rules, at) {
		if s.Verdict == v {
			return s
		}
	}
	return policy.Source{}
}

func sameChoices(a, b mail.Choices) bool {
	return maps.Equal(a.Thresholds, b.Thresholds) && maps.Equal(a.Actions, b.Actions)
}

// policyRows are a scope's verdicts with c chosen.
func (v *visit) policyRows(rules mail.Rules, at mail.Scope, c mail.Choices) []policyRow {
	next, err := admin.Chosen(rules, at, c)
	if err != nil {
		next = rules
	}
	wider := widerThan(rules, at)
	var rows []policyRow
	for _, class := range policy.Classes() {
		s, w := sourceOf(next, at, class), sourceOf(wider, at, class)
		_, decided := c.Thresholds[class]
		_, acts := c.Actions[class]
		rows = append(rows, policyRow{Verdict: class, Own: decided || acts, Threshold: s.Threshold, Action: s.Action, Actions: admin.ActionsFor(class),
			Wider: w.Threshold, WiderFrom: v.scopeTitle(w.ThresholdFrom), WiderDoes: w.Action})
	}
	return rows
}

// A choiceDiff is one line of what a change does.
type choiceDiff struct {
	Verdict    mail.Verdict
	Was, Is    int
	Did, Does  mail.Action
	Number, Do bool // differs
}

func diffChoices(old, next mail.Rules, at mail.Scope) []choiceDiff {
	var all []choiceDiff
	for _, class := range policy.Classes() {
		was, is := sourceOf(old, at, class), sourceOf(next, at, class)
		d := choiceDiff{class, was.Threshold, is.Threshold, was.Action, is.Action, was.Threshold != is.Threshold, was.Action != is.Action}
		if d.Number || d.Do {
			all = append(all, d)
		}
	}
	return all
}

// scopeName is a scope as forms and addresses write it.
func scopeName(at mail.Scope) string {
	if at.Name == "" {
		return string(mail.ScopeTenant)
	}
	return string(at.Kind) + ":" + at.Name
}

// readScope reads scopeName, or a bare address; the tenant's for anything else.
func readScope(text string) mail.Scope {
	kind, name, ok := strings.Cut(text, ":")
	if !ok && strings.Contains(text, "@") {
		kind, name = string(mail.ScopePerson), text
	}
	if name = strings.TrimSpace(name); name != "" && (kind == string(mail.ScopeGroup) || kind == string(mail.ScopePerson)) {
		return mail.Scope{Kind: mail.ScopeKind(kind), Name: name}
	}
	return mail.Scope{Kind: mail.ScopeTenant}
}

// scopeOf is a scope that there is: a group that was removed is the tenant, and a
// person can always be given choices.
func scopeOf(text string, rules mail.Rules) mail.Scope {
	at := readScope(text)
	if at.Kind == mail.ScopeGroup && !slices.ContainsFunc(rules.Groups, func(g mail.Group) bool { return g.Name == at.Name }) {
		return mail.Scope{Kind: mail.ScopeTenant}
	}
	if _, err := admin.Chosen(rules, at, mail.Choices{}); err != nil {
		return mail.Scope{Kind: mail.ScopeTenant}
	}
	return at
}

func (v *visit) scopeTitle(at mail.Scope) string {
	t := v.words.T
	switch at.Kind {
	case mail.ScopeGroup:
		return t("Group %s", at.Name)
	case mail.ScopePerson:
		return visible(at.Name)
	case mail.ScopeTenant:
		return t("Everybody")
	}
	return t("Postern's default")
}

// scopeRows list whom choices can be for, the widest first.
func (v *visit) scopeRows(rules mail.Rules, here mail.Scope) []scopeRow {
	t := v.words.T
	decided := func(c mail.Choices) string {
		if c.Empty() {
			return t("nothing decided")
		}
		keys := map[mail.Verdict]bool{}
		for k := range c.Thresholds {
			keys[k] = true
		}
		for k := range c.Actions {
			keys[k] = true
		}
		return t("decided: %d", len(keys))
	}
	one := func(at mail.Scope, text string) scopeRow {
		return scopeRow{Name: scopeName(at), Title: v.scopeTitle(at), Text: text, Here: scopeName(at) == scopeName(here), Group: at.Kind == mail.ScopeGroup}
	}
	rows := []scopeRow{one(mail.Scope{Kind: mail.ScopeTenant}, decided(mail.Choices{Thresholds: rules.Thresholds, Actions: rules.Actions}))}
	for i, g := range rules.Groups {
		row := one(mail.Scope{Kind: mail.ScopeGroup, Name: g.Name}, t("members: %d", len(g.Members))+", "+decided(g.Choices))
		row.First = i == 0
		rows = append(rows, row)
	}
	known := here.Kind != mail.ScopePerson
	for _, p := range rules.Persons {
		at := mail.Scope{Kind: mail.ScopePerson, Name: p.Address}
		row := one(at, decided(p.Choices))
		row.Here = here.Kind == mail.ScopePerson && policy.SameAddress(here.Name, p.Address)
		known = known || row.Here
		rows = append(rows, row)
	}
	if !known {
		rows = append(rows, one(here, t("nothing decided")))
	}
	return rows
}
