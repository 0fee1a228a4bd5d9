package main

import (
	"io"
	"os"
	"testing"
	"time"

	"postern/internal/store"
)

// counted waits until the roller has counted all mail.
func (w *demoWorld) counted(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
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

// look takes pictures and asks axe, where the one or the other is there.
func (b *browser) inspect(name, path string) {
	b.t.Helper()
	if dir := os.Getenv("POSTERN_SCREENSHOTS"); dir != "" {
		b.open(path)
		b.shoot(dir, name)
	}
	if axe, err := os.ReadFile(os.Getenv("POSTERN_AXE")); err == nil {
		b.barriers(path, string(axe))
		b.look(1280, false)
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
	b.inspect("reports-empty", "/t/empty/reports")
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
	b.inspect("reports", "/t/contoso/reports?days=7")
	b.inspect("overview-week", "/t/contoso/?plot=week")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}
