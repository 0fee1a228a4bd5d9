package twin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/internal/twin/wire"
)

// A job is a message in the queue of an outbound connector.
type job struct {
	connector string
	tls       bool // the rule asks for TLS
	from      string
	to        []string
	raw       []byte
}

// dispatch delivers a job, and tries again while the next hop says 4xx or nothing,
// until the message expires. A refusal becomes an NDR at once.
func (m *transit) dispatch(ctx context.Context, j job) {
	expires := m.start.Add(m.t.twin.opt.ExpireAfter)
	for {
		left, why := m.attempt(ctx, j)
		if len(left) == 0 {
			return
		}
		j.to = left
		m.note("defer", "%s", why)
		if !m.t.twin.now().Before(expires) {
			m.bounce(j.to, fmt.Sprintf("550 5.4.317 Message expired, cannot connect to remote server (%s)", why))
			return
		}
		if !pause(ctx, m.t.twin.opt.RetryEvery) {
			return
		}
	}
}

// pause waits and reports whether it may go on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// again runs a step once more after the retry interval, until the message expires.
func (m *transit) again(ctx context.Context, step func(*transit, context.Context)) {
	if !m.t.twin.now().Before(m.start.Add(m.t.twin.opt.ExpireAfter)) {
		m.bounce(m.env.To, "550 4.4.7 QUEUE.Expired; message expired")
		return
	}
	if pause(ctx, m.t.twin.opt.RetryEvery) {
		step(m, ctx)
	}
}

// attempt tries each smart host once. It returns the recipients still to serve and
// the text of the deferral.
func (m *transit) attempt(ctx context.Context, j job) (left []string, why string) {
	select {
	case m.t.twin.slots <- struct{}{}:
		defer func() { <-m.t.twin.slots }()
	case <-ctx.Done():
		return nil, ""
	}
	c := m.t.Object("OutboundConnector", j.connector)
	if c == nil || !c.Bool("Enabled") {
		return j.to, "450 4.4.312 DNS query failed; the connector is missing or off"
	}
	for _, host := range c.List("SmartHosts") {
		d := m.t.twin.delivery(c, host, j)
		r, err := wire.Send(ctx, d)
		if err == nil {
			m.delivered(j, d, host, r)
			return m.refused(j, r)
		}
		var f *wire.Failure
		if !errors.As(err, &f) || ctx.Err() != nil {
			return nil, ""
		}
		if f.Stage == wire.StageSMTP && f.Reply.Code >= 500 {
			m.bounce(j.to, fmt.Sprintf("550 %s [Remote server %s said %s]", enhanced(f.Reply.Text), host, f.Reply))
			return nil, ""
		}
		why = deferral(f, host, d.Addr)
	}
	return j.to, why
}

func enhanced(text string) string {
	code, _, _ := strings.Cut(text, " ")
	if strings.Count(code, ".") == 2 {
		return code
	}
	return "5.0.350"
}

func (m *transit) delivered(j job, d wire.Delivery, host string, r wire.Receipt) {
	to := slices.DeleteFunc(slices.Clone(j.to), func(a string) bool { _, no := r.Refused[a]; return no })
	m.note("route", "%s took it: %s", host, r.Reply)
	ip, _, _ := strings.Cut(d.Addr, ":")
	m.t.record(Sent{Connector: j.connector, Host: host, ToIP: ip, FromIP: m.peer(), From: j.from, To: to, Subject: decoded(m.head.first("Subject")), Reply: r.Reply.String(), Raw: j.raw, At: m.t.twin.now(), ID: m.id})
}

// refused deals with recipients the next hop did not take.
func (m *transit) refused(j job, r wire.Receipt) (left []string, why string) {
	for _, to := range slices.Sorted(maps.Keys(r.Refused)) {
		reply := r.Refused[to]
		if reply.Code >= 500 {
			m.bounce([]string{to}, reply.String())
			continue
		}
		left, why = append(left, to), reply.String()
	}
	return left, why
}

// delivery is how a connector reaches a smart host.
func (tw *Twin) delivery(c Object, host string, j job) wire.Delivery {
	d := wire.Delivery{Addr: tw.resolve(host), Source: tw.egress(), HELO: "DB3PR0202CU003.outbound.protection.outlook.com", From: j.from, To: j.to, Raw: j.raw,
		Must: j.tls || c.String("TlsSettings") != ""}
	d.TLS = &tls.Config{ServerName: strings.Trim(host, "[]"), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{tw.certs.client},
		InsecureSkipVerify: true, // the connector's own rules follow
		VerifyConnection:   func(s tls.ConnectionState) error { return tw.verify(c, s) }}
	return d
}

// resolve is where a smart host's name leads.
func (tw *Twin) resolve(host string) string {
	host = strings.Trim(host, "[]")
	for _, key := range []string{host, host + ":25"} {
		for name, addr := range tw.opt.Resolve {
			if strings.EqualFold(name, key) {
				return addr
			}
		}
	}
	return host + ":25"
}

// egress is the next of the local addresses that mail leaves from.
func (tw *Twin) egress() (a netip.Addr) {
	tw.mu.Lock()
	defer tw.mu.Unlock()
	if n := len(tw.opt.Egress); n > 0 {
		a = tw.opt.Egress[tw.hop%n]
		tw.hop++
	}
	return a
}

// errCertificate is why a connector refuses a smart host's certificate, in
// Exchange's word for it.
type errCertificate string

func (e errCertificate) Error() string { return string(e) }

// verify holds a smart host's certificate to the connector's TlsSettings.
func (tw *Twin) verify(c Object, s tls.ConnectionState) error {
	setting := c.String("TlsSettings")
	if setting == "" || setting == "EncryptionOnly" {
		return nil
	}
	roots := x509.NewCertPool()
	if tw.opt.CAs != nil {
		roots = tw.opt.CAs.Clone()
	}
	roots.AddCert(tw.certs.cert)
	between := x509.NewCertPool()
	for _, p := range s.PeerCertificates[1:] {
		between.AddCert(p)
	}
	leaf := s.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: tw.now()}); err != nil {
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return errCertificate("CertExpired")
		}
		return errCertificate("UntrustedRoot")
	}
	if setting == "DomainValidation" && !slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return nameMatches(n, c.String("TlsDomain")) }) {
		return errCertificate("SubjectMismatch")
	}
	return nil
}

// deferral is the text of a temporary failure, as message traces show it.
func deferral(f *wire.Failure, host, addr string) string {
	at := fmt.Sprintf("[LastAttemptedServerName=%s] [LastAttemptedIP=%s] [%s]", host, addr, frontServer)
	var cert errCertificate
	switch {
	case errors.As(f.Err, &cert):
		return fmt.Sprintf("450 4.7.320 Certificate validation failed [Message=%s] %s", cert, at)
	case f.Stage == wire.StageTLS && f.Reply.Code != 0:
		return fmt.Sprintf("450 4.4.317 Cannot connect to remote server [Message=%s] %s", f.Reply, at)
	case f.Stage == wire.StageConnect && f.Err != nil:
		return fmt.Sprintf("450 4.4.316 Connection refused [Message=Socket error code 10061] %s", at)
	case f.Reply.Code != 0:
		return f.Reply.String()
	}
	return fmt.Sprintf("450 4.4.318 Connection was closed abruptly (SuspiciousRemoteServerError) %s", at)
}
