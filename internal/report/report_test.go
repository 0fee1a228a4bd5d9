package report_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

var now = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

var acme = mail.Tenant{ID: "acme", Name: "Acme Größe & Söhne"}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open is a store whose clock stands at now.
func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Folder: t.TempDir(), Now: func() time.Time { return now }})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// put takes one message and lets it end as verdict says; bad mail is held and, when
// release is set, released an hour later.
func put(t *testing.T, s *store.Store, at time.Time, from, to string, v mail.Verdict, took time.Duration, release bool) {
	t.Helper()
	m := &store.Message{ID: mail.NewID(), Tenant: "acme", Received: at, From: from, Envelope: mail.Envelope{From: from}, Octets: []byte("x"),
		Recipients: []store.Recipient{{Addr: to, Domain: "acme.example"}}}
	must(t, s.Accept(t.Context(), m))
	c := store.Change{Message: m.ID, Tenant: "acme", State: mail.Delivered, Decision: &mail.Decision{Verdict: v},
		Events: []store.Event{{At: at.Add(took), State: mail.Judged}, {At: at.Add(2 * took), State: mail.Delivered}}}
	if report.Bad(v) {
		c.State, c.Events[1].State = mail.Held, mail.Held
		c.ExpiresAt = now.Add(30 * 24 * time.Hour)
		c.Judgement = &mail.Judgement{From: from, Findings: []mail.Finding{{Rule: "lookalike.brand", Score: 40}, {Rule: "link.text", Score: 30}}}
	}
	_, err := s.Advance(t.Context(), c)
	must(t, err)
	if release {
		must(t, s.Release(t.Context(), m.ID, 0, "ann"))
	}
}

// month fills a store with a month of mail.
func month(t *testing.T, s *store.Store) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	for d := range 30 {
		for range 4 + rnd.IntN(14) {
			at := now.Add(-time.Duration(d)*24*time.Hour - time.Duration(rnd.IntN(14))*time.Hour)
			v := []mail.Verdict{mail.Clean, mail.Clean, mail.Clean, mail.Bulk, mail.Spam, mail.Phish, mail.Malware, mail.Suspicious}[rnd.IntN(8)]
			from := fmt.Sprintf("sender%d@site%d.example", rnd.IntN(12), rnd.IntN(14))
			to := fmt.Sprintf("person%d@acme.example", rnd.IntN(1+rnd.IntN(14)))
			put(t, s, at, from, to, v, time.Duration(200+rnd.IntN(4000))*time.Millisecond, report.Bad(v) && rnd.IntN(6) == 0)
		}
	}
	roller := &report.Roller{Store: s, Log: slog.New(slog.DiscardHandler)}
	must(t, roller.All(t.Context()))
}

func TestReportAddsUpAndIsWrittenAsCSVAndPDF(t *testing.T) {
	s := open(t)
	month(t, s)
	for range 60 {
		put(t, s, now.Add(-time.Hour), "=HYPERLINK(0)@evil.example", "+41@acme.example", mail.Phish, time.Second, false)
	}
	must(t, (&report.Roller{Store: s, Log: slog.New(slog.DiscardHandler)}).All(t.Context()))
	rep, err := report.Build(t.Context(), s, acme, report.LastDays(30, now), now)
	must(t, err)
	rows, err := s.Trace(t.Context(), store.TraceFilter{Tenant: "acme", Since: rep.Range.From, Limit: 10_000})
	must(t, err)
	bad, released := 0, 0
	for _, r := range rows {
		if report.Bad(r.Verdict) {
			bad++
		}
		if r.State == mail.Delivering {
			released++
		}
	}
	if rep.All != len(rows) || rep.Bad != bad || rep.Fates.Held != bad || rep.Fates.Released != released || released == 0 {
		t.Errorf("all %d, bad %d, held %+v; the ledger has %d, %d, %d released", rep.All, rep.Bad, rep.Fates, len(rows), bad, released)
	}
	if len(rep.Targeted) != 10 || rep.Targeted[0].Name != "+41@acme.example" || rep.Targeted[0].Bad != 60 {
		t.Errorf("targeted: %+v", rep.Targeted)
	}

	var text bytes.Buffer
	must(t, rep.CSV(&text))
	if !bytes.HasPrefix(text.Bytes(), []byte("\xef\xbb\xbf")) {
		t.Error("no byte order mark")
	}
	records, err := csv.NewReader(bytes.NewReader(text.Bytes()[3:])).ReadAll()
	must(t, err)
	sum := 0
	for _, r := range records {
		for _, cell := range r {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("a spreadsheet would run the cell %q", cell)
			}
		}
		if r[0] == "volume" && r[2] == "" {
			n := 0
			fmt.Sscan(r[4], &n)
			sum += n
		}
	}
	if sum != rep.All || !strings.Contains(text.String(), "'=hyperlink(0)@evil.example") {
		t.Errorf("the table's days add up to %d, want %d", sum, rep.All)
	}

	pages := pdf(t, rep)
	for _, want := range []string{"Acme Größe & Söhne", "Mail by day and verdict", "+41@acme.example", "1 / 3", "3 / 3", "People most targeted", "Looks like a known name or domain", "p99"} {
		if !strings.Contains(pages, want) {
			t.Errorf("the PDF does not say %q:\n%s", want, pages)
		}
	}
}

