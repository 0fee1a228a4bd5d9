package api

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// accepted puts a message from sender into a tenant's ledger.
func (h *house) accepted(tenant, sender, subject string) mail.ID {
	h.t.Helper()
	m := &store.Message{ID: mail.NewID(), Tenant: tenant, Received: time.Now().UTC(), Subject: subject, From: sender, Octets: []byte("sealed"),
		Envelope: mail.Envelope{From: sender}, Recipients: []store.Recipient{{Addr: "bob@" + tenant + ".example", Domain: tenant + ".example"}}}
	must(h.t, h.Store.Accept(h.t.Context(), m))
	return m.ID
}

func TestASearchTakesTheQueryOfThePortalsBox(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", "mail:read")
	want := h.accepted("acme", "eve@elsewhere.example", "invoice 4711")
	h.accepted("acme", "eve@elsewhere.example", "greetings")
	h.accepted("beta", "eve@elsewhere.example", "invoice 4711")
	for query, n := range map[string]int{"invoice": 1, "from:eve": 2, `subject:"invoice 4711" from:eve`: 1, "from:eve before:1d": 0, "state:held": 0} {
		r := h.ask("GET", "/api/v1/tenants/acme/trace?query="+url.QueryEscape(query), "", bearer(token)...)
		var found page[TraceEntry]
		must(t, json.Unmarshal(r.body, &found))
		if r.status != 200 || len(found.Items) != n || (n == 1 && found.Items[0].ID != want) {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	for _, path := range []string{"trace", "quarantine"} {
		if r := h.ask("GET", "/api/v1/tenants/acme/"+path+"?query=verdict:nice", "", bearer(token)...); r.status != 422 || !strings.Contains(r.detail(), "use clean, bulk") {
			t.Errorf("%s with a verdict that is none: %d %s", path, r.status, r.body)
		}
	}
}

func TestASavedSearchIsItsOwnersUnlessItIsShared(t *testing.T) {
	h := newHouse(t)
	ann, _ := h.token(h.owner("ann@example.com", ""), "", "mail:read", "policy:write")
	bob, _ := h.token(h.owner("bob@example.com", ""), "", "mail:read", "policy:write")
	const path = "/api/v1/tenants/acme/filters"
	names := func(token string) (all []string) {
		var found list[savedFilter]
		must(t, json.Unmarshal(h.ask("GET", path+"?page=trace", "", bearer(token)...).body, &found))
		for _, f := range found.Items {
			all = append(all, f.Name+"="+f.Query)
		}
		return all
	}
	for _, body := range []string{`{"page":"trace","name":"own","query":"from:eve"}`, `{"page":"trace","name":"all","query":"verdict:phish","shared":true}`} {
		if r := h.ask("PUT", path, body, bearer(ann)...); r.status != 200 {
			t.Fatalf("%s: %d %s", body, r.status, r.body)
		}
	}
	if a, b := strings.Join(names(ann), " "), strings.Join(names(bob), " "); a != "all=verdict:phish own=from:eve" || b != "all=verdict:phish" {
		t.Errorf("ann sees %s, bob sees %s", a, b)
	}
	if r := h.ask("DELETE", path+"?page=trace&name=own", "", bearer(bob)...); r.status != 404 {
		t.Errorf("bob removes ann's: %d %s", r.status, r.body)
	}
	if r := h.ask("DELETE", path+"?page=trace&name=own", "", bearer(ann)...); r.status != 200 || len(names(ann)) != 1 {
		t.Errorf("ann removes her own: %d %s", r.status, r.body)
	}
	if r := h.ask("PUT", path, `{"page":"trace","name":"x","query":"nonsense:1"}`, bearer(ann)...); r.status != 422 {
		t.Errorf("a search that is none is saved: %d", r.status)
	}
}
