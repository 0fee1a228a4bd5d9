package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"postern/internal/admin"
)

// far is a browser on the network, whose cookies the test sees as they were set.
type far struct {
	t       *testing.T
	handler http.Handler
	address string
	jar     map[string]*http.Cookie
}

func (f *far) post(path string, form url.Values) int {
	f.t.Helper()
	r := httptest.NewRequest("POST", "https://relay.example.net"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = f.address + ":4711"
	for _, c := range f.jar {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		f.jar[c.Name] = c
	}
	return w.Code
}

// What a browser keeps after a sign-in is used at the next one, and only there.
func TestABrowserThatSignedInIsKnownTheNextTime(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	handler, err := h.Handler()
	if err != nil {
		t.Fatal(err)
	}
	const email, password = "known@example.com", "correct horse battery"
	if _, err := h.Exchange.AddUser(ctx, email, "", "owner"); err != nil {
		t.Fatal(err)
	}
	invitation, _, err := h.Exchange.Invite(ctx, email)
	if err != nil {
		t.Fatal(err)
	}
	_, s, err := h.Exchange.Accept(ctx, email, invitation, password, admin.Visitor{})
	if err != nil {
		t.Fatal(err)
	}
	factor, err := h.Exchange.NewFactor(email, "Postern")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-30 * time.Second) // its next code is good at once
	code := func() string {
		c, err := totp.GenerateCode(factor.Secret, at)
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(30 * time.Second)
		return c
	}
	if _, err := h.Exchange.SetFactor(ctx, email, factor.Secret, code(), nil); err != nil {
		t.Fatal(err)
	}
	in := url.Values{"email": {email}, "password": {password}}
	home := &far{t, handler, "192.0.2.1", map[string]*http.Cookie{}}
	if status := home.post("/sign-in", in); status != http.StatusSeeOther || home.jar["__Host-known"] != nil {
		t.Fatalf("the password: %d, known %v", status, home.jar["__Host-known"])
	}
	s, _, err = h.Exchange.Session(ctx, home.jar["__Host-session"].Value)
	if err != nil {
		t.Fatal(err)
	}
	if status := home.post("/sign-in/code", url.Values{"factor": {code()}, "form": {h.Exchange.FormToken(s)}}); status != http.StatusSeeOther {
		t.Fatalf("the code: %d", status)
	}
	c := home.jar["__Host-known"]
	if c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge != int(admin.KnownFor.Seconds()) {
		t.Fatalf("known by %+v", c)
	}
	delete(home.jar, "__Host-session")
	elsewhere := &far{t, handler, "198.51.100.1", map[string]*http.Cookie{}}
	for range 5 {
		elsewhere.post("/sign-in", url.Values{"email": {email}, "password": {"wrong horse battery"}})
	}
	if status := elsewhere.post("/sign-in", in); status != http.StatusTooManyRequests {
		t.Errorf("a stranger, with the right password even: %d", status)
	}
	if status := home.post("/sign-in", in); status != http.StatusSeeOther {
		t.Errorf("the browser at home: %d", status)
	}
	thief := &far{t, handler, "198.51.100.2", map[string]*http.Cookie{"__Host-known": c, "__Host-session": {Name: "__Host-session", Value: c.Value}}}
	r := httptest.NewRequest("GET", "https://relay.example.net/account", nil)
	for _, c := range thief.jar {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); !strings.HasPrefix(to, "/sign-in") {
		t.Errorf("the cookie alone opened /account: %d %q", w.Code, to)
	}
}
