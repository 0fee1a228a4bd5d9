package reason

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// written are the files that write sentences into judgements and the ledger.
var written = []string{
	"relay/scan/*.go", "relay/scan/*/*.go", "relay/parse/*.go", "relay/policy/*.go", "relay/admit/*.go", "relay/*.go",
	"relay/judge/summary.go", "relay/quarantine/digest/compose.go", "../cmd/postern/restore.go",
}

// sentence is how a text in the source looks that is one, and part how those look
// that stand within one or tell an event.
var (
	sentence = regexp.MustCompile(`^(%[sq]|[A-Z][\w'-]*|rspamd)[ ;,].*(\.|%[sqv]\)?|octets\)?|to|found|message)$`)
	parts    = []struct{ file, text string }{
		{"relay/scan/content/rules.go", `says: ("[^"]+")`},
		{"relay/scan/content/shape.go", `styled\([^,]+, "[^"]+", ("[^"]+")`},
		{"relay/scan/macro/macro.go", `\{"[^"]+", ("[^"]+")\}`},
		{"relay/scan/attachment/types.go", `danger\{"\w+", ("[^"]+")`},
		{"relay/scan/attachment/attachment.go", `return ("[a-z ]+ [a-z ]+")`},
		{"relay/scan/sender/sender.go", `return ("[a-z ]+ [a-z ]+")`},
		{"relay/scan/sender/sender.go", `("reject"|"quarantine"): \d`},
		{"relay/scan/scan.go", `why :?= ("[^"]+")`},
		{"relay/scan/signature/signature.go", `name = ("[^"]+")`},
		{"relay/act.go", `(?:change|again|lost)\([^"\n]*("[^"]+")`},
		{"relay/own.go", `(?:change|again|lost)\([^"\n]*("[^"]+")`},
		{"relay/queue.go", `(?:change|again|lost)\([^"\n]*("[^"]+")`},
		{"relay/relay.go", `(?:change|again|lost)\([^"\n]*("[^"]+")`},
		{"relay/send.go", `(?:change|again|lost)\([^"\n]*("[^"]+")`},
		{"relay/mailauth/checker.go", failure},
		{"relay/mailauth/spf/spf.go", failure},
		{"relay/mailauth/spf/evaluate.go", failure},
		{"relay/mailauth/spf/record.go", failure},
		{"relay/mailauth/dkim/key.go", failure},
		{"relay/mailauth/dkim/signature.go", failure},
		{"relay/mailauth/dkim/tags.go", failure},
		{"relay/mailauth/dkim/verify.go", failure},
		{"relay/mailauth/dmarc/author.go", failure},
		{"relay/mailauth/dmarc/dmarc.go", failure},
		{"relay/mailauth/dmarc/walk.go", failure},
		{"relay/mailauth/arc/chain.go", failure},
		{"relay/mailauth/arc/verify.go", failure},
		{"store/quarantine.go", `(?:By|Over) += ("[^"]+")`},
		{"store/backup.go", `lostText = ("[^"]+")`},
	}
)

// failure is how mailauth says why a proof failed.
const failure = `(?:errors\.New\(|Errorf\(|fail\(mail\.\w+, |Reason: |Reason = |Sprintf\(|ResultNone, )("(?:[^"\\]|\\.)*")`

// elsewhere are calls whose texts go to programs, logs and alarms.
var elsewhere = regexp.MustCompile(`^(Errorf|New|Alarm|Raise|Fprintf|Warn|Info|Error|Debug|NewReader|T)$`)

