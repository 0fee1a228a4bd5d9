package policy

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"postern/internal/mail"
)

func finding(class mail.Verdict, score int) mail.Finding {
	return mail.Finding{Rule: "test.rule", Class: class, Score: score, Detail: "Found " + string(class) + "."}
}

func TestVerdictFollowsThePoints(t *testing.T) {
	unjudgedDelivered := mail.Rules{Actions: map[mail.Verdict]mail.Action{mail.Unjudged: mail.Deliver}}
	spamDelivered := mail.Rules{Actions: map[mail.Verdict]mail.Action{mail.Spam: mail.Deliver}}
	for _, tt := range []struct {
		name   string
		rules  mail.Rules
		found  []mail.Finding
		want   mail.Verdict
		action mail.Action
	}{
		{name: "nothing found", want: mail.Clean, action: mail.Deliver},
		{name: "one below", found: []mail.Finding{finding(mail.Spam, 49)}, want: mail.Clean, action: mail.Deliver},
		{name: "exactly at", found: []mail.Finding{finding(mail.Spam, 50)}, want: mail.Spam, action: mail.Hold},
		{name: "good outweighs bad", found: []mail.Finding{finding(mail.Spam, 60), finding("", -20)}, want: mail.Clean, action: mail.Deliver},
		{name: "nothing good outweighs malware", found: []mail.Finding{finding(mail.Malware, 60), finding("", -100)}, want: mail.Malware, action: mail.Hold},
		{name: "a negative malware score is no excuse", found: []mail.Finding{finding(mail.Malware, 60), finding(mail.Malware, -60)}, want: mail.Malware, action: mail.Hold},
		{name: "nothing good clears what could not be looked at", found: []mail.Finding{finding(mail.Suspicious, 50), finding("", -100)}, want: mail.Suspicious, action: mail.Hold},
		{name: "half phish and half spam is spam", found: []mail.Finding{finding(mail.Phish, 25), finding(mail.Spam, 25)}, want: mail.Spam, action: mail.Hold},
		{name: "loose points alone are never phish", found: []mail.Finding{finding("", 60)}, want: mail.Spam, action: mail.Hold},
		{name: "loose points help phish", found: []mail.Finding{finding("", 20), finding(mail.Phish, 30)}, want: mail.Phish, action: mail.Hold},
		{name: "the worst counts", found: []mail.Finding{finding(mail.Spam, 90), finding(mail.Phish, 50)}, want: mail.Phish, action: mail.Hold},
		{name: "bulk is delivered", found: []mail.Finding{finding(mail.Bulk, 30)}, want: mail.Bulk, action: mail.Deliver},
		{name: "spam beats bulk", found: []mail.Finding{finding(mail.Bulk, 40), finding(mail.Spam, 50)}, want: mail.Spam, action: mail.Hold},
		{name: "unjudged is held", found: []mail.Finding{finding(mail.Unjudged, 50)}, want: mail.Unjudged, action: mail.Hold},
		{name: "a tenant may deliver what was not judged", rules: unjudgedDelivered, found: []mail.Finding{finding(mail.Unjudged, 50)}, want: mail.Unjudged, action: mail.Deliver},
		{name: "but not what is also spam", rules: unjudgedDelivered, found: []mail.Finding{finding(mail.Unjudged, 50), finding(mail.Spam, 50)}, want: mail.Spam, action: mail.Hold},
		{name: "wanted spam that was not judged is held", rules: spamDelivered, found: []mail.Finding{finding(mail.Unjudged, 50), finding(mail.Spam, 50)}, want: mail.Unjudged, action: mail.Hold},
		{name: "bulk that was not judged is held", found: []mail.Finding{finding(mail.Bulk, 40), finding(mail.Unjudged, 50)}, want: mail.Unjudged, action: mail.Hold},
		{name: "a tenant's threshold", rules: mail.Rules{Thresholds: map[mail.Verdict]int{mail.Spam: 80}}, found: []mail.Finding{finding(mail.Spam, 79)}, want: mail.Clean, action: mail.Deliver},
		{name: "a threshold of nought needs a point", rules: mail.Rules{Thresholds: map[mail.Verdict]int{mail.Spam: 0}}, want: mail.Clean, action: mail.Deliver},
		{name: "a tenant may defer", rules: mail.Rules{Actions: map[mail.Verdict]mail.Action{mail.Unjudged: mail.Defer}}, found: []mail.Finding{finding(mail.Unjudged, 50)}, want: mail.Unjudged, action: mail.Defer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(tt.rules, Input{Findings: tt.found})
			if d.Verdict != tt.want || d.Action != tt.action {
				t.Errorf("got %s, %s; want %s, %s", d.Verdict, d.Action, tt.want, tt.action)
			}
			if len(d.Reasons) == 0 {
				t.Error("no reason given")
			}
		})
	}
}

