// Package spf says whether an address may send for a domain (RFC 7208).
//
// The evaluator is our own: a record with an error anywhere is a permerror before
// any of it counts (§4.6), which the libraries at hand do not do. It asks DNS
// through Resolver only and stops at the limits of §4.6.4.
package spf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"postern/internal/mail"
)

const (
	maxLookups = 10 // terms that ask DNS (RFC 7208 §4.6.4)
	maxVoid    = 2  // look-ups without an answer (RFC 7208 §4.6.4)
	maxNames   = 10 // MX hosts, or names of an address (RFC 7208 §4.6.4)
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
	local, domain := mail.SplitAddress(from)
	if from == "" {
		domain = helo
	}
	if local == "" || from == "" {
		local = "postmaster" // RFC 7208 §4.3
	}
	folded, err := mail.FoldDomain(domain)
	if err != nil || !strings.Contains(folded, ".") {
		return mail.SPF{Result: mail.ResultNone, Reason: "there is no domain to ask"}
	}
	out := mail.SPF{Result: mail.ResultNone, Domain: folded, Reason: "the sender's address is not known"}
	if !ip.IsValid() {
		return out
	}
	e := &evaluation{ctx: ctx, resolver: r, ip: ip.Unmap().WithZone(""), helo: helo, local: local, sender: folded}
	out.Result, err = e.check(folded)
	out.Reason = reason(out, ip, err)
	return out
}

func reason(s mail.SPF, ip netip.Addr, why error) string {
	switch {
	case why != nil:
		return why.Error()
	case s.Result == mail.ResultFail:
		return fmt.Sprintf("%s may not send for %s", ip, s.Domain)
	case s.Result == mail.ResultSoftFail:
		return fmt.Sprintf("%s probably may not send for %s", ip, s.Domain)
	case s.Result == mail.ResultNone:
		return fmt.Sprintf("%s has no SPF record", s.Domain)
	}
	return ""
}

var (
	errTemporary = errors.New("DNS did not answer")
	errLookups   = errors.New("the record needs more than 10 DNS look-ups")
	errVoid      = errors.New("more than 2 names in the record do not exist")
	errRecords   = errors.New("there is more than one SPF record")
)

// failed is the result for an error met on the way.
func failed(err error) (mail.Result, error) {
	if errors.Is(err, errTemporary) {
		return mail.ResultTempError, err
	}
	return mail.ResultPermError, err
}
