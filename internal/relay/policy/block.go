package policy

import "postern/internal/mail"

// Blocks reports whether an entry of the tenant's or the recipient's lists blocks a
// message, whatever was found.
func Blocks(rules mail.Rules, in Input) bool {
	w := Weigh(rules, in)
	return w.Listed == Blocked
}

// Blocker is the tenant's block entry that speaks against a message, nil if none
// does.
func Blocker(rules mail.Rules, in Input) *mail.ListEntry {
	w, entry, own := weigh(rules, in)
	if w.Listed != Blocked || own {
		return nil
	}
	return entry
}
