package policy

import (
	"hash/fnv"

	"postern/internal/mail"
)

// Staged reports whether a draft counts for a recipient already: always the same
// ones while it lasts, and of a larger share all those of a smaller one. A recipient
// "" is one of the whole scope.
func Staged(d *mail.Draft, rcpt string) bool {
	switch {
	case d == nil, d.Percent <= 0:
		return false
	case d.Percent >= 100:
		return true
	case rcpt == "":
		return false
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.ID + " " + mail.FoldAddress(rcpt))) // a hash's Write never fails
	return int(h.Sum64()%100) < d.Percent
}

// Undrafted are rules as they count for those whom the draft does not concern.
func Undrafted(rules mail.Rules) mail.Rules {
	rules.Draft = nil
	return rules
}

// Drafted are rules as if the draft counted for all in its scope.
func Drafted(rules mail.Rules) mail.Rules {
	if rules.Draft != nil {
		all := *rules.Draft
		all.Percent = 100
		rules.Draft = &all
	}
	return rules
}

// InScope reports whether a recipient is in a scope.
func InScope(rules mail.Rules, at mail.Scope, rcpt string) bool {
	switch at.Kind {
	case mail.ScopePerson:
		return SameAddress(at.Name, rcpt)
	case mail.ScopeGroup:
		for i := range rules.Groups {
			if rules.Groups[i].Name == at.Name && Member(&rules.Groups[i], rcpt) {
				return true
			}
		}
		return false
	}
	return true
}

func sameScope(a, b mail.Scope) bool {
	if a.Kind == mail.ScopePerson && b.Kind == mail.ScopePerson {
		return SameAddress(a.Name, b.Name)
	}
	return a == b
}

// Try measures in by both; nil if it is not for a recipient in the draft's scope.
func Try(rules mail.Rules, in Input) *mail.Trial {
	d := rules.Draft
	if d == nil || !InScope(rules, d.At, in.Rcpt) {
		return nil
	}
	w := Weigh(rules, in)
	was, is := ScaleFor(Undrafted(rules), in.Rcpt), ScaleFor(Drafted(rules), in.Rcpt)
	t := &mail.Trial{Draft: d.ID, Acted: Staged(d, in.Rcpt)}
	var a1, a2 mail.Action
	t.Was, a1 = w.Outcome(&was)
	t.Is, a2 = w.Outcome(&is)
	t.WasHeld, t.Holds = a1 != mail.Deliver, a2 != mail.Deliver
	if t.Points = w.Of(t.Was); t.Holds {
		t.Points = w.Of(t.Is)
	}
	return t
}
