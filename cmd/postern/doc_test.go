package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"

	"postern/internal/metric"
)

// repo is a file of the repository.
func repo(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// firstColumn are the names in backquotes that begin a table's rows.
func firstColumn(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// section is what stands under a heading of the second order.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("there is no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// same reports what one list has and the other lacks.
func same(t *testing.T, doc string, documented, real []string) {
	t.Helper()
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("%s does not explain %s", doc, name)
		}
	}
	for i, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("%s explains %s, which does not exist", doc, name)
		}
		if slices.Contains(documented[:i], name) {
			t.Errorf("%s explains %s twice", doc, name)
		}
	}
}

func yamlKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for f := range t.Fields() {
		tag := f.Tag.Get("yaml")
		if tag == "" {
			continue
		}
		switch {
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, yamlKeys(f.Type, prefix+tag+".")...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			keys = append(keys, yamlKeys(f.Type.Elem(), prefix+tag+"[].")...)
		default:
			keys = append(keys, prefix+tag)
		}
	}
	return keys
}

func TestEveryConfigurationKeyIsExplained(t *testing.T) {
	same(t, "doc/configuration.md", firstColumn(repo(t, "doc/configuration.md")), yamlKeys(reflect.TypeFor[Config](), ""))
}

func TestDocumentedDefaultsAreTheRealOnes(t *testing.T) {
	var c Config
	c.setDefaults()
	text := repo(t, "doc/configuration.md")
	documented := func(key string) string {
		t.Helper()
		m := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(key) + "` \\| `([^`]*)`").FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s has no default in the document", key)
		}
		return m[1]
	}
	for key, value := range map[string]string{
		"database": c.Database, "log.level": c.Log.Level, "log.format": c.Log.Format, "relay.header_prefix": c.Relay.HeaderPrefix,
		"exchange.cloud": c.Exchange.Cloud, "smtp.tls.acme.http": c.SMTP.TLS.ACME.HTTP, "smtp.max_size": strconv.FormatInt(c.SMTP.MaxSize, 10),
		"smtp.require_tls": strconv.FormatBool(*c.SMTP.RequireTLS), "judge.enabled": strconv.FormatBool(*c.Judge.Enabled),
	} {
		if got := documented(key); got != value {
			t.Errorf("%s: documented %q, really %q", key, got, value)
		}
	}
	for key, value := range map[string]time.Duration{
		"deliver.retry_first": c.Deliver.RetryFirst, "deliver.lifetime": c.Deliver.Lifetime, "judge.budget": c.Judge.Budget,
	} {
		if got, err := time.ParseDuration(documented(key)); err != nil || got != value {
			t.Errorf("%s: documented %v, really %v", key, got, value)
		}
	}
}

// collected gathers the names of everything that is registered.
type collected struct {
	prometheus.Registerer
	names []string
}

var fqName = regexp.MustCompile(`fqName: "([^"]+)"`)

func (c *collected) MustRegister(all ...prometheus.Collector) {
	for _, one := range all {
		descs := make(chan *prometheus.Desc, 10)
		one.Describe(descs)
		close(descs)
		for d := range descs {
			c.names = append(c.names, fqName.FindStringSubmatch(d.String())[1])
		}
	}
}

func TestEveryMetricIsExplained(t *testing.T) {
	var c collected
	metric.New(&c)
	same(t, "doc/operating.md", firstColumn(section(t, repo(t, "doc/operating.md"), "Metrics")), c.names)
}

var alarmCalls = []*regexp.Regexp{
	regexp.MustCompile(`\.Alarm\("([a-z-]+)"`),
	regexp.MustCompile(`\.Alarm = "([a-z-]+)"`),
	regexp.MustCompile(`\.hold\("([a-z-]+)"`),
	regexp.MustCompile(`\.Raise\([^"\n]*"([a-z.-]+)"`),
}

func TestEveryAlarmIsExplained(t *testing.T) {
	found := map[string]bool{}
	for _, top := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, call := range alarmCalls {
				for _, m := range call.FindAllSubmatch(text, -1) {
					found[string(m[1])] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var kinds []string
	for k := range found {
		if k != "exchange-" { // the watch's own kinds follow
			kinds = append(kinds, k)
		}
	}
	for _, m := range regexp.MustCompile(`\.alarm\("([a-z]+)"`).FindAllStringSubmatch(repo(t, "internal/exchange/watch.go"), -1) {
		if k := "exchange-" + m[1]; !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	same(t, "doc/operating.md", firstColumn(section(t, repo(t, "doc/operating.md"), "Alarms")), kinds)
}

var update = flag.Bool("update", false, "write the generated parts of the manual anew")

const commandsMark = "-run ManualPage -update\n"

// roff is the manual page's list of commands.
func roff(t *testing.T) string {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("postern"))
	if err != nil {
		t.Fatal(err)
	}
	escape := strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "'", `\(aq`).Replace
	var b strings.Builder
	for _, n := range parser.Model.Leaves(true) {
		line := n.FullPath()
		for _, f := range n.Flags {
			if !f.Hidden && f.Name != "help" && f.Required {
				line += " --" + f.Name + " " + strings.ToUpper(f.Name)
			}
		}
		for _, a := range n.Positional {
			line += " " + strings.ToUpper(a.Name)
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escape(line), escape(n.Help))
	}
	return b.String()
}

func TestTheManualPageIsOfThisCommandLine(t *testing.T) {
	page := repo(t, "package/postern.1")
	before, rest, ok := strings.Cut(page, commandsMark)
	_, after, ok2 := strings.Cut(rest, ".SH EXIT STATUS")
	if !ok || !ok2 {
		t.Fatal("package/postern.1 lacks its marks")
	}
	want := before + commandsMark + roff(t) + ".SH EXIT STATUS" + after
	if page == want {
		return
	}
	if !*update {
		t.Fatal("package/postern.1 is not of this command line: run go test ./cmd/postern -run ManualPage -update")
	}
	if err := os.WriteFile(filepath.Join("..", "..", "package", "postern.1"), []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryTestThatSafetyNamesExists(t *testing.T) {
	have := map[string]bool{}
	for _, top := range []string{"cmd", "internal", "e2e"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				have[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(repo(t, "doc/safety.md"), -1)
	if len(named) < 30 {
		t.Fatalf("doc/safety.md names %d tests", len(named))
	}
	for _, m := range named {
		if !have[m[1]] {
			t.Errorf("doc/safety.md names %s, which does not exist", m[1])
		}
	}
}

var codeLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksInTheManualLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "doc", "*.md"))
	more, err2 := filepath.Glob(filepath.Join("..", "..", "doc", "decisions", "*.md"))
	if err != nil || err2 != nil || len(files) < 4 {
		t.Fatal(files, err, err2)
	}
	for _, file := range append(files, append(more, filepath.Join("..", "..", "ARCHITECTURE.md"), filepath.Join("..", "..", "README.md"))...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codeLink.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", file, m[1])
			}
		}
	}
}
