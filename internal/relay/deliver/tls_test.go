package deliver

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/dns"
	"postern/internal/mail"
)

func TestTLSIsVerifiedAndNeverLeftOut(t *testing.T) {
	good, other := newCA(t), newCA(t)
	later := time.Now().Add(time.Hour)
	only := func(c *tls.Config, version uint16) *tls.Config {
		c.MinVersion, c.MaxVersion = version, version
		return c
	}
	for _, tt := range []struct {
		name  string
		tls   *tls.Config
		says  map[string]string
		mode  mail.TLSMode
		words string // "" for delivered
		peer  string
	}{
		{name: "a good certificate", tls: good.issue(t, later, "127.0.0.1"), mode: mail.TLSVerify},
		{name: "TLS 1.2", tls: only(good.issue(t, later, "127.0.0.1"), tls.VersionTLS12), mode: mail.TLSVerify},
		{name: "no mode means verify", tls: other.issue(t, later, "127.0.0.1"), words: "not from a trusted CA"},
		{name: "expired", tls: good.issue(t, time.Now().Add(-time.Minute), "127.0.0.1"), mode: mail.TLSVerify, words: "expired on"},
		{name: "for another name", tls: good.issue(t, later, "mx.other.test", "mx2.other.test"), mode: mail.TLSVerify, words: "is for mx.other.test, mx2.other.test, not for 127.0.0.1"},
		{name: "from a CA nobody knows", tls: other.issue(t, later, "127.0.0.1"), mode: mail.TLSVerify, words: "not from a trusted CA"},
		{name: "any certificate will do", tls: other.issue(t, time.Now().Add(-time.Minute), "mx.other.test"), mode: mail.TLSRequire},
		{name: "STARTTLS not offered", mode: mail.TLSVerify, words: "does not offer STARTTLS"},
		{name: "STARTTLS not offered, any certificate", mode: mail.TLSRequire, words: "does not offer STARTTLS"},
		{name: "STARTTLS refused", tls: good.issue(t, later, "127.0.0.1"), says: map[string]string{"STARTTLS": "454 4.7.0 not now"}, mode: mail.TLSVerify, words: "454 4.7.0 not now"},
		{name: "STARTTLS refused for good", tls: good.issue(t, later, "127.0.0.1"), says: map[string]string{"STARTTLS": "502 5.5.1 no"}, mode: mail.TLSVerify, words: "502 5.5.1 no"},
		{name: "plaintext after STARTTLS", tls: good.issue(t, later, "127.0.0.1"), says: map[string]string{"STARTTLS": "220 go\n250-hop.test\n250 AUTH PLAIN"}, mode: mail.TLSVerify, words: "plaintext after it agreed"},
		{name: "TLS 1.1", tls: only(good.issue(t, later, "127.0.0.1"), tls.VersionTLS11), mode: mail.TLSRequire, words: "TLS version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHop(t, func(h *hop) { h.tls, h.says = tt.tls, tt.says })
			s := newSender(t)
			s.Roots = good.pool()
			mta := h.mta
			mta.TLS = tt.mode
			for range 2 {
				out := s.Send(t.Context(), jobFor(text, mta))
				if tt.words == "" {
					if kinds(out) != "delivered" || !strings.HasPrefix(out[0].TLS.Version, "TLSv1.") || out[0].TLS.Cipher == "" || out[0].TLS.Peer == "" {
						t.Fatalf("%+v", out[0])
					}
					continue
				}
				if kinds(out) != "deferred" || !strings.Contains(out[0].Reply, tt.words) || out[0].Signal == Fine {
					t.Fatalf("%+v; want %q", out[0], tt.words)
				}
			}
			for _, m := range h.messages() {
				if !m.tls {
					t.Error("sent in plaintext")
				}
			}
			if i := slices.IndexFunc(h.commands(), func(l string) bool { return strings.HasPrefix(l, "MAIL") }); tt.words != "" && i >= 0 {
				t.Error("MAIL was said on a connection that is not good enough")
			}
		})
	}
}

