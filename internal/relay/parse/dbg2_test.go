package parse

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestGen(t *testing.T) {
	g := os.Getenv("G")
	if g == "" {
		t.Skip()
	}
	for _, n := range []int{512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20} {
		s := generators[g](n)
		st := time.Now()
		m := Parse([]byte(s), Limits{Deadline: st.Add(time.Minute)})
		fmt.Println(g, n, time.Since(st), len(m.Parts), len(m.Anomalies))
	}
}
