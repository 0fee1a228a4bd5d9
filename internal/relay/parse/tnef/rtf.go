package tnef

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// initialDictionary is what the window of LZFu holds at the start (MS-OXRTFCP §2.1.2.1).
const initialDictionary = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` + "\r\n" + `\par \pard\plain\f0\fs20\b\i\u\tab\tx`

const (
	magicLZFu = 0x75465A4C
	magicMELA = 0x414C454D
)

// DecompressRTF undoes MS-OXRTFCP. ok is false if the data is cut or wrong; what
// could be read is returned all the same. It writes at most 17 octets for every
// two it reads.
func DecompressRTF(b []byte) (rtf []byte, ok bool) {
	if len(b) < 16 {
		return nil, false
	}
	rawSize := int64(binary.LittleEndian.Uint32(b[4:]))
	kind := binary.LittleEndian.Uint32(b[8:])
	b = b[16:]
	switch kind {
	case magicMELA:
		return b[:min(rawSize, int64(len(b)))], rawSize <= int64(len(b))
	case magicLZFu:
	default:
		return nil, false
	}
	var window [4096]byte
	write := copy(window[:], initialDictionary)
	out := make([]byte, 0, min(rawSize, int64(len(b))*9))
	put := func(c byte) {
		out = append(out, c)
		window[write] = c
		write = (write + 1) & 4095
	}
	for len(b) > 0 {
		control := b[0]
		b = b[1:]
		for bit := 0; bit < 8; bit++ {
			if control>>bit&1 == 0 {
				if len(b) == 0 {
					return out, int64(len(out)) == rawSize
				}
				put(b[0])
				b = b[1:]
				continue
			}
			if len(b) < 2 {
				return out, false
			}
			ref := int(binary.BigEndian.Uint16(b))
			b = b[2:]
			from, n := ref>>4, ref&15+2
			if from == write {
				return out, true
			}
			for i := range n {
				put(window[(from+i)&4095])
			}
		}
	}
	return out, int64(len(out)) == rawSize
}

const maxGroups = 256 // open groups that are told apart

// ReadRTF takes the text out of an RTF document. isHTML says that the RTF wraps
// HTML (MS-OXRTFEX) and text is that HTML.
func ReadRTF(rtf []byte) (text string, isHTML bool) {
	s := string(rtf)
	r := rtfReader{in: s, html: strings.Contains(s[:min(len(s), 4096)], `\fromhtml`)}
	r.groups = append(r.groups, group{})
	for r.pos < len(r.in) {
		r.step()
	}
	return r.out.String(), r.html
}

type group struct {
	skip    bool // a destination that holds no text
	rtfOnly bool // between \htmlrtf and \htmlrtf0
	tag     bool // inside \*\htmltag
	uc      int  // characters that stand for a \u
}

type rtfReader struct {
	in     string
	pos    int
	html   bool
	out    strings.Builder
	groups []group
	deep   int
	skipN  int // characters to leave out after \u
	star   bool
}

func (r *rtfReader) top() *group { return &r.groups[len(r.groups)-1] }

func (r *rtfReader) step() {
	c := r.in[r.pos]
	r.pos++
	switch c {
	case '{':
		r.star = false
		if len(r.groups) >= maxGroups {
			r.deep++
			return
		}
		g := *r.top()
		r.groups = append(r.groups, g)
	case '}':
		if r.deep > 0 {
			r.deep--
		} else if len(r.groups) > 1 {
			r.groups = r.groups[:len(r.groups)-1]
		}
	case '\\':
		r.control()
	case '\r', '\n', 0:
	default:
		r.char(rune(c))
	}
}

func (r *rtfReader) char(c rune) {
	if r.skipN > 0 {
		r.skipN--
		return
	}
	if g := r.top(); !g.skip && !g.rtfOnly {
		r.out.WriteRune(c)
	}
}

func (r *rtfReader) control() {
	if r.pos >= len(r.in) {
		return
	}
	start := r.pos
	for r.pos < len(r.in) && r.in[r.pos]|0x20 >= 'a' && r.in[r.pos]|0x20 <= 'z' && r.pos-start < 32 {
		r.pos++
	}
	if r.pos == start {
		c := r.in[r.pos]
		r.pos++
		switch c {
		case '\'':
			if r.pos+2 <= len(r.in) {
				if v, err := strconv.ParseUint(r.in[r.pos:r.pos+2], 16, 8); err == nil {
					r.char(rune(v))
				}
				r.pos += 2
			}
		case '*':
			r.star = true
		case '~':
			r.char(' ')
		case '\\', '{', '}':
			r.char(rune(c))
		}
		return
	}
	word := r.in[start:r.pos]
	num := r.pos
	for r.pos < len(r.in) && (r.in[r.pos] >= '0' && r.in[r.pos] <= '9' || r.in[r.pos] == '-' && r.pos == num) && r.pos-num < 12 {
		r.pos++
	}
	n, err := strconv.Atoi(r.in[num:r.pos])
	if r.pos < len(r.in) && r.in[r.pos] == ' ' {
		r.pos++
	}
	r.word(word, n, err == nil)
}

func (r *rtfReader) word(word string, n int, hasN bool) {
	g := r.top()
	switch word {
	case "htmltag", "mhtmltag":
		if r.html && word == "htmltag" {
			g.skip, g.rtfOnly, g.tag = false, false, true
		} else {
			g.skip = true
		}
		r.star = false
		return
	case "htmlrtf":
		g.rtfOnly = !(hasN && n == 0) && r.html
	case "par", "line", "row", "sect", "page":
		if !r.html || g.tag || !g.rtfOnly {
			r.char('\n')
		}
	case "tab", "cell":
		r.char('\t')
	case "uc":
		g.uc = max(0, min(n, 16))
	case "u":
		if n < 0 {
			n += 65536
		}
		r.char(rune(n))
		r.skipN = max(g.uc, 1)
	case "lquote", "rquote":
		r.char('\'')
	case "ldblquote", "rdblquote":
		r.char('"')
	case "emdash", "endash":
		r.char('-')
	case "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "themedata", "datastore", "listtable", "listoverridetable", "rsidtbl", "generator":
		g.skip = true
	default:
		if r.star {
			g.skip = true
		}
	}
	r.star = false
}
