package content

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naive is what the matcher must find: each phrase looked for by itself.
func naive(phrases []string, text string) []int {
	var found []int
	for n, p := range phrases {
		bare, open := strings.CutSuffix(p, "*")
		for at := 0; at+len(bare) <= len(text); at++ {
			if !strings.HasPrefix(text[at:], bare) {
				continue
			}
			end := at + len(bare)
			if at > 0 && word(text[at-1]) && word(text[at]) || !open && end < len(text) && word(text[end]) && word(text[end-1]) {
				continue
			}
			found = append(found, n)
		}
	}
	return found
}

func TestTheMatcherFindsWhatASearchForEachPhraseFinds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "aab b'c-"[rnd.IntN(8)]
		}
		return string(b)
	}
	for range 500 {
		var phrases []string
		for range 1 + rnd.IntN(20) {
			p := letters(1 + rnd.IntN(5))
			if rnd.IntN(3) == 0 {
				p += "*"
			}
			if !slices.Contains(phrases, p) {
				phrases = append(phrases, p)
			}
		}
		text := letters(rnd.IntN(60))
		var got []int
		m := newMatcher(phrases)
		m.find(text, func(n int) { got = append(got, n) })
		slices.Sort(got)
		if want := naive(phrases, text); !slices.Equal(got, want) {
			t.Fatalf("%q in %q: found %v, want %v", phrases, text, got, want)
		}
		if len(m.out) != cap(m.out) {
			t.Fatalf("%q: %d states where %d were counted", phrases, len(m.out), cap(m.out))
		}
	}
}

// Every judge worker pays this when it starts.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New()
	}
}
