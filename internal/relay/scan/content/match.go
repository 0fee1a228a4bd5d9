package content

import (
	"slices"
	"strings"
)

// matcher finds many phrases in one pass over a text (Aho and Corasick, 1975).
// It is a table of states by classes of octets, so that each octet of the text
// costs one look-up however many phrases there are.
type matcher struct {
	class  [256]uint8 // of an octet; 0 for those in no phrase
	width  int        // classes
	next   []uint16   // state*width + class
	out    [][]uint16 // phrases that end in a state
	length []uint16   // octets of each phrase
	open   []bool     // phrase may be followed by more letters
}

// newMatcher takes phrases as scan.Fold gives them. A phrase that ends in "*"
// also matches the beginning of a longer word; the others only whole words. Every
// judge worker makes one when it starts, so the table is laid out at once.
func newMatcher(phrases []string) *matcher {
	m := &matcher{width: 1, length: make([]uint16, 0, len(phrases)), open: make([]bool, 0, len(phrases))}
	for _, p := range phrases {
		for i := range len(p) {
			if c := p[i]; c != '*' && m.class[c] == 0 {
				m.class[c] = uint8(m.width)
				m.width++
			}
		}
	}
	states := countStates(phrases)
	m.next = make([]uint16, states*m.width)
	m.out = make([][]uint16, 1, states)
	for n, p := range phrases {
		m.add(uint16(n), p)
	}
	m.link()
	return m
}

// countStates is how many different beginnings the phrases have, the empty one
// among them.
func countStates(phrases []string) int {
	sorted := slices.Sorted(slices.Values(phrases))
	n, before := 1, ""
	for _, p := range sorted {
		p = strings.TrimSuffix(p, "*")
		common := 0
		for common < min(len(p), len(before)) && p[common] == before[common] {
			common++
		}
		n += len(p) - common
		before = p
	}
	return n
}

func (m *matcher) add(n uint16, phrase string) {
	open := phrase[len(phrase)-1] == '*'
	if open {
		phrase = phrase[:len(phrase)-1]
	}
	state := 0
	for i := range len(phrase) {
		at := state*m.width + int(m.class[phrase[i]])
		if m.next[at] == 0 {
			m.next[at] = uint16(len(m.out)) // at most 65,535 states: 60 times what the rules need
			m.out = append(m.out, nil)
		}
		state = int(m.next[at])
	}
	m.out[state] = append(m.out[state], n)
	m.length = append(m.length, uint16(len(phrase)))
	m.open = append(m.open, open)
}

// link fills in where to go on when a phrase breaks off: each state goes on as the
// longest of its endings that is a beginning too, unless it goes on itself.
func (m *matcher) link() {
	fail := make([]uint16, len(m.out))
	queue := make([]uint16, 0, len(m.out))
	for _, s := range m.next[:m.width] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	own := make([]uint16, m.width)
	for i := 0; i < len(queue); i++ {
		s, f := int(queue[i]), int(fail[queue[i]])
		if len(m.out[f]) > 0 {
			m.out[s] = append(m.out[s], m.out[f]...)
		}
		row, back := m.next[s*m.width:(s+1)*m.width], m.next[f*m.width:(f+1)*m.width]
		copy(own, row)
		copy(row, back)
		for c, t := range own {
			if t != 0 {
				fail[t], row[c] = back[c], t
				queue = append(queue, t)
			}
		}
	}
}

// find calls hit with each phrase found in text.
func (m *matcher) find(text string, hit func(phrase int)) {
	state := 0
	for i := range len(text) {
		state = int(m.next[state*m.width+int(m.class[text[i]])])
		for _, n := range m.out[state] {
			start := i + 1 - int(m.length[n])
			if start > 0 && word(text[start-1]) && word(text[start]) {
				continue
			}
			if !m.open[n] && i+1 < len(text) && word(text[i+1]) && word(text[i]) {
				continue
			}
			hit(int(n))
		}
	}
}

func word(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 }
