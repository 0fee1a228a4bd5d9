package spf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"postern/internal/mail"
)

// evaluation is one check_host() with everything it includes (RFC 7208 §4).
type evaluation struct {
	ctx      context.Context
	resolver Resolver
	ip       netip.Addr
	helo     string
	local    string // of the sender
	sender   string // domain of the sender
	lookups  int
	void     int
	names    []string // of ip, validated
	asked    bool     // names is known
}

// check evaluates the record of one domain. The error explains an error result.
func (e *evaluation) check(domain string) (mail.Result, error) {
	if _, err := mail.FoldDomain(domain); err != nil || !strings.Contains(domain, ".") {
		return mail.ResultNone, nil
	}
	texts, err := e.resolver.LookupTXT(e.ctx, domain)
	if err != nil && !notFound(err) {
		return failed(errTemporary)
	}
	texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !isRecord(s) })
	switch {
	case len(texts) == 0:
		return mail.ResultNone, nil
	case len(texts) > 1:
		return failed(errRecords)
	}
	r, err := parseRecord(texts[0])
	if err != nil {
		return failed(err)
	}
	for _, t := range r.terms {
		matches, err := e.match(t, domain)
		if err != nil {
			return failed(err)
		}
		if matches {
			return t.result, nil
		}
	}
	if r.redirect != "" {
		return e.redirect(r.redirect, domain)
	}
	return mail.ResultNeutral, nil
}

func (e *evaluation) redirect(spec, domain string) (mail.Result, error) {
	target, err := e.term(spec, domain)
	if err != nil {
		return failed(err)
	}
	result, err := e.check(target)
	if result == mail.ResultNone { // RFC 7208 §6.1
		return failed(fmt.Errorf("redirect= leads to %s, which has no SPF record", target))
	}
	return result, err
}

// term counts one term that asks DNS and gives the name it asks for.
func (e *evaluation) term(spec, domain string) (string, error) {
	e.lookups++
	if e.lookups > maxLookups {
		return "", errLookups
	}
	if spec == "" {
		return domain, nil
	}
	return e.expand(spec, domain)
}

// match evaluates one mechanism (RFC 7208 §5).
func (e *evaluation) match(t term, domain string) (bool, error) {
	switch t.name {
	case "all":
		return true, nil
	case "ip4", "ip6":
		return t.ip.Contains(e.ip), nil
	}
	target, err := e.term(t.domain, domain)
	if err != nil {
		return false, err
	}
	switch t.name {
	case "include":
		return e.include(target)
	case "a":
		ips, err := e.addresses(target, e.ip.Is4())
		return t.covers(e.ip, ips), err
	case "mx":
		return e.mx(t, target)
	case "exists":
		ips, err := e.addresses(target, true)
		return len(ips) > 0, err
	}
	for _, name := range e.ptr() {
		if name == target || strings.HasSuffix(name, "."+target) {
			return true, nil
		}
	}
	return false, nil
}

func (e *evaluation) include(target string) (bool, error) {
	result, err := e.check(target)
	switch result {
	case mail.ResultPass:
		return true, nil
	case mail.ResultNone:
		return false, fmt.Errorf("include:%s has no SPF record", target)
	}
	return false, err // nil for fail, softfail and neutral
}

func (e *evaluation) mx(t term, target string) (bool, error) {
	hosts, err := e.resolver.LookupMX(e.ctx, target)
	if err := e.count(len(hosts), err); err != nil {
		return false, err
	}
	if len(hosts) > maxNames {
		return false, fmt.Errorf("%s has more than 10 MX hosts", target)
	}
	for _, mx := range hosts {
		ips, err := e.addresses(strings.TrimSuffix(mx.Host, "."), e.ip.Is4())
		if err != nil {
			return false, err
		}
		if t.covers(e.ip, ips) {
			return true, nil
		}
	}
	return false, nil
}

// covers reports whether ip lies in the term's network around one of ips.
func (t term) covers(ip netip.Addr, ips []netip.Addr) bool {
	n := t.bits6
	if ip.Is4() {
		n = t.bits4
	}
	return slices.ContainsFunc(ips, func(a netip.Addr) bool { return netip.PrefixFrom(a, n).Masked().Contains(ip) })
}

// addresses are the IPv4 or the IPv6 addresses of a host.
func (e *evaluation) addresses(host string, v4 bool) ([]netip.Addr, error) {
	var out []netip.Addr
	answers, err := e.resolver.LookupIPAddr(e.ctx, host)
	for _, a := range answers {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.Unmap().Is4() == v4 {
			out = append(out, ip.Unmap())
		}
	}
	return out, e.count(len(out), err)
}

// count notes a look-up without an answer; too many of them are an error, as is
// DNS that does not work.
func (e *evaluation) count(answers int, err error) error {
	if err != nil && !notFound(err) {
		return errTemporary
	}
	if answers == 0 {
		e.void++
	}
	if e.void > maxVoid {
		return errVoid
	}
	return nil
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// ptr are the names of ip that lead back to it (RFC 7208 §5.5). Whoever owns the
// address writes them, so errors only make them fewer.
func (e *evaluation) ptr() []string {
	if e.asked {
		return e.names
	}
	e.asked = true
	names, _ := e.resolver.LookupAddr(e.ctx, e.ip.String())
	for _, name := range names[:min(len(names), maxNames)] {
		answers, _ := e.resolver.LookupIPAddr(e.ctx, strings.TrimSuffix(name, "."))
		for _, a := range answers {
			if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.Unmap() == e.ip {
				e.names = append(e.names, strings.ToLower(strings.TrimSuffix(name, ".")))
				break
			}
		}
	}
	return e.names
}

// validatedName is %{p}: best the domain itself, then a name below it, then any
// (RFC 7208 §7.3).
func (e *evaluation) validatedName(domain string) string {
	names := e.ptr()
	if slices.Contains(names, domain) {
		return domain
	}
	for _, name := range names {
		if strings.HasSuffix(name, "."+domain) {
			return name
		}
	}
	if len(names) > 0 {
		return names[0]
	}
	return "unknown"
}
