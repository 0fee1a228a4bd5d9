package policy

import (
	"fmt"
	"strings"

	"postern/internal/mail"
)

// match returns the most specific allow entry that counts and the most specific
// block entry, nil where there is none. An entry for a sender is compared with
// the reverse-path and with the From field. An allow entry counts only where
// authentication vouches for what it names, unless it says AnyAuth; a block
// entry needs no proof.
func match(list []mail.ListEntry, in Input) (allow, block *mail.ListEntry) {
	for i := range list {
		e := &list[i]
		if e.Allow {
			if outranks(e, allow) && allows(*e, in) {
				allow = e
			}
			continue
		}
		if outranks(e, block) && blocks(*e, in) {
			block = e
		}
	}
	return allow, block
}

// outranks reports whether a is there and more specific than b: an address beats
// a domain, a longer domain a shorter one, any of them a network.
func outranks(a, b *mail.ListEntry) bool {
	if a == nil || b == nil {
		return a != nil
	}
	return specific(*a) > specific(*b)
}

func specific(e mail.ListEntry) int {
	switch {
	case e.Address != "":
		return 1000
	case e.Domain != "":
		return 200 + len(e.Domain) // at most 253
	}
	return e.Network.Bits()
}

func blocks(e mail.ListEntry, in Input) bool {
	return names(e, in.EnvelopeFrom) || names(e, in.HeaderFrom) || inNetwork(e, in.Auth)
}

// allows reports whether e speaks for in. The From field is vouched for by DMARC
// or an aligned method, the reverse-path by SPF, the network by the origin that
// mailauth found.
func allows(e mail.ListEntry, in Input) bool {
	if inNetwork(e, in.Auth) {
		return true
	}
	dmarc := in.Auth.DMARC
	if names(e, in.HeaderFrom) && (e.AnyAuth || dmarc.Result == mail.ResultPass || dmarc.AlignedSPF || dmarc.AlignedDKIM) {
		return true
	}
	if !names(e, in.EnvelopeFrom) {
		return false
	}
	// With another name in the From field SPF says nothing of what readers see.
	sameAuthor := in.HeaderFrom == "" || sameOrganization(in.EnvelopeFrom, in.HeaderFrom)
	return e.AnyAuth || sameAuthor && in.Auth.SPF.Result == mail.ResultPass && in.Auth.SPF.Domain == mail.DomainOf(in.EnvelopeFrom)
}

// sameOrganization reports whether the domain of one address is that of the
// other or above it.
func sameOrganization(a, b string) bool {
	da, db := mail.DomainOf(a), mail.DomainOf(b)
	return da != "" && db != "" && (below(da, db) || below(db, da))
}

func names(e mail.ListEntry, addr string) bool {
	if addr == "" {
		return false
	}
	if e.Address != "" {
		el, ed := mail.SplitAddress(e.Address)
		al, ad := mail.SplitAddress(addr)
		return strings.EqualFold(el, al) && folded(ed) == folded(ad)
	}
	return e.Domain != "" && below(mail.DomainOf(addr), folded(e.Domain))
}

func below(domain, parent string) bool {
	return domain != "" && parent != "" && (domain == parent || strings.HasSuffix(domain, "."+parent))
}

func folded(domain string) string {
	f, err := mail.FoldDomain(domain)
	if err != nil {
		return strings.ToLower(domain)
	}
	return f
}

func inNetwork(e mail.ListEntry, a mail.Auth) bool {
	return e.Network.IsValid() && a.Origin.IP.IsValid() && e.Network.Contains(a.Origin.IP.Unmap())
}

// allowReason is the sentence about an allow entry that made a message of the class
// was one of the class now.
func allowReason(was, now int, entry mail.ListEntry) string {
	switch {
	case was == malware:
		return fmt.Sprintf("The allow entry for %s does not count, because no entry lets malware through.", title(entry))
	case now == unjudged:
		return fmt.Sprintf("The allow entry for %s does not count, because the message could not be judged.", title(entry))
	case now == was:
		return fmt.Sprintf("The sender is on the allow list (%s).", title(entry))
	}
	return fmt.Sprintf("The sender is on the allow list (%s); without it the message would have been %s.", title(entry), verdicts[was])
}

func blockReason(e mail.ListEntry) string {
	return fmt.Sprintf("The sender is on the block list (%s).", title(e))
}

func title(e mail.ListEntry) string {
	name := e.Network.String()
	switch {
	case e.Address != "":
		name = e.Address
	case e.Domain != "":
		name = e.Domain
	}
	if e.Note != "" {
		return fmt.Sprintf("%s: %s", name, e.Note)
	}
	return name
}