func TestTheNextMTATakesOverWhenTLSFails(t *testing.T) {
	ca := newCA(t)
	bad := newHop(t, func(h *hop) { h.tls = newCA(t).issue(t, time.Now().Add(time.Hour), "127.0.0.1") })
	good := newHop(t, func(h *hop) { h.tls = ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1") })
	s := newSender(t)
	s.Roots = ca.pool()
	out := s.Send(t.Context(), jobFor(text, bad.mta, good.mta))
	if kinds(out) != "delivered" || out[0].MTA != good.mta.Address() || len(bad.messages()) != 0 {
		t.Errorf("%+v", out)
	}
}

func TestOurCertificateIsShownToAnMTAThatAsks(t *testing.T) {
	ca := newCA(t)
	conf := ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1")
	conf.ClientAuth = tls.RequireAnyClientCert
	seen := ""
	conf.VerifyConnection = func(cs tls.ConnectionState) error {
		seen = cs.PeerCertificates[0].Subject.CommonName
		return nil
	}
	h := newHop(t, func(h *hop) { h.tls = conf })
	s := newSender(t)
	s.Roots = ca.pool()
	ours := ca.issue(t, time.Now().Add(time.Hour), "relay.test").Certificates[0]
	s.Certificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &ours, nil }
	if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "delivered" || seen != "relay.test" {
		t.Errorf("%+v; the MTA saw %q", out, seen)
	}
}

func TestAConnectionTestSaysWhichStepFailsAndWhy(t *testing.T) {
	ca := newCA(t)
	later := time.Now().Add(time.Hour)
	zone, err := dns.NewZone("mx.acme.test. A 127.0.0.1\ninside.acme.test. A 127.0.0.1\ninside.acme.test. A 10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer zone.Close()
	zone.Fail("broken.acme.test", 2)
	dead := newHop(t, nil)
	dead.kill()
	for _, tt := range []struct {
		name  string
		host  string
		hop   func(*hop)
		mode  mail.TLSMode
		steps string // names; the failed one in capitals
		words string // of the failed step, or of the last but one
	}{
		{name: "all well", host: "mx.acme.test", hop: func(h *hop) { h.tls = ca.issue(t, later, "mx.acme.test") }, mode: mail.TLSVerify,
			steps: "dns connect greeting ehlo starttls certificate ehlo over tls conclusion", words: "offered: PIPELINING CHUNKING 8BITMIME SMTPUTF8 DSN SIZE"},
		{name: "no TLS wanted", host: "mx.acme.test", mode: mail.TLSNone, steps: "dns connect greeting ehlo conclusion", words: "offered"},
		{name: "no such name", host: "nowhere.acme.test", mode: mail.TLSVerify, steps: "DNS CONCLUSION", words: "The name nowhere.acme.test has no address."},
		{name: "DNS broken", host: "broken.acme.test", mode: mail.TLSVerify, steps: "DNS CONCLUSION", words: "DNS could not answer for broken.acme.test"},
		{name: "connection refused", host: dead.mta.Host, hop: nil, mode: mail.TLSVerify, steps: "dns CONNECT CONCLUSION", words: "Connection refused."},
		{name: "greeting refuses", host: "mx.acme.test", hop: func(h *hop) { h.says = map[string]string{"banner": "554 5.7.1 your address is blocked"} }, mode: mail.TLSNone,
			steps: "dns connect GREETING CONCLUSION", words: "554 5.7.1 your address is blocked"},
		{name: "no STARTTLS", host: "mx.acme.test", mode: mail.TLSVerify, steps: "dns connect greeting ehlo STARTTLS CONCLUSION", words: "does not offer STARTTLS"},
		{name: "expired", host: "mx.acme.test", hop: func(h *hop) { h.tls = ca.issue(t, time.Now().Add(-time.Hour), "mx.acme.test") }, mode: mail.TLSVerify,
			steps: "dns connect greeting ehlo starttls CERTIFICATE CONCLUSION", words: "expired on"},
		{name: "wrong name", host: "mx.acme.test", hop: func(h *hop) { h.tls = ca.issue(t, later, "mx.other.test") }, mode: mail.TLSVerify,
			steps: "dns connect greeting ehlo starttls CERTIFICATE CONCLUSION", words: "is for mx.other.test, not for mx.acme.test"},
		{name: "not verified", host: "mx.acme.test", hop: func(h *hop) { h.tls = ca.issue(t, later, "mx.other.test") }, mode: mail.TLSRequire,
			steps: "dns connect greeting ehlo starttls certificate ehlo over tls conclusion", words: "offered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHop(t, tt.hop)
			s := newSender(t)
			s.Resolver, s.Roots = dns.New(zone.Addr()), ca.pool()
			mta := mail.MTA{Host: tt.host, Port: h.mta.Port, TLS: tt.mode}
			if tt.host == dead.mta.Host {
				mta.Port = dead.mta.Port
			}
			var names []string
			steps := s.Test(t.Context(), mta)
			for _, st := range steps {
				name := strings.ToLower(st.Name)
				if !st.OK {
					name = strings.ToUpper(name)
				}
				names = append(names, name)
			}
			if got := strings.Join(names, " "); got != tt.steps {
				t.Errorf("steps: %s, want %s\n%+v", got, tt.steps, steps)
			}
			if got := steps[len(steps)-2].Detail.String(); !strings.Contains(got, tt.words) {
				t.Errorf("says %q, want %q in it", got, tt.words)
			}
			if len(h.messages()) > 0 {
				t.Error("a test sent a message")
			}
		})
	}
}
