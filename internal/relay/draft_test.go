package relay

import (
	"context"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
)

// setRules changes the tenant's rules and waits until they count.
func (r *rig) setRules(change func(*mail.Rules)) {
	r.t.Helper()
	rules, err := r.Store.Rules(r.t.Context(), "contoso")
	if err != nil {
		r.t.Fatal(err)
	}
	change(&rules)
	if err := r.Store.PutRules(context.Background(), "contoso", rules); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Directory.Load(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

const testSpam = "POSTERN" + "*TEST*SPAM*8RV2\r\n"

func TestADraftIsMeasuredBesideTheRulesAndDoesNotAct(t *testing.T) {
	r := ready(t, nil)
	lax := mail.Choices{Actions: map[mail.Verdict]mail.Action{mail.Spam: mail.Deliver}}
	r.setRules(func(rules *mail.Rules) {
		rules.Draft = &mail.Draft{ID: "d", At: mail.Scope{Kind: mail.ScopeTenant}, Choices: lax, Until: time.Now().Add(time.Hour)}
	})
	clean := r.accept("Subject: x\r\n", "text\r\n", "ann@contoso.example")
	r.ended(clean)
	held := r.accept("Subject: x\r\n", testSpam, "ann@contoso.example")
	if to := r.ended(held)[0]; to.State != mail.Held {
		t.Errorf("a draft acts: the copy is %s", to.State)
	}
	days, err := r.Store.DraftDays(t.Context(), "contoso", "d")
	if err != nil || len(days) != 1 || days[0].Copies != 2 || days[0].Held != 1 || days[0].WouldHold != 0 || days[0].Freed != 1 || days[0].Caught != 0 {
		t.Errorf("counted %+v %v", days, err)
	}
	moves, err := r.Store.DraftMoves(t.Context(), "contoso", "d", 10)
	if err != nil || len(moves) != 1 || moves[0].Message != held || moves[0].Caught || moves[0].Acted || moves[0].Was != mail.Spam {
		t.Errorf("kept %+v %v", moves, err)
	}
	r.setRules(func(rules *mail.Rules) { rules.Draft.Until = time.Now().Add(-time.Second) })
	r.ended(r.accept("Subject: x\r\n", testSpam, "ann@contoso.example"))
	if days, _ := r.Store.DraftDays(t.Context(), "contoso", "d"); days[0].Copies != 2 {
		t.Errorf("a draft past its time counts on: %+v", days)
	}
}

func TestADraftForAShareActsForItsRecipientsAlone(t *testing.T) {
	r := ready(t, nil)
	draft := &mail.Draft{ID: "d", At: mail.Scope{Kind: mail.ScopeTenant}, Choices: mail.Choices{Actions: map[mail.Verdict]mail.Action{mail.Spam: mail.Deliver}}, Percent: 50}
	r.setRules(func(rules *mail.Rules) { rules.Draft = draft })
	in, out := "", ""
	for c := 'a'; c <= 'z'; c++ {
		if addr := string(c) + "@contoso.example"; policy.Staged(draft, addr) {
			in = addr
		} else {
			out = addr
		}
	}
	for rcpt, want := range map[string]mail.State{in: mail.Delivered, out: mail.Held} {
		if to := r.ended(r.accept("Subject: x\r\n", testSpam, rcpt))[0]; to.State != want {
			t.Errorf("the copy of %s is %s, want %s", rcpt, to.State, want)
		}
	}
	days, err := r.Store.DraftDays(t.Context(), "contoso", "d")
	if err != nil || len(days) != 1 || days[0].Copies != 2 || days[0].Freed != 2 {
		t.Errorf("counted %+v %v", days, err)
	}
}

func TestWhoOnlyObservesHoldsMalwareAndWhatIsNamed(t *testing.T) {
	now := time.Now()
	rules := mail.Rules{Observe: mail.Observe{Since: now, Until: now.Add(time.Hour), Hold: []mail.Verdict{mail.Phish}}, Lists: []mail.ListEntry{{ID: "a", Domain: "bad.example"}}}
	for _, tt := range []struct {
		name    string
		verdict mail.Verdict
		in      policy.Input
		at      time.Time
		want    mail.Action
	}{
		{"spam", mail.Spam, policy.Input{}, now, mail.Deliver},
		{"what was not judged", mail.Unjudged, policy.Input{}, now, mail.Deliver},
		{"malware", mail.Malware, policy.Input{}, now, mail.Hold},
		{"a verdict that is named", mail.Phish, policy.Input{}, now, mail.Hold},
		{"a sender that is blocked", mail.Spam, policy.Input{HeaderFrom: "x@bad.example"}, now, mail.Hold},
		{"a wrong key", mail.Suspicious, policy.Input{Forced: "wrong key"}, now, mail.Hold},
		{"after its time", mail.Spam, policy.Input{}, now.Add(2 * time.Hour), mail.Hold},
	} {
		d := mail.Decision{Verdict: tt.verdict, Action: mail.Hold, Reasons: []string{"x"}}
		let(rules, tt.in, &d, tt.at)
		if d.Action != tt.want || d.Verdict != tt.verdict || (tt.want == mail.Deliver) != (len(d.Reasons) == 2) {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}
