package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/internal/mail"
)

// Step is one step of a connection test.
type Step struct {
	Name   string        `json:"name"` // "DNS", "Connect", "Greeting", "EHLO", "STARTTLS", "Certificate", "EHLO over TLS", "Conclusion"
	OK     bool          `json:"ok"`
	Detail string        `json:"detail"` // a sentence; quotes the MTA, so escape it
	Took   time.Duration `json:"took"`
}

// testPatience is how long a person waits for one step.
const testPatience = 15 * time.Second

// Test tries to reach mta as Send would, step by step, without sending a message.
// It ends with the first step that fails; the last step is a Conclusion either
// way. It takes a minute at most.
func (s *Sender) Test(ctx context.Context, mta mail.MTA) []Step {
	s.init()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := &probe{s: s, ctx: ctx, mta: mta}
	p.run()
	verdict := Step{Name: "Conclusion", OK: true, Detail: "Mail can be sent to " + mta.Address() + "."}
	if last := p.steps[len(p.steps)-1]; !last.OK {
		verdict = Step{Name: "Conclusion", Detail: fmt.Sprintf("Mail cannot be sent to %s as things are: the step %s failed.", mta.Address(), last.Name)}
	}
	return append(p.steps, verdict)
}

// probe is one Test.
type probe struct {
	s     *Sender
	ctx   context.Context
	mta   mail.MTA
	c     *conn
	steps []Step
	cert  *hopError // why the certificate was not good enough
}

// step runs f and notes what it found; it reports whether to go on.
func (p *probe) step(name string, f func() (string, error)) bool {
	began := time.Now()
	detail, err := f()
	st := Step{Name: name, OK: err == nil, Detail: detail, Took: time.Since(began)}
	if err != nil {
		st.Detail = strings.TrimSpace(detail + " " + sentence(words(err)))
		if e, ok := err.(*hopError); ok {
			st.Detail = sentence(strings.TrimPrefix(e.Error(), e.stage+": "))
		}
	}
	p.steps = append(p.steps, st)
	return st.OK
}

func (p *probe) run() {
	var addrs []string
	times := p.s.Timeouts.orDefault()
	times.Greeting, times.Hello = min(times.Greeting, testPatience), min(times.Hello, testPatience)
	ok := p.step("DNS", func() (string, error) {
		ats, err := p.s.addrs(p.ctx, p.mta, testPatience)
		if err != nil {
			return "", err
		}
		for _, at := range ats {
			addrs = append(addrs, at.Addr().String())
		}
		return fmt.Sprintf("%s is at %s.", p.mta.Host, strings.Join(addrs, ", ")), nil
	})
	ok = ok && p.step("Connect", func() (string, error) { return p.connect(times) })
	if !ok {
		return
	}
	defer func() { p.c.quit() }()
	defer p.c.use(p.ctx)()
	ok = p.step("Greeting", func() (string, error) {
		r, bad := p.c.greet()
		return told(r, bad)
	})
	ok = ok && p.hello("EHLO")
	if !ok || p.mta.TLS == mail.TLSNone {
		return
	}
	conf := p.s.tlsConfig(p.mta)
	conf.ClientSessionCache = nil // a person wants to see the certificate checked
	ok = p.step("STARTTLS", func() (string, error) { return p.encrypt(conf) })
	ok = ok && p.step("Certificate", p.certificate)
	if ok {
		p.hello("EHLO over TLS")
	}
}

func (p *probe) connect(times Timeouts) (string, error) {
	ats, err := p.s.addrs(p.ctx, p.mta, testPatience)
	for _, at := range ats {
		began := time.Now()
		nc, dialErr := p.s.dial(p.ctx, at, times.Connect)
		if dialErr != nil {
			err = dialErr
			continue
		}
		p.c = newConn(nc, route{mta: p.mta}, times)
		return fmt.Sprintf("%s answered in %s, from %s.", at, time.Since(began).Round(time.Millisecond), nc.LocalAddr()), nil
	}
	return "", err
}

func (p *probe) hello(name string) bool {
	return p.step(name, func() (string, error) {
		r, bad := p.c.hello(p.s.hostname())
		if bad != nil {
			return told(r, bad)
		}
		return fmt.Sprintf("%s (offered: %s)", clip(r.lines[0], 200), offered(p.c.ext)), nil
	})
}

func offered(x extensions) string {
	var names []string
	for _, e := range []struct {
		has  bool
		name string
	}{{x.startTLS, "STARTTLS"}, {x.pipelining, "PIPELINING"}, {x.chunking, "CHUNKING"}, {x.eightBit, "8BITMIME"},
		{x.utf8, "SMTPUTF8"}, {x.dsn, "DSN"}, {x.size, "SIZE"}, {x.requireTLS, "REQUIRETLS"}} {
		if e.has {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}

func (p *probe) encrypt(conf *tls.Config) (string, error) {
	_, bad := p.c.startTLS(p.ctx, conf)
	var unverified *tls.CertificateVerificationError
	if bad != nil {
		p.c.nc.Close() // nobody understands a QUIT now
	}
	if bad != nil && errors.As(bad, &unverified) {
		p.cert = bad
		return "The MTA speaks TLS.", nil
	}
	if bad != nil {
		return told(nil, bad)
	}
	return fmt.Sprintf("Encrypted with %s, %s.", p.c.tls.Version, p.c.tls.Cipher), nil
}

// certificate tells what was presented; startTLS has verified it already.
func (p *probe) certificate() (string, error) {
	if p.cert != nil {
		return told(nil, p.cert)
	}
	state := p.c.nc.(*tls.Conn).ConnectionState()
	leaf := state.PeerCertificates[0]
	detail := fmt.Sprintf("For %s, issued by %s, valid until %s.", certNames(leaf), clean([]byte(leaf.Issuer.String())), leaf.NotAfter.UTC().Format(time.DateOnly))
	if p.mta.TLS == mail.TLSRequire {
		detail += " It was not verified, as this MTA is set up."
	}
	return detail, nil
}

// told makes a reply or what came in its place a step's outcome.
func told(r *reply, bad *hopError) (string, error) {
	if bad != nil {
		return "", bad
	}
	return r.String(), nil
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
