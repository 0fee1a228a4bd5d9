package dkim

import (
	"bytes"
	"context"
	"sync"
	"time"

	"postern/internal/mail"
)

const (
	maxSignatures = 10            // of one message; each costs a look-up and a verification (RFC 6376 §8.4)
	clockSkew     = 1 * time.Hour // how far in the future t= may lie
)

// Verifier checks the signatures of messages. LookupTXT is required, its errors
// are *net.DNSError; it is called from several goroutines.
type Verifier struct {
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	Max       int // signatures looked at; 0 means 10
}

// Verify returns one result for each DKIM-Signature field from the top down, up
// to the limit. at is when the message arrived, against which t= and x= count
// (RFC 6376 §3.5).
func (v *Verifier) Verify(ctx context.Context, m *Message, at time.Time) []mail.DKIM {
	limit := v.Max
	if limit <= 0 {
		limit = maxSignatures
	}
	fields := m.fields["dkim-signature"]
	fields = fields[:min(len(fields), limit)]
	checks := make([]check, len(fields))
	for i, field := range fields {
		checks[i] = parseCheck(m, field, at)
	}
	v.fetchKeys(ctx, checks)
	results := make([]mail.DKIM, len(checks))
	for i := range checks {
		results[i] = checks[i].result(m)
	}
	if m.Bare {
		verifyNormalised(m, checks, results)
	}
	return results
}

// check is one signature on its way.
type check struct {
	field int // index in the header
	sig   *Signature
	keys  []*Key
	err   error // a *Failure, once it is known not to verify
}

func parseCheck(m *Message, field int, at time.Time) check {
	c := check{field: field}
	c.sig, c.err = ParseSignature(m.Header[field].Value())
	if c.err == nil {
		c.err = c.sig.inTime(at)
	}
	return c
}

func (sig *Signature) inTime(at time.Time) error {
	if sig.Expires > 0 && at.Unix() > sig.Expires {
		return fail(mail.ResultFail, "the signature expired")
	}
	if sig.Time > at.Add(clockSkew).Unix() {
		return fail(mail.ResultFail, "the signature is from the future")
	}
	return nil
}

// fetchKeys looks up each key once, all at the same time.
func (v *Verifier) fetchKeys(ctx context.Context, checks []check) {
	type answer struct {
		keys []*Key
		err  error
	}
	answers := map[string]*answer{}
	var wg sync.WaitGroup
	for i := range checks {
		c := &checks[i]
		name := c.sig.Selector + "._domainkey." + c.sig.Domain
		if c.err != nil || answers[name] != nil {
			continue
		}
		a := new(answer)
		answers[name] = a
		wg.Go(func() { a.keys, a.err = Keys(ctx, v.LookupTXT, c.sig.Selector, c.sig.Domain) })
	}
	wg.Wait()
	for i := range checks {
		c := &checks[i]
		if c.err == nil {
			a := answers[c.sig.Selector+"._domainkey."+c.sig.Domain]
			c.keys, c.err = a.keys, a.err
		}
	}
}

func (c *check) result(m *Message) mail.DKIM {
	out := mail.DKIM{Result: mail.ResultPass, Domain: c.sig.Domain, Selector: c.sig.Selector, Algorithm: c.sig.Algorithm}
	for _, k := range c.keys {
		out.Testing = out.Testing || k.Testing
	}
	err := c.err
	if err == nil {
		err = m.Verify(c.sig, c.field, c.keys)
	}
	if f, ok := err.(*Failure); ok {
		out.Result, out.Reason = f.Result, f.Reason
	}
	return out
}

// Verify checks the octets against one signature, which stands in the given field
// of the header. nil means that it is genuine and follows the rules; else the
// error is a *Failure, ResultPolicy where it is genuine but may not count.
func (m *Message) Verify(sig *Signature, field int, keys []*Key) error {
	body := m.bodyHash(bodyKind{sig.body, sig.alg.hash, sig.Length})
	if sig.Length > body.size {
		return fail(mail.ResultPermError, "l= is longer than the body")
	}
	if !bytes.Equal(body.sum, sig.BodyHash) {
		return fail(mail.ResultFail, "the body was changed")
	}
	key, err := sig.match(m.signedHeader(sig, field, m.Header[field].Raw), keys)
	if err != nil {
		return err
	}
	return m.rules(sig, key, body.size)
}

// VerifyOctets checks a seal over octets that are already canonical. Errors are
// as Message.Verify's.
func (sig *Signature) VerifyOctets(octets []byte, keys []*Key) error {
	key, err := sig.match(octets, keys)
	if err != nil {
		return err
	}
	return sig.strength(key)
}

// match finds the key that made the signature. The error is a *Failure.
func (sig *Signature) match(octets []byte, keys []*Key) (*Key, error) {
	digest := sig.alg.digest(octets)
	var last error = fail(mail.ResultPermError, "the key is not for %s", sig.Algorithm)
	for _, key := range keys {
		if !key.fits(sig.alg) {
			continue
		}
		if key.Strict && !sig.exact() {
			last = fail(mail.ResultPermError, "the key allows no subdomain in i=")
			continue
		}
		if key.Verify(sig.alg.hash, digest, sig.Value) {
			return key, nil
		}
		last = fail(mail.ResultFail, "the signature does not match")
	}
	return nil, last
}

// exact reports whether i= lies in d= itself.
func (sig *Signature) exact() bool {
	return sig.Identity == "" || mail.DomainOf(sig.Identity) == sig.Domain
}

// rules are what a genuine signature must fulfil to count.
func (m *Message) rules(sig *Signature, key *Key, size int64) error {
	if err := sig.strength(key); err != nil {
		return err
	}
	if sig.Length >= 0 && sig.Length < size {
		return fail(mail.ResultPolicy, "%d octets at the end of the body are not signed", size-sig.Length)
	}
	if m.Count("from") > 1 {
		return fail(mail.ResultPolicy, "there is more than one From field")
	}
	return nil
}

func (sig *Signature) strength(key *Key) error {
	if sig.Algorithm == "rsa-sha1" {
		return fail(mail.ResultPolicy, "signed with rsa-sha1, which proves nothing any more (RFC 8301)")
	}
	if key.Weak() {
		return fail(mail.ResultPolicy, "the key has only %d bits (RFC 8301)", key.rsa.N.BitLen())
	}
	return nil
}

// verifyNormalised tries again, with CRLF for every bare LF, what did not match
// as it stood: some signers see the one form and some the other.
func verifyNormalised(m *Message, checks []check, results []mail.DKIM) {
	var normal *Message
	for i := range checks {
		c := &checks[i]
		if c.err != nil || results[i].Result != mail.ResultFail && results[i].Result != mail.ResultPermError {
			continue
		}
		if normal == nil {
			normal = m.Normalised()
		}
		again := c.result(normal)
		if again.Result == mail.ResultPass || again.Result == mail.ResultPolicy {
			if again.Reason == "" {
				again.Reason = "matches with bare LF taken as CRLF"
			}
			results[i] = again
		}
	}
}
