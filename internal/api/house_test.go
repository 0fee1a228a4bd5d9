package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/notice"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
	"postern/internal/seal"
	"postern/internal/store"
)

// house is the API over a real store with two tenants.
type house struct {
	*API
	t       *testing.T
	handler http.Handler
	now     time.Time
}

// noMail stands for a relay that holds nothing.
type noMail struct{}

func (noMail) Release(context.Context, relay.Order) (deliver.Outcome, error) {
	return deliver.Outcome{}, store.ErrNotHeld
}
func (noMail) Content(context.Context, string, mail.ID) ([]byte, error) {
	return nil, store.ErrNotFound
}

// nowhere is a DNS without names.
type nowhere struct{}

func (nowhere) missing(name string) error { return &net.DNSError{Name: name, IsNotFound: true} }
func (n nowhere) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, n.missing(name)
}
func (n nowhere) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, n.missing(name)
}
func (n nowhere) LookupTXT(_ context.Context, name string) ([]string, error) {
	return nil, n.missing(name)
}
func (n nowhere) LookupCNAME(_ context.Context, name string) (string, error) {
	return "", n.missing(name)
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	root, err := seal.Open(dir + "/root.key")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{Folder: dir, AuditKey: root.Derive("audit")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	h := &house{t: t, now: time.Now()}
	a := &admin.Admin{Store: st, Root: root, Actor: "test", Resolver: nowhere{}, Own: func(string, netip.AddrPort) bool { return false }, Now: func() time.Time { return h.now }}
	h.API = &API{
		Store:    st,
		Exchange: &admin.Exchange{Admin: a, Cloud: "http://127.0.0.1:1", SmartHost: "relay.example.net", Addresses: []string{"192.0.2.1"}, Prefix: "x-trustifi", Runs: &admin.Runs{}},
		Held:     noMail{},
		TryMTA:   func(context.Context, mail.MTA) []deliver.Step { return nil },
		Read:     func(context.Context, []byte) (*Reading, error) { return nil, errors.New("nothing to read") },
		Ready:    func() error { return nil },
		Health:   func(context.Context) []mail.Health { return nil },
		Look:     func(context.Context, string, string) error { return nil },
		TellNow:  func(context.Context, string, notice.Receiver) error { return errors.New("nobody took it") },
		Hostname: "relay.example.net",
		Version:  "test",
		Shelf:    &replay.Shelf{Store: st, Log: slog.New(slog.DiscardHandler)},
		Again:    &replay.Agains{Log: slog.New(slog.DiscardHandler)},
		Log:      slog.New(slog.DiscardHandler),
	}
	if h.handler, err = h.Handler(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Acme", "Beta"} {
		tenant, err := a.AddTenant(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.AddDomain(t.Context(), mail.Domain{Name: tenant.ID + ".example", Tenant: tenant.ID, MTAs: []mail.MTA{{Host: "192.0.2.7", Port: 25, TLS: mail.TLSNone}}}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// owner is a user who may have every token of that tenant; "" is the whole system.
func (h *house) owner(email, tenant string) store.User {
	h.t.Helper()
	u, err := h.Exchange.AddUser(h.t.Context(), email, tenant, "owner")
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

func allScopes() []string {
	var names []string
	for _, s := range admin.Scopes() {
		names = append(names, s.Name)
	}
	return names
}

func (h *house) token(u store.User, tenant string, scopes ...string) (string, store.Token) {
	h.t.Helper()
	token, kept, err := h.Exchange.AddToken(h.t.Context(), u, admin.TokenWish{Name: "test", Tenant: tenant, Scopes: scopes})
	if err != nil {
		h.t.Fatal(err)
	}
	return token, kept
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// detail is the sentence of a problem.
func (r reply) detail() string {
	var p struct{ Detail string }
	_ = json.Unmarshal(r.body, &p)
	return p.Detail
}

// ask calls the API; header are names and values in turn.
func (h *house) ask(method, path, body string, header ...string) reply {
	h.t.Helper()
	h.limits.mu.Lock()
	clear(h.limits.all) // limits have a test of their own
	h.limits.mu.Unlock()
	return h.askOnce(method, path, body, header...)
}

func (h *house) askOnce(method, path, body string, header ...string) reply {
	h.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, in)
	r.RemoteAddr = "192.0.2.99:4711"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }
