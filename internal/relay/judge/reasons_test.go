package judge

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/reason"
	"postern/internal/relay/scan"
	"postern/internal/report"
)

func english(s string, _ ...any) string { return s }

// TestWhatIsFoundInRealMailIsSaidInEveryLanguage judges real mail, all of what is
// hostile and every fourth of the rest, and takes each finding, each reason of
// the decision and of what was proved through every language.
func TestWhatIsFoundInRealMailIsSaidInEveryLanguage(t *testing.T) {
	if testing.Short() {
		t.Skip("judges some 3000 messages")
	}
	var samples []Sample
	for _, group := range labelled(t) {
		for i := 0; i < len(group); i += 4 {
			samples = append(samples, group[i])
		}
	}
	for _, dir := range []string{"attach", "auth-spoof", "evasion", "mime", "smime", "tnef-mail", "raw-exo"} {
		err := filepath.WalkDir(corpus.Path(t, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				samples = append(samples, Sample{File: path, Via: mail.ViaMX})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tenant := &scan.About{Domains: []string{"contoso.example"}, Protected: []string{"supplier.example"}, People: []string{"Alex Morgan"}, Mailboxes: []string{"John Smith"}}
	told, rules := map[string]bool{}, map[string]bool{}
	tell := func(file, rule, sentence string) {
		for _, lang := range []string{"de", "fr", "es"} {
			if s, ok := reason.Say(lang, sentence); !ok && !told[lang+rule] && len(sentence) < maxText {
				told[lang+rule] = true
				t.Errorf("%s: %s has no words for %s: %s", filepath.Base(file), lang, rule, s)
			}
		}
	}
	err := Rate(t.Context(), offline(), samples, runtime.NumCPU(), tenant, mail.Rules{}, func(x Rated) {
		if x.Judgement == nil {
			return
		}
		for _, f := range x.Judgement.Findings {
			if rules[f.Rule] = true; report.Rule(english, f.Rule) == "Other rule" {
				t.Errorf("reports have no name for %s", f.Rule)
			}
			tell(x.File, f.Rule, f.Detail)
		}
		for _, why := range x.Decision.Reasons {
			tell(x.File, "a decision", why)
		}
		auth := x.Judgement.Auth
		proofs := []string{auth.SPF.Reason, auth.DMARC.Reason, auth.ARC.Reason}
		for _, k := range auth.DKIM {
			proofs = append(proofs, k.Reason)
		}
		for _, why := range proofs {
			if why != "" {
				tell(x.File, "a proof: "+why, why)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %d different rules", len(samples), len(rules))
	if len(rules) < 100 {
		t.Errorf("only %d rules found anything", len(rules))
	}
}
