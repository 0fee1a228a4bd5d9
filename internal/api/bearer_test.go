package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"postern/internal/admin"
	"postern/internal/store"
)

// R49: of 1,000 malformed credentials none opens anything, and none is a fault.
func TestMalformedCredentialsAreDenied(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", allScopes()...)
	if r := h.ask("GET", "/api/v1/tenants", "", bearer(token)...); r.status != 200 {
		t.Fatalf("the token itself: %d", r.status)
	}
	random := rand.New(rand.NewPCG(1, 2))
	junk := []string{"", " ", "\t", "\x00", "\xff", "é", "'", "\"", "%00", "\r\nX: y", "pst_", "_", "=", ",", "Bearer ", "ADMIN", strings.Repeat("A", 9000), "' OR 1=1 --", "../..", "null", "{}"}
	seen := map[string]bool{"Bearer " + token: true, "bearer " + token: true}
	for len(seen) < 1002 {
		header := []byte("Bearer " + token)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(header) + 1)
			switch piece := junk[random.IntN(len(junk))]; random.IntN(4) {
			case 0:
				header = header[:at]
			case 1:
				header = append(header[:at:at], append([]byte(piece), header[at:]...)...)
			case 2:
				if at < len(header) {
					header[at] ^= byte(1 << random.IntN(8))
				}
			default:
				header = []byte(piece + string(header[at:]))
			}
		}
		text := string(header)
		if seen[text] || strings.EqualFold(text[:min(7, len(text))], "Bearer ") && text[7:] == token {
			continue
		}
		seen[text] = true
		if r := h.ask("GET", "/api/v1/tenants", "", "Authorization", text); r.status != http.StatusUnauthorized || len(r.body) > 1000 {
			t.Errorf("%.100q: %d %s", text, r.status, r.body)
		}
	}
}

func TestATokenThatAsksTooOftenIsPutOffAndWrongOnesDoNotStopRightOnes(t *testing.T) {
	h := newHouse(t)
	u := h.owner("ann@example.com", "")
	busy, _ := h.token(u, "", "report:read")
	quiet, _ := h.token(u, "", "report:read")
	count := map[int]int{}
	for range burst + 50 {
		r := h.askOnce("GET", "/api/v1/status", "", bearer(busy)...)
		count[r.status]++
		if r.status == http.StatusTooManyRequests && r.header.Get("Retry-After") == "" {
			t.Fatal("429 does not say when to come again")
		}
	}
	if count[200] < burst || count[429] == 0 || count[200]+count[429] != burst+50 {
		t.Errorf("answers: %v", count)
	}
	clear(count)
	for range wrongBurst + 20 {
		count[h.askOnce("GET", "/api/v1/status", "", bearer("pst_wrong")...).status]++
	}
	if count[401] < wrongBurst || count[429] == 0 || count[401]+count[429] != wrongBurst+20 {
		t.Errorf("answers to wrong tokens: %v", count)
	}
	if r := h.askOnce("GET", "/api/v1/status", "", bearer(quiet)...); r.status != 200 {
		t.Errorf("another token of the same address and person: %d", r.status)
	}
	for i := range 2 * mostLimited { // many addresses do not fill the memory
		h.limits.allow(fmt.Sprint("wrong ", i), 1, 1)
	}
	if n := len(h.limits.all); n > mostLimited {
		t.Errorf("%d are remembered", n)
	}
}

// A call that changes something stands in the audit log under both names, and
// refusals of one token do not fill it.
func TestTheAuditLogNamesPersonAndToken(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	token, _ := h.token(ann, "acme", "policy:write")
	if r := h.ask("POST", "/api/v1/tenants/acme/senders", `{"kind":"block","sender":"bad.example","note":"seen twice"}`, bearer(token)...); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for range 20 {
		h.askOnce("DELETE", "/api/v1/tenants/acme/domains/acme.example", "", bearer(token)...)
	}
	log, err := h.Store.AuditLog(t.Context(), store.AuditFilter{Tenant: "acme", Actor: "ann@example.com via token test"})
	must(t, err)
	if len(log) != 2 || log[1].Action != "sender.block" || log[0].Action != "access.refused" || log[0].Object != "DELETE /api/v1/tenants/acme/domains/acme.example" {
		t.Errorf("noted: %+v", log)
	}
}

