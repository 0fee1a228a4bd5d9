package lookalike

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// looks maps a character to the ASCII that it looks like.
var looks = sync.OnceValue(func() map[rune]string {
	m := make(map[rune]string, 1000)
	for line := range strings.Lines(confusables) {
		to, from, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		for _, r := range from {
			m[r] = to
		}
	}
	return m
})

// pairs are letters that together look like another one, and digits that look
// like letters.
var pairs = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d", "0", "o", "1", "l", "i", "l", "5", "s", "j", "l")

// skeleton is what a label looks like (UTS #39 §4, for labels of domain names,
// which are in lower case). Two labels with the same skeleton are hard to tell
// apart.
func skeleton(label string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(unicodeLabel(label)) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		if to, ok := looks()[r]; ok {
			b.WriteString(to)
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return pairs.Replace(b.String())
}

// unicodeLabel is label with an A-label decoded.
func unicodeLabel(label string) string {
	if !strings.HasPrefix(label, "xn--") {
		return label
	}
	u, err := idna.Punycode.ToUnicode(label)
	if err != nil {
		return label
	}
	return u
}

// mixed reports whether a label mixes Latin letters with those of a script that
// has look-alikes of them, as no honest name does.
func mixed(label string) bool {
	latin, other := false, false
	for _, r := range unicodeLabel(label) {
		switch {
		case r < 0x80 && unicode.IsLetter(r) || unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic):
			other = true
		}
	}
	return latin && other
}

// distance is the number of letters added, left out, changed or swapped with
// their neighbour between a and b (optimal string alignment), or more than most
// if it is more.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	var rows [3][64]int
	if len(b) >= len(rows[0]) {
		return most + 1
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, up, up2 := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		best := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(up[j]+1, row[j-1]+1, up[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, up2[j-2]+1)
			}
			row[j] = d
			best = min(best, d)
		}
		if best > most {
			return most + 1
		}
	}
	return rows[len(a)%3][len(b)]
}
