package policy

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"postern/internal/mail"
)

func spamAt(n int) mail.Choices {
	return mail.Choices{Thresholds: map[mail.Verdict]int{mail.Spam: n}}
}

func TestTheMostSpecificChoiceCounts(t *testing.T) {
	rules := mail.Rules{
		Thresholds: map[mail.Verdict]int{mail.Spam: 60},
		Groups: []mail.Group{
			{Name: "Finance", Members: []string{"ann@contoso.example", "Bob@Contoso.example"}, Choices: spamAt(30)},
			{Name: "Everybody", Members: []string{"contoso.example"}, Choices: mail.Choices{
				Thresholds: map[mail.Verdict]int{mail.Spam: 70, mail.Phish: 40}, Actions: map[mail.Verdict]mail.Action{mail.Bulk: mail.Hold}}},
			{Name: "Late", Members: []string{"contoso.example"}, Choices: spamAt(90)},
		},
		Persons: []mail.PersonRules{{Address: "ann@contoso.example", Choices: spamAt(20)}},
	}
	for _, tt := range []struct {
		name, rcpt  string
		spam, phish int
		spamFrom    mail.Scope
		bulk        mail.Action
	}{
		{"a person before her groups", "ann@contoso.example", 20, 40, mail.Scope{Kind: mail.ScopePerson, Name: "ann@contoso.example"}, mail.Hold},
		{"an address in any case", "ANN@CONTOSO.example", 20, 40, mail.Scope{Kind: mail.ScopePerson, Name: "ann@contoso.example"}, mail.Hold},
		{"the first group of two", "bob@contoso.example", 30, 40, mail.Scope{Kind: mail.ScopeGroup, Name: "Finance"}, mail.Hold},
		{"a group by its domain", "carl@contoso.example", 70, 40, mail.Scope{Kind: mail.ScopeGroup, Name: "Everybody"}, mail.Hold},
		{"a domain is not the domains below it", "carl@sub.contoso.example", 60, 50, mail.Scope{Kind: mail.ScopeTenant}, mail.Deliver},
		{"the tenant for all others", "dan@fabrikam.example", 60, 50, mail.Scope{Kind: mail.ScopeTenant}, mail.Deliver},
		{"no recipient at all", "", 60, 50, mail.Scope{Kind: mail.ScopeTenant}, mail.Deliver},
		{"not an address", "contoso.example", 60, 50, mail.Scope{Kind: mail.ScopeTenant}, mail.Deliver},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := map[mail.Verdict]Source{}
			for _, s := range Sources(rules, mail.Scope{Kind: mail.ScopePerson, Name: tt.rcpt}) {
				got[s.Verdict] = s
			}
			if s := got[mail.Spam]; s.Threshold != tt.spam || s.ThresholdFrom != tt.spamFrom {
				t.Errorf("spam at %d from %v", s.Threshold, s.ThresholdFrom)
			}
			if got[mail.Phish].Threshold != tt.phish || got[mail.Bulk].Action != tt.bulk {
				t.Errorf("phish at %d, bulk %s", got[mail.Phish].Threshold, got[mail.Bulk].Action)
			}
			if s := got[mail.Malware]; s.Threshold != 50 || s.ThresholdFrom.Kind != mail.ScopeDefault || s.Action != mail.Hold {
				t.Errorf("malware: %+v", s)
			}
			scale := ScaleFor(rules, tt.rcpt)
			if int(scale.Thresholds[spam]) != tt.spam || int(scale.Thresholds[phish]) != tt.phish || scale.Actions[bulk] != tt.bulk {
				t.Errorf("measured by %+v", scale)
			}
			in := Input{Findings: []mail.Finding{finding(mail.Spam, tt.spam)}, Rcpt: tt.rcpt}
			if d := Decide(rules, in); d.Verdict != mail.Spam {
				t.Errorf("at the threshold: %s", d.Verdict)
			}
			in.Findings[0].Score--
			if d := Decide(rules, in); d.Verdict != mail.Clean {
				t.Errorf("one below: %s", d.Verdict)
			}
		})
	}
}

func TestRulesOfFormerVersionsAreRead(t *testing.T) {
	var rules mail.Rules
	old := `{"Thresholds":{"spam":70},"Actions":{"bulk":"hold"},"Lists":null,"Protected":["bank.example"],"People":["Clara Boss"]}`
	if err := json.Unmarshal([]byte(old), &rules); err != nil {
		t.Fatal(err)
	}
	if s := ScaleFor(rules, "ann@contoso.example"); s.Thresholds[spam] != 70 || s.Actions[bulk] != mail.Hold {
		t.Errorf("%+v", s)
	}
	if len(rules.People) != 1 || rules.People[0].Name != "Clara Boss" || rules.Bypass.On(rules.Bypass.Until) {
		t.Errorf("%+v", rules)
	}
}

