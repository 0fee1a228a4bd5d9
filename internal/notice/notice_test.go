package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

var ctx = context.Background()

var english = Words{func(format string, args ...any) string { return mail.Say(format, args...).String() }, mail.Sentence.String}

// told is what a receiver got.
type tolds struct {
	got  map[string][]int // receiver's id to the number of alarms in each notice
	fail bool
}

func (g *tolds) tell(_ context.Context, _ string, to Receiver, alarms []store.Alarm) error {
	if g.fail {
		return errors.New("no MTA")
	}
	g.got[to.ID] = append(g.got[to.ID], len(alarms))
	return nil
}

func TestAStormOfAlarmsIsNoStormOfNotices(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	s, err := store.Open(ctx, store.Options{Folder: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	receivers, _ := json.Marshal([]Receiver{{ID: "all", Address: "a@x.example", Added: now.Unix()}, {ID: "keys", Address: "b@x.example", Topics: []string{"keys"}, Added: now.Unix()},
		{ID: "system", Address: "c@x.example", Topics: []string{"system"}, System: true, Added: now.Unix()}})
	if err := s.PutSetting(ctx, "acme", Setting, receivers); err != nil {
		t.Fatal(err)
	}
	got := &tolds{got: map[string][]int{}}
	nodes := []*Teller{}
	for range 2 { // that share the store
		nodes = append(nodes, &Teller{Store: s, Tell: got.tell, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	}
	step := func(d time.Duration) {
		t.Helper()
		now = now.Add(d)
		for _, n := range nodes {
			if err := n.Round(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	raise := func(kind, tenant, text string) {
		t.Helper()
		if err := s.Raise(ctx, kind, tenant, mail.Say(text)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	raise("unjudged", "acme", "first")
	raise("unjudged", "beta", "another tenant's")
	step(time.Second)
	for i := range 50 {
		raise("mta-refused", "acme", fmt.Sprint(i))
		step(time.Minute)
	}
	if n := len(got.got["all"]); n != 1 {
		t.Fatalf("%d notices within the hour", n)
	}
	step(20 * time.Minute)
	if g := got.got["all"]; len(g) != 2 || g[0] != 1 || g[1] != 50 {
		t.Errorf("notices with so many alarms: %v", g)
	}
	step(3 * time.Hour)
	if len(got.got["all"]) != 2 || len(got.got["keys"]) != 0 {
		t.Errorf("told without cause: %v", got.got)
	}
	got.fail = true
	raise("loop", "acme", "while the MTA is down")
	raise("certificate-expiry", "", "of the whole installation")
	step(time.Minute)
	got.fail = false
	step(time.Minute)
	if len(got.got["all"]) != 2 {
		t.Error("tried again at once")
	}
	step(10 * time.Minute)
	if len(got.got["all"]) != 3 || len(got.got["system"]) != 1 {
		t.Errorf("after a failure: %v", got.got)
	}
}

func TestALetterSaysWhatHappenedAndNothingCanBeSmuggledIntoIt(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	l, err := Write(mail.NewID(), "relay.example", "https://portal.example", mail.Tenant{ID: "acme", Name: "Acmé\r\nBcc: x@evil.example"}, "it@acme.example",
		[]store.Alarm{{Kind: "mta-refused", Text: mail.Say("Its answer: 550\r\n.\r\nfrom evil"), Count: 3, LastAt: now}}, now, english)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(l.Content), "\r\n\r\n")
	if strings.Contains(head, "\r\nBcc:") || strings.Contains(body, "\r\n.\r\n") || strings.Contains(strings.ReplaceAll(string(l.Content), "\r\n", ""), "\n") {
		t.Errorf("smuggled:\n%s", l.Content)
	}
	for _, want := range []string{"Auto-Submitted: auto-generated", "To: <it@acme.example>", "raised 3 times", "https://portal.example/t/acme/"} {
		if !strings.Contains(string(l.Content), want) {
			t.Errorf("no %q in\n%s", want, l.Content)
		}
	}
}

func TestALetterAboutASignInHasNoLinkAndCarriesNothingOfTheBrowsers(t *testing.T) {
	x := store.SignIn{Email: "ann@acme.example", At: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), How: "password", Address: "203.0.113.9", Agent: "Mozilla\r\nBcc: x@evil.example\r\n\r\n.\r\nhttp"}
	l, err := WriteSignIn(mail.NewID(), "relay.example", x, x.At, english)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(l.Content), "\r\n\r\n")
	if strings.Contains(string(l.Content), "\r\nBcc:") || strings.Contains(body, "\r\n.\r\n") || strings.Contains(body, "://") || strings.Contains(head, "Mozilla") {
		t.Errorf("smuggled:\n%s", l.Content)
	}
	for _, want := range []string{"To: <ann@acme.example>", "Auto-Submitted: auto-generated", "203.0.113.9", "22 November 2026, 03:04 UTC", "end all other sessions"} {
		if !strings.Contains(strings.ReplaceAll(string(l.Content), "=\r\n", ""), want) {
			t.Errorf("no %q in\n%s", want, l.Content)
		}
	}
}
