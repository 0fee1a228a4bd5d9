package mailauth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/relay/mailauth/arc"
	"postern/internal/relay/mailauth/dkim"
)

// zone is a DNS of TXT records that answers at once, or never.
type zone struct {
	txt   map[string][]string
	stuck bool
}

func (z *zone) wait(ctx context.Context) error {
	if z.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	return &net.DNSError{Err: "no such host", IsNotFound: true}
}

func (z *zone) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if v := z.txt[strings.ToLower(name)]; v != nil && !z.stuck {
		return v, nil
	}
	// A resolver that stops at NUL finds the attacker's own name (espoofer A3).
	if head, _, cut := strings.Cut(name, "\x00"); cut {
		return z.LookupTXT(ctx, strings.TrimSuffix(head, "."))
	}
	return nil, z.wait(ctx)
}

func (z *zone) LookupMX(ctx context.Context, _ string) ([]*net.MX, error) { return nil, z.wait(ctx) }
func (z *zone) LookupIPAddr(ctx context.Context, _ string) ([]net.IPAddr, error) {
	return nil, z.wait(ctx)
}
func (z *zone) LookupAddr(ctx context.Context, _ string) ([]string, error) { return nil, z.wait(ctx) }

var at = time.Unix(1767608100, 0).UTC()

// world has a bank that does everything right, an attacker with a domain of his
// own for which everything passes, and an honest sender with two keys.
func world(t testing.TB) (z *zone, attacker, sender, sender2 *dkim.Signer) {
	t.Helper()
	z = &zone{txt: map[string][]string{
		"bigbank.example":         {"v=spf1 ip4:192.0.2.1 -all"},
		"_dmarc.bigbank.example":  {"v=DMARC1; p=reject"},
		"attacker.example":        {"v=spf1 +all"},
		"33.attacker.example":     {"v=spf1 +all"},
		"helo.attacker.example":   {"v=spf1 +all"},
		"example.com":             {"v=spf1 +all"},
		"_dmarc.attacker.example": {"v=DMARC1; p=reject"},
		"sender.example":          {"v=spf1 ip4:203.0.113.0/24 -all"},
		"_dmarc.sender.example":   {"v=DMARC1; p=reject"},
	}}
	attacker = &dkim.Signer{Domain: "attacker.example", Selector: "selector", Key: rsaKey(t)}
	sender = &dkim.Signer{Domain: "sender.example", Selector: "r", Key: rsaKey(t)}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sender2 = &dkim.Signer{Domain: "sender.example", Selector: "e", Key: ed}
	for _, s := range []*dkim.Signer{attacker, sender, sender2} {
		z.publish(t, s)
	}
	return z, attacker, sender, sender2
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (z *zone) publish(t testing.TB, s *dkim.Signer) {
	t.Helper()
	record := "v=DKIM1; k=ed25519; p="
	var der []byte
	if pub, ok := s.Key.Public().(ed25519.PublicKey); ok {
		der = pub
	} else {
		var err error
		if der, err = x509.MarshalPKIXPublicKey(s.Key.Public()); err != nil {
			t.Fatal(err)
		}
		record = "v=DKIM1; k=rsa; p="
	}
	z.txt[s.Selector+"._domainkey."+s.Domain] = []string{record + base64.StdEncoding.EncodeToString(der)}
}

func sign(t testing.TB, octets []byte, signers ...*dkim.Signer) []byte {
	t.Helper()
	for _, s := range signers {
		field, err := s.DKIM(octets, at)
		if err != nil {
			t.Fatal(err)
		}
		octets = append(field, octets...)
	}
	return octets
}

// TestSpoofsNeverPass runs espoofer's attacks, as they came and signed by the
// attacker's own domain, with SPF of that domain passing.
func TestSpoofsNeverPass(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpus.Path(t, "auth-spoof"), "espoofer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		ID, Helo, Data, Note string
		MailFrom             string            `json:"mail_from"`
		DKIM                 map[string]string `json:"dkim"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	z, attacker, _, _ := world(t)
	c := &Checker{Resolver: z}
	spoofed, passed := 0, 0
	for _, e := range cases {
		env := &mail.Envelope{Client: netip.MustParseAddr("198.51.100.66"), HELO: e.Helo, From: strings.Trim(e.MailFrom, "<>"), Received: at}
		variants := map[string][]byte{"as it is": []byte(e.Data), "signed by the attacker": sign(t, []byte(e.Data), attacker)}
		if e.DKIM["d"] != "" {
			forged := *attacker
			forged.Domain, forged.Selector = e.DKIM["d"], e.DKIM["s"]
			variants["signed as in the attack"] = sign(t, []byte(e.Data), &forged)
		}
		for name, octets := range variants {
			spoofed++
			a := c.Check(context.Background(), env, mail.ViaMX, octets)
			if a.DMARC.Result == mail.ResultPass {
				passed++
				t.Errorf("%s (%s), %s: passes as %s", e.ID, e.Note, name, a.DMARC.Domain)
			}
			for _, d := range a.DKIM {
				if d.Result == mail.ResultPass && strings.HasSuffix(d.Domain, "bigbank.example") {
					t.Errorf("%s: DKIM of the bank passes: %+v", e.ID, d)
				}
			}
			if a.SPF.Result == mail.ResultPass && strings.HasSuffix(a.SPF.Domain, "bigbank.example") {
				t.Errorf("%s: SPF of the bank passes: %+v", e.ID, a.SPF)
			}
			field := Results("relay.example", a)
			if strings.Contains(field, "dmarc=pass") || strings.Contains(field, "smtp.mailfrom=bigbank.example") && strings.Contains(field, "spf=pass") {
				t.Errorf("%s: %s", e.ID, field)
			}
		}
	}
	t.Logf("espoofer: %d messages of %d attacks, %d shown as pass", spoofed, len(cases), passed)
}

const letter = "From: Alice <alice@sender.example>\r\nTo: bob@contoso.example\r\nSubject: hello\r\nDate: Mon, 5 Jan 2026 10:15:00 +0000\r\n" +
	"Message-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"

const (
	onTop = "Received: from AM2PEPF0001C717.eurprd05.prod.outlook.com (2603:10a6:20b:5dc:cafe::2c)\r\n by AS4PR10CA0010.outlook.office365.com (2603:10a6:20b:5dc::7) with Microsoft SMTP\r\n Server id 15.20.1 via Frontend Transport; Mon, 5 Jan 2026 10:15:02 +0000\r\n" +
		"Authentication-Results: spf=pass (sender IP is 203.0.113.25) smtp.mailfrom=sender.example;\r\n dkim=pass (signature was verified) header.d=sender.example;dmarc=pass action=none\r\n header.from=sender.example;compauth=pass reason=100\r\n" +
		"Received-SPF: Pass (protection.outlook.com: x) receiver=protection.outlook.com;\r\n client-ip=203.0.113.25; helo=mail.sender.example; pr=C\r\n" +
		"Received: from mail.sender.example (203.0.113.25) by\r\n AM2PEPF0001C717.mail.protection.outlook.com (10.167.16.187) with Microsoft\r\n SMTP Server id 15.20.1 via Frontend Transport; Mon, 5 Jan 2026 10:15:02 +0000\r\n"
	internalTop = "Received: from DU4PR08MB11151.eurprd08.prod.outlook.com ([fe80::1]) by\r\n DU4PR08MB11151.eurprd08.prod.outlook.com ([fe80::1%6]) with mapi id 15.20.1; Mon, 5 Jan 2026 10:15:02 +0000\r\n" +
		"X-MS-Exchange-CrossTenant-AuthAs: Internal\r\nX-Forefront-Antispam-Report: CIP:255.255.255.255;SCL:-1;\r\n"
)

func TestCheck(t *testing.T) {
	z, attacker, sender, sender2 := world(t)
	c := &Checker{Resolver: z}
	genuine := sign(t, []byte(letter+"Hello.\r\n"), sender, sender2)
	direct := &mail.Envelope{Client: netip.MustParseAddr("203.0.113.25"), HELO: "mail.sender.example", From: "alice@sender.example", Received: at}
	relayed := &mail.Envelope{Client: netip.MustParseAddr("40.107.21.77"), HELO: "x.outbound.protection.outlook.com", From: "alice@sender.example", Received: at}
	null := *direct
	null.From, null.HELO = "", "sender.example"
	sealed := seal(t, z, attacker, genuine)
	for _, tt := range []struct {
		name   string
		env    *mail.Envelope
		via    mail.Architecture
		octets []byte
		want   string // spf dkim... dmarc arc source
	}{
		{"as the domain's MX", direct, mail.ViaMX, genuine, "pass pass pass pass none peer"},
		{"behind Exchange", relayed, mail.ViaRelay, append([]byte(onTop), genuine...), "pass pass pass pass none received-spf"},
		{"Exchange's fields mean nothing from a stranger", relayed, mail.ViaMX, append([]byte(onTop), genuine...), "fail pass pass pass none peer"},
		{"behind Exchange without its fields", relayed, mail.ViaRelay, genuine, "none pass pass pass none none"},
		{"null path takes HELO", &null, mail.ViaMX, []byte(letter), "pass pass none peer"},
		{"body changed, SPF passes", direct, mail.ViaMX, append(append([]byte{}, genuine...), "x\r\n"...), "pass fail fail pass none peer"},
		{"body changed, forwarded", relayed, mail.ViaMX, append(append([]byte{}, genuine...), "x\r\n"...), "fail fail fail fail none peer"},
		{"from a mailbox of the tenant", relayed, mail.ViaRelay, append([]byte(internalTop), letter...), "none none none cip"},
		{"sealed by somebody on the way", relayed, mail.ViaMX, sealed, "fail pass pass pass pass peer"},
		{"no message at all", direct, mail.ViaMX, nil, "pass permerror none peer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := c.Check(context.Background(), tt.env, tt.via, tt.octets)
			got := []string{string(a.SPF.Result)}
			for _, d := range a.DKIM {
				got = append(got, string(d.Result))
			}
			got = append(got, string(a.DMARC.Result), string(a.ARC.Result), a.Origin.Source)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s\n%+v", got, tt.want, a)
			}
			if (a.Exchange != nil) != (tt.via == mail.ViaRelay && a.Origin.Source != "none") {
				t.Errorf("Exchange: %+v", a.Exchange)
			}
		})
	}
}

func seal(t testing.TB, z *zone, by *dkim.Signer, octets []byte) []byte {
	t.Helper()
	s := &arc.Sealer{Signer: *by, LookupTXT: z.LookupTXT}
	set, err := s.Seal(context.Background(), octets, "attacker.example; spf=pass", "", at)
	if err != nil {
		t.Fatal(err)
	}
	return append(set, octets...)
}

// TestSlowDNSEnds wants a temperror from each method when DNS does not answer.
func TestSlowDNSEnds(t *testing.T) {
	z, attacker, sender, _ := world(t)
	octets := seal(t, z, attacker, sign(t, []byte(letter+"Hello.\r\n"), sender))
	z.stuck = true
	c := &Checker{Resolver: z, Timeout: 30 * time.Millisecond}
	start := time.Now()
	env := &mail.Envelope{Client: netip.MustParseAddr("203.0.113.25"), From: "alice@sender.example", Received: at}
	a := c.Check(context.Background(), env, mail.ViaMX, octets)
	if time.Since(start) > 30*time.Second {
		t.Errorf("took %v", time.Since(start))
	}
	if a.SPF.Result != mail.ResultTempError || a.DKIM[0].Result != mail.ResultTempError ||
		a.DMARC.Result != mail.ResultTempError || a.ARC.Result != mail.ResultTempError {
		t.Errorf("%+v", a)
	}
}

func TestResultsCannotBeInjected(t *testing.T) {
	evil := "x; dmarc=pass\r\nX-Evil: \"yes\\"
	a := mail.Auth{
		Origin: mail.Origin{MailFrom: evil},
		SPF:    mail.SPF{Result: mail.Result("fail; spf=pass\r\n"), Domain: evil, Reason: evil},
		DKIM:   []mail.DKIM{{Result: mail.ResultFail, Domain: evil, Selector: evil, Algorithm: evil, Reason: evil}},
		DMARC:  mail.DMARC{Result: mail.ResultFail, Domain: evil, Policy: evil, Reason: evil + "é\u2028"},
		ARC:    mail.ARC{Result: mail.ResultFail, Reason: evil},
	}
	got := Results("relay.example\r\nX: y", a)
	for line := range strings.SplitSeq(got, "\r\n") {
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, `"relay`) {
			t.Errorf("line of its own: %q", line)
		}
	}
	for i := range len(got) {
		if c := got[i]; c >= 0x7f || c < ' ' && c != '\r' && c != '\n' {
			t.Errorf("octet %#x", c)
		}
	}
	methods := splitUnquoted(got)
	if len(methods) != 5 { // authserv, spf, dkim, dmarc, arc
		t.Errorf("%d parts: %q", len(methods), methods)
	}
	for _, m := range methods {
		if strings.HasPrefix(strings.TrimSpace(m), "dmarc=pass") {
			t.Errorf("injected: %q", m)
		}
	}
}

