package portal

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

// ownServer serves the recipients' pages of a house.
func ownServer(t *testing.T, h *house) *httptest.Server {
	t.Helper()
	own, err := h.Recipients()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(own)
	t.Cleanup(srv.Close)
	return srv
}

// hold puts a held message for an address into the store.
func (h *house) hold(t *testing.T, tenant, to string, v mail.Verdict, score int) store.TraceRow {
	t.Helper()
	m := &store.Message{ID: mail.NewID(), Tenant: tenant, Octets: []byte("x"), Subject: "held for " + to, From: "ben@sender.example",
		Recipients: []store.Recipient{{Addr: to, Domain: mail.DomainOf(to)}}}
	if err := h.Store.Accept(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	d := &mail.Decision{Verdict: v, Action: mail.Hold, Score: score, Reasons: []string{"It looks like it."}}
	if _, err := h.Store.Advance(t.Context(), store.Change{Message: m.ID, Tenant: tenant, State: mail.Held, Decision: d, ExpiresAt: time.Now().Add(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	return store.TraceRow{ID: m.ID, Tenant: tenant, Recipient: store.Recipient{Addr: to, Verdict: v, Score: score}}
}

// recipient is a browser in which a recipient is signed in.
func (h *house) recipient(t *testing.T, base, tenant, addr string) *client {
	t.Helper()
	if _, err := h.Exchange.EnableDomain(t.Context(), mail.DomainOf(addr)); err != nil {
		t.Fatal(err)
	}
	link, _, err := h.Exchange.PersonLink(t.Context(), addr, admin.Visitor{Address: netip.MustParseAddr("127.0.0.1")})
	if err != nil || link == "" {
		t.Fatalf("no link: %v", err)
	}
	token, x, err := h.Exchange.EnterPerson(t.Context(), link, admin.Visitor{})
	if err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	u, _ := url.Parse(base)
	jar.SetCookies(u, []*http.Cookie{{Name: "postern-recipient", Value: token, Path: "/"}})
	return &client{t: t, base: base, form: h.Exchange.FormToken(store.Session{Hash: x.Hash}),
		http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// R48: nothing of the portal can be asked for where recipients are, whoever asks.
func TestTheRecipientsListenerHasNoRouteOfThePortal(t *testing.T) {
	h := newHouse(t)
	srv := ownServer(t, h)
	h.hold(t, "acme", "ann@acme.example", mail.Spam, 60)
	owner := h.client(t, "owner", "")
	owner.base = srv.URL // its cookie goes along: ports do not divide cookies
	u, _ := url.Parse(h.srv.URL)
	to, _ := url.Parse(srv.URL)
	owner.http.Jar.SetCookies(to, owner.http.Jar.Cookies(u))
	ann := h.recipient(t, srv.URL, "acme", "ann@acme.example")
	own := map[string]bool{}
	for _, rt := range h.ownRoutes() {
		own[rt.path] = true
	}
	asked := 0
	for _, rt := range h.routes() {
		if own[rt.path] {
			continue
		}
		for who, c := range map[string]*client{"the owner": owner, "a recipient": ann, "nobody": {t: t, base: srv.URL, http: http.DefaultClient}} {
			path := concrete(rt.path, "acme")
			status, _, _ := c.ask(rt.method, path, nil)
			asked++
			if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s by %s: %d", rt.method, path, who, status)
			}
		}
	}
	if asked < 150 {
		t.Errorf("only %d requests", asked)
	}
	if status, _, header := owner.ask("GET", "/", nil); status != http.StatusSeeOther || header.Get("Location") != "/sign-in" {
		t.Errorf("the owner's session opens the recipients' pages: %d", status)
	}
}

func TestARecipientSeesAndDoesOnlyWhatIsTheirs(t *testing.T) {
	h := newHouse(t)
	srv := ownServer(t, h)
	mine := h.hold(t, "acme", "Ann@acme.example", mail.Phish, 60)
	bobs := h.hold(t, "acme", "bob@acme.example", mail.Spam, 60)
	alias := h.hold(t, "acme", "ann+x@acme.example", mail.Spam, 60)
	foreign := h.hold(t, "beta", "ann@beta.example", mail.Spam, 60)
	ann := h.recipient(t, srv.URL, "acme", "ann@acme.example")
	_, body, _ := ann.ask("GET", "/", nil)
	if !strings.Contains(body, "held for Ann@acme.example") || strings.Contains(body, "bob@") || strings.Contains(body, "ann+x") || strings.Contains(body, "beta") {
		t.Errorf("the list:\n%s", body)
	}
	for name, row := range map[string]store.TraceRow{"somebody else's": bobs, "an alias's": alias, "another tenant's": foreign} {
		for _, do := range []string{"", "release", "ask", "delete"} {
			method, form := "POST", url.Values{"do": {do}}
			if do == "" {
				method = "GET"
			}
			if status, _, _ := ann.ask(method, "/mail/"+copyID(row), form); status != http.StatusNotFound {
				t.Errorf("%s %s: %d", name, do, status)
			}
		}
	}
	for _, do := range []string{"release", "ask"} { // phishing is never the recipient's by default
		if _, body, _ := ann.ask("POST", "/mail/"+copyID(mine), url.Values{"do": {do}}); !strings.Contains(body, "does not let you do this") {
			t.Errorf("%s of phishing:\n%s", do, body)
		}
	}
	for _, path := range []string{"/senders", "/settings", "/mail/" + copyID(mine), "/sign-out"} {
		for forged, ask := range map[string]func() (int, string, http.Header){
			"without a form token": func() (int, string, http.Header) { return ann.ask("POST", path, url.Values{"form": {"x"}}) },
			"from elsewhere":       func() (int, string, http.Header) { return ann.ask("POST", path, nil, "Sec-Fetch-Site", "cross-site") },
		} {
			if status, _, _ := ask(); status != http.StatusForbidden {
				t.Errorf("POST %s %s: %d", path, forged, status)
			}
		}
	}
	if status, _, _ := ann.ask("POST", "/mail/"+copyID(mine), url.Values{"do": {"delete"}}); status != http.StatusSeeOther {
		t.Errorf("deleting one's own: %d", status)
	}
	if r, err := h.Store.Quarantine(t.Context(), store.TraceFilter{Limit: 10}); err != nil || len(r) != 3 {
		t.Errorf("%d held, want the others' 3 (%v)", len(r), err)
	}
}

// Malware, and phishing of many points, is never the recipient's, whatever the
// tenant chose; a link says so in words.
func TestALinkDoesNoMoreThanTheRulesSayNow(t *testing.T) {
	h := newHouse(t)
	srv := ownServer(t, h)
	ctx := t.Context()
	if err := h.Exchange.SetRecipients(ctx, "acme", mail.Recipients{May: map[mail.Verdict]mail.Permission{mail.Malware: mail.MayRelease}}); err == nil {
		t.Error("malware can be set to release")
	}
	rules := mail.Recipients{May: map[mail.Verdict]mail.Permission{mail.Phish: mail.MayRelease}}
	if err := h.Exchange.SetRecipients(ctx, "acme", rules); err != nil {
		t.Fatal(err)
	}
	if got := rules.Permission(mail.Phish, mail.HighPhish); got != mail.MayAsk {
		t.Errorf("high phishing: %s", got)
	}
	nobody := &client{t: t, base: srv.URL, http: &http.Client{}}
	sign := func(row store.TraceRow, rcpt string, do mail.Permission, until time.Time) string {
		token, err := h.Letters.Signer.Sign(digest.Ticket{Tenant: row.Tenant, Rcpt: rcpt, ID: row.ID, N: 0, Action: do, Until: until})
		if err != nil {
			t.Fatal(err)
		}
		return "/held/" + token
	}
	row := h.hold(t, "acme", "ann@acme.example", mail.Phish, mail.HighPhish)
	later := time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name, link string
		status     int
		says       string
	}{
		{"a forwarded link to dangerous mail", sign(row, "ann@acme.example", mail.MayRelease, later), 200, "does not let you do this"},
		{"a link made for somebody else", sign(row, "bob@acme.example", mail.MayRelease, later), 404, "not one of ours"},
		{"a link that ended", sign(row, "ann@acme.example", mail.MayRelease, time.Now().Add(-time.Second)), 410, "This link has ended"},
		{"a link to ask", sign(row, "ann@acme.example", mail.MayAsk, later), 200, "Your administrators were asked"},
		{"no token", "/held/" + strings.Repeat("A", 79), 404, "not one of ours"},
	} {
		status, body, _ := nobody.ask("POST", tt.link, nil)
		if status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d, want %d and %q:\n%s", tt.name, status, tt.status, tt.says, body)
		}
	}
	rows, err := h.Store.Quarantine(ctx, store.TraceFilter{Limit: 10})
	if err != nil || !slices.ContainsFunc(rows, func(r store.TraceRow) bool { return r.ID == row.ID }) {
		t.Errorf("it left the quarantine (%v)", err)
	}
	open, err := h.Store.OpenRequests(ctx, "acme")
	if err != nil || len(open) != 1 || open[0].Addr != "ann@acme.example" {
		t.Errorf("requests: %+v %v", open, err)
	}
}

func TestHostileCookiesAndTokensOpenNothing(t *testing.T) {
	h := newHouse(t)
	srv := ownServer(t, h)
	c := &client{t: t, base: srv.URL, http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for i := range 200 {
		value := strings.Repeat(string(rune('A'+i%26)), i%60)
		status, _, _ := c.ask("GET", "/settings", nil, "Cookie", "postern-recipient="+value)
		if status != http.StatusSeeOther {
			t.Fatalf("cookie %q: %d", value, status)
		}
		if status, _, _ := c.ask("POST", "/enter/x"+value, nil); status != http.StatusGone {
			t.Fatalf("link %q: %d", value, status)
		}
	}
}