// pdf is the text of the report's PDF, page by page. POSTERN_REPORTS names a
// folder that gets it too.
func pdf(t *testing.T, rep *report.Report) string {
	t.Helper()
	dir := os.Getenv("POSTERN_REPORTS")
	if dir == "" {
		dir = t.TempDir()
	}
	file := filepath.Join(dir, strings.ToLower(t.Name())+".pdf")
	f, err := os.Create(file)
	must(t, err)
	must(t, rep.PDF(f, report.English, "Postern"))
	must(t, f.Close())
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Skip("no pdftotext: install poppler-utils")
	}
	out, err := exec.Command("pdftotext", "-layout", file, "-").Output()
	must(t, err)
	return string(out)
}

func TestAnEmptyReportSaysSo(t *testing.T) {
	rep, err := report.Build(t.Context(), open(t), acme, report.Month(now), now)
	must(t, err)
	if len(rep.Days) != 20 || rep.FalseAlarms() != 0 || !rep.Volume(report.English).Empty {
		t.Errorf("%d days, %+v", len(rep.Days), rep)
	}
	if pages := pdf(t, rep); !strings.Contains(pages, "No mail was judged in this time.") {
		t.Error(pages)
	}
}

func TestRollerWaitsWithDearDays(t *testing.T) {
	s := open(t)
	put(t, s, now, "a@b.example", "c@acme.example", mail.Clean, time.Second, false)
	r := &report.Roller{Store: s, Log: slog.New(slog.DiscardHandler)}
	must(t, r.Round(t.Context())) // the hour, which makes the day stale
	must(t, r.Round(t.Context()))
	if stale, err := s.Stale(t.Context()); err != nil || len(stale) != 0 {
		t.Errorf("still stale: %v, %v", stale, err)
	}
	for range 3 {
		put(t, s, now, "a@b.example", "c@acme.example", mail.Clean, time.Second, false)
		must(t, r.Round(t.Context()))
	}
	must(t, r.All(t.Context()))
	v, err := s.Counted(t.Context(), "acme", now.Add(-time.Hour), time.Time{}, time.Hour)
	if err != nil || len(v) != 1 || v[0].N != 4 {
		t.Errorf("%v, %v", v, err)
	}
}

func TestASlotIsTheLastOneThatIsDue(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse("2006-01-02 15:04", s)
		must(t, err)
		return v
	}
	for _, tt := range []struct {
		name             string
		plan             report.Schedule
		now              string
		slot, from, till string
	}{
		{"monday after the hour", report.Schedule{Every: "weekly", Hour: 6}, "2026-11-16 06:00", "2026-11-16 06:00", "2026-11-09 00:00", "2026-11-16 00:00"},
		{"monday before the hour", report.Schedule{Every: "weekly", Hour: 6}, "2026-11-16 05:59", "2026-11-09 06:00", "2026-11-02 00:00", "2026-11-09 00:00"},
		{"sunday after downtime", report.Schedule{Every: "weekly", Hour: 6}, "2026-11-22 23:00", "2026-11-16 06:00", "2026-11-09 00:00", "2026-11-16 00:00"},
		{"month", report.Schedule{Every: "monthly", Hour: 0}, "2026-03-01 00:00", "2026-03-01 00:00", "2026-02-01 00:00", "2026-03-01 00:00"},
		{"month, before the hour", report.Schedule{Every: "monthly", Hour: 8}, "2026-03-01 07:00", "2026-02-01 08:00", "2026-01-01 00:00", "2026-02-01 00:00"},
	} {
		slot, about := tt.plan.Slot(at(tt.now))
		if !slot.Equal(at(tt.slot)) || !about.From.Equal(at(tt.from)) || !about.To.Equal(at(tt.till)) {
			t.Errorf("%s: due %v about %v", tt.name, slot, about)
		}
		if tt.plan.Since = at(tt.slot).Add(time.Minute); !at(tt.now).Before(tt.plan.Since) {
			if slot, _ := tt.plan.Slot(at(tt.now)); !slot.IsZero() {
				t.Errorf("%s: due %v although it was set up later", tt.name, slot)
			}
		}
	}
	if slot, _ := (report.Schedule{}).Slot(at("2026-11-16 06:00")); !slot.IsZero() {
		t.Error("never is due")
	}
	a := report.LetterID("acme", at("2026-11-16 06:00"), "ann@acme.example")
	if !a.Valid() || a != report.LetterID("acme", at("2026-11-16 06:00"), "ann@acme.example") || a == report.LetterID("acme", at("2026-11-16 06:00"), "bob@acme.example") {
		t.Errorf("%s is not the one id of this letter", a)
	}
}
