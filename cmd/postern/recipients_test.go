package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/cookiejar"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	postern "postern/internal/mail"
	"postern/internal/relay/quarantine"
	"postern/internal/store"
)

// heldWorld is a protected tenant with held mail, whose digests are daily.
func heldWorld(t *testing.T) *demoWorld {
	t.Helper()
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	w.sendUntilHeld(t)
	a := w.opened.admin()
	a.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
	rules := postern.Recipients{Digest: postern.Schedule{Every: postern.Daily, Hours: []int{8}}}
	if err := a.SetRecipients(t.Context(), "contoso", rules); err != nil {
		t.Fatal(err)
	}
	return w
}

// digest lets the next day's digests be sent now and returns the one that arrives.
func (w *demoWorld) digest(t *testing.T, to string) []byte {
	t.Helper()
	before := len(w.twin.Mailbox(to))
	d := w.tomorrow()
	if err := d.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w.arrives(t, to, before)
}

// tomorrow makes digests as on the next day.
func (w *demoWorld) tomorrow() *quarantine.Digester {
	d := *w.server.digests
	d.Now = func() time.Time { return time.Now().Add(24 * time.Hour) }
	return &d
}

// arrives waits for the next message in a mailbox.
func (w *demoWorld) arrives(t *testing.T, to string, before int) []byte {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if items := w.twin.Mailbox(to); len(items) > before {
			return items[before].Raw
		}
	}
	t.Fatalf("nothing arrives for %s", to)
	return nil
}

// parts are the text and the HTML of one of our letters.
func parts(t *testing.T, raw []byte) (head mail.Header, text, page string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s %v", kind, err)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return m.Header, text, page
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			text = string(b)
		} else {
			page = string(b)
		}
	}
}

var heldLink = regexp.MustCompile(`http://[0-9.:]+(/held/\S+)`)

// links are those of a digest that release, in the order of its messages.
func digestLinks(t *testing.T, raw []byte) []string {
	t.Helper()
	_, text, _ := parts(t, raw)
	var all []string
	for _, m := range heldLink.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("the digest has no link:\n%s", text)
	}
	return all
}

func (w *demoWorld) ownURL() string { return w.conf.Recipients.URL }

// fetch makes a request of nobody in particular.
func (w *demoWorld) fetch(t *testing.T, c *http.Client, method, path string, form url.Values) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.ownURL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// kept is everything that a link could change: the ledger, the audit log, requests
// and links used.
func (w *demoWorld) kept(t *testing.T) string {
	t.Helper()
	rows, err := w.opened.store.Trace(t.Context(), store.TraceFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := w.opened.store.OpenRequests(t.Context(), "contoso")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal([]any{rows, log, asked, len(w.twin.Mailbox(demoMailbox))})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A person gets a digest, opens its link, presses the button, and has the message.
func TestAPersonReleasesFromADigest(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	w := heldWorld(t)
	raw := w.digest(t, demoMailbox)
	head, text, page := parts(t, raw)
	for name, want := range map[string]string{"Auto-Submitted": "auto-generated", "Precedence": "bulk", "List-Id": `"Contoso" <held-mail.contoso.relay.postern.example>`, "From": `"Contoso" <quarantine@contoso.example>`} {
		if got := head.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if head.Get("List-Unsubscribe") != "" || !strings.HasPrefix(head.Get("X-Trustifi-Inbound-Processed"), "yes ") {
		t.Errorf("header: %v", head)
	}
	for _, foreign := range []string{"<img", "<script", "src=", "url(", "@import"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], w.ownURL()+"/") {
			t.Errorf("the page leads to %s", m[1])
		}
	}
	b := newBrowser(t, w.ownURL())
	link := ""
	for _, l := range digestLinks(t, raw) {
		if _, body := w.fetch(t, http.DefaultClient, "GET", l, nil); strings.Contains(body, "Deliver it to my mailbox") {
			link = l
			break
		}
	}
	if link == "" {
		t.Fatalf("nothing can be released by a link:\n%s", text)
	}
	before := len(w.twin.Mailbox(demoMailbox))
	b.open(link)
	b.press("Deliver it to my mailbox")
	b.sees("It was delivered to your mailbox. The mailbox's server answered: 250")
	if got := len(w.twin.Mailbox(demoMailbox)); got != before+1 {
		t.Errorf("%d messages in the mailbox, had %d", got, before)
	}
	b.open(link)
	b.sees("It is not held any more")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Action: "quarantine.release"})
	if err != nil || len(log) != 1 || log[0].Actor != demoMailbox {
		t.Errorf("audit: %+v %v", log, err)
	}
}

