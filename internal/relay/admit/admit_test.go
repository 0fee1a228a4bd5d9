package admit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern/internal/mail"
)

// book is a Directory of fixed contents.
type book struct {
	domains map[string]mail.Domain
	tenants map[string]mail.Tenant
	keys    map[[32]byte]mail.Key
}

func (b book) Domain(name string) (mail.Domain, bool)   { d, ok := b.domains[name]; return d, ok }
func (b book) Tenant(id string) (mail.Tenant, bool)     { t, ok := b.tenants[id]; return t, ok }
func (b book) KeyByHash(hash [32]byte) (mail.Key, bool) { k, ok := b.keys[hash]; return k, ok }
func (b book) add(tenant string, retired bool) (key string) {
	key, id := NewKey()
	k := mail.Key{ID: id, Tenant: tenant, Hash: HashKey(key)}
	if retired {
		k.RetiredAt = time.Unix(1, 0)
	}
	b.keys[k.Hash] = k
	return key
}

func newGate() (*Gate, book) {
	b := book{map[string]mail.Domain{}, map[string]mail.Tenant{}, map[[32]byte]mail.Key{}}
	for _, t := range []string{"contoso", "fabrikam"} {
		b.tenants[t] = mail.Tenant{ID: t, Name: strings.ToUpper(t[:1]) + t[1:], Token: "token" + t}
		b.domains[t+".example"] = mail.Domain{Name: t + ".example", Tenant: t, Architecture: mail.ViaRelay, Enabled: true}
		b.domains["mx."+t+".example"] = mail.Domain{Name: "mx." + t + ".example", Tenant: t, Architecture: mail.ViaMX, Enabled: true}
		b.domains["off."+t+".example"] = mail.Domain{Name: "off." + t + ".example", Tenant: t, Architecture: mail.ViaRelay, Disabled: true}
		b.domains["new."+t+".example"] = mail.Domain{Name: "new." + t + ".example", Tenant: t, Architecture: mail.ViaRelay}
	}
	gate := &Gate{
		Directory: b,
		Headers:   HeadersFor("x-trustifi"),
		Marker:    Marker{Key: sha256.Sum256([]byte("test"))},
	}
	gate.SetSources([]netip.Prefix{netip.MustParsePrefix("40.107.0.0/16")})
	return gate, b
}

func envelope(from string, to ...string) *mail.Envelope {
	env := &mail.Envelope{Client: netip.MustParseAddr("40.107.1.1"), From: from}
	for _, addr := range to {
		env.To = append(env.To, mail.Rcpt{Addr: addr})
	}
	return env
}

// content is the message as it is kept.
func content(res *Result) io.Reader {
	return io.MultiReader(bytes.NewReader(res.Header), res.Rest)
}

const plain = "From: a@sender.example\r\nMessage-ID: <m1@sender.example>\r\nSubject: hello\r\n"

