package admit

import (
	"strings"
	"testing"
)

func FuzzQuotes(f *testing.F) {
	f.Add("X-Copy: po\r\n stern-1", "postern-1")
	f.Add("X: pppostern", "postern")
	f.Add("a a\tb a", "ab")
	f.Add("x\x7fy", "xy")
	f.Fuzz(func(t *testing.T, field, key string) {
		if key = compact(key); key == "" || len(field) < len(key) {
			return
		}
		for _, s := range []string{field, key} {
			if strings.ToValidUTF8(s, "") != s {
				return // compact, which says what is right here, reads runes
			}
		}
		if got, want := quotes([]byte(field), key), strings.Contains(compact(field), key); got != want {
			t.Errorf("quotes(%q, %q) is %v", field, key, got)
		}
	})
}
