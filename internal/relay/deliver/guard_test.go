package deliver

import (
	"net/netip"
	"strings"
	"testing"

	"postern/internal/dns"
	"postern/internal/mail"
)

func TestTheGuardRefusesWhatNoMTAIs(t *testing.T) {
	refused := []string{
		"127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "0.1.2.3", "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0",
		"224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "100::1",
		"64:ff9b::a00:1", "2002:c0a8:101::",
	}
	private := []string{"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12:3456::1", "::ffff:10.0.0.1"}
	public := []string{"192.0.2.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"}
	check := func(g guard, addr string, literal, want bool) {
		t.Helper()
		err := g.check(netip.AddrPortFrom(netip.MustParseAddr(addr), 25), literal)
		if (err == nil) != want {
			t.Errorf("%s (literal %v, %+v): %v", addr, literal, g, err)
		}
	}
	for _, a := range refused {
		check(guard{}, a, false, false)
		check(guard{private: true}, a, true, strings.HasPrefix(a, "64:ff9b::a00") || strings.HasPrefix(a, "2002:c0a8"))
	}
	for _, a := range private {
		check(guard{}, a, false, false)
		check(guard{}, a, true, true)
		check(guard{private: true}, a, false, true)
	}
	for _, a := range public {
		check(guard{}, a, false, true)
		check(guard{}, a, true, true)
	}
	for _, a := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		check(guard{loopback: true}, a, false, true)
	}
	check(guard{loopback: true}, "169.254.169.254", true, false)
}

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
