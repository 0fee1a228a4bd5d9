package exchange

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/corpus"
)

var update = flag.Bool("update", false, "write the golden files anew")

func scriptOf(t *testing.T, spec Spec) string {
	t.Helper()
	s, err := Script(spec, ScriptOptions{Organization: "contoso.onmicrosoft.com", ReportURL: "https://postern.example/api/exchange/report", ReportToken: "one-time",
		Now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// variants are set-ups that differ in every option.
func variants() map[string]Spec {
	full := testSpec()
	full.Reverse, full.TLSName, full.Brand = "out.postern.example", "*.postern.example", "Trustifi"
	full.Options = Options{IncludeInternal: true, PlainYes: true, CertificateBound: true, Connectors: ConnectorOrganization, ArcSealer: "postern.example", OutboundRule: "Outbound Relay", ValidationMailbox: "it@contoso.com"}
	hard := testSpec()
	hard.Options.Hardened = true
	many := testSpec()
	many.Domains = manyDomains(120)
	return map[string]Spec{"recommended": testSpec(), "every-option": full, "hardened": hard, "many-domains": many}
}

func TestScriptsAreAsTheyWereReviewed(t *testing.T) {
	for _, name := range []string{"recommended", "every-option"} {
		got := scriptOf(t, variants()[name])
		file := filepath.Join("testdata", "script", name+".ps1")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s (-reviewed +now; -update accepts):\n%.3000s", name, diff)
		}
	}
}

func TestScriptsAreBalancedWhateverTheValues(t *testing.T) {
	hostile := testSpec()
	hostile.Options.OutboundRule = `it's "quoted" $(Remove-Mailbox) ` + "`" + ` #{ } @' '@ <# #> ; & | %`
	all := variants()
	all["hostile"] = hostile
	for name, spec := range all {
		s := scriptOf(t, spec)
		if err := balanced(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(s, "RestrictDomainsToIPAddresses = $true") {
			t.Errorf("%s: the script locks all other senders out", name)
		}
	}
	if !strings.Contains(scriptOf(t, hostile), `'it''s "quoted" $(Remove-Mailbox) `) {
		t.Error("the hostile rule name does not stand in single quotes")
	}
}

func TestValuesThatBreakOutOfQuotesAreRefused(t *testing.T) {
	for _, bad := range []string{"a\nRemove-Mailbox x", "a\rb", "a\x00b", "a\u2018b", "a\u2019; Remove-Mailbox x #", "a\u201ab", "a\u201bb", "a\u0085b", "a\u2028b"} {
		spec := testSpec()
		spec.Options.OutboundRule = bad
		if s, err := Script(spec, ScriptOptions{}); err == nil || s != "" && strings.Contains(s, "Remove-Mailbox") && err == nil {
			t.Errorf("%q was written into a script", bad)
		}
	}
	for _, change := range []func(*Spec){
		func(s *Spec) { s.Brand = "x'; Remove-Mailbox y; '" }, func(s *Spec) { s.Tenant = "a\nb" }, func(s *Spec) { s.Token = "short" },
		func(s *Spec) { s.Token = "Tk4Zq8Lw2Xv6Nb0Mc3Rd5Fg'Hj" }, func(s *Spec) { s.Key = "key with spaces and 'quotes'" }, func(s *Spec) { s.SmartHost = "a b.example" },
		func(s *Spec) { s.Domains = []string{"con'toso.com"} }, func(s *Spec) { s.Addresses = []string{"192.0.2.1; x"} }, func(s *Spec) { s.HeaderPrefix = "x:y" },
		func(s *Spec) { s.Options.ValidationMailbox = "a'b@contoso.com" },
	} {
		spec := testSpec()
		change(&spec)
		var p *Problem
		if _, err := Script(spec, ScriptOptions{}); !errors.As(err, &p) {
			t.Errorf("%v: got %v, want a problem", spec, err)
		}
	}
}

// balanced is a small tokenizer of PowerShell: comments, strings, here-strings
// and brackets must end where they should.
func balanced(s string) error {
	var stack []rune
	pairs := map[rune]rune{')': '(', ']': '[', '}': '{'}
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		switch r := rs[i]; r {
		case '#':
			for i < len(rs) && rs[i] != '\n' {
				i++
			}
		case '\'', '"':
			end := i + 1
			for end < len(rs) {
				if rs[end] == '`' && r == '"' {
					end++
				} else if rs[end] == r {
					if end+1 < len(rs) && rs[end+1] == r {
						end++
					} else {
						break
					}
				} else if rs[end] == '\n' {
					return errors.New("a string spans lines: " + string(rs[i:end]))
				}
				end++
			}
			if end >= len(rs) {
				return errors.New("a string has no end")
			}
			i = end
		case '\u2018', '\u2019', '\u201a', '\u201b':
			return errors.New("a typographic quote outside of a string")
		case '(', '[', '{':
			stack = append(stack, r)
		case ')', ']', '}':
			if len(stack) == 0 || stack[len(stack)-1] != pairs[r] {
				return errors.New("brackets do not match at: " + string(rs[max(0, i-40):i+1]))
			}
			stack = stack[:len(stack)-1]
		}
	}
	if len(stack) != 0 {
		return errors.New("an open bracket has no end")
	}
	return nil
}

func TestTheTokenizerFindsBrokenScripts(t *testing.T) {
	for _, bad := range []string{"if ($x) {", "'open", "@(1, 2", "\"a\nb\"", "}", "($x]", "\u2018x\u2019"} {
		if balanced(bad) == nil {
			t.Errorf("%q was found right", bad)
		}
	}
}

// TestScriptsParseAsPowerShell runs the checkers of syntax and parameters, which
// need Node and two packages; it is skipped where they cannot be had.
func TestScriptsParseAsPowerShell(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("the checker takes half a minute")
	}
	tools := corpus.Path(t, "..", "tools", "pwsh-check")
	catalogue := corpus.Path(t, "..", "reference", "m365", "cmdlets.json")
	for _, f := range []string{filepath.Join(tools, "lint.mjs"), catalogue} {
		if _, err := os.Stat(f); err != nil {
			t.Skip("the checker is not here: ", err)
		}
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("Node is not installed")
	}
	dir := nodePackages(t)
	b, err := os.ReadFile(filepath.Join(tools, "lint.mjs")) // syntax, and parameters of every cmdlet
	if err != nil {
		t.Fatal(err)
	}
	lint := filepath.Join(dir, "lint.mjs")
	if err := os.WriteFile(lint, b, 0o644); err != nil {
		t.Fatal(err)
	}
	f := filepath.Join(t.TempDir(), "script.ps1")
	if err := os.WriteFile(f, []byte(scriptOf(t, variants()["every-option"])), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "node", lint, catalogue, f).CombinedOutput(); err != nil {
		t.Errorf("%v\n%.3000s", err, out)
	}
}

// nodePackages is a folder with the two packages, kept between runs.
func nodePackages(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("no cache folder: ", err)
	}
	dir := filepath.Join(cache, "postern-test", "pwsh-check")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "tree-sitter-powershell")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "tree-sitter-powershell@0.26.4", "web-tree-sitter@0.27.1")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the two packages could not be installed: %v: %.300s", err, out)
	}
	return dir
}
