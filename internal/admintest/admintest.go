// Package admintest is the house behind the doors, for their tests: a real store
// with two tenants, and the admin over it. Only tests import it.
package admintest

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/seal"
	"postern/internal/store"
)

// Open makes a store in a folder of the test's own.
func Open(t testing.TB) (*store.Store, *seal.Root) {
	t.Helper()
	dir := t.TempDir()
	root, err := seal.Open(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(context.Background(), store.Options{Folder: dir, AuditKey: root.Derive("audit")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st, root
}

// Over is the admin over a store. Names are nowhere in its DNS, and nobody listens
// where Exchange would be.
func Over(st *store.Store, root *seal.Root) *admin.Exchange {
	a := &admin.Admin{Store: st, Root: root, Actor: "test", Resolver: nowhere{}, Own: func(string, netip.AddrPort) bool { return false }}
	return &admin.Exchange{Admin: a, Cloud: "http://127.0.0.1:1", SmartHost: "relay.example.net", Addresses: []string{"192.0.2.1"}, Prefix: "x-trustifi", Runs: &admin.Runs{}}
}

// Tenants adds acme and beta, each with one domain, acme.example and beta.example.
func Tenants(t testing.TB, a *admin.Admin) {
	t.Helper()
	for _, name := range []string{"Acme", "Beta"} {
		tenant, err := a.AddTenant(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.AddDomain(context.Background(), mail.Domain{Name: tenant.ID + ".example", Tenant: tenant.ID, MTAs: []mail.MTA{{Host: "192.0.2.7", Port: 25, TLS: mail.TLSNone}}}); err != nil {
			t.Fatal(err)
		}
	}
}

// NoMail stands for a relay that holds nothing.
type NoMail struct{}

func (NoMail) Release(context.Context, relay.Order) (deliver.Outcome, error) {
	return deliver.Outcome{}, store.ErrNotHeld
}

func (NoMail) Content(context.Context, string, mail.ID) ([]byte, error) {
	return nil, store.ErrNotFound
}

func (NoMail) Header(context.Context, string, mail.ID) (mail.Header, error) {
	return nil, store.ErrNotFound
}

// nowhere is a DNS without names.
type nowhere struct{}

func missing(name string) error { return &net.DNSError{Name: name, IsNotFound: true} }

func (nowhere) LookupMX(_ context.Context, name string) ([]*net.MX, error) { return nil, missing(name) }

func (nowhere) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, missing(name)
}

func (nowhere) LookupTXT(_ context.Context, name string) ([]string, error) { return nil, missing(name) }

func (nowhere) LookupCNAME(_ context.Context, name string) (string, error) { return "", missing(name) }
