package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/providertest"
	"postern/internal/store"
)

// R45: whatever asks a person for a fresh second factor has a scope of its own that
// no other token has, and the document says so.
func TestEveryDangerousOperationHasAScopeOfItsOwn(t *testing.T) {
	used := map[string]bool{}
	for _, d := range operations(t) {
		danger := slices.ContainsFunc(d.scopes, admin.Dangerous)
		if danger != d.second {
			t.Errorf("%s %s: dangerous %v, second person %v", d.method, d.path, danger, d.second)
		}
		if danger && len(d.scopes) != 2 {
			t.Errorf("%s %s asks for %v: the scope of its area is missing", d.method, d.path, d.scopes)
		}
		for _, s := range d.scopes {
			used[s] = true
		}
	}
	for _, want := range strings.Fields("rotateKey=danger:key putDomain=danger:delivery disableProtection=danger:exchange releaseAgain=danger:release exportTenant=danger:export putRetention=danger:records setRole=danger:users resetFactor=danger:users removeTenant=danger:remove startBypass=danger:bypass observe=danger:bypass putProvider=danger:provider") {
		id, scope, _ := strings.Cut(want, "=")
		raw, err := Document()
		must(t, err)
		at := strings.Index(string(raw), `"operationId": "`+id+`"`)
		if at < 0 || !strings.Contains(string(raw[at:min(at+9000, len(raw))]), `"`+scope+`"`) {
			t.Errorf("%s does not ask for %s", id, scope)
		}
	}
	for _, s := range admin.Scopes() {
		if !used[s.Name] {
			t.Errorf("scope %s opens nothing", s.Name)
		}
	}
}

func TestADangerousTokenIsShortAPersonsAndBoundToItsAddresses(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	from, err := admin.ParseNetworks("198.51.100.0/24, 2001:db8::1")
	must(t, err)
	secret, kept, err := h.Exchange.AddToken(t.Context(), ann, admin.TokenWish{Name: "rotate", Tenant: "acme", Scopes: []string{"inbound:write", "danger:key", "tokens:write"}, From: from})
	must(t, err)
	if got := kept.ExpiresAt.Sub(kept.CreatedAt); got > 30*24*time.Hour {
		t.Errorf("it lasts %s", got)
	}
	if _, _, err := h.Exchange.AddToken(t.Context(), ann, admin.TokenWish{Name: "rotate", Tenant: "acme", Scopes: []string{"danger:key"}, Days: 31}); err == nil || !strings.Contains(err.Error(), "30 days") {
		t.Errorf("for 31 days: %v", err)
	}
	call := func(address string) reply {
		r := h.request("POST", "/api/v1/tenants/acme/keys", "{}", bearer(secret)...)
		r.RemoteAddr = address
		return h.serve(r)
	}
	if r := call("192.0.2.1:1"); r.status != 401 {
		t.Errorf("from elsewhere: %d %s", r.status, r.body)
	}
	for _, address := range []string{"198.51.100.7:1", "[2001:db8::1]:1", "[::ffff:198.51.100.7]:1"} {
		if r := call(address); r.status != 422 { // there is no key to be rotated
			t.Errorf("from %s: %d %s", address, r.status, r.body)
		}
	}
	child := func(body string) reply {
		r := h.request("POST", "/api/v1/tokens", body, bearer(secret)...)
		r.RemoteAddr = "198.51.100.7:1"
		return h.serve(r)
	}
	if r := child(`{"name":"child","scopes":["danger:key"]}`); r.status != 422 || !strings.Contains(r.detail(), "by a person") {
		t.Errorf("a token gives danger on: %d %s", r.status, r.body)
	}
	if r := child(`{"name":"child","scopes":["inbound:write"],"networks":["198.51.0.0/16"]}`); r.status != 422 || !strings.Contains(r.detail(), "fewer addresses") {
		t.Errorf("a child from more addresses: %d %s", r.status, r.body)
	}
	r := child(`{"name":"child","scopes":["inbound:write"]}`)
	var made madeToken
	must(t, json.Unmarshal(r.body, &made))
	if r.status != 201 || strings.Join(made.Networks, " ") != "198.51.100.0/24 2001:db8::1/128" {
		t.Errorf("a child: %d %s", r.status, r.body)
	}
}

func TestWherePeopleSignInIsSetByAProgram(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	p := providertest.New(t)
	token, _ := h.token(ann, "", "users:read", "users:write", "danger:provider")
	body := `{"name":"Contoso","issuer":"` + p.Issuer() + `","client_id":"postern","client_secret":"s3cret of the client","believe":"none","roles":[{"group":"desk","role":"helpdesk","tenant":"acme"}]}`
	r := h.ask("PUT", "/api/v1/provider", body, bearer(token)...)
	if r.status != 200 || !strings.Contains(string(r.body), `"desk"`) || strings.Contains(string(r.body), "s3cret") {
		t.Fatalf("set: %d %s", r.status, r.body)
	}
	if r := h.ask("PUT", "/api/v1/provider", strings.Replace(body, "helpdesk", "emperor", 1), bearer(token)...); r.status != 422 {
		t.Errorf("a role that is none: %d %s", r.status, r.body)
	}
	if secret, err := h.Exchange.ProviderSecret(t.Context()); err != nil || secret != "s3cret of the client" {
		t.Errorf("the secret is %q, %v", secret, err)
	}
	if r := h.ask("DELETE", "/api/v1/provider", "", bearer(token)...); r.status != 204 {
		t.Errorf("removed: %d %s", r.status, r.body)
	}
	if r := h.ask("GET", "/api/v1/provider", "", bearer(token)...); r.status != 404 {
		t.Errorf("after that: %d %s", r.status, r.body)
	}
}

func TestAnInvitationAnewEndsTokens(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	token, _ := h.token(ann, "", "report:read")
	_, _, err := h.Exchange.Invite(t.Context(), ann.Email)
	must(t, err)
	if r := h.ask("GET", "/api/v1/status", "", bearer(token)...); r.status != 401 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// R45: small bites are no way round what many releases ask for.
func TestATokenReleasesFiftyInAQuarterOfAnHour(t *testing.T) {
	h := newHouse(t)
	h.Held = ledgerMail{store: h.Store}
	ann := h.owner("ann@example.com", "")
	few, _ := h.token(ann, "acme", "mail:read", "mail:release")
	many, _ := h.token(ann, "acme", "mail:read", "mail:release", "danger:release")
	h.hold("acme", 60, 1)
	rows, err := h.Store.Quarantine(t.Context(), store.TraceFilter{Tenant: "acme", Limit: 60})
	must(t, err)
	done, refused := 0, 0
	for i, row := range rows {
		path := "/api/v1/tenants/acme/quarantine/" + copyID(row.ID, row.N) + "/release"
		r := h.ask("POST", path, "", bearer(few)...)
		switch {
		case r.status == 200:
			done++
		case r.status == 403 && strings.Contains(r.detail(), "danger:release"):
			refused++
		default:
			t.Fatalf("release %d: %d %s", i, r.status, r.body)
		}
		if r.status == 403 {
			if r := h.ask("POST", path, "", bearer(many)...); r.status != 200 {
				t.Errorf("with the scope: %d %s", r.status, r.body)
			}
		}
	}
	if done != 50 || refused != 10 {
		t.Errorf("%d done, %d refused", done, refused)
	}
}