func splitUnquoted(s string) []string {
	var parts []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func TestResultsRead(t *testing.T) {
	got := Results("relay.example", mail.Auth{
		Origin: mail.Origin{IP: netip.MustParseAddr("203.0.113.25"), MailFrom: "alice@sender.example"},
		SPF:    mail.SPF{Result: mail.ResultPass, Domain: "sender.example"},
		DKIM:   []mail.DKIM{{Result: mail.ResultPolicy, Domain: "sender.example", Selector: "s1", Algorithm: "rsa-sha256", Reason: "the key has only 512 bits"}},
		DMARC:  mail.DMARC{Result: mail.ResultPass, Domain: "sender.example", Policy: "reject"},
		ARC:    mail.ARC{Result: mail.ResultNone},
	})
	want := "relay.example;\r\n spf=pass smtp.mailfrom=sender.example smtp.remote-ip=203.0.113.25;\r\n" +
		" dkim=policy reason=\"the key has only 512 bits\" header.d=sender.example header.s=s1 header.a=rsa-sha256;\r\n" +
		" dmarc=pass header.from=sender.example policy.dmarc=reject;\r\n arc=none"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func BenchmarkCheck(b *testing.B) {
	z, _, sender, sender2 := world(b)
	line := "The quick brown fox jumps over the lazy dog, and then it does so once more.\r\n"
	octets := append([]byte(onTop), sign(b, []byte(letter+strings.Repeat(line, 100)), sender, sender2)...)
	env := &mail.Envelope{Client: netip.MustParseAddr("40.107.21.77"), From: "alice@sender.example", Received: at}
	c := &Checker{Resolver: z}
	b.ReportAllocs()
	for b.Loop() {
		if a := c.Check(context.Background(), env, mail.ViaRelay, octets); a.DMARC.Result != mail.ResultPass {
			b.Fatal(a)
		}
	}
}
