package spf

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// A record is a parsed SPF record (RFC 7208 §4.6.1).
type record struct {
	terms    []term
	redirect string // domain-spec, "" if none
}

// term is one directive.
type term struct {
	result mail.Result  // if it matches
	name   string       // mechanism
	domain string       // domain-spec, "" for the current domain
	ip     netip.Prefix // of ip4 and ip6
	bits4  int          // of a and mx
	bits6  int
}

var qualifiers = map[byte]mail.Result{
	'+': mail.ResultPass, '-': mail.ResultFail, '~': mail.ResultSoftFail, '?': mail.ResultNeutral,
}

var modifier = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_.-]*)=(.*)$`)

// isRecord reports whether a TXT record is one of SPF (RFC 7208 §4.5).
func isRecord(text string) bool {
	const version = "v=spf1"
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// parseRecord reads the terms after the version. Any error in it makes the whole
// record worthless.
func parseRecord(text string) (record, error) {
	var r record
	seen := map[string]bool{}
	for word := range strings.SplitSeq(text[len("v=spf1"):], " ") {
		if word == "" {
			continue
		}
		m := modifier.FindStringSubmatch(word)
		if m == nil {
			t, err := parseDirective(word)
			if err != nil {
				return r, err
			}
			r.terms = append(r.terms, t)
			continue
		}
		name, value := strings.ToLower(m[1]), m[2]
		if name != "redirect" && name != "exp" {
			if !validMacros(value) {
				return r, bad(word)
			}
			continue
		}
		if seen[name] || !validDomainSpec(value) {
			return r, bad(word)
		}
		seen[name] = true
		if name == "redirect" {
			r.redirect = value
		}
	}
	return r, nil
}

func bad(word string) error { return fmt.Errorf("the SPF record has an error at %.60q", word) }

func parseDirective(word string) (term, error) {
	t := term{result: mail.ResultPass, bits4: 32, bits6: 128}
	rest := word
	if q, ok := qualifiers[word[0]]; ok {
		t.result, rest = q, word[1:]
	}
	end := strings.IndexAny(rest, ":/")
	if end < 0 {
		end = len(rest)
	}
	t.name, rest = strings.ToLower(rest[:end]), rest[end:]
	ok := false
	switch t.name {
	case "all":
		ok = rest == ""
	case "include", "exists":
		ok = strings.HasPrefix(rest, ":") && t.setDomain(rest)
	case "ptr":
		ok = t.setDomain(rest)
	case "a", "mx":
		rest, ok = t.cutBits(rest)
		ok = ok && t.setDomain(rest)
	case "ip4", "ip6":
		ok = strings.HasPrefix(rest, ":") && t.setAddress(rest[1:])
	}
	if !ok {
		return t, bad(word)
	}
	return t, nil
}

// setDomain takes ":domain-spec", or nothing.
func (t *term) setDomain(rest string) bool {
	if rest == "" {
		return true
	}
	t.domain = rest[1:]
	return rest[0] == ':' && validDomainSpec(t.domain)
}

var dualBits = regexp.MustCompile(`^(.*?)(?:/([0-9]+))?(?://([0-9]+))?$`)

// cutBits takes "/24//64" off the end.
func (t *term) cutBits(rest string) (string, bool) {
	m := dualBits.FindStringSubmatch(rest)
	if m == nil {
		return rest, false
	}
	return m[1], bits(m[2], 32, &t.bits4) && bits(m[3], 128, &t.bits6)
}

// bits reads a prefix length without leading zeros; "" leaves the default.
func bits(text string, most int, to *int) bool {
	if text == "" {
		return true
	}
	n, err := strconv.Atoi(text)
	*to = n
	return err == nil && n <= most && (text == "0" || text[0] != '0')
}

func (t *term) setAddress(text string) bool {
	address, length, cut := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" || ip.Is4() != (t.name == "ip4") {
		return false
	}
	n := ip.BitLen()
	if cut && (length == "" || !bits(length, ip.BitLen(), &n)) {
		return false
	}
	t.ip = netip.PrefixFrom(ip, n)
	return true
}
