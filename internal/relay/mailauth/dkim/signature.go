package dkim

import (
	"crypto"
	"encoding/hex"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// A Signature is a parsed DKIM-Signature or ARC-Message-Signature field
// (RFC 6376 §3.5, RFC 8617 §4.1.2).
type Signature struct {
	Algorithm string // a=, lower case
	Domain    string // d= as mail.FoldDomain gives it
	Selector  string // s=
	Identity  string // i= of DKIM, "" if none; the instance of ARC
	Headers   []string
	BodyHash  []byte
	Value     []byte
	Length    int64 // l=, -1 if none
	Time      int64 // t= in Unix seconds, 0 if none
	Expires   int64 // x=, 0 if none
	NoCanon   bool  // has no c=

	header, body Canon
	alg          algorithm
}

// algorithm is what a= names.
type algorithm struct {
	key, hashName string
	hash          crypto.Hash // of the body and of the header
}

var algorithms = map[string]algorithm{
	"rsa-sha256":     {"rsa", "sha256", crypto.SHA256},
	"rsa-sha1":       {"rsa", "sha1", crypto.SHA1}, // never passes (RFC 8301 §3.1)
	"ed25519-sha256": {"ed25519", "sha256", crypto.SHA256},
}

// ParseSignature reads the value of a DKIM-Signature. The error is a *Failure;
// the Signature then holds what could be read of d=, s= and a=.
func ParseSignature(value string) (*Signature, error) {
	tags, err := ParseTags(value)
	if err != nil {
		return &Signature{}, fail(mail.ResultNeutral, "%v", err)
	}
	sig, failure := FromTags(tags)
	switch {
	case tags["v"] != "1":
		return sig, fail(mail.ResultNeutral, "version %.10q", tags["v"])
	case failure != nil:
		return sig, failure
	case !has(sig.Headers, "from"):
		return sig, fail(mail.ResultPermError, "the From field is not signed")
	}
	if q := tags.List("q"); q != nil && !has(q, "dns/txt") {
		return sig, fail(mail.ResultNeutral, "query method %.20q", tags["q"])
	}
	if id, ok := tags["i"]; ok {
		sig.Identity = unquote(id)
		_, domain := mail.SplitAddress(sig.Identity)
		if domain, err := mail.FoldDomain(domain); err != nil || !within(domain, sig.Domain) {
			return sig, fail(mail.ResultPermError, "i= is outside d=")
		}
	}
	return sig, nil
}

// FromTags reads the tags that DKIM and ARC message signatures share. Errors are
// as ParseSignature's.
func FromTags(tags Tags) (*Signature, error) {
	sig, err := SealFromTags(tags)
	if err != nil {
		return sig, err
	}
	h, ok := tags["h"]
	if !ok || tags["bh"] == "" {
		return sig, fail(mail.ResultNeutral, "no h= or bh=")
	}
	if h != "" { // an ARC message signature may cover the body only
		sig.Headers = tags.List("h")
	}
	if sig.BodyHash, err = tags.Base64("bh"); err != nil {
		return sig, fail(mail.ResultNeutral, "bh= is not base64")
	}
	if sig.header, sig.body, ok = parseCanon(tags["c"]); !ok {
		return sig, fail(mail.ResultNeutral, "canonicalisation %.30q", tags["c"])
	}
	_, given := tags["c"]
	sig.NoCanon = !given
	return sig, sig.parseNumbers(tags)
}

// Relaxed is the signature as if it said c=relaxed/relaxed.
func (sig *Signature) Relaxed() *Signature {
	s := *sig
	s.header, s.body = Relaxed, Relaxed
	return &s
}

// SealFromTags reads the tags of an ARC seal, which are those of a signature that
// covers no body and names no fields. Errors are as ParseSignature's.
func SealFromTags(tags Tags) (*Signature, error) {
	sig := &Signature{Algorithm: strings.ToLower(tags["a"]), Selector: tags["s"], Length: -1}
	var err error
	if sig.Domain, err = mail.FoldDomain(tags["d"]); err != nil {
		return sig, fail(mail.ResultNeutral, "d= is no domain")
	}
	if sig.Selector, err = mail.FoldDomain(tags["s"]); err != nil {
		return sig, fail(mail.ResultNeutral, "s= is no selector")
	}
	var ok bool
	if sig.alg, ok = algorithms[sig.Algorithm]; !ok {
		return sig, fail(mail.ResultNeutral, "algorithm %.30q", tags["a"])
	}
	if tags["b"] == "" {
		return sig, fail(mail.ResultNeutral, "no b=")
	}
	if sig.Value, err = tags.Base64("b"); err != nil {
		return sig, fail(mail.ResultNeutral, "b= is not base64")
	}
	return sig, nil
}

func (sig *Signature) parseNumbers(tags Tags) error {
	for _, n := range []struct {
		tag string
		to  *int64
	}{{"l", &sig.Length}, {"t", &sig.Time}, {"x", &sig.Expires}} {
		text, ok := tags[n.tag]
		if !ok {
			continue
		}
		v, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return fail(mail.ResultNeutral, "%s= is no number", n.tag)
		}
		*n.to = int64(v)
	}
	if sig.Expires > 0 && sig.Expires <= sig.Time {
		return fail(mail.ResultNeutral, "x= is not after t=")
	}
	return nil
}

// parseCanon reads c=, "simple/simple" by default; one word is for the header
// (RFC 6376 §3.5).
func parseCanon(c string) (header, body Canon, ok bool) {
	if c == "" {
		return Simple, Simple, true
	}
	h, b, both := strings.Cut(strings.ToLower(c), "/")
	if !both {
		b = string(Simple)
	}
	header, body = Canon(h), Canon(b)
	return header, body, (header == Simple || header == Relaxed) && (body == Simple || body == Relaxed)
}

// unquote decodes "=2E" as i= has it for octets that a tag may not hold
// (RFC 6376 §2.11).
func unquote(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		if !strings.ContainsRune(fws, rune(s[i])) {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// within reports whether domain is parent or lies below it.
func within(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}
