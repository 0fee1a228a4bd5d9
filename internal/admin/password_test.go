package admin

import (
	"strings"
	"testing"
)

// At least the 3,000 commonest passwords are refused (safety.md §8): as they are, in
// capitals, again and again, and with a few characters around them.
func TestCommonPasswordsAreRefused(t *testing.T) {
	if n := len(common()); n < 3000 {
		t.Fatalf("%d words in the list", n)
	}
	for _, w := range common() {
		again := strings.Repeat(w, (minPassword+len(w)-1)/len(w))
		tries := []string{w, strings.ToUpper(again[:1]) + again[1:], strings.ToUpper(again)}
		if short := minPassword - len(w); short <= minPassword/2-1 {
			tries = append(tries, strings.ToUpper(w)+"!7x$9"[:max(short, 0)])
		}
		for _, p := range tries {
			if checkPassword(p, "ann@example.com") == nil {
				t.Errorf("%q is taken", p)
			}
		}
	}
	for _, p := range []string{"Password123456", "Dragon123456", "manchester26", "qwertyuiop[]"} {
		if err := checkPassword(p, "ann@example.com"); err == nil || !strings.Contains(err.Error(), "tried first") {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{"correct horse battery", "another long password", "lilac tram under 9 moons", "Vf8!kq2Lw0zR", "Fahrrad im Regen 7"} {
		if err := checkPassword(p, "ann@example.com"); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}