func TestAMadeTokenIsNeverWiderThanItsMaker(t *testing.T) {
	h := newHouse(t)
	ann, bea := h.owner("ann@example.com", ""), h.owner("bea@example.com", "beta")
	must(t, h.Store.EditUser(t.Context(), bea.Email, func(u *store.User) error { u.Role = "security-admin"; return nil }))
	bea, err := h.Store.User(t.Context(), bea.Email)
	must(t, err)
	for _, tt := range []struct {
		name string
		user store.User
		wish admin.TokenWish
		want string // part of the error; "" for none
	}{
		{"an owner's for everything", ann, admin.TokenWish{Name: "x", Scopes: allScopes()}, ""},
		{"another tenant's", bea, admin.TokenWish{Name: "x", Tenant: "acme", Scopes: []string{"mail:read"}}, "not known"},
		{"the whole system's of a tenant's user", bea, admin.TokenWish{Name: "x", Scopes: []string{"mail:read"}}, "whole system"},
		{"a scope beyond the role", bea, admin.TokenWish{Name: "x", Tenant: "beta", Scopes: []string{"users:write"}}, "more than the role"},
		{"no scope", ann, admin.TokenWish{Name: "x"}, "at least one"},
		{"an unknown scope", ann, admin.TokenWish{Name: "x", Scopes: []string{"everything"}}, "there are mail:read"},
		{"for ever", ann, admin.TokenWish{Name: "x", Scopes: []string{"mail:read"}, Days: 366}, "366 days"},
		{"no name", ann, admin.TokenWish{Name: " ", Scopes: []string{"mail:read"}}, "name"},
		{"a name of two lines", ann, admin.TokenWish{Name: "x\ny", Scopes: []string{"mail:read"}}, "name"},
		{"a tenant that is not there", ann, admin.TokenWish{Name: "x", Tenant: "gamma", Scopes: []string{"mail:read"}}, "not known"},
	} {
		_, _, err := h.Exchange.AddToken(t.Context(), tt.user, tt.wish)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	parent, kept := h.token(ann, "acme", "tokens:write", "mail:read")
	for _, tt := range []struct {
		name, body string
		want       int
	}{
		{"narrower", `{"name":"child","scopes":["mail:read"],"days":365}`, 201},
		{"wider", `{"name":"child","scopes":["mail:read","mail:release"]}`, 422},
		{"another tenant's", `{"name":"child","tenant":"beta","scopes":["mail:read"]}`, 422},
	} {
		r := h.ask("POST", "/api/v1/tokens", tt.body, bearer(parent)...)
		if r.status != tt.want {
			t.Errorf("%s: %d %s", tt.name, r.status, r.body)
		}
		var made struct {
			Token   string
			Tenant  string
			Expires string `json:"expires_at"`
		}
		if r.status == 201 {
			must(t, json.Unmarshal(r.body, &made))
			if made.Tenant != "acme" || made.Expires[:19] != kept.ExpiresAt.UTC().Format("2006-01-02T15:04:05") {
				t.Errorf("the child is for %q until %s, its parent until %s", made.Tenant, made.Expires, kept.ExpiresAt)
			}
			if r := h.ask("GET", "/api/v1/tenants/acme/trace", "", bearer(made.Token)...); r.status != 200 {
				t.Errorf("the child: %d", r.status)
			}
		}
	}
}

// A program cannot make itself or somebody else an owner, nor take an owner's
// account over: that asks for a second factor.
func TestNoTokenMakesOrTakesOverOwners(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	h.owner("other@example.com", "")
	token, _ := h.token(ann, "", allScopes()...)
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/users", `{"email":"new@example.com","role":"owner"}`, 422},
		{"POST", "/users/other@example.com/invite", "", 403},
		{"POST", "/users/ann@example.com/invite", "", 403},
		{"POST", "/users", `{"email":"hd@example.com","role":"helpdesk"}`, 201},
		{"PUT", "/users/hd@example.com/role", `{"role":"owner"}`, 422},
		{"PUT", "/users/hd@example.com/role", `{"role":"auditor"}`, 200},
		{"PUT", "/users/other@example.com/role", `{"role":"user"}`, 403},
		{"POST", "/users/hd@example.com/invite", "", 200},
		{"POST", "/users/hd@example.com/disable", "", 200},
	} {
		if r := h.ask(tt.method, prefix+tt.path, tt.body, bearer(token)...); r.status != tt.want {
			t.Errorf("%s %s %s: %d %s, want %d", tt.method, tt.path, tt.body, r.status, r.body, tt.want)
		}
	}
}

// What the caller sent may be a secret: no answer repeats it.
func TestProblemsDoNotRepeatWhatWasSent(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", allScopes()...)
	for _, body := range []string{`{"organization":"o","client_id":"c","client_secret":["canary-secret"]}`, `{"client_secret":"canary-secret"`, `"canary-secret"`, `{"canary-secret":1}`,
		`{"organization":"o","client_id":"c","client_secret":"canary-secret","certificate":"canary-secret"}`} {
		r := h.ask("POST", "/api/v1/tenants/acme/exchange/connect", body, bearer(token)...)
		if r.status < 400 || strings.Contains(strings.ReplaceAll(string(r.body), `body.canary-secret`, ""), "canary-secret") {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
		if !strings.Contains(r.detail(), ".") {
			t.Errorf("%s: %q is no sentence", body, r.detail())
		}
	}
}

func TestFaultsOfOursAreToldWithANumberOnly(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", allScopes()...)
	must(t, h.Store.Close())
	r := h.ask("GET", "/api/v1/tenants", "", bearer(token)...)
	if r.status != 500 || !strings.Contains(string(r.body), "urn:postern:request:") || strings.Contains(string(r.body), "sql") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// Where an owner wants two people for weighty things, no token does them alone.
func TestAProgramIsNotASecondPerson(t *testing.T) {
	h := newHouse(t)
	for _, email := range []string{"ann@example.com", "other@example.com"} {
		h.owner(email, "")
		must(t, h.Store.EditUser(t.Context(), email, func(u *store.User) error { u.SignedInAt = h.now; return nil }))
	}
	ann, err := h.Store.User(t.Context(), "ann@example.com")
	must(t, err)
	token, _ := h.token(ann, "", allScopes()...)
	must(t, h.Exchange.SetFourEyes(t.Context(), true))
	for _, call := range []string{"POST /tenants/acme/domains/acme.example/enable", "POST /tenants/acme/keys", "POST /tenants/acme/keys/retire", "POST /tenants/acme/exchange/rollback",
		"POST /tenants/acme/exchange/protection/disable", "POST /users", "PUT /users/other@example.com/role"} {
		method, path, _ := strings.Cut(call, " ")
		if r := h.ask(method, prefix+path, `{}`, bearer(token)...); r.status != 403 || !strings.Contains(r.detail(), "second person") {
			t.Errorf("%s: %d %s", call, r.status, r.body)
		}
	}
	if r := h.ask("GET", "/api/v1/tenants/acme/domains", "", bearer(token)...); r.status != 200 {
		t.Errorf("reading: %d", r.status)
	}
}
