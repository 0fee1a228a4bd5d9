package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"postern/internal/store"
)

// What is made on the page opens the API, and what is revoked there does not.
func TestTokensAreMadeAndRevokedOnTheirPage(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if _, err := w.opened.admin().AddTenant(t.Context(), "Contoso"); err != nil {
		t.Fatal(err)
	}
	b.open("/tokens")
	b.sees("No token yet")
	b.fill("name", "nightly report")
	b.press("Make the token")
	b.sees("A token without a scope opens nothing")
	b.do(chromedp.Click(`input[value="tenants:read"]`))
	b.press("Make the token")
	b.sees("Copy it now")
	shown, err := ask[string](b, `document.querySelector(".key code").textContent`)
	if err != nil || !strings.HasPrefix(shown, "pst_") {
		t.Fatalf("shown: %q %v", shown, err)
	}
	call := func() (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.server.portalAddr()+"/api/v1/tenants", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+shown)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, body := call(); status != 200 || !strings.Contains(body, `"contoso"`) {
		t.Errorf("the new token: %d %s", status, body)
	}
	b.open("/tokens")
	b.sees("nightly report")
	b.sees("127.0.0.1") // last used
	if strings.Contains(b.text(), shown) {
		t.Error("the token is shown again")
	}
	b.press("Revoke")
	b.sees("is revoked")
	if status, _ := call(); status != 401 {
		t.Errorf("the revoked token: %d", status)
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var noted []string
	for _, e := range log {
		if strings.HasPrefix(e.Action, "token.") {
			noted = append(noted, e.Action)
		}
		if strings.Contains(e.Object+e.After, shown) {
			t.Error("the audit log has the token")
		}
	}
	if strings.Join(noted, " ") != "token.revoke token.add" {
		t.Errorf("noted: %v", noted)
	}
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}