// sayings are the formats of all sentences in the source, each with a place where
// it stands.
func sayings(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range written {
		for _, file := range glob(t, pattern) {
			set := token.NewFileSet()
			tree, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					return !elsewhere.MatchString(called(n))
				case *ast.CompositeLit:
					typ, _ := n.Type.(*ast.SelectorExpr)
					return typ == nil || typ.Sel.Name != "Reply"
				case *ast.BasicLit:
					if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && sentence.MatchString(text) {
						if p := newPattern(text); !p.joint {
							all[text] = set.Position(n.Pos()).String()
						}
					}
				}
				return true
			})
		}
	}
	for _, p := range parts {
		source, err := os.ReadFile(filepath.Join("..", p.file))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(p.text).FindAllStringSubmatch(string(source), -1)
		if len(found) == 0 {
			t.Errorf("%s has nothing like %s any more", p.file, p.text)
		}
		for _, m := range found {
			text, err := strconv.Unquote(m[1])
			if err != nil {
				t.Fatalf("%s: %v", m[1], err)
			}
			if strings.HasSuffix(text, " ") { // a name is put behind it
				text += "%s"
			}
			text = strings.ReplaceAll(strings.TrimPrefix(text, "%w: "), "%w", "%s")
			text = regexp.MustCompile(`%\.\d+([qs])`).ReplaceAllString(text, "%$1")
			if strings.ContainsFunc(verb.ReplaceAllString(text, ""), unicode.IsLetter) {
				all[text] = p.file
			}
		}
	}
	return all
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no such files, %v", pattern, err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// TestEveryLanguageSaysEverySentence holds the message files to the source: a
// sentence that is added or changed there, or gone, is told here.
func TestEveryLanguageSaysEverySentence(t *testing.T) {
	all := sayings(t)
	if len(all) < 300 {
		t.Fatalf("only %d sentences were found in the source", len(all))
	}
	for lang := range marks {
		have := map[string]string{}
		for area, said := range areas(lang) {
			for english, s := range said {
				if _, twice := have[english]; twice {
					t.Errorf("%s says %q twice", lang, english)
				}
				have[english] = s
				if want, got := values(english), values(s); !slices.Equal(want, got) {
					t.Errorf("%s: %q has the values %q, %q has %q", lang, s, got, english, want)
				}
				if _, said := all[english]; !said && area != "words" && area != "former" {
					t.Errorf("%s/%s.json has %q, which nobody says", lang, area, english)
				}
			}
		}
		for english, at := range all {
			if have[english] == "" {
				t.Errorf("%s lacks %q, said at %s", lang, english, at)
			}
		}
	}
}

// TestEverySentenceIsRecognisedAsItself takes a sentence of each format, with values a message
// could give, through every language: no format hides behind another's.
func TestEverySentenceIsRecognisedAsItself(t *testing.T) {
	for english := range sayings(t) {
		p := newPattern(english)
		if p.size() == len(english) { // no values
			continue
		}
		s, said := p.fixed[0], make([]string, len(p.verbs))
		for i, c := range p.verbs {
			said[i] = map[byte]string{'s': "“a is b, but c.”", 'd': "7", 'f': "1.5", 'q': `"x \" y"`}[c]
			s += said[i] + p.fixed[i+1]
		}
		for lang, b := range books() {
			i := slices.IndexFunc(b.formats, func(f format) bool { _, ok := f.pattern.match(s); return ok })
			if i < 0 {
				t.Errorf("%s does not know %q", lang, s)
				continue
			}
			if got := strings.Join(b.formats[i].pattern.fixed, "%"); got != strings.Join(p.fixed, "%") {
				t.Errorf("%s takes %q for %q", lang, s, got)
			}
		}
	}
}

// values are the kinds of a format's values, in the order of their numbers.
func values(format string) []string {
	var all []string
	for i, m := range verb.FindAllStringSubmatch(format, -1) {
		at := i
		if m[1] != "" {
			at = int(m[1][1] - '1')
		}
		for len(all) <= at {
			all = append(all, "")
		}
		all[at] = m[2] + m[3]
	}
	return all
}

func TestTheLanguagesHaveTheSameFiles(t *testing.T) {
	want := slices.Sorted(maps.Keys(areas("de")))
	for lang := range marks {
		if got := slices.Sorted(maps.Keys(areas(lang))); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s has %v, de has %v", lang, got, want)
		}
	}
}
