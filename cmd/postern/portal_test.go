package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/internal/mail"
	"postern/internal/store"
)

// TestMain lets the children that judge and read be this test's own binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasSuffix(os.Args[1], "-worker") {
		main()
	}
	os.Exit(m.Run())
}

// portalWorld is a relay with its portal beside a simulated Exchange.
func portalWorld(t *testing.T) (*demoWorld, *browser) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w, newBrowser(t, "http://"+w.server.portalAddr())
}

// token is a new one-time token for the first owner.
func (w *demoWorld) token(t *testing.T) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); !w.server.ready.Load(); time.Sleep(5 * time.Millisecond) { // it makes one of its own, which the next supersedes
		if time.Now().After(end) {
			t.Fatal("the server is not ready")
		}
	}
	token, err := w.opened.admin().Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestFirstRunSignInAndOut(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	b.sees("Add a tenant")
	b.fill("name", "Contoso")
	b.press("Add")
	b.open("/t/contoso/")
	b.sees("Until your mail is protected")
	b.open("/account")
	b.sees("Where you are signed in")
	b.open("/audit?check=yes")
	b.sees("are there and unchanged")
	b.open("/users")
	b.sees("Invite somebody")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

func TestPlanSettingsAndQuarantineWithRealMail(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	b.fill("name", "Contoso")
	b.press("Add")
	b.sees("Domain and MTA")
	b.fill("domain", demoDomain)
	b.press("Resolve host")
	b.fill("port0", fmt.Sprint(w.mxPort()))
	b.press("Add the domain")
	b.sees("is kept")
	b.press("Test connection")
	b.sees("Mail can be sent to")
	b.press("Back to Plan Settings")
	b.press("off") // the toggle
	b.sees("This changes nothing in your mail flow.")
	b.press("Cancel")
	if d, err := w.opened.store.Domain(t.Context(), demoDomain); err != nil || d.Enabled {
		t.Fatalf("cancelled, but enabled: %v %v", d.Enabled, err)
	}
	if keys, err := w.opened.store.Keys(t.Context(), "contoso"); err != nil || len(keys) != 0 {
		t.Fatalf("a key before enabling: %v %v", keys, err)
	}
	b.press("off")
	b.press("Enable")
	b.sees("Copy it now")
	b.open("/t/contoso/inbound/plan")
	if strings.Contains(b.text(), "Copy it now") {
		t.Error("the key is shown again")
	}
	if err := w.setUpExchange(t.Context(), &demoReport{out: io.Discard}, "contoso"); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)
	b.open("/t/contoso/quarantine?subject=" + url.QueryEscape(held.subject))
	b.sees(held.subject)
	b.press(held.subject)
	b.sees("Why")
	b.fill("reason", "checking the verdict")
	b.press("Show the message")
	b.sees("Colours and positions are left out")
	b.until(`document.querySelector("iframe.preview, pre.letter") !== null`)
	b.press("Header")
	b.sees("Servers on its way, as they say")
	before := len(w.twin.Mailbox(held.to))
	b.press("Release")
	b.sees("Release dangerous mail?")
	b.press("Release all the same")
	b.sees("answered: 250")
	if got := len(w.twin.Mailbox(held.to)); got != before+1 {
		t.Errorf("%d messages in the mailbox, had %d", got, before)
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Tenant: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"quarantine.read", "quarantine.release", "domain.enable"} {
		i := slices.IndexFunc(log, func(e store.AuditEntry) bool { return e.Action == action })
		if i < 0 || log[i].Actor != "ann@contoso.example" {
			t.Errorf("%s is not in the audit log under the person's name", action)
		}
	}
	b.open("/t/contoso/trace?verdict=clean")
	b.sees("delivered")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

// TestScreenshots writes a picture of every page, light and dark, narrow and wide,
// into the folder POSTERN_SCREENSHOTS.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("POSTERN_SCREENSHOTS")
	if dir == "" {
		t.Skip("set POSTERN_SCREENSHOTS to a folder to get pictures of every page")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w, b := portalWorld(t)
	b.open("/")
	b.shoot(dir, "setup")
	b.owner(w.token(t))
	b.shoot(dir, "tenants-empty")
	if err := w.setUp(t.Context(), &demoReport{out: os.Stderr}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)
	x := newExchange(w.opened, nil)
	if _, err := x.RotateKey(t.Context(), "contoso"); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"overview": "", "plan": "inbound/plan", "enable": "inbound/domain/" + demoDomain + "/disable", "quarantine": "quarantine", "message": "mail/" + held.id,
		"trace": "trace", "queue": "queue", "senders": "senders", "exchange": "exchange", "guide": "exchange/guide", "exchange-plan": "exchange/plan", "verify": "exchange/verify", "protection": "exchange/protection", "policies": "exchange/protection?step=choose", "tenant-audit": "audit"} {
		b.open("/t/contoso/" + path)
		b.shoot(dir, name)
	}
	for name, path := range map[string]string{"account": "/account", "users": "/users", "tokens": "/tokens", "api": "/api/", "tenants": "/tenants", "audit": "/audit", "design": "/design", "missing": "/nowhere", "factor": "/second-factor"} {
		b.open(path)
		b.shoot(dir, name)
	}
}

