// Package spf says whether an address may send for a domain (RFC 7208). The
// evaluation itself is blitiri.com.ar/go/spf; this package decides what is asked,
// bounds it, and puts the outcome into our words.
package spf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"blitiri.com.ar/go/spf"

	"postern/internal/mail"
)

const (
	maxLookups = 10 // terms that ask DNS (RFC 7208 §4.6.4)
	maxVoid    = 2  // look-ups without an answer (RFC 7208 §4.6.4)
)

// A Resolver answers DNS questions as net.Resolver does; its errors are
// *net.DNSError.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// Check evaluates the policy of the domain of from for ip, or of helo for the null
// path (RFC 7208 §2.4). Without an address or a domain the result is none.
func Check(ctx context.Context, r Resolver, ip netip.Addr, helo, from string) mail.SPF {
	if from == "" {
		from = "postmaster@" + helo
	}
	_, domain := mail.SplitAddress(from)
	folded, err := mail.FoldDomain(domain)
	if !ip.IsValid() {
		return mail.SPF{Result: mail.ResultNone, Domain: folded, Reason: "the sender's address is not known"}
	}
	if err != nil {
		return mail.SPF{Result: mail.ResultNone, Reason: "there is no domain to ask"}
	}
	addr := net.IP(ip.Unmap().AsSlice())
	got, why := spf.CheckHostWithSender(addr, helo, from, spf.WithContext(ctx), spf.WithResolver(strict{r}),
		spf.OverrideLookupLimit(maxLookups), spf.OverrideVoidLookupLimit(maxVoid))
	out := mail.SPF{Result: mail.Result(got), Domain: folded}
	if out.Result != mail.ResultPass {
		out.Reason = reason(out, ip, why)
	}
	return out
}

func reason(s mail.SPF, ip netip.Addr, why error) string {
	switch s.Result {
	case mail.ResultFail:
		return fmt.Sprintf("%s may not send for %s", ip, s.Domain)
	case mail.ResultSoftFail:
		return fmt.Sprintf("%s probably may not send for %s", ip, s.Domain)
	case mail.ResultNone:
		return fmt.Sprintf("%s has no SPF record", s.Domain)
	case mail.ResultTempError:
		return "DNS did not answer"
	}
	var dns *net.DNSError
	if why == nil || errors.As(why, &dns) {
		return ""
	}
	return why.Error()
}

// strict asks for names in lower case without the final dot, and calls every
// failure temporary that does not say "there is no such name": the library takes
// others, such as an exceeded deadline, for permanent.
type strict struct{ Resolver }

func (s strict) LookupTXT(ctx context.Context, name string) ([]string, error) {
	got, err := s.Resolver.LookupTXT(ctx, plain(name))
	return got, temporary(err)
}

func (s strict) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	got, err := s.Resolver.LookupMX(ctx, plain(name))
	return got, temporary(err)
}

func (s strict) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	got, err := s.Resolver.LookupIPAddr(ctx, plain(host))
	return got, temporary(err)
}

func (s strict) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	got, err := s.Resolver.LookupAddr(ctx, addr)
	return got, temporary(err)
}

func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func temporary(err error) error {
	var dns *net.DNSError
	if err == nil || errors.As(err, &dns) && dns.IsNotFound {
		return err
	}
	return &net.DNSError{Err: err.Error(), IsTemporary: true}
}
