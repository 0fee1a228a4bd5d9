package admin

import (
	"golang.org/x/net/publicsuffix"

	"postern/internal/mail"
	"postern/internal/relay/scan/sender"
)

// Bits that a network of the lists has at least.
const (
	allowV4, allowV6 = 16, 32
	blockV4, blockV6 = 8, 16
)

// tooWide refuses entries that nobody can mean: whole top-level domains, and
// networks of very many.
func tooWide(e mail.ListEntry) error {
	if e.Domain != "" {
		if suffix, icann := publicsuffix.PublicSuffix(e.Domain); suffix == e.Domain && icann {
			return mail.Refuse("%s is not one sender's domain: everybody can have a name below it", e.Domain)
		}
	}
	if !e.Network.IsValid() {
		return nil
	}
	least := blockV4
	switch is4 := e.Network.Addr().Is4(); {
	case is4 && e.Allow:
		least = allowV4
	case !is4 && e.Allow:
		least = allowV6
	case !is4:
		least = blockV6
	}
	if e.Network.Bits() < least {
		return mail.Refuse("%s is too wide: the network needs /%d or more", e.Network, least)
	}
	return nil
}

// SenderWarning says what is risky about an entry that may be meant all the same, ""
// for nothing.
func SenderWarning(text string, e mail.ListEntry) string {
	if readSender(text, &e) != nil {
		return ""
	}
	switch {
	case e.Domain != "" && sender.Freemail(e.Domain) && e.Allow:
		return "Anybody can get an address there, so this lets anybody through. Allow single addresses instead."
	case e.Domain != "" && sender.Freemail(e.Domain):
		return "Many private people write from there, and all of them would be held."
	case e.Allow && e.AnyAuth:
		return "Without proof anybody can write in this sender's name and is let through."
	case e.Allow && e.Network.IsValid() && e.Network.Addr().Is4() && e.Network.Bits() < 24:
		return "This lets through whatever comes from more than 256 addresses. Allow the sender's domain instead."
	}
	return ""
}
