package content

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
// also matches the beginning of a longer word; the others only whole words.
func newMatcher(phrases []string) *matcher {
	m := &matcher{width: 1}
	for _, p := range phrases {
		for i := range len(p) {
			if c := p[i]; c != '*' && m.class[c] == 0 {
				m.class[c] = uint8(m.width)
				m.width++
			}
		}
	}
	m.grow()
	for n, p := range phrases {
		m.add(uint16(n), p)
	}
	m.link()
	return m
}

func (m *matcher) grow() int {
	m.next = append(m.next, make([]uint16, m.width)...)
	m.out = append(m.out, nil)
	return len(m.out) - 1
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
			m.next[at] = uint16(m.grow()) // at most 65,535 states: 60 times what the rules need
		}
		state = int(m.next[at])
	}
	m.out[state] = append(m.out[state], n)
	m.length = append(m.length, uint16(len(phrase)))
	m.open = append(m.open, open)
}

// link fills in where to go on when a phrase breaks off.
func (m *matcher) link() {
	fail := make([]uint16, len(m.out))
	var queue []uint16
	for c := 1; c < m.width; c++ {
		if s := m.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		m.out[s] = append(m.out[s], m.out[fail[s]]...)
		for c := range m.width {
			at := int(s)*m.width + c
			back := m.next[int(fail[s])*m.width+c]
			if t := m.next[at]; t != 0 {
				fail[t] = back
				queue = append(queue, t)
			} else {
				m.next[at] = back
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
