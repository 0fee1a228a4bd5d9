package deliver

import (
	"net/netip"
	"strings"
	"testing"

	"postern/internal/dns"
	"postern/internal/mail"
)

func TestMailIsNotSentWhereDNSShouldNotLead(t *testing.T) {
	zone, err := dns.NewZone("loop.test. A 127.0.0.1\nmeta.test. A 169.254.169.254\nlan.test. A 10.1.2.3\nboth.test. A 169.254.1.1\nboth.test. A 127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer zone.Close()
	h := newHop(t, nil)
	for _, tt := range []struct {
		host          string
		loopback, own bool
		want          Kind
		words         string
	}{
		{host: "loop.test", want: Deferred, words: "127.0.0.1 is this machine's loopback"},
		{host: "127.0.0.1", want: Deferred, words: "loopback"},
		{host: "loop.test", loopback: true, want: Delivered},
		{host: "loop.test", loopback: true, own: true, want: Deferred, words: "is this relay itself"},
		{host: "meta.test", loopback: true, want: Deferred, words: "metadata"},
		{host: "lan.test", loopback: true, want: Deferred, words: "enter the address itself"},
		{host: "both.test", loopback: true, want: Delivered},
		{host: "nowhere.test", loopback: true, want: Deferred, words: "the name nowhere.test has no address"},
	} {
		s := newSender(t)
		s.Resolver, s.AllowLoopback = dns.New(zone.Addr()), tt.loopback
		if tt.own {
			s.Own = func(at netip.AddrPort) bool { return int(at.Port()) == h.mta.Port && at.Addr().IsLoopback() }
		}
		out := s.Send(t.Context(), jobFor(text, mail.MTA{Host: tt.host, Port: h.mta.Port, TLS: mail.TLSNone}))
		if out[0].Kind != tt.want || !strings.Contains(out[0].Reply, tt.words) {
			t.Errorf("%s: %+v", tt.host, out[0])
		}
	}
}

func TestMailLeavesFromTheConfiguredAddressesInTurn(t *testing.T) {
	from := map[string]int{}
	h := newHop(t, func(h *hop) {
		h.act = func(s *session, verb, _ string) string {
			if verb == "banner" {
				from[netip.MustParseAddrPort(s.tcp.RemoteAddr().String()).Addr().String()]++
			}
			return ""
		}
	})
	s := newSender(t)
	s.MaxMessages = 1
	s.Source = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.3")}
	for range 12 {
		if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "delivered" {
			t.Fatalf("%+v", out)
		}
	}
	if from["127.0.0.2"] < 3 || from["127.0.0.3"] < 3 || len(from) != 2 {
		t.Errorf("mail came from %v", from)
	}
	s = newSender(t)
	s.Source = []netip.Addr{netip.MustParseAddr("::1")}
	if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "deferred" || !strings.Contains(out[0].Reply, "no source address") {
		t.Errorf("%+v", out)
	}
}
