package policy

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// DefaultThreshold is the points at which a class is reached when nobody decided.
func DefaultThreshold(v mail.Verdict) int {
	if v == mail.Bulk {
		return 30 // one honest mark of a mailing list is enough
	}
	return 50
}

// DefaultAction is what is done with a verdict when nobody decided.
func DefaultAction(v mail.Verdict) mail.Action {
	if v == mail.Clean || v == mail.Bulk {
		return mail.Deliver
	}
	return mail.Hold
}

// Threshold is the tenant's, for recipients that no group or person speaks for.
func Threshold(rules mail.Rules, v mail.Verdict) int {
	n, _ := thresholdOf(levels(rules, ""), v)
	return n
}

// ActionFor is what is done with a verdict for a recipient; "" is one that no
// group or person speaks for.
func ActionFor(rules mail.Rules, rcpt string, v mail.Verdict) mail.Action {
	a, _ := actionOf(levels(rules, rcpt), v)
	return a
}

// ScaleFor is what a recipient's mail is measured by: for each class the choice of
// the person, else of the first group that has one, else the tenant's, else the
// default.
func ScaleFor(rules mail.Rules, rcpt string) Scale {
	var s Scale
	from := levels(rules, rcpt)
	for c, v := range verdicts {
		s.Actions[c], _ = actionOf(from, v)
		if c < classes {
			n, _ := thresholdOf(from, v)
			s.Thresholds[c] = int32(n)
			s.Own[c] = rules.Recipients.Permission(v, 0) == mail.MayRelease
		}
	}
	return s
}

// A Source is a threshold and an action for a verdict, and who decided each.
type Source struct {
	Verdict       mail.Verdict
	Threshold     int
	ThresholdFrom mail.Scope
	Action        mail.Action
	ActionFrom    mail.Scope
}

// Sources explain what counts for a recipient, a group ("group" scope), or the
// tenant, verdict by verdict.
func Sources(rules mail.Rules, at mail.Scope) []Source {
	from := levelsAt(rules, at)
	var all []Source
	for _, v := range verdicts {
		s := Source{Verdict: v}
		s.Threshold, s.ThresholdFrom = thresholdOf(from, v)
		s.Action, s.ActionFrom = actionOf(from, v)
		all = append(all, s)
	}
	return all
}

// A level is the choices of one scope.
type level struct {
	scope mail.Scope
	mail.Choices
}

// levels are the scopes that a recipient is in, the most specific first. Where the
// draft counts for the recipient, its choices stand in the place of its scope's.
func levels(rules mail.Rules, rcpt string) []level {
	var all []level
	draft := rules.Draft
	if !Staged(draft, rcpt) {
		draft = nil
	}
	add := func(at mail.Scope, c mail.Choices) {
		if draft != nil && sameScope(draft.At, at) {
			c, draft = draft.Choices, nil
		}
		all = append(all, level{at, c})
	}
	if rcpt != "" {
		for i := range rules.Persons {
			if p := &rules.Persons[i]; SameAddress(p.Address, rcpt) {
				add(mail.Scope{Kind: mail.ScopePerson, Name: p.Address}, p.Choices)
			}
		}
		if draft != nil && draft.At.Kind == mail.ScopePerson && SameAddress(draft.At.Name, rcpt) {
			add(draft.At, mail.Choices{}) // nothing was decided for this person before
		}
		for i := range rules.Groups {
			if g := &rules.Groups[i]; Member(g, rcpt) {
				add(mail.Scope{Kind: mail.ScopeGroup, Name: g.Name}, g.Choices)
			}
		}
	}
	add(mail.Scope{Kind: mail.ScopeTenant}, mail.Choices{Thresholds: rules.Thresholds, Actions: rules.Actions})
	return all
}

func levelsAt(rules mail.Rules, at mail.Scope) []level {
	switch at.Kind {
	case mail.ScopePerson:
		return levels(rules, at.Name)
	case mail.ScopeGroup:
		from := levels(rules, "")
		if i := slices.IndexFunc(rules.Groups, func(g mail.Group) bool { return g.Name == at.Name }); i >= 0 {
			from = append([]level{{at, rules.Groups[i].Choices}}, from...)
		}
		return from
	}
	return levels(rules, "")
}

func thresholdOf(from []level, v mail.Verdict) (int, mail.Scope) {
	for _, l := range from {
		if n, ok := l.Thresholds[v]; ok {
			return n, l.scope
		}
	}
	return DefaultThreshold(v), mail.Scope{Kind: mail.ScopeDefault}
}

func actionOf(from []level, v mail.Verdict) (mail.Action, mail.Scope) {
	for _, l := range from {
		if a, ok := l.Actions[v]; ok {
			return a, l.scope
		}
	}
	return DefaultAction(v), mail.Scope{Kind: mail.ScopeDefault}
}

// Member reports whether an address is a member of g, by itself or with its whole
// domain.
func Member(g *mail.Group, addr string) bool {
	domain := ""
	return slices.ContainsFunc(g.Members, func(m string) bool {
		if strings.Contains(m, "@") {
			return SameAddress(m, addr)
		}
		if domain == "" {
			domain = mail.DomainOf(addr)
		}
		return domain != "" && folded(m) == domain
	})
}

// SameAddress compares addresses as lists do: in any case.
func SameAddress(a, b string) bool {
	if a == b {
		return a != ""
	}
	al, ad := mail.SplitAddress(a)
	bl, bd := mail.SplitAddress(b)
	return ad != "" && strings.EqualFold(al, bl) && folded(ad) == folded(bd)
}
