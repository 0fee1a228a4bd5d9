package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// from fills the tenant with n clean messages of a sender, to as many recipients.
func from(t *testing.T, a *Admin, n int, sender string, score int, at time.Time) {
	t.Helper()
	var list []store.Filled
	for i := range n {
		j := &mail.Judgement{From: sender, Findings: []mail.Finding{{Rule: "test.rule", Class: mail.Spam, Score: score, Detail: "x"}}}
		list = append(list, store.Filled{Judgement: j, Message: &store.Message{ID: mail.NewID(), Tenant: "acme", Received: at, Octets: []byte{1},
			Recipients: []store.Recipient{{Addr: fmt.Sprintf("r%d@acme.example", i), Domain: "acme.example", State: mail.Delivered, Verdict: mail.Clean, Action: mail.Deliver}}}})
	}
	if err := a.Store.Fill(context.Background(), list); err != nil {
		t.Fatal(err)
	}
}

func TestTheBreakerRemovesABlockEntryThatStopsFarTooMuch(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	now := time.Now()
	a.Now = func() time.Time { return now }
	block := func(sender string) {
		t.Helper()
		if _, err := a.AddEntry(ctx, "acme", sender, mail.ListEntry{}); err != nil {
			t.Fatal(err)
		}
	}
	senders := func() (all []string) {
		for _, e := range rulesOf(t, a).Lists {
			all = append(all, senderOf(e))
		}
		return all
	}
	block("big.example")
	block("small.example")
	now = now.Add(2 * time.Minute)
	at := now.Add(-time.Minute)
	from(t, a, 20, "x@big.example", 1, at)
	from(t, a, 2, "x@small.example", 1, at)
	from(t, a, 30, "x@other.example", 1, at)
	b := &Breaker{Admin: a}
	tripped, err := b.Round(ctx)
	if err != nil || len(tripped) != 1 || !strings.Contains(tripped[0].Text.String(), "big.example") || strings.Contains(tripped[0].Text.String(), "small.example") {
		t.Fatalf("tripped: %+v %v", tripped, err)
	}
	if got := senders(); !slices.Equal(got, []string{"small.example"}) {
		t.Errorf("the entries left are %v", got)
	}
	if again, err := b.Round(ctx); err != nil || len(again) != 0 {
		t.Errorf("it trips again: %+v %v", again, err)
	}
	block("big.example") // it was meant
	now = now.Add(2 * time.Minute)
	from(t, a, 60, "x@big.example", 1, now.Add(-time.Minute))
	if again, err := b.Round(ctx); err != nil || len(again) != 0 {
		t.Errorf("an entry that was added again is removed again: %+v %v", again, err)
	}
}

func TestABlockEntryAgainstAWaveOfSpamStays(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	now := time.Now()
	a.Now = func() time.Time { return now }
	if _, err := a.AddEntry(ctx, "acme", "spam.example", mail.ListEntry{}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	from(t, a, 80, "x@spam.example", 90, now.Add(-time.Minute)) // held without the entry as well
	from(t, a, 20, "x@other.example", 1, now.Add(-time.Minute))
	if tripped, err := (&Breaker{Admin: a}).Round(ctx); err != nil || len(tripped) != 0 {
		t.Errorf("tripped: %+v %v", tripped, err)
	}
}

func TestADraftThatStopsTheMailOfItsShareCountsForNobody(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	now := time.Now()
	a.Now = func() time.Time { return now }
	d, err := a.StartDraft(ctx, "acme", tenantScope, spamAt(10), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.StageDraft(ctx, "acme", d.ID, 10); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	from(t, a, 600, "x@other.example", 15, now.Add(-time.Minute))
	staged := 0
	for i := range 600 {
		if policy.Staged(rulesOf(t, a).Draft, fmt.Sprintf("r%d@acme.example", i)) {
			staged++
		}
	}
	if staged < 30 || staged > 100 {
		t.Fatalf("10 %% of 600 recipients are %d", staged)
	}
	tripped, err := (&Breaker{Admin: a}).Round(ctx)
	if err != nil || len(tripped) != 1 || !strings.Contains(tripped[0].Text.String(), fmt.Sprintf("their last %d messages it held %d", staged, staged)) {
		t.Fatalf("tripped: %+v %v", tripped, err)
	}
	if r := rulesOf(t, a); r.Draft == nil || r.Draft.Percent != 0 || r.Draft.Tried(now) {
		t.Errorf("afterwards the draft is %+v", r.Draft)
	}
}

// TestAStormIsStoppedWithinTwoMinutes plays a storm minute by minute, with a look
// every twenty seconds as the server does, and says how long it went on.
func TestAStormIsStoppedWithinTwoMinutes(t *testing.T) {
	const every = 20 * time.Second // rulesEvery of cmd/postern
	for _, tt := range []struct {
		name      string
		perMinute int // messages
		storm     func(a *Admin) error
		part      int // of them one in so many is what the change holds
		score     int
	}{
		{"a threshold under what good mail has", 60, func(a *Admin) error { return err2(a.SetChoices(context.Background(), "acme", tenantScope, spamAt(10))) }, 1, 15},
		{"a block entry for everybody's provider", 60, func(a *Admin) error {
			return err2(a.AddEntry(context.Background(), "acme", "other.example", mail.ListEntry{}))
		}, 1, 15},
		{"a quiet tenant", 12, func(a *Admin) error { return err2(a.SetChoices(context.Background(), "acme", tenantScope, spamAt(10))) }, 1, 15},
		{"five times the baseline, under a fifth", 120, func(a *Admin) error { return err2(a.SetChoices(context.Background(), "acme", tenantScope, spamAt(40))) }, 8, 45},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, ctx := policyAdmin(t), context.Background()
			now := time.Now().Truncate(time.Second)
			a.Now = func() time.Time { return now }
			from(t, a, 380, "x@other.example", 5, now.Add(-50*time.Hour)) // the week before: 1 % is held
			mails(t, a, 4, 90, now.Add(-50*time.Hour))
			if err := tt.storm(a); err != nil {
				t.Fatal(err)
			}
			b, began := &Breaker{Admin: a}, now
			for now.Sub(began) < 15*time.Minute {
				now = now.Add(every)
				n := tt.perMinute / 3
				from(t, a, n/tt.part, "x@other.example", tt.score, now.Add(-time.Second))
				from(t, a, n-n/tt.part, "x@fine.example", 1, now.Add(-time.Second))
				tripped, err := b.Round(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if len(tripped) > 0 {
					took := now.Sub(began)
					t.Logf("stopped and told %v after the change, with %d messages a minute", took, tt.perMinute)
					if took > 2*time.Minute {
						t.Errorf("it took %v", took)
					}
					if r := rulesOf(t, a); len(r.Thresholds)+len(r.Lists) > 0 {
						t.Errorf("the change still counts: %+v", r)
					}
					return
				}
			}
			t.Error("the storm was never stopped")
		})
	}
}
