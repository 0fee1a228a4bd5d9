package dkim

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // for rsa-sha1, which is verified to be reported but never passes
	_ "crypto/sha256"
	"strings"
	"sync"

	"postern/internal/mail"
)

// A Message is a message prepared for its signatures. It may be verified from
// several goroutines.
type Message struct {
	Header mail.Header
	Body   []byte
	Bare   bool // has line ends that are not CRLF

	octets []byte
	fields map[string][]int // by name in lower case, top to bottom
	mu     sync.Mutex
	hashes map[bodyKind]bodyHash
}

type bodyKind struct {
	canon  Canon
	hash   crypto.Hash
	length int64
}

type bodyHash struct {
	sum  []byte
	size int64 // of the whole canonical body
}

// NewMessage splits octets, which it keeps and does not change.
func NewMessage(octets []byte) *Message {
	m := &Message{octets: octets, hashes: map[bodyKind]bodyHash{}}
	var body int
	m.Header, body = mail.SplitHeader(octets)
	m.Body = octets[body:]
	m.fields = make(map[string][]int, len(m.Header))
	for i, f := range m.Header {
		name := strings.ToLower(f.Name)
		m.fields[name] = append(m.fields[name], i)
	}
	m.Bare = hasBare(octets)
	return m
}

// hasBare looks for LF without CR before it.
func hasBare(b []byte) bool {
	return bytes.Count(b, []byte{'\n'}) != bytes.Count(b, crlf)
}

// Normalised is the message with every bare LF made CRLF, as many signers see it
// before they sign.
func (m *Message) Normalised() *Message {
	out := make([]byte, 0, len(m.octets)+len(m.octets)/32+64)
	rest := m.octets
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return NewMessage(append(out, rest...))
		}
		out = append(out, rest[:i]...)
		if i == 0 || rest[i-1] != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		rest = rest[i+1:]
	}
}

// Count is how many fields the header has of that name, given in lower case.
func (m *Message) Count(name string) int { return len(m.fields[name]) }

// bodyHash is computed once for each kind, however many signatures share it.
func (m *Message) bodyHash(kind bodyKind) bodyHash {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sum, ok := m.hashes[kind]; ok {
		return sum
	}
	h := kind.hash.New()
	size := hashBody(h, kind.canon, m.Body, kind.length)
	sum := bodyHash{h.Sum(nil), size}
	m.hashes[kind] = sum
	return sum
}

// signedHeader is the canonical input of the signature in field self: the fields
// named by h=, each name taken from the bottom up, then the signature's own field
// (RFC 6376 §5.4.2, §3.7). self is -1, and own that field, while it is being made.
func (m *Message) signedHeader(sig *Signature, self int, own []byte) []byte {
	buf := make([]byte, 0, 4096)
	taken := make(map[string]int, len(sig.Headers))
	for _, name := range sig.Headers {
		name = strings.ToLower(name)
		at := m.fields[name]
		n := len(at) - 1 - taken[name]
		if n >= 0 && at[n] == self { // a signature never covers itself
			taken[name]++
			n--
		}
		if n < 0 {
			continue
		}
		taken[name]++
		buf = AppendField(buf, sig.header, m.Header[at[n]].Raw)
	}
	return AppendUnsigned(buf, sig.header, own)
}

// Digest is the hash of octets under the signature's algorithm.
func (a algorithm) digest(octets []byte) []byte {
	h := a.hash.New()
	h.Write(octets)
	return h.Sum(nil)
}
