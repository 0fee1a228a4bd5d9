package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// DefaultHeaders are signed unless a Signer names its own: what a reader sees and
// what says how to read the body. From and Subject stand twice, so that a second
// one cannot be added (RFC 6376 §5.4.2, §8.15).
var DefaultHeaders = []string{
	"From", "From", "To", "Cc", "Subject", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
}

// A Signer makes relaxed/relaxed signatures for one domain.
type Signer struct {
	Domain   string
	Selector string
	Key      crypto.Signer // *rsa.PrivateKey of 1024 bits or more, or ed25519.PrivateKey
	Headers  []string      // names to sign, in this order; nil means DefaultHeaders
}

var errSigner = errors.New("cannot sign")

// DKIM returns the DKIM-Signature field for octets, folded and with its final
// CRLF, to be put on top of them. Line ends of octets must be CRLF.
func (s *Signer) DKIM(octets []byte, at time.Time) ([]byte, error) {
	return s.Field(NewMessage(octets), "DKIM-Signature", "v=1; ", "", at)
}

// Field returns a signature field of that name over m. first and instance are
// tags that DKIM and ARC do not share, each with its "; "; the others stand in
// alphabetical order between them.
func (s *Signer) Field(m *Message, name, first, instance string, at time.Time) ([]byte, error) {
	alg, err := s.Algorithm()
	if err != nil {
		return nil, err
	}
	names := s.Headers
	if names == nil {
		names = DefaultHeaders
	}
	sig := &Signature{Headers: names, header: Relaxed, alg: algorithms[alg]}
	sum := m.bodyHash(bodyKind{Relaxed, crypto.SHA256, -1}).sum
	head := fmt.Sprintf("%s: %sa=%s; b=", name, first, alg)
	tail := fmt.Sprintf("; bh=%s; c=relaxed/relaxed; d=%s; h=%s; %ss=%s; t=%d", base64.StdEncoding.EncodeToString(sum),
		s.Domain, strings.ToLower(strings.Join(names, ":")), instance, s.Selector, at.Unix())

	return s.Complete(head, tail, m.signedHeader(sig, -1, []byte(head+tail)))
}

// Algorithm is the a= tag for the signer's key.
func (s *Signer) Algorithm() (string, error) {
	switch key := s.Key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < minRSABits {
			return "", fmt.Errorf("%w: RSA key of %d bits", errSigner, key.N.BitLen())
		}
		return "rsa-sha256", nil
	case ed25519.PrivateKey:
		return "ed25519-sha256", nil
	}
	return "", fmt.Errorf("%w: key of type %T", errSigner, s.Key)
}

// Complete signs input and returns the field head + b= + tail, folded, with its
// final CRLF. Folding changes nothing for relaxed canonicalisation.
func (s *Signer) Complete(head, tail string, input []byte) ([]byte, error) {
	digest := algorithms["rsa-sha256"].digest(input)
	var opts crypto.SignerOpts = crypto.SHA256
	if _, ok := s.Key.(ed25519.PrivateKey); ok {
		opts = crypto.Hash(0) // the digest is the message (RFC 8463 §3)
	}
	value, err := s.Key.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", s.Domain, err)
	}
	return foldField(head, base64.StdEncoding.EncodeToString(value), tail), nil
}

const (
	foldAt   = 72  // octets of a line, without the blank that begins it
	maxValue = 900 // octets of b= on one line, under the 998 of RFC 5322 §2.1.1
)

// foldField breaks lines between tags. b= gets a line of its own and stays in one
// piece, as Exchange does it, because an ARC seal covers the blanks that a fold
// inside it would leave.
func foldField(head, value, tail string) []byte {
	f := folder{}
	for _, tag := range strings.SplitAfter(strings.TrimSuffix(head, "b="), "; ") {
		f.tag(tag)
	}
	f.fold()
	f.add("b=")
	for len(value) > maxValue {
		f.add(value[:maxValue])
		f.fold()
		value = value[maxValue:]
	}
	f.add(value)
	for _, tag := range strings.SplitAfter(tail, "; ") {
		f.tag(tag)
	}
	f.WriteString("\r\n")
	return []byte(f.String())
}

// folder writes a field line by line.
type folder struct {
	strings.Builder
	column int
}

func (f *folder) add(s string) {
	f.WriteString(s)
	f.column += len(s)
}

func (f *folder) fold() {
	f.WriteString("\r\n ")
	f.column = 0
}

// tag writes one tag with its "; ", on a new line if this one is full.
func (f *folder) tag(tag string) {
	if f.column > 0 && f.column+len(tag) > foldAt && tag != "; " {
		f.fold()
	}
	f.add(tag)
}