var drawClasses = []mail.Verdict{mail.Malware, mail.Phish, mail.Suspicious, mail.Spam, mail.Unjudged, mail.Bulk}

func drawFindings(t *rapid.T) []mail.Finding {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mail.Finding {
		return finding(rapid.SampledFrom(append(drawClasses, "")).Draw(t, "class"), rapid.IntRange(-100, 100).Draw(t, "score"))
	}), 0, 8).Draw(t, "findings")
}

func drawThresholds(t *rapid.T) map[mail.Verdict]int {
	return rapid.MapOf(rapid.SampledFrom(drawClasses), rapid.IntRange(1, 200)).Draw(t, "thresholds")
}

func drawLists(t *rapid.T) []mail.ListEntry {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mail.ListEntry {
		return mail.ListEntry{Allow: rapid.Bool().Draw(t, "allow"), AnyAuth: true, Domain: rapid.SampledFrom([]string{"good.example", "b.good.example"}).Draw(t, "domain")}
	}), 0, 2).Draw(t, "lists")
}

func drawPersonal(t *rapid.T) []mail.ListEntry {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mail.ListEntry {
		return mail.ListEntry{Allow: rapid.Bool().Draw(t, "allow"), Domain: rapid.SampledFrom([]string{"good.example", "b.good.example"}).Draw(t, "domain")}
	}), 0, 2).Draw(t, "personal")
}

// With the default actions a higher threshold never holds what a lower one
// delivers.
func TestRaisingAThresholdNeverHoldsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Findings: drawFindings(t), HeaderFrom: "ann@b.good.example", Rcpt: "bob@contoso.example"}
		low := mail.Rules{Thresholds: drawThresholds(t), Lists: drawLists(t)}
		high := low
		high.Thresholds = map[mail.Verdict]int{}
		v := rapid.SampledFrom(drawClasses).Draw(t, "raised")
		for c := range drawClasses {
			high.Thresholds[drawClasses[c]] = Threshold(low, drawClasses[c])
		}
		high.Thresholds[v] += rapid.IntRange(0, 100).Draw(t, "by")
		if a, b := Decide(low, in), Decide(high, in); a.Action == mail.Deliver && b.Action != mail.Deliver {
			t.Fatalf("%s at %d is delivered, at %d held as %s", v, Threshold(low, v), high.Thresholds[v], b.Verdict)
		}
	})
}

// What was weighed once and is measured later comes to what Decide says at once.
func TestAReplayedDecisionIsTheDecision(t *testing.T) {
	actions := []mail.Action{mail.Deliver, mail.Hold, mail.Drop, mail.Defer}
	rapid.Check(t, func(t *rapid.T) {
		rules := mail.Rules{Thresholds: drawThresholds(t), Lists: drawLists(t),
			Personal:   map[string][]mail.ListEntry{"bob@contoso.example": drawPersonal(t)},
			Recipients: mail.Recipients{May: rapid.MapOf(rapid.SampledFrom(drawClasses), rapid.SampledFrom([]mail.Permission{mail.MayRelease, mail.MayAsk, mail.MayNot})).Draw(t, "may")},
			Actions:    rapid.MapOf(rapid.SampledFrom(append(drawClasses, mail.Clean)), rapid.SampledFrom(actions)).Draw(t, "actions"),
			Groups:     []mail.Group{{Name: "g", Members: []string{"contoso.example"}, Choices: mail.Choices{Thresholds: drawThresholds(t)}}}}
		in := Input{Findings: drawFindings(t), HeaderFrom: rapid.SampledFrom([]string{"", "ann@b.good.example"}).Draw(t, "from"),
			Rcpt: rapid.SampledFrom([]string{"bob@contoso.example", "x@other.example"}).Draw(t, "rcpt"), Forced: rapid.SampledFrom([]string{"", "why"}).Draw(t, "forced"),
			Auth: mail.Auth{DMARC: mail.DMARC{Result: rapid.SampledFrom([]mail.Result{mail.ResultPass, mail.ResultFail}).Draw(t, "dmarc")}}}
		w, scale := Weigh(rules, in), ScaleFor(rules, in.Rcpt)
		v, a := w.Outcome(&scale)
		if d := Decide(rules, in); d.Verdict != v || d.Action != a {
			t.Fatalf("decided %s, %s; replayed %s, %s", d.Verdict, d.Action, v, a)
		}
	})
}
