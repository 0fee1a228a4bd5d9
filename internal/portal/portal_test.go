package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/admintest"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/seal"
	"postern/internal/store"
)

// house is a portal over a real store, with a user of each role for each tenant.
type house struct {
	*Portal
	srv *httptest.Server
}

func newHouse(t *testing.T) *house {
	t.Helper()
	st, root := admintest.Open(t)
	h := houseOver(t, st, root)
	admintest.Tenants(t, h.Exchange.Admin)
	return h
}

// houseOver is a portal over a store, without tenants of its own.
func houseOver(t *testing.T, st *store.Store, root *seal.Root) *house {
	t.Helper()
	p := &Portal{
		Store:    st,
		Exchange: admintest.Over(st, root),
		Held:     admintest.NoMail{},
		TryMTA:   func(context.Context, mail.MTA) []deliver.Step { return nil },
		Read:     func(context.Context, []byte) (*Reading, error) { return nil, errors.New("nothing to read") },
		Ready:    func() error { return nil },
		Hostname: "relay.example.net",
		Prefix:   "x-trustifi",
		Version:  "test",
		Log:      slog.New(slog.DiscardHandler),
		Letters:  &digest.Composer{Hostname: "relay.example.net", URL: "https://held.example.net", Signer: digest.Signer{Keys: []digest.Key{digest.NewKey([32]byte{1})}}},
		Post:     func(context.Context, digest.Letter) error { return nil },
		Asked:    func(string, mail.ID, int) {},
	}
	h, err := p.Handler()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &house{p, srv}
}

