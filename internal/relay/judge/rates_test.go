package judge

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

var show = flag.String("show", "", "print messages of this group that were flagged (or, for spam and phish, were not)")

const dataDir = "../../../../shared/data"

// corpus are the messages of the manifest by group: label, and where they come
// from.
func corpus(t testing.TB) map[string][]Sample {
	f, err := os.Open(filepath.Join(dataDir, "manifest.tsv"))
	if err != nil {
		t.Skipf("no test data: %v", err)
	}
	defer f.Close()
	groups := make(map[string][]Sample)
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		c := strings.Split(sc.Text(), "\t")
		if len(c) < 10 || c[1] != "ham" && c[1] != "spam" && c[1] != "phish" || !strings.HasPrefix(c[0], c[1]+"/") {
			continue
		}
		s := Sample{File: filepath.Join(dataDir, c[0]), Via: mail.ViaMX}
		s.Envelope.Client, _ = netip.ParseAddr(c[6])
		s.Envelope.HELO, s.Envelope.From, s.Envelope.To = c[7], c[8], []mail.Rcpt{{Addr: cmp.Or(c[9], "alex.morgan@contoso.example")}}
		kind, _, _ := strings.Cut(strings.TrimPrefix(c[0], c[1]+"/"), "-")
		groups[c[1]+"/"+kind] = append(groups[c[1]+"/"+kind], s)
	}
	return groups
}

// noNetwork is what mailauth knows without DNS: the peer.
func noNetwork(_ context.Context, env *mail.Envelope, _ mail.Architecture, _ []byte) mail.Auth {
	return mail.Auth{Origin: mail.Origin{IP: env.Client, HELO: env.HELO, MailFrom: env.From, Source: "peer"}, SPF: mail.SPF{Result: mail.ResultTempError}, DMARC: mail.DMARC{Result: mail.ResultTempError}}
}

func offline() *InProcess {
	s := &Stages{Parse: quickParse, Auth: noNetwork, Scan: &scan.Runner{Scanners: Scanners()}}
	return &InProcess{Func: s.Judge}
}

// TestRates prints what is caught of the development mail without any network,
// and holds the line that was reached.
func TestRates(t *testing.T) {
	if testing.Short() {
		t.Skip("judges some 5400 messages")
	}
	groups := corpus(t)
	tenant := &scan.About{Domains: []string{"contoso.example"}}
	total := map[string]*Rates{"ham": {}, "spam": {}, "phish": {}}
	began := time.Now()
	table := make(map[string]map[string]int) // by rule and group
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		var r Rates
		rules := map[string]int{}
		label, _, _ := strings.Cut(g, "/")
		err := Rate(t.Context(), offline(), groups[g], runtime.NumCPU(), tenant, mail.Rules{}, func(x Rated) {
			if x.Err != nil {
				t.Errorf("%s: %v", x.File, x.Err)
			}
			r.Add(x.Decision.Verdict)
			total[label].Add(x.Decision.Verdict)
			if x.Judgement != nil {
				if *show == "rules" {
					tally(table, g, x.Judgement.Findings)
				}
				for _, f := range x.Judgement.Findings {
					if f.Class != mail.Bulk {
						rules[f.Rule]++
					}
				}
			}
			if *show == g && Flagged(x.Decision.Verdict) == (label == "ham") {
				fmt.Printf("%s %s %d %q\n", x.File, x.Decision.Verdict, x.Decision.Score, short(x))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-22s %5d messages, %4d flagged (%.2f %%) %v", g, r.Messages, r.Flagged, 100*r.Rate, r.ByVerdict)
		if *show == g {
			t.Log(rules)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(table)) {
		fmt.Printf("RULE %-32s", rule)
		for _, g := range slices.Sorted(maps.Keys(groups)) {
			fmt.Printf(" %5.1f", 100*float64(table[rule][g])/float64(len(groups[g])))
		}
		fmt.Println()
	}
	for _, label := range []string{"ham", "spam", "phish"} {
		r := total[label]
		t.Logf("%-22s %5d messages, %4d flagged (%.2f %%) %v", label, r.Messages, r.Flagged, 100*r.Rate, r.ByVerdict)
	}
	t.Logf("%v for all", time.Since(began).Round(time.Millisecond))
	if n := total["ham"].Rate; n > 0.003 {
		t.Errorf("%.2f %% of the ham is flagged, want at most 0.3 %%", 100*n)
	}
	if n := total["spam"].Rate; n < 0.35 {
		t.Errorf("%.1f %% of the spam is flagged, want 35 %%", 100*n)
	}
	if n := total["phish"].Rate; n < 0.40 {
		t.Errorf("%.1f %% of the phish is flagged, want 40 %%", 100*n)
	}
}

func tally(table map[string]map[string]int, group string, found []mail.Finding) {
	seen := map[string]bool{}
	for _, f := range found {
		if seen[f.Rule] || f.Score == 0 {
			continue
		}
		seen[f.Rule] = true
		if table[f.Rule] == nil {
			table[f.Rule] = map[string]int{}
		}
		table[f.Rule][group]++
	}
}

func short(x Rated) string {
	if x.Judgement == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s | %s |", x.Judgement.From, x.Judgement.Subject)
	for _, f := range x.Judgement.Findings {
		fmt.Fprintf(&b, " %s:%s:%d", f.Rule, f.Class, f.Score)
	}
	return b.String()
}
