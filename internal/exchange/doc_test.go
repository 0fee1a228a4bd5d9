package exchange

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/internal/twin"
)

var tableRow = regexp.MustCompile(`(?m)^\| (G[12]\.c?[0-9]+) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$`)

func TestTheTableOfStepsIsTrue(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "doc", "exchange-steps.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources := ""
	for _, pattern := range []string{"*_test.go", "signin/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			sources += string(text)
		}
	}
	of := newOffice(t, twin.TenantOptions{})
	done := map[string][]string{} // steps by action
	for _, a := range planOf(t, of.engine(), testSpec()).Actions {
		done[a.ID] = a.GuideSteps
	}
	rows := tableRow.FindAllStringSubmatch(string(b), -1)
	want := append(append(steps("G1", 1, 58), steps("G2", 1, 12)...), steps("G2.c", 1, 13)...)
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, r := range rows {
		step, actions, tests := r[1], strings.TrimSpace(r[3]), strings.TrimSpace(r[5])
		if step != want[i] {
			t.Errorf("row %d is %s, want %s", i, step, want[i])
		}
		if id, _, _ := strings.Cut(actions, ","); strings.HasSuffix(id, "/new") || strings.HasSuffix(id, "/set") || strings.HasSuffix(id, "/enable") || strings.HasSuffix(id, "/validate") {
			id = strings.Replace(id, "…", "192.0.2.10/24", 1)
			fulfilled, known := done[id]
			if !known {
				t.Errorf("%s: there is no action %s in a plan", step, id)
			} else if step != "G1.4" && !contains(fulfilled, step) {
				t.Errorf("%s is not among the steps that %s says it fulfils", step, id)
			}
		}
		for name := range strings.SplitSeq(tests, ", ") {
			name = strings.TrimPrefix(name, "signin.")
			name, sub, _ := strings.Cut(name, "/")
			if name != "" && name != "portal" && !strings.Contains(sources, "func "+name+"(") || sub != "" && !strings.Contains(sources, `"`+sub+`"`) {
				t.Errorf("%s: there is no test %s %s", step, name, sub)
			}
		}
	}
}