// P20, R17: programs that follow links change nothing, a hundred clicks deliver
// once, and a link counts once.
func TestALinkOfADigestActsOnceAndOnlyWhenPosted(t *testing.T) {
	w := heldWorld(t)
	link := ""
	for _, l := range digestLinks(t, w.digest(t, demoMailbox)) {
		if _, body := w.fetch(t, http.DefaultClient, "GET", l, nil); strings.Contains(body, "Deliver it to my mailbox") {
			link = l
		}
	}
	if link == "" {
		t.Fatal("no link that releases")
	}
	before := w.kept(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			method := []string{"GET", "HEAD"}[i%2]
			for range 10_000 / 8 {
				req, _ := http.NewRequestWithContext(t.Context(), method, w.ownURL()+link, nil)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("%s: %d", method, res.StatusCode)
					return
				}
			}
		})
	}
	group.Wait()
	if w.kept(t) != before {
		t.Error("10,000 GET and HEAD changed something")
	}
	for name, tampered := range map[string]string{
		"cut": link[:len(link)-1], "changed": link[:20] + flipped(link[20]) + link[21:], "longer": link + "A", "nothing": "/held/x",
	} {
		if status, body := w.fetch(t, http.DefaultClient, "POST", tampered, nil); status != http.StatusNotFound || !strings.Contains(body, "not whole, or not one of ours") {
			t.Errorf("%s: %d", name, status)
		}
	}
	if w.kept(t) != before {
		t.Error("a tampered link changed something")
	}
	mailbox := len(w.twin.Mailbox(demoMailbox))
	delivered := make(chan bool, 100)
	for range 100 {
		group.Go(func() {
			_, body := w.fetch(t, &http.Client{}, "POST", link, nil)
			delivered <- strings.Contains(body, "It was delivered to your mailbox")
		})
	}
	group.Wait()
	close(delivered)
	n := 0
	for d := range delivered {
		if d {
			n++
		}
	}
	if got := len(w.twin.Mailbox(demoMailbox)); n != 1 || got != mailbox+1 {
		t.Errorf("%d of 100 say delivered, and %d messages arrived", n, got-mailbox)
	}
	if _, body := w.fetch(t, http.DefaultClient, "POST", link, nil); !strings.Contains(body, "This was done already") {
		t.Errorf("the replay is not denied:\n%s", body)
	}
	if got := len(w.twin.Mailbox(demoMailbox)); got != mailbox+1 {
		t.Errorf("the replay delivered")
	}
}