// TestNoPageHasABarrier lets axe-core, when it is there, look at every page.
// POSTERN_AXE names its axe.min.js (npm pack axe-core@4.14.1).
func TestNoPageHasABarrier(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("POSTERN_AXE"))
	if err != nil {
		t.Skip("set POSTERN_AXE to the axe.min.js of npm's axe-core to look for barriers")
	}
	w, b := portalWorld(t)
	b.barriers("/setup", string(axe))
	b.owner(w.token(t))
	b.barriers("/tenants", string(axe))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)
	for _, path := range []string{"", "inbound/plan", "inbound/plan?edit=" + demoDomain, "inbound/domain/" + demoDomain + "/disable", "quarantine", "mail/" + held.id, "trace", "queue", "senders", "audit",
		"exchange", "exchange/guide", "exchange/plan", "exchange/verify", "exchange/protection", "exchange/protection?step=choose"} {
		b.barriers("/t/contoso/"+path, string(axe))
	}
	for _, path := range []string{"/account", "/users", "/tokens", "/api/", "/tenants", "/audit", "/design", "/nowhere", "/second-factor"} {
		b.barriers(path, string(axe))
	}
}

// barriers reports what axe finds on a page in both colours and widths.
func (b *browser) barriers(path, axe string) {
	b.t.Helper()
	for _, dark := range []bool{false, true} {
		for _, width := range []int64{1280, 390} {
			b.look(width, dark)
			b.open(path)
			b.still()
			b.barriersHere(axe)
		}
	}
}

// barriersHere reports what axe finds on the page as it is.
func (b *browser) barriersHere(axe string) {
	b.t.Helper()
	if _, err := ask[bool](b, axe+"; true"); err != nil {
		b.t.Fatal(err)
	}
	found, err := ask[[]string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => (r.passes.length < 8 ? ["axe looked at " + r.passes.length + " things only"] : []).concat(r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target + " " + n.failureSummary))))`)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range found {
		b.t.Errorf("%s: %s", b.where(), f)
	}
}

// shoot takes the page in both colours and both widths.
func (b *browser) shoot(dir, name string) {
	b.t.Helper()
	for _, look := range []struct {
		name  string
		width int64
		dark  bool
	}{{"wide-light", 1280, false}, {"wide-dark", 1280, true}, {"narrow-light", 390, false}, {"narrow-dark", 390, true}} {
		b.look(look.width, look.dark)
		if name != "setup" {
			b.do(chromedp.Reload())
		}
		b.still()
		b.shot(filepath.Join(dir, name+"-"+look.name+".png"))
	}
	b.look(1280, false)
}

// heldMail is a message that waits in the quarantine.
type heldMail struct{ id, to, subject string }

// sendUntilHeld sends the shipped samples and returns one that was held.
func (w *demoWorld) sendUntilHeld(t *testing.T) heldMail {
	t.Helper()
	mails, err := shippedMail()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		if _, err := w.send(t.Context(), m, patience); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := w.opened.store.Quarantine(t.Context(), store.TraceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Verdict == mail.Phish && r.Subject != "" {
			return heldMail{copyID(r.ID, r.N), r.To, r.Subject}
		}
	}
	t.Fatalf("none of %d held messages is phishing", len(rows))
	return heldMail{}
}
