package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/admintest"
	"postern/internal/mail"
	"postern/internal/notice"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
	"postern/internal/store"
)

// house is the API over a real store with two tenants.
type house struct {
	*API
	t       *testing.T
	handler http.Handler
	now     time.Time
}

func newHouse(t *testing.T) *house {
	t.Helper()
	st, root := admintest.Open(t)
	h := &house{t: t, now: time.Now()}
	x := admintest.Over(st, root)
	x.Now = func() time.Time { return h.now }
	h.API = &API{
		Store:    st,
		Exchange: x,
		Held:     admintest.NoMail{},
		TryMTA:   func(context.Context, mail.MTA) []deliver.Step { return nil },
		Read:     func(context.Context, []byte) (*Reading, error) { return nil, errors.New("nothing to read") },
		Ready:    func() error { return nil },
		Health:   func(context.Context) []mail.Health { return nil },
		Look:     func(context.Context, string, string) error { return nil },
		TellNow:  func(context.Context, string, notice.Receiver) error { return errors.New("nobody took it") },
		Hostname: "relay.example.net",
		Version:  "test",
		Shelf:    &replay.Shelf{Store: st, Log: slog.New(slog.DiscardHandler)},
		Again:    &replay.Agains{Store: st, Log: slog.New(slog.DiscardHandler)},
		Log:      slog.New(slog.DiscardHandler),
	}
	var err error
	if h.handler, err = h.Handler(); err != nil {
		t.Fatal(err)
	}
	admintest.Tenants(t, x.Admin)
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
	return h.serve(h.request(method, path, body, header...))
}

func (h *house) request(method, path, body string, header ...string) *http.Request {
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
	return r
}

func (h *house) serve(r *http.Request) reply {
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }
