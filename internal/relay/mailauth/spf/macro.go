package spf

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// macroExpand is one macro (RFC 7208 §7.1); c, r and t are only for exp=.
	macroExpand = regexp.MustCompile(`%(?:%|_|-|\{([slodipvhSLODIPVH])([0-9]*)([rR]?)([.+,/_=-]*)\})`)
	// domainEnd is how a domain-spec must end: in a macro or a top label that is
	// not all digits.
	domainEnd = regexp.MustCompile(`(?:%(?:%|_|-|\{[^}]*\})|\.([A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\.?)$`)
)

// validMacros reports whether s is a macro-string (RFC 7208 §7.1).
func validMacros(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	for _, m := range macroExpand.FindAllStringSubmatch(s, -1) {
		if n, err := strconv.Atoi(m[2]); m[2] != "" && (err != nil || n == 0) {
			return false
		}
	}
	return !strings.Contains(macroExpand.ReplaceAllString(s, ""), "%")
}

func validDomainSpec(s string) bool { return validMacros(s) && domainEnd.MatchString(s) }

// expand makes a name of a domain-spec, with labels cut off the left until it
// fits (RFC 7208 §7.3).
func (e *evaluation) expand(spec, domain string) (string, error) {
	name := spec
	if strings.Contains(spec, "%") {
		name = macroExpand.ReplaceAllStringFunc(spec, func(macro string) string { return e.macro(macro, domain) })
	}
	name = strings.TrimSuffix(name, ".")
	for len(name) > 253 {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return "", bad(spec)
		}
		name = rest
	}
	return strings.ToLower(name), nil
}

func (e *evaluation) macro(text, domain string) string {
	switch text {
	case "%%":
		return "%"
	case "%_":
		return " "
	case "%-":
		return "%20"
	}
	m := macroExpand.FindStringSubmatch(text)
	value := e.letter(strings.ToLower(m[1]), domain)
	if m[2] != "" || m[3] != "" || m[4] != "" {
		value = transform(value, m[2], m[3] != "", m[4])
	}
	if m[1] != strings.ToLower(m[1]) {
		value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	}
	return value
}

// transform splits at the delimiters, reverses if asked, keeps so many parts from
// the right, and joins with dots.
func transform(value, keep string, reverse bool, delimiters string) string {
	if delimiters == "" {
		delimiters = "."
	}
	var parts []string
	for start := 0; ; {
		i := strings.IndexAny(value[start:], delimiters)
		if i < 0 {
			parts = append(parts, value[start:])
			break
		}
		parts = append(parts, value[start:start+i])
		start += i + 1
	}
	if reverse {
		slices.Reverse(parts)
	}
	if n, err := strconv.Atoi(keep); err == nil && n < len(parts) {
		parts = parts[len(parts)-n:]
	}
	return strings.Join(parts, ".")
}

func (e *evaluation) letter(letter, domain string) string {
	switch letter {
	case "s":
		return e.local + "@" + e.sender
	case "l":
		return e.local
	case "o":
		return e.sender
	case "d":
		return domain
	case "i":
		return dotted(e.ip)
	case "p":
		return e.validatedName(domain)
	case "v":
		if e.ip.Is4() {
			return "in-addr"
		}
		return "ip6"
	}
	return e.helo
}

// dotted is the address as %{i} has it: IPv6 in nibbles.
func dotted(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	const hex = "0123456789abcdef"
	out := make([]byte, 0, 63)
	for _, b := range ip.AsSlice() {
		out = append(out, hex[b>>4], '.', hex[b&15], '.')
	}
	return string(out[:63])
}
