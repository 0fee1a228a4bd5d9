package api

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/admintest"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// ledgerMail releases in the ledger what an MTA would take.
type ledgerMail struct {
	admintest.NoMail
	store *store.Store
}

func (l ledgerMail) Release(ctx context.Context, o relay.Order) (deliver.Outcome, error) {
	return deliver.Outcome{Kind: deliver.Delivered, Reply: "250 taken"}, l.store.Release(ctx, o.ID, o.N, o.By)
}

// hold puts n copies into a tenant's quarantine with so many points for spam.
func (h *house) hold(tenant string, n, points int) {
	h.t.Helper()
	var all []store.Filled
	for i := range n {
		at := time.Now().Add(-time.Duration(i+1) * time.Minute)
		m := &store.Message{ID: mail.ID(ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()), Tenant: tenant, Received: at, Octets: []byte{1}, Subject: "s",
			Recipients: []store.Recipient{{Addr: fmt.Sprintf("r%d@%s.example", i, tenant), Domain: tenant + ".example", State: mail.Held, Verdict: mail.Spam, Action: mail.Hold, Score: points, HeldAt: at, ExpiresAt: at.Add(30 * 24 * time.Hour)}}}
		all = append(all, store.Filled{Message: m, Judgement: &mail.Judgement{From: "x@s.example", Findings: []mail.Finding{{Rule: "test.rule", Class: mail.Spam, Score: points, Detail: "x"}}}})
	}
	must(h.t, h.Store.Fill(h.t.Context(), all))
}

func (h *house) again(token, state string) heldAgain {
	h.t.Helper()
	var now heldAgain
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r := h.ask("GET", "/api/v1/tenants/acme/policies/again", "", bearer(token)...)
		must(h.t, json.Unmarshal(r.body, &now))
		if now.State == state {
			return now
		}
	}
	h.t.Fatalf("it is never %s: %+v", state, now)
	return now
}

func TestHeldMailIsCountedThenReleasedByTodaysRules(t *testing.T) {
	h := newHouse(t)
	h.Held = ledgerMail{store: h.Store}
	ann := h.owner("ann@example.com", "")
	token, _ := h.token(ann, "acme", "policy:read", "policy:write", "mail:release", "danger:release")
	releaser, _ := h.token(ann, "acme", "policy:read", "mail:release", "danger:release")
	h.hold("acme", 3, 1)
	h.hold("acme", 2, 1000)
	h.hold("beta", 1, 1)
	const path = "/api/v1/tenants/acme/policies/again"
	if r := h.ask("POST", path+"/release", `{"count":3}`, bearer(token)...); r.status != 409 {
		t.Errorf("before the count: %d %s", r.status, r.body)
	}
	r := h.ask("POST", path, "", bearer(token)...)
	if r.status != 202 || r.header.Get("Location") != path {
		t.Fatalf("the count: %d %s", r.status, r.body)
	}
	if now := h.again(token, "counted"); now.Looked != 5 || now.Count != 3 || now.By != "ann@example.com via token test" {
		t.Fatalf("counted %+v", now)
	}
	if r := h.ask("POST", path+"/release", `{"count":5}`, bearer(token)...); r.status != 409 {
		t.Errorf("another number: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", path+"/release", `{"count":3}`, bearer(releaser)...); r.status != 403 {
		t.Errorf("without policy:write: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", path+"/release", `{"count":3}`, bearer(token)...); r.status != 202 {
		t.Fatalf("the release: %d %s", r.status, r.body)
	}
	if now := h.again(token, "released"); now.Delivered != 3 || now.Kept+now.Gone+now.Deferred != 0 || now.Percent != 100 || now.Problem != "" {
		t.Errorf("released %+v", now)
	}
	if r := h.ask("POST", path+"/release", `{"count":3}`, bearer(token)...); r.status != 409 {
		t.Errorf("a second release: %d %s", r.status, r.body)
	}
	for tenant, want := range map[string]int{"acme": 2, "beta": 1} {
		left := 0
		must(t, h.Store.HeldJudged(t.Context(), tenant, func(store.Judged) error { left++; return nil }))
		if left != want {
			t.Errorf("%s has %d held copies, want %d", tenant, left, want)
		}
	}
}

func TestAStopOfWhatIsJudgedAgainIsNoted(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	token, _ := h.token(ann, "acme", "policy:read", "policy:write")
	if r := h.ask("POST", "/api/v1/tenants/acme/policies/again/stop", "", bearer(token)...); r.status != 202 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if now := h.again(token, "none"); now.Problem != "" {
		t.Errorf("%+v", now)
	}
	entries, err := h.Store.AuditLog(t.Context(), store.AuditFilter{Action: "quarantine.again", Limit: 5})
	if err != nil || len(entries) != 1 || entries[0].Actor != "ann@example.com via token test" {
		t.Errorf("%+v, %v", entries, err)
	}
}