func flipped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// A recipient signs in with a link from the mailbox and sees nobody else's mail; a
// request goes to the administrators and back.
func TestARecipientsOwnPages(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	w := heldWorld(t)
	mails, err := shippedMail()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		if m.expect == "quarantine" {
			m.to = []string{"bob@" + demoDomain}
			if _, err := w.send(t.Context(), m, patience); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	rows, err := w.opened.store.Quarantine(t.Context(), store.TraceFilter{Tenant: "contoso", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var mine, others store.TraceRow
	for _, r := range rows {
		if r.To == demoMailbox {
			mine = r
		} else {
			others = r
		}
	}
	if others.ID == "" {
		t.Fatal("nothing is held for anybody else")
	}
	a := w.opened.admin()
	if err := a.SetRecipients(t.Context(), "contoso", postern.Recipients{May: map[postern.Verdict]postern.Permission{mine.Verdict: postern.MayAsk}}); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, w.ownURL())
	b.open("/")
	b.sees("You need no password")
	before := len(w.twin.Mailbox(demoMailbox))
	b.fill("email", "Ann@Contoso.example")
	b.press("Send me a link")
	b.sees("a link is on its way to that mailbox")
	_, text, _ := parts(t, w.arrives(t, demoMailbox, before))
	enter := regexp.MustCompile(`http://[0-9.:]+(/enter/\S+)`).FindStringSubmatch(text)
	if enter == nil {
		t.Fatalf("no link in:\n%s", text)
	}
	for range 3 { // a scanner follows it first
		w.fetch(t, http.DefaultClient, "GET", enter[1], nil)
	}
	b.open(enter[1])
	b.press("Sign in")
	b.sees("Mail for ann@contoso.example")
	if strings.Contains(b.text(), others.Subject) && others.Subject != mine.Subject {
		t.Errorf("it shows %q of %s", others.Subject, others.To)
	}
	b.open("/mail/" + copyID(others.ID, others.N))
	b.sees("There is no such page, or not for you.")
	b.said = nil // the browser notes the 404
	b.open("/mail/" + copyID(mine.ID, mine.N))
	b.press("Ask for it")
	b.sees("Your administrators were asked")
	alarms, err := w.opened.store.Alarms(t.Context(), "contoso")
	if err != nil || !strings.Contains(fmt.Sprint(alarms), "release-asked") {
		t.Errorf("no alarm for the administrators: %v %v", alarms, err)
	}
	if err := a.Decline(t.Context(), "contoso", mine.ID, mine.N, "This is a known fraud."); err != nil {
		t.Fatal(err)
	}
	b.open("/mail/" + copyID(mine.ID, mine.N))
	b.sees("This is a known fraud.")
	b.open("/senders")
	b.fill("sender", "news@shop.example")
	b.press("Add")
	b.sees("Kept. It counts for mail from now on.")
	b.open("/settings")
	b.fill("zone", "Europe/Berlin")
	b.press("Keep")
	b.sees("Your settings are kept.")
	if p, err := w.opened.store.Person(t.Context(), "contoso", demoMailbox); err != nil || p.Zone != "Europe/Berlin" {
		t.Errorf("%+v %v", p, err)
	}
	if status, _ := w.fetch(t, http.DefaultClient, "POST", enter[1], nil); status != http.StatusGone {
		t.Errorf("the sign-in link opens twice: %d", status)
	}
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

// Who asks for a link learns nothing, and nobody else's mailbox gets one.
func TestASignInLinkTellsNothing(t *testing.T) {
	w := heldWorld(t)
	var answers []string
	for _, addr := range []string{demoMailbox, "nobody@" + demoDomain, "ann@elsewhere.example", "x@y"} {
		jar, _ := cookiejar.New(nil)
		status, body := w.fetch(t, &http.Client{Jar: jar}, "POST", "/sign-in", url.Values{"email": {addr}})
		answers = append(answers, fmt.Sprint(status, strings.ReplaceAll(body, addr, "ADDR")))
	}
	for i, a := range answers {
		if a != answers[0] {
			t.Errorf("answer %d is another:\n%s", i, a)
		}
	}
	links := func() []store.TraceRow {
		rows, err := w.opened.store.Trace(context.Background(), store.TraceFilter{Subject: "Your link"})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	time.Sleep(500 * time.Millisecond)
	rows := links()
	for _, r := range rows {
		if r.To != demoMailbox {
			t.Errorf("a link went to %s", r.To)
		}
	}
	for range 10 {
		w.fetch(t, http.DefaultClient, "POST", "/sign-in", url.Values{"email": {demoMailbox}})
	}
	for end := time.Now().Add(patience); len(rows) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		rows = links()
	}
	time.Sleep(500 * time.Millisecond) // for more than there may be
	if rows = links(); len(rows) == 0 || len(rows) > 3 {
		t.Errorf("%d links, want 1 to 3", len(rows))
	}
}
