package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"postern/internal/mail"
)

// Step is one step of a connection test.
type Step struct {
	Name   string        `json:"name"` // "DNS", "Connect", "Greeting", "EHLO", "STARTTLS", "Certificate", "EHLO over TLS", "Conclusion"
	OK     bool          `json:"ok"`
	Detail mail.Sentence `json:"detail"` // quotes the MTA, so escape it
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
	verdict := Step{Name: "Conclusion", OK: true, Detail: mail.Say("Mail can be sent to %s.", mta.Address())}
	if last := p.steps[len(p.steps)-1]; !last.OK {
		verdict = Step{Name: "Conclusion", Detail: mail.Say("Mail cannot be sent to %s as things are: the step %s failed.", mta.Address(), last.Name)}
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
func (p *probe) step(name string, f func() (mail.Sentence, error)) bool {
	began := time.Now()
	detail, err := f()
	st := Step{Name: name, OK: err == nil, Detail: detail, Took: time.Since(began)}
	if err != nil {
		st.Detail = mail.Told(words(err))
		if e, ok := err.(*hopError); ok {
			st.Detail = e.Told()
		}
	}
	p.steps = append(p.steps, st)
	return st.OK
}

func (p *probe) run() {
	var addrs []string
	times := p.s.Timeouts.orDefault()
	times.Greeting, times.Hello = min(times.Greeting, testPatience), min(times.Hello, testPatience)
	ok := p.step("DNS", func() (mail.Sentence, error) {
		ats, err := p.s.addrs(p.ctx, p.mta, testPatience)
		if err != nil {
			return mail.Sentence{}, err
		}
		for _, at := range ats {
			addrs = append(addrs, at.Addr().String())
		}
		return mail.Say("%s is at %s.", p.mta.Host, strings.Join(addrs, ", ")), nil
	})
	ok = ok && p.step("Connect", func() (mail.Sentence, error) { return p.connect(times) })
	if !ok {
		return
	}
	defer func() { p.c.quit() }()
	defer p.c.use(p.ctx)()
	ok = p.step("Greeting", func() (mail.Sentence, error) {
		r, bad := p.c.greet()
		return told(r, bad)
	})
	ok = ok && p.hello("EHLO")
	if !ok || p.mta.TLS == mail.TLSNone {
		return
	}
	conf := p.s.tlsConfig(p.mta)
	conf.ClientSessionCache = nil // a person wants to see the certificate checked
	ok = p.step("STARTTLS", func() (mail.Sentence, error) { return p.encrypt(conf) })
	ok = ok && p.step("Certificate", p.certificate)
	if ok {
		p.hello("EHLO over TLS")
	}
}

func (p *probe) connect(times Timeouts) (mail.Sentence, error) {
	ats, err := p.s.addrs(p.ctx, p.mta, testPatience)
	for _, at := range ats {
		began := time.Now()
		nc, dialErr := p.s.dial(p.ctx, at, times.Connect)
		if dialErr != nil {
			err = dialErr
			continue
		}
		p.c = newConn(nc, route{mta: p.mta}, times)
		return mail.Say("%s answered in %s, from %s.", at, time.Since(began).Round(time.Millisecond), nc.LocalAddr()), nil
	}
	return mail.Sentence{}, err
}

func (p *probe) hello(name string) bool {
	return p.step(name, func() (mail.Sentence, error) {
		r, bad := p.c.hello(p.s.hostname())
		if bad != nil {
			return told(r, bad)
		}
		return mail.Say("%s (offered: %s)", clip(r.lines[0], 200), offered(p.c.ext)), nil
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

func (p *probe) encrypt(conf *tls.Config) (mail.Sentence, error) {
	_, bad := p.c.startTLS(p.ctx, conf)
	var unverified *tls.CertificateVerificationError
	if bad != nil {
		p.c.nc.Close() // nobody understands a QUIT now
	}
	if bad != nil && errors.As(bad, &unverified) {
		p.cert = bad
		return mail.Say("The MTA speaks TLS."), nil
	}
	if bad != nil {
		return told(nil, bad)
	}
	return mail.Say("Encrypted with %s, %s.", p.c.tls.Version, p.c.tls.Cipher), nil
}

// certificate tells what was presented; startTLS has verified it already.
func (p *probe) certificate() (mail.Sentence, error) {
	if p.cert != nil {
		return told(nil, p.cert)
	}
	state := p.c.nc.(*tls.Conn).ConnectionState()
	leaf := state.PeerCertificates[0]
	detail := mail.Say("For %s, issued by %s, valid until %s.", certNames(leaf), clean([]byte(leaf.Issuer.String())), leaf.NotAfter.UTC().Format(time.DateOnly))
	if p.mta.TLS == mail.TLSRequire {
		detail = mail.Together(detail, mail.Say("It was not verified, as this MTA is set up."))
	}
	return detail, nil
}

// told makes a reply or what came in its place a step's outcome.
func told(r *reply, bad *hopError) (mail.Sentence, error) {
	if bad != nil {
		return mail.Sentence{}, bad
	}
	return mail.Sentence{Format: r.String()}, nil
}
