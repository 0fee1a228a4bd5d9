package transfer

import "bytes"

// QuotedPrintable decodes as RFC 2045 §6.7 says; an "=" that begins no escape
// stays as it is. regular is false if another reader could see something else.
func QuotedPrintable(src []byte) (dst []byte, regular bool) {
	d := decodeQP{dst: make([]byte, 0, len(src))}
	d.run(src)
	return d.dst, !d.odd && bytes.IndexByte(src, 0) < 0
}

// QuotedPrintableReadings are the ways in which other readers decode irregular
// quoted-printable, as far as they differ from QuotedPrintable and each other.
func QuotedPrintableReadings(src []byte) [][]byte {
	strict, _ := QuotedPrintable(src)
	out := [][]byte{strict}
	src = bytes.ReplaceAll(src, []byte{0}, nil)
	for _, illegal := range []illegalRule{dropTwo, dropHex, dropSign, keep} {
		for _, trim := range []bool{true, false} {
			d := decodeQP{illegal: illegal, trimLines: trim}
			d.run(src)
			out = addDistinct(out, d.dst)
		}
	}
	return out[1:]
}

type illegalRule int

const (
	keep     illegalRule = iota // "=x" stays
	dropTwo                     // "=" and up to two octets go
	dropHex                     // "=" and the hexadecimal digits after it go
	dropSign                    // "=" alone goes
)

type decodeQP struct {
	dst       []byte
	illegal   illegalRule
	trimLines bool // white space before and stray CR around lines do not count
	odd       bool
}

func (d *decodeQP) run(src []byte) {
	for len(src) > 0 {
		line, end := src, []byte(nil)
		if i := bytes.IndexByte(src, '\n'); i >= 0 {
			line, end, src = src[:i], src[i:i+1], src[i+1:]
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line, end = line[:n-1], []byte("\r\n")
			}
		} else {
			src = nil
		}
		line = d.trim(line)
		soft := len(line) > 0 && line[len(line)-1] == '='
		if soft {
			line = line[:len(line)-1]
		}
		d.line(line)
		if !soft {
			d.dst = append(d.dst, end...)
		}
	}
}

func (d *decodeQP) trim(line []byte) []byte {
	if bytes.IndexByte(line, '\r') >= 0 || len(line) > 0 && (line[0] == '\t' || line[0] == ' ') && bytes.IndexByte(line, '=') >= 0 {
		d.odd = true
	}
	if d.trimLines {
		return bytes.Trim(line, " \t\r\v\f\x00")
	}
	return bytes.TrimRight(line, " \t")
}

func (d *decodeQP) line(line []byte) {
	for {
		i := bytes.IndexByte(line, '=')
		if i < 0 {
			d.dst = append(d.dst, line...)
			return
		}
		d.dst = append(d.dst, line[:i]...)
		line = line[i+1:]
		if len(line) >= 2 {
			hi, ok1 := unhex(line[0])
			lo, ok2 := unhex(line[1])
			if ok1 && ok2 {
				d.dst = append(d.dst, hi<<4|lo)
				line = line[2:]
				continue
			}
		}
		d.odd = true
		line = d.skipIllegal(line)
	}
}

func (d *decodeQP) skipIllegal(rest []byte) []byte {
	n := 0
	switch d.illegal {
	case keep:
		d.dst = append(d.dst, '=')
	case dropTwo:
		for n < len(rest) && n < 2 && rest[n] != '=' {
			n++
		}
	case dropHex:
		for n < len(rest) && n < 2 {
			if _, ok := unhex(rest[n]); !ok {
				break
			}
			n++
		}
	}
	return rest[n:]
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
