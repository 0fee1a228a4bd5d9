package dns

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// LookupTXT returns the TXT records of name, the strings of each joined (RFC 7208
// §3.3).
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	records, _, err := r.lookup(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	texts := make([]string, 0, len(records))
	for _, rr := range records {
		texts = append(texts, unescape(strings.Join(rr.(*dns.TXT).Txt, "")))
	}
	return texts, nil
}

// LookupMX returns the MX records of name, the most preferred first and equals in
// random order (RFC 5321 §5.1). A domain that takes no mail has one with the Host
// "." (null MX, RFC 7505 §3).
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	records, _, err := r.lookup(ctx, name, dns.TypeMX)
	if err != nil {
		return nil, err
	}
	mx := make([]*net.MX, 0, len(records))
	for _, rr := range records {
		m := rr.(*dns.MX)
		mx = append(mx, &net.MX{Host: m.Mx, Pref: m.Preference})
	}
	rand.Shuffle(len(mx), func(i, j int) { mx[i], mx[j] = mx[j], mx[i] })
	slices.SortStableFunc(mx, func(a, b *net.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	return mx, nil
}

// LookupIPAddr returns the addresses of host, IPv4 first, each family in random
// order. An address is returned as it is; "localhost" is the loopback (RFC 6761
// §6.3). If only one of the two questions (A, AAAA) can be answered, that answer
// is returned.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []net.IPAddr{{IP: ip.AsSlice(), Zone: ip.Zone()}}, nil
	}
	if known := r.known(host); known != nil {
		return known, nil
	}
	type result struct {
		records []dns.RR
		err     error
	}
	six := make(chan result, 1)
	go func() {
		records, _, err := r.lookup(ctx, host, dns.TypeAAAA)
		six <- result{records, err}
	}()
	v4, _, err := r.lookup(ctx, host, dns.TypeA)
	v6 := <-six
	if len(v4)+len(v6.records) == 0 {
		if isNotFound(err) { // must not hide that the other question failed
			err = v6.err
		}
		return nil, err
	}
	addrs := make([]net.IPAddr, 0, len(v4)+len(v6.records))
	for _, rr := range v4 {
		addrs = append(addrs, net.IPAddr{IP: rr.(*dns.A).A})
	}
	for _, rr := range v6.records {
		addrs = append(addrs, net.IPAddr{IP: rr.(*dns.AAAA).AAAA})
	}
	shuffle(addrs[:len(v4)])
	shuffle(addrs[len(v4):])
	return addrs, nil
}

// LookupAddr returns the names of an IP address.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	arpa, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "not an IP address", Name: addr, IsNotFound: true}
	}
	records, _, err := r.lookup(ctx, arpa, dns.TypePTR)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(records))
	for _, rr := range records {
		names = append(names, rr.(*dns.PTR).Ptr)
	}
	return names, nil
}

// LookupCNAME returns the name at the end of host's aliases, host itself if it is
// none. The error is IsNotFound only if that name does not exist or has no
// address.
func (r *Resolver) LookupCNAME(ctx context.Context, host string) (string, error) {
	var first error
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		_, canonical, err := r.lookup(ctx, host, qtype)
		if err == nil {
			return canonical, nil
		}
		if first == nil || isNotFound(first) {
			first = err
		}
	}
	return "", first
}

func (r *Resolver) known(host string) []net.IPAddr {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return []net.IPAddr{{IP: net.IPv4(127, 0, 0, 1)}, {IP: net.IPv6loopback}}
	}
	if r.hosts == nil {
		return nil
	}
	return r.hosts.lookup(name)
}

func shuffle(addrs []net.IPAddr) {
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
}

func isNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// unescape undoes the presentation form (RFC 1035 §5.1) in which the library
// keeps strings: \" \\ and \ddd.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]) {
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0')
			i += 3
			continue
		}
		b = append(b, s[i+1])
		i++
	}
	return string(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
