package main

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

// person is somebody signed in to the portal, without a browser.
type person struct {
	t                *testing.T
	base, form, cook string
}

// signedIn makes a user with a role and signs them in.
func (w *demoWorld) signedIn(t *testing.T, role string) *person {
	t.Helper()
	x := newExchange(w.opened, nil)
	email := role + "@contoso.example"
	if _, err := x.AddUser(t.Context(), email, "", role); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, s, err := x.Renew(t.Context(), store.Session{Email: email, Hash: []byte(email), ID: email, Stage: "in", CreatedAt: now, SeenAt: now, FreshAt: now}, admin.Visitor{Address: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, "http://" + w.server.portalAddr(), x.FormToken(s), token}
}

// ask makes a request and returns its status and body.
func (p *person) ask(method, path string, form url.Values) (int, string) {
	p.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		form.Set("form", p.form)
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "postern-session", Value: p.cook})
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// TestAHundredReleasesAtOnceAreOneDelivery is P20: forms sent in parallel, sent
// again, and safe methods that change nothing.
func TestAHundredReleasesAtOnceAreOneDelivery(t *testing.T) {
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)
	id, n, err := parseCopy(held.id)
	if err != nil {
		t.Fatal(err)
	}
	state := func() mail.State {
		m, err := w.opened.store.Message(t.Context(), "contoso", id)
		if err != nil {
			t.Fatal(err)
		}
		return m.Recipients[n].State
	}
	p := w.signedIn(t, "security-admin")
	query := "?" + url.Values{"id": {held.id}, "do": {"release"}, "confirmed": {"yes"}, "form": {p.form}}.Encode()
	for range 100 {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, path := range []string{"/t/contoso/quarantine" + query, "/t/contoso/mail/" + held.id + query} {
				if status, _ := p.ask(method, path, nil); status != http.StatusOK {
					t.Fatalf("%s %s: %d", method, path, status)
				}
			}
		}
	}
	if s := state(); s != mail.Held {
		t.Fatalf("GET and HEAD made it %s", s)
	}
	before := len(w.twin.Mailbox(held.to))
	form := func() url.Values { return url.Values{"id": {held.id}, "do": {"release"}, "confirmed": {"yes"}} }
	var yes, late atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			status, body := p.ask(http.MethodPost, "/t/contoso/quarantine", form())
			switch {
			case status == http.StatusOK && strings.Contains(body, "answered: 250"):
				yes.Add(1)
			case status == http.StatusOK && strings.Contains(body, "It is not held any more"):
				late.Add(1)
			default:
				t.Errorf("%d", status)
			}
		})
	}
	all.Wait()
	if _, body := p.ask(http.MethodPost, "/t/contoso/quarantine", form()); !strings.Contains(body, "It is not held any more") { // sent again
		t.Error("a form that is sent again does something")
	}
	if got := len(w.twin.Mailbox(held.to)); yes.Load() != 1 || late.Load() != 99 || got != before+1 || state() != mail.Delivered {
		t.Errorf("%d say it was delivered, %d that it is not held; the mailbox has %d, had %d; the ledger says %s", yes.Load(), late.Load(), got, before, state())
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Tenant: "contoso", Action: "quarantine.release"})
	if err != nil || len(log) != 1 {
		t.Errorf("%d releases in the audit log, %v", len(log), err)
	}
}

func TestWhoMayDoWhatWithHeldMail(t *testing.T) {
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)
	chief, desk := w.signedIn(t, "security-admin"), w.signedIn(t, "helpdesk")
	page := "/t/contoso/mail/" + held.id
	for _, tt := range []struct {
		name   string
		who    *person
		path   string
		form   url.Values
		status int
		says   string
	}{
		{"helpdesk does not release phishing", desk, "/t/contoso/quarantine", url.Values{"id": {held.id}, "do": {"release"}, "confirmed": {"yes"}, "override": {"yes"}}, 200, "released by a security administrator only"},
		{"helpdesk does not delete", desk, "/t/contoso/quarantine", url.Values{"id": {held.id}, "do": {"delete"}}, 403, "Your role"},
		{"helpdesk does not read", desk, page + "/read", url.Values{"part": {"content"}, "reason": {"x"}}, 403, "Your role"},
		{"helpdesk does not download", desk, page + "/download", url.Values{}, 403, "Your role"},
		{"nothing is read without a reason", chief, page + "/read", url.Values{"part": {"content"}, "reason": {" "}}, 422, "Say why you read it"},
		{"phishing is confirmed first", chief, "/t/contoso/quarantine", url.Values{"id": {held.id}, "do": {"release"}}, 200, "Release dangerous mail?"},
		{"a deletion can be undone", chief, "/t/contoso/quarantine", url.Values{"id": {held.id}, "do": {"delete"}}, 200, "It will be deleted in 10 minutes."},
		{"and is", chief, "/t/contoso/quarantine", url.Values{"undelete": {held.id}}, 200, "It is kept."},
		{"a sender is blocked", chief, "/t/contoso/quarantine", url.Values{"id": {held.id}, "do": {"block"}}, 200, "is blocked from now on"},
		{"once", chief, "/t/contoso/quarantine", url.Values{"id": {held.id}, "do": {"block"}}, 200, "is on the list already"},
		{"a wrong verdict is reported", chief, page + "/report", url.Values{"should": {"clean"}, "comment": {"a colleague's <b>newsletter</b>"}}, 303, ""},
		{"but not as what it was judged", chief, page + "/report", url.Values{"should": {"phish"}}, 422, "nothing to correct"},
		{"nor as anything", chief, page + "/report", url.Values{"should": {"unjudged"}}, 422, "cannot be reported"},
	} {
		if status, body := tt.who.ask(http.MethodPost, tt.path, tt.form); status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d, lacks %q", tt.name, status, tt.says)
		}
	}
	if status, _ := chief.ask(http.MethodGet, page+"/preview", nil); status != 403 {
		t.Errorf("a preview without a reason answers %d", status)
	}
	if _, body := chief.ask(http.MethodGet, "/t/contoso/verdict-reports", nil); !strings.Contains(body, "a colleague&#39;s &lt;b&gt;newsletter") {
		t.Error("the report is not listed")
	}
	if status, body := chief.ask(http.MethodPost, page+"/download", url.Values{"as": {"zip"}}); status != 200 || !strings.HasPrefix(body, "PK\x03\x04") || strings.Contains(body, "Subject:") {
		t.Errorf("the archive: %d, %d octets", status, len(body))
	}
	if status, body := chief.ask(http.MethodPost, page+"/download", url.Values{"as": {"eml"}}); status != 200 || !strings.Contains(body, "Subject:") {
		t.Errorf("the file: %d, %d octets", status, len(body))
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Tenant: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	done := fmt.Sprint(log)
	for _, action := range []string{"quarantine.delete", "quarantine.undelete", "sender.block", "verdict.report", "encrypted archive"} {
		if !strings.Contains(done, action) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}
