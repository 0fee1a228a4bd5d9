package admin

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
)

func TestADraftBecomesWhatCountsForAShareAndThenForAll(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	d, err := a.StartDraft(ctx, "acme", tenantScope, spamAt(30), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	spam := func(rcpt string) int { return int(policy.ScaleFor(rulesOf(t, a), rcpt).Thresholds[3]) }
	if policy.Classes()[3] != mail.Spam || spam("ann@acme.example") != 50 {
		t.Fatalf("a draft counts before it is put into force: %d", spam("ann@acme.example"))
	}
	if _, err := a.StartDraft(ctx, "acme", tenantScope, spamAt(20), time.Hour); err == nil {
		t.Error("there are two drafts")
	}
	if err := a.StageDraft(ctx, "acme", "other", 5); !errors.Is(err, ErrNoDraft) {
		t.Errorf("a draft that is not there: %v", err)
	}
	if err := a.StageDraft(ctx, "acme", d.ID, 50); err != nil {
		t.Fatal(err)
	}
	old, young := 0, 0
	for i := range 400 {
		switch spam(string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@acme.example") {
		case 50:
			old++
		case 30:
			young++
		}
	}
	if old+young != 400 || young < 140 || young > 260 {
		t.Errorf("of 400 recipients the draft counts for %d", young)
	}
	if _, err := a.SetKeep(ctx, "acme", mail.Keep{Trace: 21}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the retention, then the share
		if _, err := a.UndoRules(ctx, "acme", 0); err != nil {
			t.Fatal(err)
		}
	}
	if r := rulesOf(t, a); r.Draft == nil || r.Draft.Percent != 0 || r.Keep.Trace != 0 {
		t.Errorf("after undo the draft is %+v", r.Draft)
	}
	if _, err := a.EnforceDraft(ctx, "acme", d.ID); err != nil {
		t.Fatal(err)
	}
	if r := rulesOf(t, a); r.Draft != nil || r.Thresholds[mail.Spam] != 30 {
		t.Errorf("in force: %+v", r)
	}
	if _, err := a.UndoRules(ctx, "acme", 0); err != nil {
		t.Fatal(err)
	}
	if r := rulesOf(t, a); r.Draft != nil || len(r.Thresholds) != 0 {
		t.Errorf("after undo: %+v", r)
	}
}

func TestADraftForAPersonOrAGroupCountsForNobodyElse(t *testing.T) {
	ann := mail.Scope{Kind: mail.ScopePerson, Name: "Ann@acme.example"}
	group := mail.Scope{Kind: mail.ScopeGroup, Name: "Finance"}
	rules := mail.Rules{Groups: []mail.Group{{Name: "Finance", Members: []string{"bob@acme.example"}, Choices: spamAt(70)}}}
	for _, tt := range []struct {
		at          mail.Scope
		ann, bob, x int32
	}{{ann, 20, 70, 50}, {group, 50, 20, 50}, {tenantScope, 20, 70, 20}} {
		r := rules
		r.Draft = &mail.Draft{ID: "d", At: tt.at, Choices: spamAt(20)}
		r = policy.Drafted(r)
		for rcpt, want := range map[string]int32{"ann@acme.example": tt.ann, "bob@acme.example": tt.bob, "x@acme.example": tt.x} {
			if got := policy.ScaleFor(r, rcpt).Thresholds[3]; got != want {
				t.Errorf("a draft for %v: spam of %s is at %d, want %d", tt.at, rcpt, got, want)
			}
		}
	}
}

func TestObservingWarnsAndEndsByItself(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	now := time.Now()
	a.Now = func() time.Time { return now }
	for _, days := range []int{0, 31} {
		if _, err := a.Observe(ctx, "acme", days, nil); err == nil {
			t.Errorf("%d days are taken", days)
		}
	}
	o, err := a.Observe(ctx, "acme", 7, []mail.Verdict{mail.Phish, mail.Malware})
	if err != nil || len(o.Hold) != 1 {
		t.Fatal(o, err)
	}
	alarms := func() (kinds string) {
		t.Helper()
		for range 2 { // a second round raises nothing twice
			if err := a.EndedObserves(ctx); err != nil {
				t.Fatal(err)
			}
		}
		list, err := a.Store.Alarms(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			if x.Count != 1 {
				t.Errorf("%s was raised %d times", x.Kind, x.Count)
			}
			if x.Kind == endingAlarm {
				kinds += "!"
			}
			kinds += "o"
		}
		return kinds
	}
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{24 * time.Hour, "o"}, {4 * 24 * time.Hour, "o"}, {6 * 24 * time.Hour, "!oo"}, {7*24*time.Hour + time.Minute, ""}} {
		now = o.Since.Add(tt.after)
		if got := alarms(); len(got) != len(tt.want) {
			t.Errorf("after %v the alarms are %q, want %q", tt.after, got, tt.want)
		}
	}
	if rulesOf(t, a).Observe.On(now) {
		t.Error("it is still on")
	}
}