func TestLists(t *testing.T) {
	pass := mail.Auth{DMARC: mail.DMARC{Result: mail.ResultPass, Domain: "good.example", AlignedDKIM: true}}
	spf := mail.Auth{SPF: mail.SPF{Result: mail.ResultPass, Domain: "good.example"}}
	from := func(ip string) mail.Auth { return mail.Auth{Origin: mail.Origin{IP: netip.MustParseAddr(ip)}} }
	allowDomain := mail.ListEntry{Allow: true, Domain: "good.example"}
	blockDomain := mail.ListEntry{Domain: "good.example"}
	phish := []mail.Finding{finding(mail.Phish, 80)}
	for _, tt := range []struct {
		name  string
		list  []mail.ListEntry
		found []mail.Finding
		auth  mail.Auth
		env   string
		want  mail.Verdict
		says  string
	}{
		{name: "allowed and authenticated", list: []mail.ListEntry{allowDomain}, found: phish, auth: pass, want: mail.Clean, says: "would have been phish"},
		{name: "allowed but forged", list: []mail.ListEntry{allowDomain}, found: phish, want: mail.Phish},
		{name: "allowed with any authentication", list: []mail.ListEntry{{Allow: true, Domain: "good.example", AnyAuth: true}}, found: phish, want: mail.Clean},
		{name: "allowed by the reverse-path and SPF", list: []mail.ListEntry{allowDomain}, found: phish, auth: spf, env: "x@good.example", want: mail.Clean},
		{name: "malware is not let through", list: []mail.ListEntry{allowDomain}, found: []mail.Finding{finding(mail.Malware, 90)}, auth: pass, want: mail.Malware, says: "no entry lets malware through"},
		{name: "nor what was not judged", list: []mail.ListEntry{allowDomain}, found: []mail.Finding{finding(mail.Unjudged, 50)}, auth: pass, want: mail.Unjudged},
		{name: "blocked", list: []mail.ListEntry{blockDomain}, want: mail.Spam, says: "block list (good.example)"},
		{name: "blocked malware stays malware", list: []mail.ListEntry{blockDomain}, found: []mail.Finding{finding(mail.Malware, 90)}, want: mail.Malware},
		{name: "an allowed address beats its blocked domain", list: []mail.ListEntry{blockDomain, {Allow: true, Address: "Ann@Good.example"}}, auth: pass, want: mail.Clean},
		{name: "a blocked address beats its allowed domain", list: []mail.ListEntry{allowDomain, {Address: "ann@good.example"}}, auth: pass, want: mail.Spam},
		{name: "equal entries block", list: []mail.ListEntry{allowDomain, blockDomain}, auth: pass, want: mail.Spam},
		{name: "a network", list: []mail.ListEntry{{Allow: true, Network: netip.MustParsePrefix("192.0.2.0/24")}}, found: phish, auth: from("192.0.2.7"), want: mail.Clean},
		{name: "another network", list: []mail.ListEntry{{Allow: true, Network: netip.MustParsePrefix("192.0.2.0/24")}}, found: phish, auth: from("198.51.100.7"), want: mail.Phish},
		{name: "a domain that only ends alike", list: []mail.ListEntry{{Domain: "d.example"}}, want: mail.Clean},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(mail.Rules{Lists: tt.list}, Input{Findings: tt.found, Auth: tt.auth, HeaderFrom: "ann@good.example", EnvelopeFrom: tt.env})
			if d.Verdict != tt.want {
				t.Errorf("got %s, want %s (%q)", d.Verdict, tt.want, d.Reasons)
			}
			if !strings.Contains(strings.Join(d.Reasons, " "), tt.says) {
				t.Errorf("reasons %q do not say %q", d.Reasons, tt.says)
			}
		})
	}
}

