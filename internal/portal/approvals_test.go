package portal

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"postern/internal/store"
)

func TestEveryWeightyRouteExistsAndAsksForTheFactor(t *testing.T) {
	h := newHouse(t)
	known := map[string]route{}
	for _, rt := range h.routes() {
		known[rt.method+" "+rt.path] = rt
	}
	for name := range weighty {
		rt, ok := known[name]
		if !ok || (!rt.fresh && name != "POST /t/{tenant}/inbound/domain") { // which asks only when it changes something
			t.Errorf("%s: there %v, asks for the factor %v", name, ok, rt.fresh)
		}
	}
}

func TestASecondPersonAgreesBeforeAWeightyThingIsDone(t *testing.T) {
	h := newHouse(t)
	ann, helper := h.client(t, "owner", ""), h.client(t, "helpdesk", "")
	status, _, _ := ann.ask("POST", "/approvals", url.Values{"on": {"yes"}})
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("switched on with one owner: %d", status)
	}
	bob := h.client(t, "owner", "acme") // of one tenant; then one of everything
	if err := h.Store.AddUser(t.Context(), store.User{ID: "second", Email: "bob@example.com", Role: "owner", Password: "x", SignedInAt: h.now()}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ = ann.ask("POST", "/approvals", url.Values{"on": {"yes"}}); status != http.StatusSeeOther {
		t.Fatalf("switched on: %d", status)
	}
	invite := url.Values{"email": {"eve@example.com"}, "role": {"helpdesk"}, "tenant": {"acme"}}
	waits := func(who string) {
		t.Helper()
		if _, err := h.Store.User(t.Context(), "eve@example.com"); err == nil {
			t.Errorf("%s: done", who)
		}
	}
	if status, _, header := ann.ask("POST", "/users", invite); status != http.StatusSeeOther || header.Get("Location") != "/approvals" {
		t.Fatalf("asked: %d", status)
	}
	waits("nobody agreed")
	all, err := h.Store.Approvals(t.Context(), "")
	if err != nil || len(all) != 1 {
		t.Fatalf("%d requests, %v", len(all), err)
	}
	agree := "/approvals/" + all[0].ID + "/agree"
	for who, want := range map[*client]int{ann: http.StatusUnprocessableEntity, helper: http.StatusNotFound, bob: http.StatusNotFound} {
		if status, _, _ := who.ask("POST", agree, nil); status != want {
			t.Errorf("who may not agree got %d, want %d", status, want)
		}
	}
	second := h.Portal.as("bob@example.com")
	if err := second.Decide(t.Context(), all[0], true); err != nil {
		t.Fatal(err)
	}
	other := url.Values{"email": {"eve@example.com"}, "role": {"owner"}, "tenant": {""}}
	ann.ask("POST", "/users", other)
	waits("something else than was agreed to")
	_, body, _ := ann.ask("GET", "/approvals", nil)
	if !regexp.MustCompile(`(?s)eve@example\.com.*Do it now`).MatchString(body) {
		t.Error("the page does not offer to do it")
	}
	if status, body, _ := ann.ask("POST", "/users", invite); status != http.StatusOK || !strings.Contains(body, "Invitation for eve@example.com") {
		t.Errorf("agreed and done: %d", status)
	}
	if u, err := h.Store.User(t.Context(), "eve@example.com"); err != nil || u.Role != "helpdesk" {
		t.Errorf("%+v %v", u.Role, err)
	}
}

// R49: whatever a cookie or a credential looks like, the answer is no.
func TestAThousandMalformedCredentialsOpenNothing(t *testing.T) {
	h := newHouse(t)
	h.URL = "http://localhost" // where there can be passkeys
	c := h.client(t, "", "")
	pick := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"", "A", "=", "..", "%00", "\u00e9", "eyJhbGciOiJub25lIn0", strings.Repeat("x", 43), strings.Repeat("-", 43), strings.Repeat("q", 5000), "{", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, "null", "[]"}
	one := func() string {
		var b strings.Builder
		for range pick.IntN(4) {
			b.WriteString(pieces[pick.IntN(len(pieces))])
		}
		return b.String()
	}
	for i := range 1000 {
		value := one()
		var status int
		var header http.Header
		switch i % 5 {
		case 0:
			status, _, header = c.ask("GET", "/users", nil, "Cookie", "postern-session="+strings.Map(visibleByte, value))
		case 1:
			status, _, header = c.ask("POST", "/sign-in/passkey", url.Values{"passkey": {value}, "passkey-ask": {one()}})
		case 2:
			status, _, header = c.ask("GET", "/sign-in/provider/return?"+url.Values{"state": {value}, "code": {one()}}.Encode(), nil, "Cookie", "postern-trip="+strings.Map(visibleByte, one()))
		case 3:
			status, _, header = c.ask("POST", "/sign-in", url.Values{"email": {value}, "password": {one()}}, "Cookie", "postern-known="+strings.Map(visibleByte, one()))
		case 4:
			status, _, header = c.ask("POST", "/invitation", url.Values{"email": {value}, "token": {one()}, "password": {"correct horse battery"}})
		}
		to := header.Get("Location")
		if status == http.StatusOK || status >= 500 || (status == http.StatusSeeOther && !strings.HasPrefix(to, "/sign-in")) {
			t.Fatalf("try %d (%q): %d to %q", i, fmt.Sprint(value), status, to)
		}
		for _, set := range header.Values("Set-Cookie") {
			if strings.HasPrefix(set, "postern-session=") || strings.HasPrefix(set, "postern-known=") {
				t.Fatalf("try %d (%q) was given a session", i, value)
			}
		}
	}
}

func visibleByte(r rune) rune {
	if r <= ' ' || r >= 0x7f || r == ';' || r == '"' || r == ',' || r == '\\' {
		return '_'
	}
	return r
}
