package parse

import (
	"os"
	"strings"
	"testing"
)

func TestHeldIn(t *testing.T) {
	d := os.Getenv("SUB")
	if d == "" {
		t.Skip()
	}
	for _, sub := range strings.Split(d, ",") {
		n, h := 0, 0
		files(t, func(path string, b []byte) {
			n++
			m := Parse(b, Limits{})
			if weight(m) >= 50 {
				h++
				t.Logf("%s: %d %v", path, weight(m), m.Anomalies)
			}
		}, sub)
		t.Logf("SUM %s %d/%d", sub, h, n)
	}
}
func TestRules(t *testing.T) {
	d := os.Getenv("SUB")
	if d == "" {
		t.Skip()
	}
	for _, sub := range strings.Split(d, ",") {
		c := map[string]int{}
		eg := map[string]string{}
		files(t, func(path string, b []byte) {
			m := Parse(b, Limits{})
			for _, a := range m.Anomalies {
				c[a.Rule]++
				eg[a.Rule] = path[len("/work/shared/data/"):]
			}
		}, sub)
		for r, n := range c {
			t.Logf("%s %5d %s %s", sub, n, r, eg[r])
		}
	}
}
