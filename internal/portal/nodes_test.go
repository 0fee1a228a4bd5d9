package portal

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/admintest"
	"postern/internal/mail"
	"postern/internal/postgrestest"
	"postern/internal/seal"
	"postern/internal/store"
)

// node is one of several servers on one database, with the root key of all.
func node(t *testing.T, dsn, name, key string) *house {
	t.Helper()
	root, err := seal.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{DSN: dsn, Folder: t.TempDir(), Node: name, AuditKey: root.Derive("audit")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return houseOver(t, st, root)
}

// R42: what ends a session on one node has ended it on the others within 5 seconds,
// the streams that are open there too.
func TestASessionThatEndsOnOneNodeEndsOnTheOther(t *testing.T) {
	dsn, key := postgrestest.Database(t), filepath.Join(t.TempDir(), "root.key")
	one, two := node(t, dsn, "one", key), node(t, dsn, "two", key)
	admintest.Tenants(t, one.Exchange.Admin)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	if _, err := two.Exchange.Runs.Begin("acme", "apply", "test", func(context.Context, *admin.Run) ([]mail.Sentence, error) { <-done; return nil, nil }); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, role, tenant string
		end                func(c *client, s store.Session) error
	}{
		{"sign-out", "auditor", "acme", func(c *client, s store.Session) error { c.ask("POST", "/sign-out", nil); return nil }},
		{"disabled", "auditor", "", func(_ *client, s store.Session) error { return one.Exchange.SetDisabled(t.Context(), s.Email, true) }},
		{"revoked", "security-admin", "acme", func(_ *client, s store.Session) error {
			u, err := one.Store.User(t.Context(), s.Email)
			if err != nil {
				return err
			}
			return one.Exchange.EndSession(t.Context(), u, s.ID)
		}},
		{"role changed", "owner", "acme", func(_ *client, s store.Session) error { return one.Exchange.SetRole(t.Context(), s.Email, "auditor") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := one.client(t, tt.role, tt.tenant)
			there := &client{t: t, base: two.srv.URL, http: c.http, form: c.form} // cookies do not tell ports apart
			const page = "/t/acme/"
			if status, _, _ := there.ask("GET", page, nil); status != http.StatusOK {
				t.Fatalf("before, on the other node: %d", status)
			}
			ended := make(chan struct{})
			stream, err := c.http.Get(two.srv.URL + "/t/acme/exchange/live")
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			if stream.StatusCode != http.StatusOK {
				t.Fatalf("the stream on the other node: %d", stream.StatusCode)
			}
			go func() { defer close(ended); _, _ = io.Copy(io.Discard, stream.Body) }()
			all, err := two.Store.Sessions(t.Context(), strings.TrimSuffix(tt.role+"."+tt.tenant, ".")+"@example.com")
			if err != nil || len(all) != 1 {
				t.Fatalf("sessions: %v %v", all, err)
			}
			select {
			case <-ended:
				t.Fatal("the stream ended before its session")
			default:
			}
			if err := tt.end(c, all[0]); err != nil {
				t.Fatal(err)
			}
			over := time.Now()
			if status, _, header := there.ask("GET", page, nil); status != http.StatusSeeOther {
				t.Errorf("at once, on the other node: %d %v", status, header)
			}
			select {
			case <-ended:
				t.Logf("the stream ended after %s", time.Since(over).Round(time.Millisecond))
			case <-time.After(30 * time.Second):
				t.Error("the stream goes on")
			}
		})
	}
}

func TestATokenThatIsRevokedOnOneNodeOpensNothingOnTheOther(t *testing.T) {
	dsn, key := postgrestest.Database(t), filepath.Join(t.TempDir(), "root.key")
	one, two := node(t, dsn, "one", key), node(t, dsn, "two", key)
	admintest.Tenants(t, one.Exchange.Admin)
	u, err := one.Exchange.AddUser(t.Context(), "ann@example.com", "acme", "owner")
	if err != nil {
		t.Fatal(err)
	}
	token, kept, err := one.Exchange.AddToken(t.Context(), u, admin.TokenWish{Name: "script", Tenant: "acme", Scopes: []string{"mail:read"}})
	if err != nil {
		t.Fatal(err)
	}
	v := admin.Visitor{Address: netip.MustParseAddr("192.0.2.1")}
	if _, _, err := two.Exchange.Bearer(t.Context(), token, v); err != nil {
		t.Fatalf("before: %v", err)
	}
	if err := one.Exchange.RevokeToken(t.Context(), "acme", kept.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := two.Exchange.Bearer(t.Context(), token, v); !errors.Is(err, admin.ErrBearer) {
		t.Errorf("after: %v", err)
	}
}
