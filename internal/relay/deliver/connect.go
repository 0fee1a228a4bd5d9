package deliver

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"postern/internal/guard"
	"postern/internal/mail"
)

const maxAddrs = 4 // of one MTA that are tried for one message

// connect opens a session with the MTA of r, up to and including EHLO over TLS.
// Its addresses are tried one after the other (RFC 5321 §5.1). spare says that
// another MTA is left, so that patience ends after Timeouts.Handover.
func (s *Sender) connect(ctx context.Context, r route, spare bool) (*conn, *hopError) {
	times := s.Timeouts.orDefault()
	lookup := times.Connect
	if spare {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, times.Handover)
		defer cancel()
	}
	addrs, err := s.addrs(ctx, r.mta, lookup)
	if err != nil {
		return nil, &hopError{stage: "look-up", err: err}
	}
	var first *hopError
	for i, at := range addrs {
		c, err := s.connectAddr(ctx, r, at, share(ctx, times.Connect, len(addrs)-i))
		if err == nil {
			return c, nil
		}
		if first == nil || first.reply == nil && err.reply != nil { // what the hop says tells most
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// share is the part of the time that one of n addresses may take to connect, so
// that a silent one does not use up all of it.
func share(ctx context.Context, most time.Duration, n int) time.Duration {
	const least = 2 * time.Second
	by, ok := ctx.Deadline()
	if !ok {
		return most
	}
	return min(most, max(time.Until(by)/time.Duration(n), least))
}

// addrs are where the MTA may be reached: IPv4 first, which is what Exchange's
// connectors know; without those the guard refuses. The error is a *net.DNSError
// or a *guard.Refused.
func (s *Sender) addrs(ctx context.Context, mta mail.MTA, patience time.Duration) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found []netip.Addr
	ip, err := netip.ParseAddr(mta.Host)
	literal := err == nil
	if literal {
		found = []netip.Addr{ip}
	} else {
		ips, err := s.Resolver.LookupIPAddr(ctx, mta.Host)
		if err != nil {
			return nil, err
		}
		for _, ip := range ips {
			if addr, ok := netip.AddrFromSlice(ip.IP); ok {
				found = append(found, addr.Unmap())
			}
		}
	}
	var good []netip.AddrPort
	var refused error = &net.DNSError{Err: "no address", Name: mta.Host, IsNotFound: true}
	for _, addr := range found {
		at := netip.AddrPortFrom(addr, uint16(mta.Port))
		if err := s.guard().Check(at, literal); err != nil {
			refused = err
		} else if len(good) < maxAddrs {
			good = append(good, at)
		}
	}
	if len(good) == 0 {
		return nil, refused
	}
	return good, nil
}

func (s *Sender) guard() guard.Guard {
	return guard.Guard{Loopback: s.AllowLoopback, Private: s.AllowPrivate, Own: s.Own}
}

func (s *Sender) connectAddr(ctx context.Context, r route, at netip.AddrPort, patience time.Duration) (_ *conn, bad *hopError) {
	nc, err := s.dial(ctx, at, patience)
	if err != nil {
		if ctx.Err() == context.Canceled {
			err = context.Canceled
		}
		return nil, &hopError{stage: "connect", err: err}
	}
	c := newConn(nc, r, s.Timeouts.orDefault())
	defer c.use(ctx)()
	defer func() {
		if bad != nil {
			c.nc.Close()
		}
	}()
	if _, err := c.greet(); err != nil {
		return nil, err
	}
	if _, err := c.hello(s.hostname()); err != nil {
		return nil, err
	}
	if r.mta.TLS == mail.TLSNone {
		return c, nil
	}
	if _, err := c.startTLS(ctx, s.tlsConfig(r.mta)); err != nil {
		return nil, err
	}
	_, bad = c.hello(s.hostname()) // what was offered before TLS is forgotten (RFC 3207 §4.2)
	return c, bad
}

// dial connects to an address that the guard has passed, from the next of the
// configured source addresses of its family.
func (s *Sender) dial(ctx context.Context, at netip.AddrPort, patience time.Duration) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience, KeepAlive: 30 * time.Second}
	if len(s.Source) > 0 {
		from, ok := s.source(at.Addr().Is4())
		if !ok {
			return nil, errNoSource
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	nc, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	return nc.(*net.TCPConn), nil // with TCP_NODELAY, as Go sets it
}

var errNoSource = mail.Refuse("no source address of the MTA's address family is configured")

func (s *Sender) source(is4 bool) (netip.Addr, bool) {
	n := int(s.turn.Add(1))
	for i := range s.Source {
		a := s.Source[(n+i)%len(s.Source)].Unmap()
		if a.Is4() == is4 {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// tlsConfig is what a connection to mta must prove. The protocol version is at
// least 1.2, with forward secrecy in every suite Go offers.
func (s *Sender) tlsConfig(mta mail.MTA) *tls.Config {
	return &tls.Config{
		ServerName:           mta.Host,
		RootCAs:              s.Roots,
		MinVersion:           max(s.MinTLS, tls.VersionTLS12),
		GetClientCertificate: s.Certificate,
		Time:                 s.Now,
		ClientSessionCache:   s.sessions,
		// The administrator chose to encrypt without knowing the peer.
		InsecureSkipVerify: mta.TLS == mail.TLSRequire,
	}
}

// startTLS encrypts the session (RFC 3207). There is no way on without it.
func (c *conn) startTLS(ctx context.Context, conf *tls.Config) (*tls.Conn, *hopError) {
	if !c.ext.startTLS {
		return nil, &hopError{stage: "STARTTLS", err: mail.Refuse("the MTA does not offer STARTTLS; nothing is sent in plaintext")}
	}
	r, err := c.command("STARTTLS", c.times.Hello, "STARTTLS")
	if err != nil {
		return nil, err
	}
	if r.code != 220 {
		return nil, &hopError{stage: "STARTTLS", reply: r}
	}
	if c.br.Buffered() > 0 { // somebody put replies in before the encryption (CVE-2011-0411)
		return nil, &hopError{stage: "STARTTLS", err: mail.Refuse("the MTA sent plaintext after it agreed to TLS: somebody may be in between")}
	}
	tc := tls.Client(c.nc, conf)
	c.wait(c.times.Hello)
	if err := tc.HandshakeContext(ctx); err != nil {
		return tc, c.fault("TLS", err)
	}
	state := tc.ConnectionState()
	c.tls = describe(state)
	c.nc = tc
	c.br.Reset(tc)
	c.bw.Reset(tc)
	return tc, nil
}

func describe(state tls.ConnectionState) mail.TLS {
	t := mail.TLS{Version: versionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	if len(state.PeerCertificates) > 0 {
		t.Peer = clean([]byte(state.PeerCertificates[0].Subject.CommonName))
	}
	return t
}

func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return tls.VersionName(v)
}
