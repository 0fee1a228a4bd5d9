package judge

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/relay/mailauth"
	"postern/internal/relay/parse"
	"postern/internal/relay/scan"
)

var show = flag.String("show", "", "print messages of this group that were flagged (or, for spam and phish, were not)")

// labelled are the messages of the manifest by group: label, and where they come
// from.
func labelled(t testing.TB) map[string][]Sample {
	dataDir := corpus.Path(t)
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

// stages is the judge as the product puts it together.
func stages(dns Resolver) *Stages {
	checker := &mailauth.Checker{Resolver: dns}
	return &Stages{
		Parse: func(octets []byte) *mail.Message { return parse.Parse(octets, parse.Limits{}) },
		Auth: func(ctx context.Context, env *mail.Envelope, via mail.Architecture, octets []byte) mail.Auth {
			return checker.Check(ctx, env, via, octets)
		},
		Scan: &scan.Runner{Scanners: Scanners()},
	}
}

// noNetwork is a resolver that never gets an answer.
type noNetwork struct{}

func (noNetwork) LookupTXT(_ context.Context, name string) ([]string, error) {
	return nil, unreachable(name)
}
func (noNetwork) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, unreachable(name)
}
func (noNetwork) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, unreachable(name)
}
func (noNetwork) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, unreachable(name)
}

func unreachable(name string) error {
	return &net.DNSError{Err: "no network", Name: name, IsTemporary: true}
}

func offline() *InProcess { return &InProcess{Func: stages(noNetwork{}).Judge} }

// TestRates prints what is caught of the development mail without any network,
// and holds the line that was reached.
func TestRates(t *testing.T) {
	if testing.Short() {
		t.Skip("judges some 5400 messages")
	}
	groups := labelled(t)
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

// BenchmarkStages is the whole judge without a child, over a mix of real mail.
func BenchmarkStages(b *testing.B) {
	var jobs []*Job
	var octets [][]byte
	size := 0
	for _, g := range labelled(b) {
		for i := 0; i < len(g); i += 40 {
			o, err := os.ReadFile(g[i].File)
			if err != nil {
				b.Fatal(err)
			}
			jobs = append(jobs, &Job{Envelope: g[i].Envelope, Via: g[i].Via, Tenant: &scan.About{Domains: []string{"contoso.example"}}})
			octets = append(octets, o)
			size += len(o)
		}
	}
	judge := stages(zone{}).Judge
	b.SetBytes(int64(size / len(jobs)))
	for i := 0; b.Loop(); i++ {
		judge(b.Context(), jobs[i%len(jobs)], octets[i%len(jobs)])
	}
}

// TestNoHiddenFilePasses sends messages that hide the EICAR test file behind
// ambiguities through the whole judge: each must be found or held.
func TestNoHiddenFilePasses(t *testing.T) {
	files, err := filepath.Glob(corpus.Path(t, "evasion", "*"))
	if err != nil || len(files) == 0 {
		t.Skip("no messages that hide something")
	}
	var samples []Sample
	for _, f := range files {
		samples = append(samples, Sample{File: f, Via: mail.ViaMX})
	}
	var r Rates
	err = Rate(t.Context(), offline(), samples, runtime.NumCPU(), nil, mail.Rules{}, func(x Rated) {
		r.Add(x.Decision.Verdict)
		if x.Err != nil || x.Decision.Action != mail.Hold {
			t.Errorf("%s: %s, %v", filepath.Base(x.File), x.Decision.Verdict, x.Err)
		}
	})
	t.Logf("%d messages: %v", r.Messages, r.ByVerdict)
	if err != nil {
		t.Fatal(err)
	}
}
