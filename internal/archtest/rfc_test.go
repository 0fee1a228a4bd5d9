package archtest

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write doc/rfc.md anew")

// mention is "RFC 5321 §4.5.3.1, §6.1": a number and the sections named after it.
var mention = regexp.MustCompile(`RFC (\d{3,5})((?:(?:,| and)? §[0-9A-Z]+(?:\.[0-9A-Z]+)*)*)`)
var section = regexp.MustCompile(`§([0-9A-Z]+(?:\.[0-9A-Z]+)*)`)

// rfcs maps each RFC's number to the folders whose code names it, and to the
// sections they name.
func rfcs(t *testing.T) map[int]map[string][]string {
	t.Helper()
	all := map[int]map[string][]string{}
	for _, top := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
			for _, m := range mention.FindAllStringSubmatch(string(text), -1) {
				number, _ := strconv.Atoi(m[1])
				if all[number] == nil {
					all[number] = map[string][]string{}
				}
				sections := all[number][folder]
				for _, s := range section.FindAllStringSubmatch(m[2], -1) {
					if !slices.Contains(sections, s[1]) {
						sections = append(sections, s[1])
					}
				}
				all[number][folder] = sections
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// bySection orders "4.5.10" after "4.5.9".
func bySection(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		an, aerr := strconv.Atoi(as[i])
		bn, berr := strconv.Atoi(bs[i])
		if aerr != nil || berr != nil {
			if c := cmp.Compare(as[i], bs[i]); c != 0 {
				return c
			}
		} else if an != bn {
			return an - bn
		}
	}
	return len(as) - len(bs)
}

func rfcPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# The standards that code refers to\n\nGenerated from the `RFC nnnn §x` in the code by `go test ./internal/archtest -run RFC -update`.\n\n| RFC | folder | sections |\n|---|---|---|\n")
	all := rfcs(t)
	for _, number := range slices.Sorted(maps.Keys(all)) {
		for _, folder := range slices.Sorted(maps.Keys(all[number])) {
			sections := all[number][folder]
			slices.SortFunc(sections, bySection)
			fmt.Fprintf(&b, "| [%d](https://www.rfc-editor.org/rfc/rfc%d) | `%s` | %s |\n", number, number, folder, strings.Join(sections, ", "))
		}
	}
	return b.String()
}

func TestTheListOfRFCsIsOfThisCode(t *testing.T) {
	file := filepath.Join("..", "..", "doc", "rfc.md")
	want := rfcPage(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		have := strings.Split(string(got), "\n")
		for _, line := range strings.Split(want, "\n") {
			if !slices.Contains(have, line) {
				t.Errorf("doc/rfc.md lacks %s", line)
			}
		}
		t.Error("doc/rfc.md is not of this code: run go test ./internal/archtest -run RFC -update")
	}
}
