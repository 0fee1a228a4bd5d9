package policy

import (
	"fmt"

	"postern/internal/mail"
)

// personal weighs a recipient's own entries, which count where none of the tenant's
// does, and returns the sentence about one that counted. An allow entry reaches as
// far as the recipient's own release: what a person may not release from the
// quarantine is not let through by an entry either, and the sender must be proved.
func (w *Weight) personal(rules mail.Rules, was int, s *Scale, in Input) string {
	if w.Listed != Unlisted || len(rules.Personal) == 0 {
		return ""
	}
	allow, block := match(rules.Personal[mail.FoldAddress(in.Rcpt)], in)
	switch {
	case block != nil && !outranks(allow, block):
		w.Listed = Blocked
		return fmt.Sprintf("The sender is on the recipient's own block list (%s).", title(*block))
	case allow == nil, allow.AnyAuth, allow.Network.IsValid(), was == clean, was == bulk:
		return ""
	case s.reached(&w.Points, unjudged), rules.Recipients.Permission(verdicts[was], w.Of(verdicts[was])) != mail.MayRelease:
		return ""
	}
	w.Listed = Allowed
	return fmt.Sprintf("The sender is on the recipient's own allow list (%s); without it the message would have been %s.", title(*allow), verdicts[was])
}
