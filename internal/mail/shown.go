package mail

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Visible makes characters that hide, turn or end a line show themselves: in
// strangers' texts they are used to deceive (UTS 39, safety.md R38).
func Visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(' ')
		case hides(r):
			fmt.Fprintf(&b, "‹U+%04X›", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hides reports whether a character is invisible, moves others, or stands for
// octets that are no text. Blank letters and variation selectors hide too.
func hides(r rune) bool {
	switch r {
	case unicode.ReplacementChar, '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Zl, unicode.Zp, unicode.Variation_Selector) ||
		unicode.Is(unicode.Zs, r) && r != ' ' && r != '\u00a0' && r != '\u3000'
}

// Shown is an address as it is: a domain that is not plain letters is shown as
// machines see it, so that none passes for another.
func Shown(addr string) string {
	local, domain := SplitAddress(addr)
	if domain == "" {
		return Visible(addr)
	}
	if strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII }) && !strings.ContainsFunc(domain, hides) { // mapping would drop what hides
		if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
			domain = ascii
		} else if ascii, err := idna.Punycode.ToASCII(domain); err == nil {
			domain = ascii // no valid name, but still no other one's look
		}
	}
	return Visible(local) + "@" + Visible(domain)
}

// FoldAddress is the one form in which a recipient's own things are kept: the local
// part in lower case, as Exchange compares it, and the domain as FoldDomain gives
// it. It is "" for what is no address.
func FoldAddress(addr string) string {
	local, _ := SplitAddress(addr)
	domain := DomainOf(addr)
	if local == "" || domain == "" || strings.ContainsFunc(local, unicode.IsControl) {
		return ""
	}
	return strings.ToLower(local) + "@" + domain
}

// AddressForms are the ways in which a client may have written a folded address:
// with A-labels and with U-labels.
func AddressForms(folded string) [2]string {
	local, domain := SplitAddress(folded)
	u, err := idna.ToUnicode(domain)
	if err != nil {
		u = domain
	}
	return [2]string{folded, local + "@" + strings.ToLower(u)}
}
