package deliver

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/internal/dns"
	"postern/internal/mail"
)

const zoneText = `
good.test.        MX 10 good-test.mail.protection.outlook.com.
new.test.         MX 0 new-test.abc-v1.mx.microsoft.
gov.test.         MX 0 gov-test.mail.protection.office365.us.
many.test.        MX 10 a.mail.protection.outlook.com.
many.test.        MX 20 b.mail.protection.outlook.com.
many.test.        MX 30 c.mail.protection.outlook.com.
many.test.        MX 40 d.mail.protection.outlook.com.
mixed.test.       MX 10 mixed-test.mail.protection.outlook.com.
mixed.test.       MX 50 backup.isp.test.
proof.test.       MX 10 mx1.pphosted.com.
proof-test.mail.protection.outlook.com. A 192.0.2.8
other.test.       MX 10 mail.other.test.
self.test.        MX 10 relay.postern.test.
selfalias.test.   MX 10 in.selfalias.test.
in.selfalias.test. CNAME relay.postern.test.
selfaddr.test.    MX 10 in.selfaddr.test.
in.selfaddr.test. A 192.0.2.99
selfsecond.test.  MX 10 selfsecond-test.mail.protection.outlook.com.
selfsecond.test.  MX 20 relay.postern.test.
null.test.        MX 0 .
nomx.test.        A 192.0.2.1
lying.test.       MX 10 mail.protection.outlook.com.evil.test.
lying2.test.      MX 10 evilmail.protection.outlook.com.evil.test.
xn--exmple-cua.test. MX 10 ex.mail.protection.outlook.com.
relay.postern.test. A 192.0.2.99
mx.customer.test. A 192.0.2.50
`

func resolverFor(t *testing.T) (*dns.Zone, Resolver) {
	t.Helper()
	zone, err := dns.NewZone(zoneText)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { zone.Close() })
	r := dns.New(zone.Addr())
	r.Timeout, r.Budget = 30*time.Second, time.Minute // a busy machine is no dead server
	return zone, r
}

func isRelay(host string, addr netip.Addr) bool {
	return host == "relay.postern.test" || addr == netip.MustParseAddr("192.0.2.99")
}

func TestTheMXSuggestsTheMTAs(t *testing.T) {
	zone, r := resolverFor(t)
	zone.Fail("broken.test", 2)
	for _, tt := range []struct {
		domain string
		mtas   string
		loop   bool
		err    string // in the error
		warn   string // in the warning
	}{
		{domain: "good.test", mtas: "good-test.mail.protection.outlook.com:25"},
		{domain: "GOOD.test.", mtas: "good-test.mail.protection.outlook.com:25"},
		{domain: "exämple.test", mtas: "ex.mail.protection.outlook.com:25"},
		{domain: "new.test", mtas: "new-test.abc-v1.mx.microsoft:25"},
		{domain: "gov.test", mtas: "gov-test.mail.protection.office365.us:25"},
		{domain: "many.test", mtas: "a.mail.protection.outlook.com:25 b.mail.protection.outlook.com:25 c.mail.protection.outlook.com:25"},
		{domain: "mixed.test", mtas: "mixed-test.mail.protection.outlook.com:25", warn: "backup.isp.test"},
		{domain: "proof.test", loop: true, err: "Proofpoint (mx1.pphosted.com)", warn: "proof-test.mail.protection.outlook.com exists"},
		{domain: "other.test", loop: true, err: "another mail server (mail.other.test)", warn: "Microsoft 365 admin center"},
		{domain: "lying.test", loop: true, err: "evil.test"},
		{domain: "lying2.test", loop: true, err: "evil.test"},
		{domain: "self.test", loop: true, err: "points to this relay", warn: "self-test.mail.protection.outlook.com"},
		{domain: "selfalias.test", loop: true, err: "points to this relay"},
		{domain: "selfaddr.test", loop: true, err: "points to this relay"},
		{domain: "selfsecond.test", loop: true, err: "points to this relay"},
		{domain: "null.test", err: "takes no mail at all"},
		{domain: "nomx.test", err: "has no MX record"},
		{domain: "nowhere.test", err: "has no MX record, or does not exist"},
		{domain: "broken.test", err: "try again"},
		{domain: "not a domain", err: "not a valid domain name"},
		{domain: "", err: "not a valid domain name"},
	} {
		s, err := Resolve(t.Context(), r, tt.domain, isRelay)
		var got []string
		for _, m := range s.MTAs {
			got = append(got, m.Address())
			if m.TLS != mail.TLSVerify {
				t.Errorf("%s: TLS %q", tt.domain, m.TLS)
			}
		}
		if strings.Join(got, " ") != tt.mtas || errors.Is(err, ErrLoop) != tt.loop || !strings.Contains(s.Warning.String(), tt.warn) {
			t.Errorf("%s: %+v, %v", tt.domain, s, err)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q in it", tt.domain, err, tt.err)
		}
		if tt.warn == "" && !tt.loop && s.Warning.Format != "" || tt.loop && s.Warning.Format == "" {
			t.Errorf("%s: warning %q", tt.domain, s.Warning)
		}
	}
}

func TestAnMTAThatIsTheRelayItselfIsRefused(t *testing.T) {
	zone, r := resolverFor(t)
	zone.Fail("broken.test", 2)
	own := func(host string, at netip.AddrPort) bool { return at.Port() == 25 && isRelay(host, at.Addr()) }
	for _, tt := range []struct {
		host string
		port int
		loop bool
		err  string
	}{
		{host: "mx.customer.test", port: 25},
		{host: "192.0.2.50", port: 587},
		{host: "2001:db8::1", port: 25},
		{host: "relay.postern.test", port: 25, loop: true, err: "this relay itself"},
		{host: "Relay.Postern.test.", port: 25, loop: true, err: "this relay itself"},
		{host: "in.selfalias.test", port: 25, loop: true, err: "this relay itself"},
		{host: "in.selfaddr.test", port: 25, loop: true, err: "this relay itself"},
		{host: "192.0.2.99", port: 25, loop: true, err: "this relay itself"},
		{host: "::ffff:192.0.2.99", port: 25, loop: true, err: "this relay itself"},
		{host: "relay.postern.test", port: 2525}, // another program on this machine
		{host: "nowhere.test", port: 25, err: "no address in DNS"},
		{host: "broken.test", port: 25, err: "try again"},
		{host: "not a host", port: 25, err: "neither a host name nor an IP address"},
		{host: "", port: 25, err: "neither"},
		{host: "mx.customer.test", port: 0, err: "not a port"},
		{host: "mx.customer.test", port: 65536, err: "not a port"},
	} {
		err := CheckMTA(t.Context(), r, mail.MTA{Host: tt.host, Port: tt.port}, own)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || errors.Is(err, ErrLoop) != tt.loop {
			t.Errorf("%s:%d: %v", tt.host, tt.port, err)
		}
	}
	err := CheckMTA(t.Context(), r, mail.MTA{Host: "broken.test", Port: 25}, own)
	var e *net.DNSError
	if !errors.As(err, &e) || !e.IsTemporary {
		t.Errorf("%v does not tell that DNS failed", err)
	}
}
