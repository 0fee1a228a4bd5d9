// Package dmarc says whether a message comes from the domain that its From field
// shows (RFC 9989): it finds the owner's policy by walking up the DNS tree, and
// compares what SPF and DKIM proved with the From domain.
package dmarc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"postern/internal/mail"
)

// A Resolver answers DNS questions as net.Resolver does; its errors are
// *net.DNSError.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
}

// A Policy is what the owner of a message's author domain asks for. Evaluate needs
// it, and it needs nothing but the header, so both can be prepared side by side.
type Policy struct {
	walker
	resolver Resolver
	out      mail.DMARC
	record   Record
	org      string // Organizational Domain of the author

	final     bool // out holds the answer already
	undecided bool // an identifier would be aligned, but DNS did not answer for it
}

// Discover finds the policy for the From fields of header (RFC 9989 §4.10).
func Discover(ctx context.Context, r Resolver, header mail.Header) *Policy {
	author, err := Author(header)
	e := &Policy{
		walker:   walker{ctx: ctx, lookup: r.LookupTXT, known: map[string]*answer{}},
		resolver: r,
		out:      mail.DMARC{Result: mail.ResultNone, Domain: author},
	}
	if err != nil {
		e.out.Result, e.out.Reason, e.final = mail.ResultPermError, err.Error(), true
		return e
	}
	if e.record, err = e.discover(author); err != nil {
		e.failed(err)
	}
	return e
}

// Evaluate compares what passed with the author domain (RFC 9989 §4.4). spf must
// be of the domain of MAIL FROM, or of HELO for the null path. Without a policy
// the result is none; a From that is not exactly one author domain is permerror
// and never pass.
func (e *Policy) Evaluate(spf mail.SPF, dkim []mail.DKIM) mail.DMARC {
	if e.final {
		return e.out
	}
	author := e.out.Domain
	err := e.align(spf, dkim)
	if e.out.Policy == "" { // still worth knowing what would be aligned
		e.out.Reason = fmt.Sprintf("%s has no DMARC record", author)
		return e.out
	}
	if err != nil {
		return e.failed(err)
	}
	e.out.Result = mail.ResultPass
	if e.out.AlignedSPF || e.out.AlignedDKIM {
		return e.out
	}
	e.out.Result = mail.ResultFail
	e.out.Reason = fmt.Sprintf("neither SPF nor DKIM passed for %s", author)
	if e.undecided {
		e.out.Result = mail.ResultTempError // a later try may pass
		e.out.Reason = fmt.Sprintf("a DNS look-up for %s failed, so nothing can be said", author)
	}
	return e.out
}

func (e *Policy) failed(err error) mail.DMARC {
	e.out.Result, e.out.Reason, e.final = mail.ResultTempError, err.Error(), true
	return e.out
}

// discover finds the record that applies: of the author's domain, else of its
// Organizational Domain, else of the public suffix above that (RFC 9989 §4.10.1).
func (e *Policy) discover(author string) (Record, error) {
	nodes, err := e.walk(author)
	if err != nil {
		return Record{}, err
	}
	e.org = organization(nodes)
	for _, n := range nodes {
		if !n.found || n.record.Policy == "" {
			continue
		}
		last := n.domain == nodes[len(nodes)-1].domain && n.record.PSD == "y"
		if n.domain == author || n.domain == e.org || last {
			e.out.Record = n.domain
			e.out.Policy, err = e.policy(n, author)
			return n.record, err
		}
	}
	return Record{}, nil
}

// policy is what the owner asks for author: p for the domain itself, np for names
// that do not exist, else sp, else p; one step less while testing (RFC 9989 §4.7).
func (e *Policy) policy(n node, author string) (string, error) {
	p := n.record.Policy
	if n.domain != author {
		if n.record.Subdomains != "" {
			p = n.record.Subdomains
		}
		if n.record.Nonexistent != "" && n.record.Nonexistent != p {
			exists, err := e.exists(author)
			if err != nil {
				return "", err
			}
			if !exists {
				p = n.record.Nonexistent
			}
		}
	}
	if n.record.Testing {
		p = map[string]string{"reject": "quarantine", "quarantine": "none", "none": "none"}[p]
	}
	return p, nil
}

// exists reports whether DNS knows anything at author. The Resolver does not tell
// "no such name" from "no such type", so the types that mail uses are asked.
func (e *Policy) exists(author string) (bool, error) {
	mx, errMX := e.resolver.LookupMX(e.ctx, author)
	if len(mx) > 0 {
		return true, nil
	}
	ip, errIP := e.resolver.LookupIPAddr(e.ctx, author)
	if len(ip) > 0 {
		return true, nil
	}
	txt, errTXT := e.resolver.LookupTXT(e.ctx, author)
	if len(txt) > 0 {
		return true, nil
	}
	for _, err := range []error{errMX, errIP, errTXT} {
		if err != nil && !notFound(err) {
			return false, errTemporary
		}
	}
	return false, nil
}

// align fills in which identifiers match (RFC 9989 §4.4). It asks DNS only for
// domains that could match. An attacker can make look-ups of his own domains fail,
// so failures count only where the identifier is aligned.
func (e *Policy) align(spf mail.SPF, dkim []mail.DKIM) error {
	type identifier struct {
		domain string
		strict bool
		result mail.Result
	}
	ids := []identifier{{spf.Domain, e.record.StrictSPF, spf.Result}}
	for _, d := range dkim {
		ids = append(ids, identifier{d.Domain, e.record.StrictDKIM, d.Result})
	}
	aligned := make([]bool, len(ids))
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		if id.result == mail.ResultPass || id.result == mail.ResultTempError {
			wg.Go(func() { aligned[i], errs[i] = e.aligned(id.domain, id.strict) })
		}
	}
	wg.Wait()
	for i, id := range ids {
		switch {
		case !aligned[i]:
		case id.result == mail.ResultTempError:
			e.undecided = true
		case i == 0:
			e.out.AlignedSPF = true
		default:
			e.out.AlignedDKIM = true
		}
	}
	if e.out.AlignedSPF || e.out.AlignedDKIM {
		return nil
	}
	return errors.Join(errs...)
}

func (e *Policy) aligned(domain string, strict bool) (bool, error) {
	domain = fold(domain)
	if domain == "" || domain == e.out.Domain || strict {
		return domain != "" && domain == e.out.Domain, nil
	}
	if !related(domain, e.out.Domain) {
		return false, nil
	}
	nodes, err := e.walk(domain)
	if err != nil {
		return false, fmt.Errorf("%s: %w", domain, err)
	}
	return organization(nodes) == e.org, nil
}