// client is a browser in which somebody of that role is signed in; tenant "" is
// the whole system, role "" nobody.
func (h *house) client(t *testing.T, role, tenant string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, base: h.srv.URL, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if role == "" {
		return c
	}
	ctx := t.Context()
	email := strings.ToLower(fmt.Sprintf("%s.%s@example.com", role, tenant))
	email = strings.ReplaceAll(email, ".@", "@")
	if _, err := h.Store.User(ctx, email); errors.Is(err, store.ErrNotFound) {
		if _, err := h.Exchange.AddUser(ctx, email, tenant, role); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	s := store.Session{Email: email, Hash: []byte(email), ID: email, Stage: "factor", CreatedAt: now, SeenAt: now, FreshAt: now}
	token, s, err := h.Exchange.Renew(ctx, s, admin.Visitor{Address: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(h.srv.URL)
	jar.SetCookies(u, []*http.Cookie{{Name: "postern-session", Value: token, Path: "/"}})
	c.form = h.Exchange.FormToken(s)
	return c
}

type client struct {
	t    *testing.T
	base string
	http *http.Client
	form string
}

// ask makes a request; forms bear the session's token unless they have one.
func (c *client) ask(method, path string, form url.Values, header ...string) (status int, body string, h http.Header) {
	c.t.Helper()
	var in io.Reader
	if method == "POST" {
		if form == nil {
			form = url.Values{}
		}
		if !form.Has("form") {
			form.Set("form", c.form)
		}
		in = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

// concrete fills a route's path for a tenant, with ids that do not exist.
func concrete(path, tenant string) string {
	path = strings.ReplaceAll(path, "{tenant}", tenant)
	path = strings.ReplaceAll(path, "{domain}", tenant+".example")
	path = strings.ReplaceAll(path, "{do}", "enable")
	path = strings.ReplaceAll(path, "{$}", "")
	return wildcard.ReplaceAllString(path, "01M80E2H69TP9QM1D3S3R8G2ER.0")
}

// P18: every route, every role, every tenant, with and without a form token and
// from another origin. What the table does not allow must not happen.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	h := newHouse(t)
	type person struct {
		role, tenant string
		*client
	}
	people := []person{{"", "", h.client(t, "", "")}}
	for _, role := range everybody {
		for _, tenant := range []string{"", "acme"} {
			people = append(people, person{role, tenant, h.client(t, role, tenant)})
		}
	}
	asked := 0
	for _, rt := range h.routes() {
		if rt.access == public || rt.access == proving || rt.path == "/sign-out" || strings.HasSuffix(rt.path, "/live") {
			continue
		}
		for _, who := range people {
			for _, tenant := range []string{"acme", "beta"} {
				path := concrete(rt.path, tenant)
				want := "allowed"
				switch {
				case who.role == "":
					want = "nobody"
				case rt.access == system && who.tenant != "":
					want = "missing"
				case strings.Contains(rt.path, "{tenant}") && who.tenant != "" && who.tenant != tenant:
					want = "missing"
				case !rt.allows(who.role):
					want = "refused"
				}
				name := fmt.Sprintf("%s %s as %q of %q", rt.method, path, who.role, who.tenant)
				status, _, header := who.ask(rt.method, path, nil)
				asked++
				if got := outcome(status, header); got != want && !(want == "allowed" && got == "missing" && strings.Contains(path, ".0")) {
					t.Errorf("%s: %s (%d), want %s", name, got, status, want)
				}
				if rt.method != "POST" {
					continue
				}
				for forged, ask := range map[string]func() (int, string, http.Header){
					"without a form token":  func() (int, string, http.Header) { return who.ask("POST", path, url.Values{"form": {"x"}}) },
					"from another origin":   func() (int, string, http.Header) { return who.ask("POST", path, nil, "Sec-Fetch-Site", "cross-site") },
					"from an origin's name": func() (int, string, http.Header) { return who.ask("POST", path, nil, "Origin", "https://evil.example") },
				} {
					status, _, header := ask()
					asked++
					if got := outcome(status, header); got == "allowed" {
						t.Errorf("%s, %s: done (%d)", name, forged, status)
					}
				}
			}
		}
	}
	t.Logf("%d requests", asked)
}

// outcome reads what an answer means for access.
func outcome(status int, h http.Header) string {
	switch {
	case status == http.StatusSeeOther && strings.HasPrefix(h.Get("Location"), "/sign-in"), status == http.StatusUnauthorized:
		return "nobody"
	case status == http.StatusForbidden:
		return "refused"
	case status == http.StatusNotFound:
		return "missing"
	case status >= 500:
		return "broken"
	}
	return "allowed"
}

func TestEveryAnswerBearsItsHeaders(t *testing.T) {
	h := newHouse(t)
	c := h.client(t, "owner", "")
	for _, path := range []string{"/", "/t/acme/", "/nowhere", "/t/nobody/", "/static/portal.css", "/static/nothing", "/static/", "/t/acme/exchange/plan", "/sign-in"} {
		_, body, header := c.ask("GET", path, nil)
		csp := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, header)
		}
		for _, inline := range []string{"<script>", " style=", " onclick=", "javascript:"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s has %q", path, inline)
			}
		}
	}
}

func TestCookiesOpenNothingElsewhere(t *testing.T) {
	h := newHouse(t)
	for _, tt := range []struct {
		name, host string
		secure     bool
	}{{"on this machine", "127.0.0.1:1234", false}, {"on the network", "relay.example.net", true}} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("POST", "http://"+tt.host+"/appearance", strings.NewReader("language=de&back=//evil.example/x"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			handler, err := h.Handler()
			if err != nil {
				t.Fatal(err)
			}
			handler.ServeHTTP(w, r)
			if to := w.Header().Get("Location"); to != "/" {
				t.Errorf("led to %q", to)
			}
			for _, c := range w.Result().Cookies() {
				if c.Secure != tt.secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
					t.Errorf("%+v", c)
				}
			}
			if (w.Header().Get("Strict-Transport-Security") != "") != tt.secure {
				t.Error("HSTS")
			}
		})
	}
}

func TestWeightyThingsAskForTheFactorAgain(t *testing.T) {
	h := newHouse(t)
	c := h.client(t, "owner", "")
	if err := h.Store.EditUser(t.Context(), "owner@example.com", func(u *store.User) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exchange.EnableDomain(t.Context(), "acme.example"); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(6 * time.Minute)
	h.Exchange.Now = func() time.Time { return later }
	status, body, _ := c.ask("POST", "/t/acme/inbound/key/rotate", nil)
	if status != 200 || !strings.Contains(body, "Is it still you?") {
		t.Errorf("%d %s", status, body)
	}
	keys, err := h.Store.Keys(t.Context(), "acme")
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestDeceivingCharactersShowThemselves(t *testing.T) {
	for in, want := range map[string]string{
		"invoice\u202efdp.exe":     "invoice‹U+202E›fdp.exe",
		"pay\u200bpal":             "pay‹U+200B›pal",
		"a\r\nb\x1b[31m":           "a‹U+000D› b‹U+001B›[31m",
		"Grüße 日本":                 "Grüße 日本",
		"\u2066evil\u2069 \ufeffx": "‹U+2066›evil‹U+2069› ‹U+FEFF›x",
		"line\u2028sep":            "line‹U+2028›sep",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := address("ann@раypal.com"); !strings.HasPrefix(got, "ann@xn--") {
		t.Errorf("a mixed domain is shown as %q", got)
	}
}
