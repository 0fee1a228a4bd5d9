package ingress

import (
	"bufio"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/pires/go-proxyproto"

	"postern/internal/metric"
)

// greet brings a connection to the point where commands are read: PROXY header,
// the limit of its address, no talking before the greeting, and the greeting
// (RFC 5321 §3.1). false means that the connection is closed.
func (s *session) greet() bool {
	spoke, ok := s.proxy()
	if !ok {
		s.wire.raw.Close()
		return false
	}
	if !s.srv.enter(s, s.client) {
		s.srv.refuse(s.wire.raw, "421 4.7.0 "+s.srv.Hostname+" Too many sessions from your address\r\n", "too many sessions of one address")
		return false
	}
	if spoke || s.earlyTalker() {
		s.srv.count(func(m *metric.Set) { m.Connects.WithLabelValues("limit").Inc() })
		s.srv.quiet.warn(s.srv.Log, "connection refused", "cause", "client spoke before the greeting")
		s.wire.say("554 " + s.srv.Hostname + " You must wait for the greeting\r\n")
		s.wire.hangUp(true)
		return false
	}
	s.wire.say("220 " + s.srv.Hostname + " ESMTP\r\n")
	s.active = time.Now()
	return true
}

// proxy reads the PROXY header that a listed peer must begin with, and takes the
// client's address from it. It is read once and nowhere else. spoke means that the
// client had more to say before our greeting.
func (s *session) proxy() (spoke, ok bool) {
	if !listed(s.srv.ProxyFrom, s.client) {
		return false, true
	}
	s.wire.raw.SetReadDeadline(time.Now().Add(s.srv.limits.Handshake))
	r := bufio.NewReaderSize(s.wire.raw, 256)
	header, err := proxyproto.Read(r)
	if err != nil {
		s.srv.quiet.warn(s.srv.Log, "no PROXY header from a listed peer", "err", err)
		return false, false
	}
	if !header.Command.IsLocal() {
		if source := addrOf(header.SourceAddr); source.IsValid() {
			s.client = source
		}
	}
	return r.Buffered() > 0, true
}

func listed(from []netip.Prefix, addr netip.Addr) bool {
	for _, p := range from {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// earlyTalker reports whether the client has spoken before the greeting, after
// waiting Limits.Greet for it.
func (s *session) earlyTalker() bool {
	if s.srv.limits.Greet <= 0 {
		return waiting(s.wire.raw)
	}
	s.wire.raw.SetReadDeadline(time.Now().Add(s.srv.limits.Greet))
	_, err := s.wire.raw.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}
