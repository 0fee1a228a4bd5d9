package admin

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

var tenantScope = mail.Scope{Kind: mail.ScopeTenant}

func policyAdmin(t *testing.T) *Admin {
	t.Helper()
	a, _ := newAdmin(t)
	if _, err := a.AddTenant(context.Background(), "Acme"); err != nil {
		t.Fatal(err)
	}
	return a
}

func rulesOf(t *testing.T, a *Admin) mail.Rules {
	t.Helper()
	r, err := a.Store.Rules(context.Background(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestUndoTakesChangesBackTheLastFirst(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	before := []mail.Rules{}
	for _, change := range []func() error{
		func() error { return err2(a.SetChoices(ctx, "acme", tenantScope, spamAt(60))) },
		func() error { return err2(a.PutGroup(ctx, "acme", "Finance", []string{"ann@acme.example"})) },
		func() error {
			return err2(a.SetChoices(ctx, "acme", mail.Scope{Kind: mail.ScopeGroup, Name: "Finance"}, spamAt(30)))
		},
		func() error { return err2(a.PutPerson(ctx, "acme", "", mail.Person{Name: "Clara Boss"})) },
		func() error { return err2(a.SetKeep(ctx, "acme", mail.Keep{Trace: 21})) },
	} {
		before = append(before, rulesOf(t, a))
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.StartBypass(ctx, "acme", time.Hour, false, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.UndoRules(ctx, "acme", 1); err == nil || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Errorf("a change that is not the last was undone: %v", err)
	}
	for i := len(before) - 1; i >= 0; i-- {
		c, err := a.UndoRules(ctx, "acme", int64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		got := rulesOf(t, a)
		if !got.Bypass.On(time.Now()) {
			t.Error("undoing a policy ended a bypass")
		}
		got.Bypass = mail.Bypass{}
		if !reflect.DeepEqual(got.Thresholds, before[i].Thresholds) || !reflect.DeepEqual(got.Groups, before[i].Groups) || len(got.People) != len(before[i].People) || got.Keep.Trace != before[i].Keep.Trace {
			t.Errorf("after undoing %q: %+v, want %+v", c.What, got, before[i])
		}
	}
	if _, err := a.UndoRules(ctx, "acme", 0); err == nil || err.Error() != "there is no change to take back" {
		t.Errorf("one more: %v", err)
	}
	if _, err := a.UndoRules(ctx, "other", 0); err == nil {
		t.Error("a tenant that is not there")
	}
}

func err2[T any](_ T, err error) error { return err }

func spamAt(n int) mail.Choices {
	return mail.Choices{Thresholds: map[mail.Verdict]int{mail.Spam: n}}
}

func TestUnsafePoliciesAreRefusedInWords(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	action := func(v mail.Verdict, act mail.Action) error {
		return err2(a.SetChoices(ctx, "acme", tenantScope, mail.Choices{Actions: map[mail.Verdict]mail.Action{v: act}}))
	}
	for _, tt := range []struct {
		name, says string
		err        error
	}{
		{"a threshold of nought", "from 1 to 200", err2(a.SetChoices(ctx, "acme", tenantScope, spamAt(0)))},
		{"a threshold nobody reaches", "from 1 to 200", err2(a.SetChoices(ctx, "acme", tenantScope, spamAt(201)))},
		{"delivering malware", "is no action for malware", action(mail.Malware, mail.Deliver)},
		{"dropping what was not judged", "is no action for unjudged", action(mail.Unjudged, mail.Drop)},
		{"holding clean mail", "has no action", action(mail.Clean, mail.Hold)},
		{"a group that is not there", "no group", err2(a.SetChoices(ctx, "acme", mail.Scope{Kind: mail.ScopeGroup, Name: "x"}, spamAt(9)))},
		{"a person without an address", "no e-mail address", err2(a.SetChoices(ctx, "acme", mail.Scope{Kind: mail.ScopePerson, Name: "ann"}, spamAt(9)))},
		{"a group without members", "needs a member", err2(a.PutGroup(ctx, "acme", "g", nil))},
		{"a group of nonsense", "neither an address nor a domain", err2(a.PutGroup(ctx, "acme", "g", []string{"a b"}))},
		{"one word as a name", "at least two words", err2(a.PutPerson(ctx, "acme", "", mail.Person{Name: "Info"}))},
		{"a public suffix as a domain", "not a domain that somebody owns", err2(a.SetProtected(ctx, "acme", []string{"co.uk"}))},
		{"held for ever", "from 1 to 90 days", err2(a.SetKeep(ctx, "acme", mail.Keep{Held: map[mail.Verdict]int{mail.Spam: 91}}))},
		{"a trace of two days", "from 7 to 365 days", err2(a.SetKeep(ctx, "acme", mail.Keep{Trace: 2}))},
		{"a bypass of two days", "to 24 hours", err2(a.StartBypass(ctx, "acme", 48*time.Hour, false, "x"))},
		{"a bypass without a reason", "say why", err2(a.StartBypass(ctx, "acme", time.Hour, false, " "))},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, tt.err)
		}
	}
	if r := rulesOf(t, a); len(r.Thresholds)+len(r.Actions)+len(r.Groups)+len(r.People) > 0 {
		t.Errorf("something was kept all the same: %+v", r)
	}
}

func TestABypassEndsByItself(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	now := time.Now()
	a.Now = func() time.Time { return now }
	if _, err := a.StartBypass(ctx, "acme", time.Hour, false, "false alarms"); err != nil {
		t.Fatal(err)
	}
	alarms := func() int {
		if err := a.EndedBypasses(ctx); err != nil {
			t.Fatal(err)
		}
		list, err := a.Store.Alarms(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if !rulesOf(t, a).Bypass.On(now.Add(59*time.Minute)) || alarms() != 1 {
		t.Error("it is not on, or without an alarm")
	}
	now = now.Add(61 * time.Minute)
	if rulesOf(t, a).Bypass.On(now) || alarms() != 0 {
		t.Error("it is still on after its time, or its alarm")
	}
}

// mails fills the tenant with n messages of a score for spam, received at a moment
// and decided by the default rules.
func mails(t *testing.T, a *Admin, n, score int, at time.Time) {
	t.Helper()
	var list []store.Filled
	for range n {
		j := &mail.Judgement{Findings: []mail.Finding{{Rule: "test.rule", Class: mail.Spam, Score: score, Detail: "x"}}}
		d := policy.Decide(mail.Rules{}, policy.Input{Findings: j.Findings})
		list = append(list, store.Filled{Judgement: j, Message: &store.Message{ID: mail.NewID(), Tenant: "acme", Received: at, Octets: []byte{1},
			Recipients: []store.Recipient{{Addr: "ann@acme.example", Domain: "acme.example", State: mail.Delivered, Verdict: d.Verdict, Action: d.Action}}}})
	}
	if err := a.Store.Fill(context.Background(), list); err != nil {
		t.Fatal(err)
	}
}

func TestTheBreakerTakesBackOnlyWhatAChangeDid(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  int // threshold for spam
		mails   func(t *testing.T, a *Admin, at time.Time)
		tripped bool
	}{
		{"a threshold under what good mail has", 10, func(t *testing.T, a *Admin, at time.Time) { mails(t, a, 40, 15, at) }, true},
		{"a fifth and more of the mail", 10, func(t *testing.T, a *Admin, at time.Time) { mails(t, a, 12, 15, at); mails(t, a, 28, 5, at) }, true},
		{"a little mail", 10, func(t *testing.T, a *Admin, at time.Time) { mails(t, a, 19, 15, at) }, false},
		{"a wave of spam", 45, func(t *testing.T, a *Admin, at time.Time) { mails(t, a, 100, 90, at) }, false},
		{"a sensible change", 40, func(t *testing.T, a *Admin, at time.Time) { mails(t, a, 100, 5, at); mails(t, a, 4, 45, at) }, false},
		{"five times as much as in the week before", 40, func(t *testing.T, a *Admin, at time.Time) {
			mails(t, a, 200, 5, at.Add(-50*time.Hour))
			mails(t, a, 2, 90, at.Add(-50*time.Hour))
			mails(t, a, 100, 5, at)
			mails(t, a, 8, 45, at)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, ctx := policyAdmin(t), context.Background()
			if _, err := a.SetChoices(ctx, "acme", tenantScope, spamAt(tt.change)); err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			a.Now = func() time.Time { return now.Add(2 * time.Minute) }
			tt.mails(t, a, now.Add(time.Minute))
			b := &Breaker{Admin: a}
			tripped, err := b.Round(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if (len(tripped) == 1) != tt.tripped {
				t.Fatalf("tripped: %+v", tripped)
			}
			if at := policy.Threshold(rulesOf(t, a), mail.Spam); tt.tripped != (at == 50) {
				t.Errorf("spam is at %d afterwards", at)
			}
			if again, err := b.Round(ctx); err != nil || len(again) != 0 {
				t.Errorf("it trips again: %+v %v", again, err)
			}
		})
	}
}

func TestRetentionByVerdictMovesWhatIsHeld(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	held := time.Now().Add(-10 * 24 * time.Hour).UTC().Truncate(time.Millisecond)
	var list []store.Filled
	for i, v := range []mail.Verdict{mail.Spam, mail.Phish} {
		list = append(list, store.Filled{Judgement: &mail.Judgement{}, Message: &store.Message{ID: mail.NewID(), Tenant: "acme", Received: held, Octets: []byte{1},
			Recipients: []store.Recipient{{Addr: fmt.Sprintf("r%d@acme.example", i), Domain: "acme.example", State: mail.Held, Verdict: v, Action: mail.Hold, HeldAt: held, ExpiresAt: held.Add(30 * 24 * time.Hour)}}}})
	}
	if err := a.Store.Fill(ctx, list); err != nil {
		t.Fatal(err)
	}
	kept, err := a.Store.HeldOlder(ctx, "acme", map[mail.Verdict]int{mail.Spam: 9, mail.Phish: 11}, time.Now())
	if err != nil || len(kept) != 2 || kept[0].Verdict != mail.Phish || kept[0].Going != 0 || kept[1].Going != 1 {
		t.Fatalf("foreseen: %+v %v", kept, err)
	}
	if _, err := a.SetKeep(ctx, "acme", mail.Keep{Held: map[mail.Verdict]int{mail.Spam: 9, mail.Phish: 11}}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Store.Expire(ctx, time.Now()); err != nil || n != 1 {
		t.Fatalf("%d went, %v", n, err)
	}
	rows, err := a.Store.Quarantine(ctx, store.TraceFilter{Tenant: "acme"})
	if err != nil || len(rows) != 1 || rows[0].Verdict != mail.Phish || !rows[0].ExpiresAt.Equal(held.Add(11*24*time.Hour)) {
		t.Errorf("held still: %+v %v", rows, err)
	}
}
