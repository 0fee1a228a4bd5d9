package transfer

import (
	"bytes"
	"strings"
)

// A File is what stood in an encoding that carries a name of its own.
type File struct {
	Name string
	Data []byte
}

// nextLine cuts the first line off b, whatever ends it: CRLF, LF or CR.
func nextLine(b []byte) (line, rest []byte) {
	for i, c := range b {
		switch {
		case c == '\n':
			return b[:i], b[i+1:]
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n':
			return b[:i], b[i+2:]
		case c == '\r':
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// UU decodes the uuencoded file whose "begin" line b starts with; rest is what
// follows it. ok is false if b starts with no such line. A missing "end" ends the
// file at the first line that cannot be data. The base64 form ("begin-base64",
// POSIX uuencode) is taken too.
func UU(b []byte) (f File, rest []byte, ok bool) {
	first, rest := nextLine(b)
	words := strings.Fields(string(first[:min(len(first), 1024)]))
	if len(words) < 3 || !isMode(words[1]) {
		return File{}, b, false
	}
	f.Name = strings.Join(words[2:], " ")
	switch strings.ToLower(words[0]) {
	case "begin-base64":
		end := bytes.Index(rest, []byte("===="))
		if end < 0 {
			end = len(rest)
		}
		f.Data, _ = Base64(rest[:end])
		return f, rest[end:], len(f.Data) > 0
	case "begin":
	default:
		return File{}, b, false
	}
	lines := 0
	for len(rest) > 0 {
		line, next := nextLine(rest)
		if s := bytes.TrimRight(line, " \t"); bytes.EqualFold(s, []byte("end")) {
			rest = next
			break
		}
		if !uuLine(&f.Data, line) {
			break
		}
		rest = next
		lines++
	}
	return f, rest, lines > 0 && len(f.Data) > 0
}

func isMode(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '7' {
			return false
		}
	}
	return len(s) >= 3 && len(s) <= 6
}

// uuLine appends what one line holds; false if it is no line of data. Trailing
// blanks that transport took away count as zeros.
func uuLine(dst *[]byte, line []byte) bool {
	if len(bytes.TrimSpace(line)) == 0 {
		return true
	}
	n := int(line[0]-' ') & 0x3f
	if line[0] < ' ' || line[0] > '`' {
		return false
	}
	body := line[1:]
	if need := (n + 2) / 3 * 4; len(body) > need+2 {
		return false
	}
	at := func(i int) byte {
		if i < len(body) {
			return (body[i] - ' ') & 0x3f
		}
		return 0
	}
	for i := 0; n > 0; i += 4 {
		a, b, c, d := at(i), at(i+1), at(i+2), at(i+3)
		three := [3]byte{a<<2 | b>>4, b<<4 | c>>2, c<<6 | d}
		k := min(n, 3)
		*dst = append(*dst, three[:k]...)
		n -= k
	}
	return true
}

// YEnc decodes the yEnc block whose "=ybegin" line b starts with; rest is what
// follows it.
func YEnc(b []byte) (f File, rest []byte, ok bool) {
	first, rest := nextLine(b)
	if !bytes.HasPrefix(first, []byte("=ybegin ")) {
		return File{}, b, false
	}
	if _, name, found := strings.Cut(string(first), " name="); found {
		f.Name = strings.TrimSpace(name)
	}
	escaped := false
	for len(rest) > 0 {
		line, next := nextLine(rest)
		if bytes.HasPrefix(line, []byte("=yend")) {
			rest = next
			break
		}
		rest = next
		if bytes.HasPrefix(line, []byte("=ypart")) {
			continue
		}
		for _, c := range line {
			switch {
			case escaped:
				f.Data = append(f.Data, c-64-42)
				escaped = false
			case c == '=':
				escaped = true
			default:
				f.Data = append(f.Data, c-42)
			}
		}
	}
	return f, rest, len(f.Data) > 0
}

// binhexDigits is the alphabet of BinHex 4.0 (RFC 1741 appendix A).
const binhexDigits = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"

var binhexValue = func() (t [256]byte) {
	for i := range t {
		t[i] = skip
	}
	for i, c := range []byte(binhexDigits) {
		t[c] = byte(i)
	}
	return t
}()

// maxBinHex bounds what run-length coding can blow up: octets out for one in.
const maxBinHex = 64

// BinHex decodes the data fork of the BinHex 4.0 file in b, which starts with the
// line "(This file must be converted with BinHex" (RFC 1741 appendix A). Check
// sums are not looked at.
func BinHex(b []byte) (f File, ok bool) {
	_, rest, found := bytes.Cut(b, []byte(":"))
	if !found {
		return File{}, false
	}
	var flat []byte
	var acc uint32
	bits := 0
	run := false
	for _, c := range rest {
		if c == ':' || len(flat) > maxBinHex*len(b) {
			break
		}
		v := binhexValue[c]
		if v == skip {
			continue
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits < 8 {
			continue
		}
		bits -= 8
		o := byte(acc >> bits)
		switch {
		case run:
			run = false
			if o == 0 {
				flat = append(flat, 0x90)
			} else if len(flat) > 0 {
				flat = append(flat, bytes.Repeat(flat[len(flat)-1:], int(o)-1)...)
			}
		case o == 0x90:
			run = true
		default:
			flat = append(flat, o)
		}
	}
	if len(flat) < 1 || len(flat) < int(flat[0])+22 {
		return File{}, false
	}
	n := int(flat[0])
	f.Name = string(flat[1 : 1+n])
	h := flat[1+n+1+4+4+2:]
	if len(h) < 10 {
		return File{}, false
	}
	size := int(h[0])<<24 | int(h[1])<<16 | int(h[2])<<8 | int(h[3])
	data := h[10:]
	f.Data = data[:max(0, min(size, len(data)))]
	return f, len(f.Data) > 0
}