func TestABlockEntryHoldsEvenWhereSpamIsDelivered(t *testing.T) {
	rules := mail.Rules{Actions: map[mail.Verdict]mail.Action{mail.Spam: mail.Deliver}, Lists: []mail.ListEntry{{Domain: "bad.example"}}}
	if d := Decide(rules, Input{HeaderFrom: "x@bad.example"}); d.Action != mail.Hold {
		t.Errorf("got %s, want hold", d.Action)
	}
}

func TestForcedHoldsWhateverIsAllowed(t *testing.T) {
	rules := mail.Rules{Lists: []mail.ListEntry{{Allow: true, Domain: "good.example", AnyAuth: true}}}
	d := Decide(rules, Input{HeaderFrom: "ann@good.example", Forced: "It carries two different relay keys."})
	if d.Action != mail.Hold || d.Verdict != mail.Suspicious || d.Reasons[0] != "It carries two different relay keys." {
		t.Errorf("got %+v", d)
	}
}

func TestCleanMailSaysWhy(t *testing.T) {
	d := Decide(mail.Rules{}, Input{Auth: mail.Auth{DMARC: mail.DMARC{Result: mail.ResultPass, Domain: "example.com"}}})
	want := "Nothing suspicious was found; the sender domain example.com is authenticated by DMARC."
	if len(d.Reasons) != 1 || d.Reasons[0] != want {
		t.Errorf("got %q, want %q", d.Reasons, want)
	}
}

func TestTheWeightiestReasonComesFirst(t *testing.T) {
	d := Decide(mail.Rules{}, Input{Findings: []mail.Finding{
		{Class: mail.Spam, Score: 80, Detail: "loud"},
		{Class: mail.Phish, Score: 20, Detail: "small"},
		{Class: mail.Phish, Score: 40, Detail: "big"},
		{Score: -10, Detail: "good"},
	}})
	if got := strings.Join(d.Reasons, " "); got != "big small loud good" {
		t.Errorf("got %q", got)
	}
}

// Whatever is found beside it, malware is never delivered by default and the
// decision does not depend on the order of the findings.
func TestDecisionsAreSteady(t *testing.T) {
	classes := []mail.Verdict{"", mail.Bulk, mail.Spam, mail.Suspicious, mail.Phish, mail.Malware, mail.Unjudged}
	rapid.Check(t, func(t *rapid.T) {
		found := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mail.Finding {
			return finding(rapid.SampledFrom(classes).Draw(t, "class"), rapid.IntRange(-100, 100).Draw(t, "score"))
		}), 0, 12).Draw(t, "findings")
		d := Decide(mail.Rules{}, Input{Findings: found})
		mixed := rapid.Permutation(found).Draw(t, "order")
		if m := Decide(mail.Rules{}, Input{Findings: mixed}); m.Verdict != d.Verdict || m.Score != d.Score {
			t.Fatalf("another order gives %s %d instead of %s %d", m.Verdict, m.Score, d.Verdict, d.Score)
		}
		worse := Decide(mail.Rules{}, Input{Findings: append(found, finding(mail.Malware, 50))})
		if worse.Verdict != mail.Malware || worse.Action != mail.Hold {
			t.Fatalf("with malware: %s, %s", worse.Verdict, worse.Action)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	in := Input{Findings: []mail.Finding{finding(mail.Spam, 30), finding(mail.Phish, 20), finding("", -5)}, HeaderFrom: "ann@good.example"}
	for b.Loop() {
		Decide(mail.Rules{}, in)
	}
}
