package dkim

import (
	"bytes"
	"encoding/binary"
	"hash"
	"math"
)

// Canon is a canonicalisation algorithm (RFC 6376 §3.4).
type Canon string

const (
	Simple  Canon = "simple"
	Relaxed Canon = "relaxed"
)

// hashBody writes the canonical form of body to h, at most limit octets of it if
// limit is not negative. It returns how many octets the whole canonical form has
// (RFC 6376 §3.4.3, §3.4.4).
func hashBody(h hash.Hash, canon Canon, body []byte, limit int64) (size int64) {
	if limit < 0 {
		limit = math.MaxInt64
	}
	s := sink{hash: h, left: limit}
	if canon == Relaxed {
		s.relaxed(body)
	} else {
		s.simple(body)
	}
	s.flush()
	return s.size
}

// directWrite is the length from which octets are hashed where they lie instead
// of being gathered first: below it a call to the hash costs more than a copy.
const directWrite = 512

// sink gathers small pieces for a hash and counts what it was given.
type sink struct {
	hash hash.Hash
	left int64 // octets that still go into the hash
	size int64 // octets seen
	n    int   // octets in buf
	buf  [4096]byte
}

func (s *sink) write(p []byte) {
	s.size += int64(len(p))
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	s.left -= int64(len(p))
	if len(p) >= directWrite {
		s.flush()
		s.hash.Write(p)
		return
	}
	if s.n+len(p) > len(s.buf) {
		s.flush()
	}
	s.n += copy(s.buf[s.n:], p)
}

func (s *sink) flush() {
	s.hash.Write(s.buf[:s.n])
	s.n = 0
}

var (
	crlf  = []byte("\r\n")
	blank = []byte(" ")
)

// simple ends the body with exactly one CRLF, also an empty body (RFC 6376 §3.4.3).
func (s *sink) simple(body []byte) {
	for bytes.HasSuffix(body, crlf) {
		body = body[:len(body)-2]
	}
	s.write(body)
	s.write(crlf)
}

// relaxed makes one blank of each run of white space, drops it at line ends, and
// drops empty lines at the end; an empty body stays empty (RFC 6376 §3.4.4).
func (s *sink) relaxed(body []byte) {
	body = trimTail(body)
	if len(body) == 0 {
		return
	}
	for len(body) > 0 {
		i := irregular(body)
		if i < 0 {
			s.write(body)
			break
		}
		s.write(body[:i])
		for i < len(body) && isWSP(body[i]) {
			i++
		}
		body = body[i:]
		if !bytes.HasPrefix(body, crlf) {
			s.write(blank)
		}
	}
	s.write(crlf)
}

// trimTail cuts white space and empty lines off the end, line ends included.
func trimTail(body []byte) []byte {
	for {
		n := len(body)
		switch {
		case n > 0 && isWSP(body[n-1]):
			body = body[:n-1]
		case bytes.HasSuffix(body, crlf):
			body = body[:n-2]
		default:
			return body
		}
	}
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// irregular finds the first run of white space that relaxed canonicalisation may
// change: a tab, or a blank before white space or CR. It returns where the run
// starts, or -1. Eight octets are looked at together; the bit tricks may point at
// too much, never at too little, and irregularIn has the last word.
func irregular(b []byte) int {
	i := 0
	for ; i+9 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		next := binary.LittleEndian.Uint64(b[i+1:])
		z := x ^ ' '*ones
		space := (z - ones) &^ z               // octets that are a blank
		after := (next - ('!' * ones)) &^ next // octets before white space or a control
		tab := (x - ('\t'+1)*ones) &^ x        // octets that are a tab or less
		if (space&after|tab)&highs == 0 {
			continue
		}
		if j := irregularIn(b, i, i+8); j >= 0 {
			return j
		}
	}
	return irregularIn(b, i, len(b))
}

func irregularIn(b []byte, from, to int) int {
	for i := from; i < to; i++ {
		if b[i] == '\t' {
			if i > 0 && b[i-1] == ' ' {
				return i - 1
			}
			return i
		}
		if b[i] == ' ' && i+1 < len(b) && (b[i+1] == ' ' || b[i+1] == '\r') {
			return i
		}
	}
	return -1
}
