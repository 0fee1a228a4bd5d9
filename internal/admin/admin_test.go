package admin

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/dns"
	"postern/internal/mail"
	"postern/internal/relay/admit"
	"postern/internal/relay/deliver"
	"postern/internal/seal"
	"postern/internal/store"
)

func newAdmin(t *testing.T) (*Admin, *dns.Zone) {
	t.Helper()
	folder := t.TempDir()
	root, err := seal.Open(filepath.Join(folder, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(context.Background(), store.Options{Folder: folder, AuditKey: root.Derive("audit")})
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dns.NewZone(`
contoso.example.	MX	0 contoso-example.mail.protection.outlook.com.
contoso-example.mail.protection.outlook.com.	A	192.0.2.40
gatewayed.example.	MX	10 mx1.gateway.example.
mx1.gateway.example.	A	192.0.2.41
looped.example.	MX	10 alias.example.
alias.example.	CNAME	relay.example.
relay.example.	A	198.51.100.25
`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close(); zone.Close() })
	own := func(host string, at netip.AddrPort) bool {
		return at.Port() == 25 && (strings.EqualFold(host, "relay.example") || at.Addr() == netip.MustParseAddr("198.51.100.25"))
	}
	return &Admin{Store: st, Root: root, Resolver: dns.New(zone.Addr()), Own: own, Actor: "test"}, zone
}

func tenant(t *testing.T, a *Admin, name string) mail.Tenant {
	t.Helper()
	tt, err := a.AddTenant(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

func mtas(t *testing.T, texts ...string) []mail.MTA {
	t.Helper()
	var list []mail.MTA
	for _, text := range texts {
		m, err := ParseMTA(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

func TestMTAsAreReadAsWritten(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string // host:port tls, or part of the error
		ok   bool
	}{
		{"mx.example.com", "mx.example.com:25 verify", true},
		{"MX.Example.com.:2525", "mx.example.com:2525 verify", true},
		{"mx.example.com,tls=require", "mx.example.com:25 require", true},
		{"192.0.2.1:25,tls=none", "192.0.2.1:25 none", true},
		{"[2001:db8::1]:25", "[2001:db8::1]:25 verify", true},
		{"2001:db8::1", "[2001:db8::1]:25 verify", true},
		{"mx.example.com:0", "port", false},
		{"mx.example.com:65536", "port", false},
		{"mx.example.com:smtp", "port", false},
		{"mx.example.com,tls=maybe", "no option", false},
		{"", "neither a host name nor", false},
		{"mx example.com", "neither a host name nor", false},
		{"-bad-.example.com", "neither a host name nor", false},
	} {
		m, err := ParseMTA(tt.text)
		got := m.Address() + " " + string(m.TLS)
		if err != nil {
			got = err.Error()
		}
		if (err == nil) != tt.ok || (tt.ok && got != tt.want) || !strings.Contains(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestADomainIsCheckedBeforeItIsAdded(t *testing.T) {
	a, _ := newAdmin(t)
	ctx := context.Background()
	contoso, fabrikam := tenant(t, a, "Contoso"), tenant(t, a, "Fabrikam GmbH & Co.")
	if fabrikam.ID != "fabrikam-gmbh-co" || len(fabrikam.Token) < 26 || fabrikam.Token == contoso.Token {
		t.Errorf("tenant is %+v", fabrikam)
	}
	if _, err := a.AddTenant(ctx, "CONTOSO"); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second contoso: %v", err)
	}
	good := mtas(t, "192.0.2.1")
	for _, tt := range []struct {
		name   string
		domain mail.Domain
		want   string // part of the error, "" for none
	}{
		{"a good one", mail.Domain{Name: "Contoso.Example", Tenant: contoso.ID, MTAs: good}, ""},
		{"once more with three MTAs", mail.Domain{Name: "contoso.example", Tenant: contoso.ID, MTAs: mtas(t, "192.0.2.1", "192.0.2.2", "192.0.2.1:26")}, ""},
		{"four MTAs", mail.Domain{Name: "x.example", Tenant: contoso.ID, MTAs: mtas(t, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}, "at most 3"},
		{"no MTA", mail.Domain{Name: "x.example", Tenant: contoso.ID}, "no MTA"},
		{"an MTA twice", mail.Domain{Name: "x.example", Tenant: contoso.ID, MTAs: mtas(t, "192.0.2.1", "192.0.2.1:25")}, "given twice"},
		{"no domain", mail.Domain{Name: "nonsense", Tenant: contoso.ID, MTAs: good}, "not a domain"},
		{"an address instead of a domain", mail.Domain{Name: "ann@contoso.example", Tenant: contoso.ID, MTAs: good}, "not a domain"},
		{"of another tenant", mail.Domain{Name: "contoso.example", Tenant: fabrikam.ID, MTAs: good}, "belongs to tenant contoso"},
		{"the relay by name", mail.Domain{Name: "x.example", Tenant: contoso.ID, MTAs: mtas(t, "relay.example")}, "relay"},
		{"the relay by another name", mail.Domain{Name: "x.example", Tenant: contoso.ID, MTAs: mtas(t, "alias.example")}, "relay"},
		{"the relay by address", mail.Domain{Name: "x.example", Tenant: contoso.ID, MTAs: mtas(t, "198.51.100.25")}, "relay"},
		{"the relay's address with another port", mail.Domain{Name: "y.example", Tenant: contoso.ID, MTAs: mtas(t, "198.51.100.25:2525")}, ""},
	} {
		_, err := a.AddDomain(ctx, tt.domain)
		if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want something with %q", tt.name, err, tt.want)
		}
	}
}

func TestResolvingSuggestsExchangeAndRefusesLoops(t *testing.T) {
	a, _ := newAdmin(t)
	for _, tt := range []struct {
		domain, mta string
		loop        bool
		fails       bool
	}{
		{"contoso.example", "contoso-example.mail.protection.outlook.com", false, false},
		{"gatewayed.example", "", true, true},
		{"looped.example", "", true, true},
		{"missing.example", "", false, true},
		{"not a domain", "", false, true},
	} {
		s, err := a.ResolveDomain(context.Background(), tt.domain)
		if (err != nil) != tt.fails || errors.Is(err, deliver.ErrLoop) != tt.loop || (s.Warning.Format != "") != tt.loop {
			t.Errorf("%s: %+v, %v", tt.domain, s, err)
		}
		if tt.mta != "" && (len(s.MTAs) != 1 || s.MTAs[0].Host != tt.mta) {
			t.Errorf("%s: %+v", tt.domain, s.MTAs)
		}
	}
}

func TestTheLifeOfARelayKey(t *testing.T) {
	a, _ := newAdmin(t)
	ctx := context.Background()
	contoso := tenant(t, a, "Contoso")
	if _, err := a.RotateKey(ctx, contoso.ID); err == nil {
		t.Error("a key was rotated that does not exist")
	}
	for _, name := range []string{"contoso.example", "contoso.test"} {
		if _, err := a.AddDomain(ctx, mail.Domain{Name: name, Tenant: contoso.ID, MTAs: mtas(t, "192.0.2.1")}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := a.EnableDomain(ctx, "contoso.example")
	if err != nil || !admit.LooksLikeKey(first.Key) {
		t.Fatalf("enable: %+v, %v", first, err)
	}
	if again, err := a.EnableDomain(ctx, "contoso.test"); err != nil || again.KeyID != first.KeyID {
		t.Errorf("the second domain has a key of its own: %+v, %v", again, err)
	}
	second, err := a.RotateKey(ctx, contoso.ID)
	if err != nil || second.Key == first.Key {
		t.Fatalf("rotate: %+v, %v", second, err)
	}
	if _, err := a.RotateKey(ctx, contoso.ID); err == nil || !strings.Contains(err.Error(), "two valid keys") {
		t.Errorf("a third valid key: %v", err)
	}
	retired, warning, err := a.RetireKey(ctx, contoso.ID)
	if err != nil || retired.ID != first.KeyID || warning.Format != "" {
		t.Errorf("retired %+v, %q, %v", retired, warning, err)
	}
	k, err := a.Store.KeyByHash(ctx, admit.HashKey(second.Key))
	if err != nil || !k.RetiredAt.IsZero() {
		t.Errorf("the newer key: %+v, %v", k, err)
	}
	if _, warning, err = a.RetireKey(ctx, contoso.ID); err != nil || warning.Format == "" {
		t.Errorf("retiring the last key says %q, %v", warning, err)
	}
	if n, err := a.Store.AuditVerify(ctx); err != nil || n == 0 {
		t.Errorf("audit log: %d entries, %v", n, err)
	}
	entries, err := a.Store.AuditLog(ctx, store.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if text := e.Object + e.Before + e.After; strings.Contains(text, first.Key) || strings.Contains(text, second.Key) {
			t.Errorf("a relay key stands in the audit log: %+v", e)
		}
	}
}

func TestADomainIsProvedByDNS(t *testing.T) {
	a, zone := newAdmin(t)
	ctx := context.Background()
	contoso := tenant(t, a, "Contoso")
	d, err := a.AddDomain(ctx, mail.Domain{Name: "contoso.example", Tenant: contoso.ID, MTAs: mtas(t, "192.0.2.1")})
	if err != nil {
		t.Fatal(err)
	}
	x := &Exchange{Admin: a}
	_, err = x.ProveDomain(ctx, "contoso.example")
	name, text := a.ProofRecord(d)
	if !errors.Is(err, ErrNotProved) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), text) {
		t.Fatalf("without a record: %v", err)
	}
	other := d
	other.Tenant = "somebody-else"
	if _, foreign := a.ProofRecord(other); foreign == text {
		t.Error("another tenant would be asked for the same text")
	}
	if err := zone.Add(name + ". TXT \"" + text + "\""); err != nil {
		t.Fatal(err)
	}
	x.Resolver = dns.New(zone.Addr()) // without what it remembers
	if p, err := x.ProveDomain(ctx, "contoso.example"); err != nil || p.By != "dns" {
		t.Errorf("with the record: %+v, %v", p, err)
	}
	if p, err := a.DomainProof(ctx, d); err != nil || p.By != "dns" {
		t.Errorf("kept: %+v, %v", p, err)
	}
}

func TestListEntriesAreRead(t *testing.T) {
	a, _ := newAdmin(t)
	contoso := tenant(t, a, "Contoso")
	for _, tt := range []struct{ sender, want string }{
		{"Ben@Sender.Example", "Ben@sender.example"},
		{"sender.example", "sender.example"},
		{"*.sender.example", "sender.example"},
		{"192.0.2.1", "192.0.2.1/32"},
		{"192.0.2.77/24", "192.0.2.0/24"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"nonsense", ""},
		{"a b@c.example d", ""},
	} {
		e, err := a.AddEntry(context.Background(), contoso.ID, tt.sender, mail.ListEntry{Allow: true})
		got := e.Address + e.Domain
		if e.Network.IsValid() {
			got += e.Network.String()
		}
		if (err != nil) != (tt.want == "") || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.sender, got, err, tt.want)
		}
	}
}
