package transfer

import (
	"bytes"
	"encoding/base64"
)

const (
	skip = 0x80 + iota // neither alphabet nor white space
	white
	pad
)

// sextet gives the value of a base64 digit (RFC 2045 §6.8, table 1) or one of
// the marks above.
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = skip
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	for _, c := range []byte(" \t\r\n\v\f") {
		t[c] = white
	}
	t['='] = pad
	return t
}()

// Base64 decodes as RFC 2045 §6.8 says: octets outside the alphabet are ignored
// and the first padding ends the data. regular is false if another reader could
// see something else: foreign octets, data after padding, a cut last quantum.
func Base64(src []byte) (dst []byte, regular bool) {
	src = bytes.TrimRight(src, " \t\r\n")
	dst = make([]byte, base64.StdEncoding.DecodedLen(len(src)))
	n, err := base64.StdEncoding.Decode(dst, src)
	if err == nil {
		return dst[:n], true
	}
	d := decode64{dst: dst[:0]}
	return d.run(src), d.regular
}

// Base64Readings are the ways in which other readers decode irregular base64, as
// far as they differ from Base64 and from each other.
func Base64Readings(src []byte) [][]byte {
	strict, _ := Base64(src)
	out := [][]byte{strict}
	for _, d := range []decode64{
		{afterPad: flushAtPad},
		{afterPad: ignorePad},
		{afterPad: flushAtPad, atJunk: stopAtJunk},
		{afterPad: flushAtPad, atJunk: flushAtJunk},
		{afterPad: flushAtPad, perLine: true},
		{afterPad: flushAtPad, urlSafe: true},
	} {
		if d.urlSafe && !bytes.ContainsAny(src, "-_") {
			continue
		}
		out = addDistinct(out, d.run(src))
	}
	if clean, some := withoutOddLines(src); some {
		d := decode64{afterPad: flushAtPad}
		out = addDistinct(out, d.run(clean))
	}
	return out[1:]
}

// withoutOddLines leaves out the lines that hold anything but digits, padding and
// white space. some is false if there is none.
func withoutOddLines(src []byte) (clean []byte, some bool) {
	for rest := src; len(rest) > 0; {
		var line []byte
		line, rest = nextLine(rest)
		odd := false
		for _, c := range line {
			odd = odd || sextet[c] == skip
		}
		if odd {
			some = true
			continue
		}
		clean = append(append(clean, line...), '\n')
	}
	return clean, some
}

func addDistinct(have [][]byte, b []byte) [][]byte {
	if len(b) == 0 {
		return have
	}
	for _, h := range have {
		if bytes.Equal(h, b) {
			return have
		}
	}
	return append(have, b)
}

type padRule int

const (
	stopAtPad  padRule = iota // the data ends
	flushAtPad                // the quantum ends and the next one begins
	ignorePad                 // as any foreign octet
)

type junkRule int

const (
	skipJunk    junkRule = iota // an octet outside the alphabet is not there
	stopAtJunk                  // the data ends
	flushAtJunk                 // the quantum ends and the next one begins
)

type decode64 struct {
	dst      []byte
	afterPad padRule
	atJunk   junkRule
	perLine  bool // each line is decoded by itself
	urlSafe  bool // "-" and "_" are digits (RFC 4648 §5)
	regular  bool
	acc      uint32
	have     int // sextets in acc
}

func (d *decode64) run(src []byte) []byte {
	if d.dst == nil {
		d.dst = make([]byte, 0, len(src)/4*3+3)
	}
	d.regular = true
	for i, c := range src {
		v := sextet[c]
		if d.urlSafe && c == '-' {
			v = 62
		} else if d.urlSafe && c == '_' {
			v = 63
		}
		switch {
		case v < 64:
			d.acc = d.acc<<6 | uint32(v)
			if d.have++; d.have == 4 {
				d.dst = append(d.dst, byte(d.acc>>16), byte(d.acc>>8), byte(d.acc))
				d.acc, d.have = 0, 0
			}
		case v == white:
			if d.perLine && c == '\n' {
				d.flush()
			}
		case v == pad && d.afterPad == stopAtPad:
			if len(bytes.Trim(src[i:], "= \t\r\n")) > 0 || d.have < 2 {
				d.regular = false
			}
			d.flush()
			return d.dst
		case v == pad && d.afterPad == flushAtPad:
			d.flush()
		case v == pad:
			d.regular = false
		default:
			d.regular = false
			switch d.atJunk {
			case stopAtJunk:
				d.flush()
				return d.dst
			case flushAtJunk:
				d.flush()
			}
		}
	}
	if d.have != 0 {
		d.regular = false
	}
	d.flush()
	return d.dst
}

// flush writes what a padded quantum holds; one lone digit holds no octet.
func (d *decode64) flush() {
	switch d.have {
	case 2:
		d.dst = append(d.dst, byte(d.acc>>4))
	case 3:
		d.dst = append(d.dst, byte(d.acc>>10), byte(d.acc>>2))
	}
	d.acc, d.have = 0, 0
}
