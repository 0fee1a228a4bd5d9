package archtest

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	tableRow = regexp.MustCompile(`(?m)^\| ([0-9–]+) \| ([^|]+) \|`)
	quoted   = regexp.MustCompile("`([^`]+)`")
)

// ARCHITECTURE.md shows the floors to people; it must be the same table.
func TestTheDocumentShowsTheFloorsThatHold(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		for _, name := range quoted.FindAllStringSubmatch(row[2], -1) {
			shown[name[1]] = row[1]
		}
	}
	for dir, floor := range floors {
		if !strings.HasPrefix(dir, "internal/") && dir != "cmd/postern" || dir == "internal/archtest" {
			continue
		}
		if shown[dir] != strconv.Itoa(floor) {
			t.Errorf("%s stands on floor %d, ARCHITECTURE.md says %q", dir, floor, shown[dir])
		}
		delete(shown, dir)
	}
	for _, dir := range alone {
		delete(shown, dir)
	}
	for dir := range shown {
		t.Errorf("ARCHITECTURE.md shows %s, which stands on no floor", dir)
	}
}
