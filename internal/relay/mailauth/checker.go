package mailauth

import (
	"context"
	"net"
	"sync"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/mailauth/arc"
	"postern/internal/relay/mailauth/dkim"
	"postern/internal/relay/mailauth/dmarc"
	"postern/internal/relay/mailauth/exchange"
	"postern/internal/relay/mailauth/spf"
)

// A Resolver answers DNS questions as net.Resolver does; its errors are
// *net.DNSError. It is called from several goroutines.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

const defaultTimeout = 20 * time.Second // least that RFC 7208 §4.6.4 suggests for SPF

// Checker authenticates messages. It is safe for concurrent use.
type Checker struct {
	Resolver Resolver
	Now      func() time.Time // nil means time.Now; only for messages without Received
	Timeout  time.Duration    // of all look-ups for one message; 0 means 20 s
}

// Check says where the message comes from and what of it is genuine. env is how
// the message reached us; via says whether our peer was Exchange, which must have
// been made sure of before, or the sender itself. octets are kept by nobody.
// Look-ups run side by side; those that ctx or the timeout end are temperrors.
func (c *Checker) Check(ctx context.Context, env *mail.Envelope, via mail.Architecture, octets []byte) mail.Auth {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	m := dkim.NewMessage(octets)
	var a mail.Auth
	a.Origin, a.Exchange = origin(env, via, m.Header)

	var policy *dmarc.Policy
	var wg sync.WaitGroup
	wg.Go(func() { a.SPF = spf.Check(ctx, c.Resolver, a.Origin.IP, a.Origin.HELO, a.Origin.MailFrom) })
	wg.Go(func() { policy = dmarc.Discover(ctx, c.Resolver, m.Header) })
	wg.Go(func() { a.ARC = (&arc.Verifier{LookupTXT: c.Resolver.LookupTXT}).Verify(ctx, m) })
	a.DKIM = (&dkim.Verifier{LookupTXT: c.Resolver.LookupTXT}).Verify(ctx, m, c.arrival(env))
	wg.Wait()

	if a.Origin.Internal {
		a.SPF = mail.SPF{Result: mail.ResultNone, Reason: "sent by a mailbox of the tenant"}
	}
	a.DMARC = policy.Evaluate(a.SPF, a.DKIM)
	if a.Origin.Internal && a.DMARC.Result == mail.ResultFail {
		a.DMARC.Result, a.DMARC.Reason = mail.ResultNone, "sent by a mailbox of the tenant"
	}
	return a
}

// arrival is the time that counts for signatures, also when a message is judged
// again later (RFC 6376 §3.5, x=).
func (c *Checker) arrival(env *mail.Envelope) time.Time {
	if !env.Received.IsZero() {
		return env.Received
	}
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func origin(env *mail.Envelope, via mail.Architecture, h mail.Header) (mail.Origin, *mail.Exchange) {
	if via == mail.ViaMX {
		return mail.Origin{IP: env.Client, HELO: env.HELO, MailFrom: env.From, Source: "peer"}, nil
	}
	o, found, _ := exchange.Read(h, env.From)
	return o, found
}
