package charset

import (
	"strings"
	"unicode/utf16"
)

// UTF7 decodes UTF-7 (RFC 2152). A sequence that is cut or holds a wrong digit ends
// there, as readers do it.
func UTF7(b []byte) string {
	var out strings.Builder
	out.Grow(len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c != '+':
			if c < 0x80 {
				out.WriteByte(c)
			} else {
				out.WriteRune('\uFFFD')
			}
		case i+1 < len(b) && b[i+1] == '-':
			out.WriteByte('+')
			i++
		default:
			i = shiftedUTF7(&out, b, i+1)
		}
	}
	return out.String()
}

// shiftedUTF7 decodes the base64 run at b[i:] and returns the index of its last octet.
func shiftedUTF7(out *strings.Builder, b []byte, i int) int {
	var acc uint32
	bits := 0
	var lead rune // high surrogate waiting for its low one
	for ; i < len(b); i++ {
		v := utf7Digit(b[i])
		if v < 0 {
			break
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits < 16 {
			continue
		}
		bits -= 16
		r := rune(acc >> bits & 0xFFFF)
		switch {
		case lead != 0:
			if d := utf16.DecodeRune(lead, r); d != '\uFFFD' {
				out.WriteRune(d)
			} else {
				out.WriteRune('\uFFFD')
			}
			lead = 0
		case utf16.IsSurrogate(r):
			lead = r
		default:
			out.WriteRune(r)
		}
	}
	if i < len(b) && b[i] == '-' {
		return i
	}
	return i - 1
}

func utf7Digit(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
