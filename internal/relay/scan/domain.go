package scan

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"postern/internal/mail"
)

// Organization is the domain that somebody registered: one label below the
// public suffix ("mail.contoso.co.uk" → "contoso.co.uk"). For a public suffix
// itself and for what is no domain it is domain.
func Organization(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	return org
}

// Within reports whether domain is of or below one of domains.
func Within(domain string, domains []string) bool {
	for _, d := range domains {
		if Below(domain, d) {
			return true
		}
	}
	return false
}

// Below reports whether domain is parent or a subdomain of it. Both as
// mail.FoldDomain gives them.
func Below(domain, parent string) bool {
	if len(domain) == len(parent) {
		return domain == parent && domain != ""
	}
	return parent != "" && len(domain) > len(parent) && domain[len(domain)-len(parent)-1] == '.' && strings.HasSuffix(domain, parent)
}

// A Target is where a link leads, as a browser would read it.
type Target struct {
	Scheme string     // lower case: "https", "mailto", "data" ...
	Host   string     // folded domain, or an address as text; "" where the scheme has none
	IP     netip.Addr // valid if the host is an address, however it was written
	User   string     // what stood before "@" in the authority
	Path   string     // decoded
	Query  string
	IDN    bool // the host has an A-label (xn--)
}

// ParseTarget reads raw as leniently as mail clients and browsers do: white
// space and control characters within are dropped, backslashes are slashes, any
// number of slashes follows the scheme, and numeric hosts are addresses (WHATWG
// URL). ok is false for a relative reference and for what no client follows.
func ParseTarget(raw string) (t Target, ok bool) {
	s := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0x200b || r == 0xfeff || r == 0xad {
			return -1
		}
		return r
	}, strings.TrimSpace(raw))
	scheme, rest, found := strings.Cut(s, ":")
	switch {
	case strings.HasPrefix(s, "//"):
		scheme, rest = "https", s
	case found && isScheme(scheme):
		scheme = strings.ToLower(scheme)
	case strings.HasPrefix(strings.ToLower(s), "www."):
		scheme, rest = "http", s
	default:
		return t, false
	}
	t.Scheme = scheme
	if scheme != "http" && scheme != "https" && scheme != "ftp" {
		t.Path = rest
		return t, true
	}
	rest = strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/")
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		t.User, authority = authority[:i], authority[i+1:]
	}
	t.setHost(authority)
	t.setPath(tail)
	return t, t.Host != ""
}

func isScheme(s string) bool {
	if s == "" || len(s) > 20 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || (s[i] < '0' || s[i] > '9') && s[i] != '+' && s[i] != '-' && s[i] != '.') {
			return false
		}
	}
	return true
}

func (t *Target) setHost(authority string) {
	host := authority
	if strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host[1:], "]")
		t.IP, _ = netip.ParseAddr(host)
		t.Host = host
		return
	}
	host, _, _ = strings.Cut(host, ":")
	if dec, err := url.PathUnescape(host); err == nil {
		host = dec
	}
	if ip, ok := numericHost(host); ok {
		t.IP, t.Host = ip, ip.String()
		return
	}
	folded, err := mail.FoldDomain(host)
	if err != nil {
		t.Host = strings.ToLower(host) // may still resolve somewhere
		return
	}
	t.Host = folded
	t.IDN = strings.HasPrefix(folded, "xn--") || strings.Contains(folded, ".xn--")
}

func (t *Target) setPath(tail string) {
	tail, _, _ = strings.Cut(tail, "#")
	path, query, _ := strings.Cut(tail, "?")
	if dec, err := url.PathUnescape(path); err == nil {
		path = dec
	}
	t.Path, t.Query = path, query
}

// numericHost reads an IPv4 address in any of the forms browsers take: dotted,
// fewer than four numbers, octal, hexadecimal (WHATWG URL §4.4).
func numericHost(host string) (netip.Addr, bool) {
	nums := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(nums) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, s := range nums {
		n, ok := number(s)
		last := i == len(nums)-1
		if !ok || (!last && n > 255) || (last && n >= 1<<(8*(5-len(nums)))) {
			return netip.Addr{}, false
		}
		if last {
			v = v<<(8*(5-len(nums))) | n
		} else {
			v = v<<8 | n
		}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

func number(s string) (n uint64, ok bool) {
	base := uint64(10)
	switch {
	case len(s) > 1 && (s[:2] == "0x" || s[:2] == "0X"):
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, s = 8, s[1:]
	case s == "":
		return 0, false
	}
	if len(s) > 16 {
		return 0, false
	}
	for i := range len(s) {
		d := uint64(s[i])
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		if d >= base {
			return 0, false
		}
		n = n*base + d
	}
	return n, n < 1<<32
}