func TestWhoseMailItIs(t *testing.T) {
	gate, b := newGate()
	key, other, retired := b.add("contoso", false), b.add("fabrikam", false), b.add("contoso", true)
	second := b.add("contoso", false)
	creds := func(k string) string { return "x-trustifi-creds: " + k + "\r\n" }
	elsewhere := envelope("a@sender.example", "ann@contoso.example")
	elsewhere.Client = netip.MustParseAddr("198.51.100.7")
	for _, tt := range []struct {
		name   string
		env    *mail.Envelope
		header string
		code   int      // of the refusal, 0 when admitted
		tenant []string // of the admissions
		held   string   // text in the first recipient's reason; "" when not held
		alarm  string
		record bool
	}{
		{name: "a valid key for an enabled domain", env: envelope("a@s.example", "ann@contoso.example"), header: creds(key), tenant: []string{"contoso"}},
		{name: "the second of two valid keys", env: envelope("a@s.example", "ann@contoso.example"), header: creds(second), tenant: []string{"contoso"}},
		{name: "the domain in another case and as U-label form", env: envelope("a@s.example", "ann@CONTOSO.Example"), header: creds(key), tenant: []string{"contoso"}},
		{name: "the null sender", env: envelope("", "ann@contoso.example"), header: creds(key), tenant: []string{"contoso"}},
		{name: "the same key twice", env: envelope("a@s.example", "ann@contoso.example"), header: creds(key) + creds(key), tenant: []string{"contoso"}},
		{name: "no key", env: envelope("a@s.example", "ann@contoso.example"), code: 550},
		{name: "an unknown key", env: envelope("a@s.example", "ann@contoso.example"), header: creds("postern-aaaaaaaa-" + strings.Repeat("a", 52)), code: 550},
		{name: "an empty key", env: envelope("a@s.example", "ann@contoso.example"), header: creds(""), code: 550},
		{name: "no key for a domain nobody has", env: envelope("a@s.example", "ann@elsewhere.example"), code: 550},
		{name: "a retired key", env: envelope("a@s.example", "ann@contoso.example"), header: creds(retired), tenant: []string{"contoso"}, held: "retired", alarm: "retired-key"},
		{name: "two different keys", env: envelope("a@s.example", "ann@contoso.example"), header: creds(key) + creds(second), tenant: []string{"contoso"}, held: "different relay keys", alarm: "several-keys"},
		{name: "a valid key beside nonsense", env: envelope("a@s.example", "ann@contoso.example"), header: creds("guess") + creds(key), tenant: []string{"contoso"}, held: "different relay keys", alarm: "several-keys"},
		{name: "another tenant's key", env: envelope("a@s.example", "ann@contoso.example"), header: creds(other), tenant: []string{"fabrikam"}, held: "not in one of its domains", alarm: "recipient-domain"},
		{name: "a valid key for a domain nobody has", env: envelope("a@s.example", "ann@elsewhere.example"), header: creds(key), tenant: []string{"contoso"}, held: "not in one of its domains", alarm: "recipient-domain"},
		{name: "a valid key from outside Exchange", env: elsewhere, header: creds(key), tenant: []string{"contoso"}, held: "rotate it", alarm: "key-from-elsewhere"},
		{name: "a domain that is switched off", env: envelope("a@s.example", "ann@off.contoso.example"), header: creds(key), code: 451},
		{name: "a domain that was never enabled", env: envelope("a@s.example", "ann@new.contoso.example"), header: creds(key), tenant: []string{"contoso"}, held: "not been enabled", alarm: "recipient-domain"},
		{name: "as MX for one tenant", env: envelope("a@s.example", "ann@mx.contoso.example"), tenant: []string{"contoso"}},
		{name: "as MX for two tenants at once", env: envelope("a@s.example", "ann@mx.contoso.example", "bob@mx.fabrikam.example"), tenant: []string{"contoso", "fabrikam"}},
		{name: "as MX beside a domain nobody has", env: envelope("a@s.example", "ann@mx.contoso.example", "x@elsewhere.example"), code: 550},
		{name: "connector validation", env: envelope("O365ConnectorValidation@contoso.onmicrosoft.com", "ann@contoso.example"), tenant: []string{"contoso"}, record: true},
		{name: "connector validation from the domain itself", env: envelope("o365connectorvalidation@contoso.example", "ann@contoso.example"), tenant: []string{"contoso"}, record: true},
		{name: "connector validation from another tenant's domain", env: envelope("O365ConnectorValidation@fabrikam.example", "ann@contoso.example"), code: 550},
		{name: "connector validation from a stranger", env: envelope("O365ConnectorValidation@evil.example", "ann@contoso.example"), code: 550},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := gate.Message(tt.env, strings.NewReader(plain+tt.header+"\r\nbody\r\n"))
			if tt.code != 0 {
				var reply *mail.Reply
				if !errors.As(err, &reply) || reply.Code != tt.code {
					t.Fatalf("got %v, want a reply with code %d", err, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var tenants []string
			for _, a := range res.Admissions {
				tenants = append(tenants, a.Tenant.ID)
			}
			if strings.Join(tenants, " ") != strings.Join(tt.tenant, " ") {
				t.Errorf("tenants %v, want %v", tenants, tt.tenant)
			}
			a := res.Admissions[0]
			if got := a.To[0].Hold; (tt.held == "") != (got == "") || !strings.Contains(got, tt.held) {
				t.Errorf("held with %q, want something with %q", got, tt.held)
			}
			if a.Alarm != tt.alarm || (a.Record != "") != tt.record {
				t.Errorf("alarm %q record %q, want alarm %q record %v", a.Alarm, a.Record, tt.alarm, tt.record)
			}
			if got, _ := io.ReadAll(content(res)); string(got) != plain+"\r\nbody\r\n" {
				t.Errorf("content is %q", got)
			}
		})
	}
}

func TestOneForeignRecipientDoesNotHoldTheOthers(t *testing.T) {
	gate, b := newGate()
	key := b.add("contoso", false)
	res, err := gate.Message(envelope("a@s.example", "ann@contoso.example", "bob@sub.contoso.example", "eve@off.contoso.example"),
		strings.NewReader("x-trustifi-creds: "+key+"\r\n"+plain+"\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	to := res.Admissions[0].To
	if to[0].Hold != "" || to[1].Hold == "" || !strings.Contains(to[2].Hold, "switched off") {
		t.Errorf("held: %q, %q, %q", to[0].Hold, to[1].Hold, to[2].Hold)
	}
}

func TestControlHeadersAreGoneInEverySpelling(t *testing.T) {
	gate, b := newGate()
	key := b.add("contoso", false)
	for _, tt := range []struct{ name, header string }{
		{"as the rule writes it", "x-trustifi-creds: KEY\r\n"},
		{"upper case", "X-TRUSTIFI-CREDS: KEY\r\n"},
		{"no blank", "X-Trustifi-Creds:KEY\r\n"},
		{"white space before the colon", "x-trustifi-creds \t : KEY\r\n"},
		{"folded before the value", "x-trustifi-creds:\r\n KEY\r\n"},
		{"folded with a tab", "x-trustifi-creds:\r\n\tKEY\r\n\t\r\n"},
		{"the name itself folded", "x-trustifi-creds\r\n : KEY\r\n"},
		{"control characters in the name", "x-trustifi\x01-creds: KEY\r\nx-trustifi-creds: KEY\r\n"},
		{"doubled", "x-trustifi-creds: KEY\r\nX-Other: 1\r\nX-Trustifi-Creds: KEY\r\n"},
		{"bare LF before it", "X-A: 1\nx-trustifi-creds: KEY\r\n"},
		{"bare CR before it", "X-A: 1\rx-trustifi-creds: KEY\r\n"},
		{"an empty bare line before it", "X-A: 1\n\nx-trustifi-creds: KEY\r\n"},
		{"a forged processed header", "x-trustifi-creds: KEY\r\nX-Trustifi-Inbound-Processed: yes\r\n"},
		{"a forged hop mark", "x-trustifi-creds: KEY\r\nx-trustifi-inbound-hop: v1; n=9; mac=00\r\n"},
		{"a forged verdict", "x-trustifi-creds: KEY\r\nx-trustifi-inbound-verdict: clean\r\n"},
		{"an Exchange organization header", "x-trustifi-creds: KEY\r\nX-MS-Exchange-Organization-BypassClutter: true\r\n"},
		{"the key under another name", "x-trustifi-creds: KEY\r\nX-Copy: see KEY there\r\n"},
		{"the key under another name, folded within", "x-trustifi-creds: KEY\r\nX-Copy: K\r\n EY\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := strings.ReplaceAll(strings.ReplaceAll(tt.header, "K\r\n EY", key[:9]+"\r\n "+key[9:]), "KEY", key)
			in := "Received: by a\r\n" + header + plain + "\r\nbody\r\n"
			res, err := gate.Message(envelope("a@s.example", "ann@contoso.example"), iotest.OneByteReader(strings.NewReader(in)))
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(content(res))
			for _, gone := range []string{key, key[9:], "yes", "mac=00", "clean", "BypassClutter", "trustifi"} {
				if strings.Contains(string(got), gone) {
					t.Errorf("%q is still there:\n%s", gone, got)
				}
			}
			for _, stays := range []string{"Received: by a\r\n", plain + "\r\nbody\r\n"} {
				if !strings.Contains(string(got), stays) {
					t.Errorf("%q is missing:\n%s", stays, got)
				}
			}
		})
	}
}

func TestTheThirdPassIsALoop(t *testing.T) {
	gate, b := newGate()
	key := b.add("contoso", false)
	mark := func(pass int) string {
		return "x-trustifi-inbound-hop: " + gate.Marker.Mark("contoso", "m1@sender.example", pass) + "\r\n"
	}
	for _, tt := range []struct {
		name, header string
		pass         int
		held         bool
	}{
		{"first pass", "", 1, false},
		{"second pass", mark(1), 2, false},
		{"third pass", mark(2) + mark(1), 3, true},
		{"mark of another message", "x-trustifi-inbound-hop: " + gate.Marker.Mark("contoso", "other@sender.example", 2) + "\r\n", 1, false},
		{"mark of another tenant", "x-trustifi-inbound-hop: " + gate.Marker.Mark("fabrikam", "m1@sender.example", 2) + "\r\n", 1, false},
		{"forged mark", "x-trustifi-inbound-hop: v1; n=2; mac=0123456789abcdef0123456789abcdef\r\n", 1, false},
		{"100 servers", strings.Repeat("Received: by a\r\n", 100), 1, false},
		{"101 servers", strings.Repeat("Received: by a\r\n", 101), 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := gate.Message(envelope("a@s.example", "ann@contoso.example"),
				strings.NewReader(tt.header+"x-trustifi-creds: "+key+"\r\n"+plain+"\r\nbody\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			a := res.Admissions[0]
			if held := a.To[0].Hold != ""; a.Pass != tt.pass || held != tt.held || (a.Alarm == "loop") != tt.held {
				t.Errorf("pass %d, held %v, alarm %q; want pass %d, held %v", a.Pass, held, a.Alarm, tt.pass, tt.held)
			}
		})
	}
}

func TestAHugeHeaderIsHeldWithAKeyAndRefusedWithout(t *testing.T) {
	gate, b := newGate()
	key := b.add("contoso", false)
	huge := strings.Repeat("X-Filler: "+strings.Repeat("x", 900)+"\r\n", 1300)
	env := envelope("a@s.example", "ann@contoso.example")
	res, err := gate.Message(env, strings.NewReader(huge+"x-trustifi-creds: "+key+"\r\n\r\nbody\r\n"))
	if err != nil || res.Admissions[0].To[0].Hold == "" {
		t.Errorf("with a key: %v, %+v", err, res)
	}
	_, err = gate.Message(env, strings.NewReader(huge+"\r\nbody\r\n"))
	var reply *mail.Reply
	if !errors.As(err, &reply) || reply.Code != 552 {
		t.Errorf("without a key: %v", err)
	}
}

func TestABrokenTransferIsAnErrorAndNoRefusal(t *testing.T) {
	gate, _ := newGate()
	broken := errors.New("connection reset")
	_, err := gate.Message(envelope("a@s.example", "ann@contoso.example"), io.MultiReader(strings.NewReader(plain), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func FuzzHeader(f *testing.F) {
	gate, b := newGate()
	key := b.add("contoso", false)
	f.Add("x-trustifi-creds: KEY\r\n", "\r\nbody")
	f.Add("a: b\n\nX-Trustifi-creds : KEY\r\n c\r\n", "\r\n")
	f.Fuzz(func(t *testing.T, header, body string) {
		in := "x-trustifi-creds: " + key + "\r\nX-End: 1\r\n" + strings.ReplaceAll(header, "KEY", key) + "\r\n" + body
		res, err := gate.Message(envelope("a@s.example", "ann@contoso.example"), strings.NewReader(in))
		if err != nil {
			t.Fatalf("a message with a valid key was refused: %v", err)
		}
		if strings.Contains(string(res.Header), key) {
			t.Errorf("the key is still in %q", res.Header)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	gate, book := newGate()
	key := book.add("contoso", false)
	msg := strings.Repeat("X-Filler: "+strings.Repeat("x", 60)+"\r\n", 40) + "x-trustifi-creds: " + key + "\r\n" + plain + "\r\n" + strings.Repeat("body text\r\n", 600)
	env := envelope("a@s.example", "ann@contoso.example")
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		res, err := gate.Message(env, strings.NewReader(msg))
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, content(res))
	}
}
