package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

// counted waits until the roller has counted all mail.
func (w *demoWorld) counted(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		stale, err := w.opened.store.Stale(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(stale) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still not counted: %v", stale)
		}
	}
}

func TestReportsAndOverviewOfRealMail(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if _, err := w.opened.admin().AddTenant(t.Context(), "Empty"); err != nil {
		t.Fatal(err)
	}
	b.open("/t/empty/reports")
	b.sees("Nothing to report yet")
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	w.sendUntilHeld(t)
	w.counted(t)
	rows, err := w.opened.store.Trace(t.Context(), store.TraceFilter{Tenant: "contoso", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 10 {
		t.Fatalf("only %d messages", len(rows))
	}
	b.open("/t/contoso/reports?days=7")
	b.sees("Mail by day and verdict")
	b.sees("ann@contoso.example")
	if n, err := ask[int](b, `document.querySelectorAll("svg.chart rect.bar").length`); err != nil || n < 3 {
		t.Errorf("%d bars, %v", n, err)
	}
	b.open("/t/contoso/?plot=week")
	b.sees("The last 7 days")
	b.sees("People most targeted")
	b.open("/t/contoso/")
	b.sees("The last 24 hours")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

// TestProtectionStatusTellsTheTruth brings a tenant's set-up into states that are
// well and not well, and looks at what the page and the command line say.
func TestProtectionStatusTellsTheTruth(t *testing.T) { protectionStatus(t, nil) }

func protectionStatus(t *testing.T, g *gallery) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if _, err := w.opened.admin().AddTenant(t.Context(), "Empty"); err != nil {
		t.Fatal(err)
	}
	b.open("/t/empty/status")
	b.sees("Mail is not protected yet")
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	w.sendUntilHeld(t)

	look := func(button, says string) {
		t.Helper()
		b.open("/t/contoso/status")
		b.press(button)
		b.until(`!document.querySelector("[data-reload]") && document.readyState === "complete"`)
		b.sees(says)
	}
	look("Verify now", "Every field is as it was set up")
	look("Send a probe now", "came round in")
	b.sees("Handed back to Exchange")
	look("Measure now", "No external mail came in the two hours before") // what came within a quarter of an hour may still be on its way
	b.sees("Mail is protected")
	g.see(b, "status-green")
	p := w.protection(t)
	for _, h := range p.All() {
		if h.Lamp != mail.Green && h.Lamp != mail.Dark && h.Name != "judge" { // which a test binary built with cgo cannot lock down
			t.Errorf("%s is %s: %s", h.Name, h.Lamp, h.Text)
		}
	}
	if len(p.Watched.Probe.Hops) != 5 {
		t.Errorf("the probe's way: %+v", p.Watched.Probe)
	}

	exchangeSide := w.twin.Tenants()[0]
	connectors := exchangeSide.State()["OutboundConnector"]
	if len(connectors) == 0 {
		t.Fatal("there is no outbound connector")
	}
	if err := exchangeSide.Change("OutboundConnector", fmt.Sprint(connectors[0]["Name"]), "TlsSettings", "EncryptionOnly"); err != nil {
		t.Fatal(err)
	}
	look("Verify now", "Differences from what was set up: 1")
	b.sees("Mail is not safely protected")
	b.sees("TlsSettings")
	g.see(b, "status-drift")
	if p := w.protection(t); p.Lamp != mail.Red || p.First().Name != "setup" {
		t.Errorf("after a change of the connector: %s, first %s", p.Lamp, p.First().Name)
	}
	b.open("/t/contoso/")
	b.sees("Mail is not safely protected")
	b.open("/tenants")
	b.sees("Mail is not safely protected")
	w.expire(t)
	w.admin.Close() // Microsoft cannot be reached any more
	look("Verify now", "Exchange did not let us look")
	b.sees("Ended on 1 January 2020")
	g.see(b, "status-red")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

// expire gives the relay's configuration a certificate that ended.
func (w *demoWorld) expire(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ended := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{demoHost}, NotBefore: ended.AddDate(-1, 0, 0), NotAfter: ended}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tls := &w.conf.SMTP.TLS
	tls.Cert, tls.Key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{tls.Cert: {Type: "CERTIFICATE", Bytes: der}, tls.Key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(11 * time.Second) // what was found of the parts is kept for ten
}

// protection is what the page's source says.
func (w *demoWorld) protection(t *testing.T) *admin.Protection {
	t.Helper()
	x := newExchange(w.opened, nil)
	p, err := x.Protection(t.Context(), mail.Tenant{ID: "contoso", Name: "Contoso"}, w.server.parts(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAScheduledReportArrivesOnce(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	b.open("/t/contoso/reports/schedule")
	if _, err := ask[string](b, `document.querySelector("textarea[name=to]").value = "ann@elsewhere.example"`); err != nil {
		t.Fatal(err)
	}
	b.press("Keep")
	b.sees("is not in an enabled domain of this tenant")
	if err := w.opened.admin().SetReportSchedule(t.Context(), "contoso", report.Schedule{Every: "weekly", Hour: 3, To: []string{demoMailbox}, Language: "de"}); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(8 * 24 * time.Hour)
	for range 3 { // as two nodes do, and one that comes back
		if err := w.server.dueReports(t.Context(), later); err != nil {
			t.Fatal(err)
		}
	}
	slot, about := (report.Schedule{Every: "weekly", Hour: 3}).Slot(later)
	plan := report.Schedule{To: []string{demoMailbox}}
	if err := w.server.sendReport(t.Context(), mail.Tenant{ID: "contoso", Name: "Contoso"}, plan, slot, about); err != nil { // a crash before the slot was noted
		t.Fatal(err)
	}
	var got []string
	for end := time.Now().Add(patience); len(got) == 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, item := range w.twin.Mailbox(demoMailbox) {
			if strings.Contains(string(item.Raw), "Auto-Submitted: auto-generated") && strings.Contains(string(item.Raw), "application/pdf") {
				got = append(got, item.Folder)
			}
		}
	}
	time.Sleep(500 * time.Millisecond) // for a second one, were there any
	if n := len(w.twin.Mailbox(demoMailbox)); len(got) != 1 || got[0] != "inbox" || n != 1 {
		t.Errorf("the report is in %v, and the mailbox has %d messages", got, n)
	}
}
