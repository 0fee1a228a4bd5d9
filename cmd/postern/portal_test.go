package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

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
