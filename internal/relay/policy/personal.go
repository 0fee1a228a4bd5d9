package policy

import (
	"fmt"

	"postern/internal/mail"
)

// personal matches a recipient's own entries, which count where none of the
// tenant's does. An allow entry reaches as far as the recipient's own release: what
// a person may not release from the quarantine is not let through by an entry
// either, and the sender must be proved.
func personal(rules mail.Rules, in Input) (Listing, *mail.ListEntry) {
	if len(rules.Personal) == 0 {
		return Unlisted, nil
	}
	allow, block := match(rules.Personal[mail.FoldAddress(in.Rcpt)], in)
	switch {
	case block != nil && !outranks(allow, block):
		return Blocked, block
	case allow == nil, allow.AnyAuth, allow.Network.IsValid():
		return Unlisted, nil
	}
	return OwnAllowed, allow
}

// own reports whether a recipient's own allow entry lets a message of class c
// through.
func (s *Scale) own(points *[classes]int32, c int) bool {
	switch {
	case c == clean, c == bulk, s.reached(points, unjudged), c == phish && points[phish] >= mail.HighPhish:
		return false
	}
	return s.Own[c]
}

// ownReason is the sentence about a recipient's own entry, "" where it changed
// nothing.
func (s *Scale) ownReason(w *Weight, was int, entry *mail.ListEntry) string {
	if w.Listed == Blocked {
		return fmt.Sprintf("The sender is on the recipient's own block list (%s).", title(*entry))
	}
	if !s.own(&w.Points, was) {
		return ""
	}
	return fmt.Sprintf("The sender is on the recipient's own allow list (%s); without it the message would have been %s.", title(*entry), verdicts[was])
}
