package mail

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"
)

// ErrDomain means that a text is not a domain name that mail can be sent to.
var ErrDomain = errors.New("not a valid domain name")

// SplitAddress cuts an addr-spec at its last "@". The local part keeps its case
// and quoting (RFC 5321 §2.4). domain is "" if there is none.
func SplitAddress(addr string) (local, domain string) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return addr, ""
	}
	return addr[:i], addr[i+1:]
}

// DomainOf is the domain of addr as FoldDomain gives it, or "" for the null path
// and for an address without a valid domain.
func DomainOf(addr string) string {
	_, d := SplitAddress(addr)
	d, err := FoldDomain(d)
	if err != nil {
		return ""
	}
	return d
}

// domainProfile maps as browsers do but leaves underscores alone, because they
// occur in the host names of real mail.
var domainProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(false))

// FoldDomain returns the one form in which Postern compares and stores a domain:
// A-labels in lower case without the final dot (RFC 5890 §2.3.2.1). The error is
// ErrDomain.
func FoldDomain(domain string) (string, error) {
	domain = strings.TrimSuffix(domain, ".")
	if domain == "" || len(domain) > 255 {
		return "", ErrDomain
	}
	ascii, err := domainProfile.ToASCII(domain)
	if err != nil || len(ascii) > 253 {
		return "", ErrDomain
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if !validLabel(label) {
			return "", ErrDomain
		}
	}
	return ascii, nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
