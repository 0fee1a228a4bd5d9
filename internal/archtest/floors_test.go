package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// floors says on which floor each folder stands. A folder that is not named
// stands where its nearest named parent does. A package imports only lower
// floors, or what lies below itself in the tree; two rooms on one floor do not
// know each other.
var floors = map[string]int{
	"internal/mail":             0,
	"internal/metric":           0,
	"internal/corpus":           0,
	"internal/lineartest":       0,
	"internal/freeport":         0,
	"internal/reason":           0,
	"internal/store":            1,
	"internal/spool":            1,
	"internal/dns":              1,
	"internal/seal":             1,
	"internal/guard":            1,
	"internal/lockedzip":        1,
	"internal/postgrestest":     1,
	"internal/relay/ingress":    2,
	"internal/relay/admit":      2,
	"internal/relay/parse":      2,
	"internal/relay/mailauth":   2,
	"internal/relay/scan":       2,
	"internal/relay/policy":     2,
	"internal/relay/deliver":    2,
	"internal/relay/quarantine": 2,
	"internal/exchange":         2,
	"internal/webhook":          2,
	"internal/provider":         2,
	"internal/providertest":     0,
	"internal/notice":           2,
	"internal/report":           2,
	"internal/relay":            3,
	"internal/relay/judge":      3, // composes parse, mailauth and scan within the worker; below relay in the tree
	"internal/admin":            3,
	"internal/backup":           3,
	"internal/replay":           3,
	"internal/portal":           4,
	"internal/api":              4,
	"internal/admintest":        4,
	"cmd/postern":               5,
	"internal/archtest":         5,
	"e2e":                       5,
	"bench":                     5,
}

// alone are folders that may import floor 0 and nothing else of ours, so that
// they cannot share our mistakes.
var alone = []string{"internal/twin"}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestPackagesImportOnlyLowerFloors(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, "postern/")
		if _, _, ok := floorOf(from); !ok && !isAlone(from) {
			t.Errorf("%s stands on no floor: enter it in internal/archtest and in ARCHITECTURE.md", from)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, "postern/")
			if !ours || allowed(from, to) {
				continue
			}
			t.Errorf("%s must not import %s", from, to)
		}
	}
}

func TestOnlyTestsAndTheCommandKnowTheTwin(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, "postern/")
		if strings.HasPrefix(from, "cmd/") || isAlone(from) || strings.HasPrefix(from, "e2e") {
			continue
		}
		for _, imported := range p.Imports {
			if isAlone(strings.TrimPrefix(imported, "postern/")) {
				t.Errorf("%s imports the simulated Exchange outside its tests", from)
			}
		}
	}
}

func TestNoRoomForOddsAndEnds(t *testing.T) {
	for _, p := range list(t) {
		switch path.Base(p.ImportPath) {
		case "util", "utils", "common", "helpers", "types", "models", "base", "misc", "shared":
			t.Errorf("%s: a package is named for what it gives", p.ImportPath)
		}
	}
}

func allowed(from, to string) bool {
	if isAlone(from) {
		return isAlone(to) || to == "internal/mail" || to == "internal/metric"
	}
	if isAlone(to) {
		return strings.HasPrefix(from, "cmd/") || strings.HasPrefix(from, "e2e")
	}
	if strings.HasPrefix(to, from+"/") {
		return true // a parent may import its children
	}
	fromFloor, fromRoom, _ := floorOf(from)
	toFloor, toRoom, ok := floorOf(to)
	return ok && (toFloor < fromFloor || fromRoom == toRoom)
}

// floorOf is the floor of a folder and the room it belongs to.
func floorOf(dir string) (floor int, room string, ok bool) {
	for d := dir; d != "." && d != "/"; d = path.Dir(d) {
		if f, named := floors[d]; named {
			return f, d, true
		}
	}
	return 0, "", false
}

func isAlone(dir string) bool {
	for _, a := range alone {
		if dir == a || strings.HasPrefix(dir, a+"/") {
			return true
		}
	}
	return false
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "postern/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
