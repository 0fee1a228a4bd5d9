package ingress

import (
	"crypto/tls"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
)

// serverTLS is config as the server uses it: TLS 1.2 at least, no session tickets
// (they break Microsoft's client with Go), and a client certificate asked for but
// not demanded and not verified.
func serverTLS(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	c := config.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.SessionTicketsDisabled = true
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}

// startTLS answers STARTTLS and does the handshake (RFC 3207). Whatever the client
// sent in plaintext behind the command is thrown away unread, and all that it said
// before is forgotten.
func (s *session) startTLS(arg []byte) {
	switch {
	case s.srv.tls == nil:
		s.fail("502 5.5.1 STARTTLS is not offered\r\n")
		return
	case len(trim(arg)) > 0:
		s.fail("501 5.5.4 STARTTLS takes no parameters\r\n")
		return
	case s.secure.Version != "":
		s.fail("503 5.5.1 TLS is already in use\r\n")
		return
	case s.helo == "":
		s.fail("503 5.5.1 Send EHLO first\r\n")
		return
	case s.env != nil:
		s.fail("503 5.5.1 Not within a transaction\r\n")
		return
	}
	s.wire.say("220 2.0.0 Ready to start TLS\r\n")
	s.wire.discard()
	if s.wire.flush() != nil {
		s.closing = true
		return
	}
	s.wire.raw.SetDeadline(time.Now().Add(s.srv.limits.Handshake))
	conn := tls.Server(s.wire.raw, s.srv.tls)
	if err := conn.HandshakeContext(s.ctx); err != nil {
		s.srv.count(func(m *metric.Set) { m.Connects.WithLabelValues("tls-failed").Inc() })
		s.srv.quiet.warn(s.srv.Log, "TLS handshake failed", "err", err)
		s.closing = true
		return
	}
	s.wire.raw.SetDeadline(time.Time{})
	s.wire.conn = conn
	s.wire.discard()
	s.reset()
	s.helo, s.secure = "", mail.TLS{}
	s.secure = tlsOf(conn.ConnectionState())
}

// tlsOf describes a finished handshake.
func tlsOf(state tls.ConnectionState) mail.TLS {
	t := mail.TLS{Version: "TLSv1.3", Cipher: tls.CipherSuiteName(state.CipherSuite)}
	if state.Version == tls.VersionTLS12 {
		t.Version = "TLSv1.2"
	}
	if len(state.PeerCertificates) > 0 {
		t.Peer = oneLine(state.PeerCertificates[0].Subject.CommonName)
	}
	return t
}
