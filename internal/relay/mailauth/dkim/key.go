package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"

	"postern/internal/mail"
)

const (
	minRSABits = 1024     // less proves nothing (RFC 8301 §3.2)
	maxRSABits = 8192     // more only costs us time
	maxRecord  = 16 << 10 // octets of one key record
	maxRecords = 8        // key records tried under one name
)

// A Key is one published public key (RFC 6376 §3.6.1, RFC 8463 §4).
type Key struct {
	Type    string   // "rsa" or "ed25519"
	Hashes  []string // h=; nil means all
	Testing bool     // t=y
	Strict  bool     // t=s: i= must be in d= itself, not below it
	rsa     *rsa.PublicKey
	ed25519 ed25519.PublicKey
}

var (
	errRevoked = errors.New("the key was revoked")
	errKey     = errors.New("malformed key record")
)

// ParseKey reads the text of one TXT record. The error says why it is no usable
// key.
func ParseKey(record string) (*Key, error) {
	if len(record) > maxRecord {
		return nil, fmt.Errorf("%w: %d octets", errKey, len(record))
	}
	tags, err := parseTags(record, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	if v, ok := tags["v"]; ok && v != "DKIM1" {
		return nil, fmt.Errorf("%w: version %.20q", errKey, v)
	}
	if p, ok := tags["p"]; !ok {
		return nil, fmt.Errorf("%w: no p=", errKey)
	} else if p == "" {
		return nil, errRevoked
	}
	if s := tags.List("s"); s != nil && !has(s, "*") && !has(s, "email") {
		return nil, fmt.Errorf("%w: not for e-mail", errKey)
	}
	flags := tags.List("t")
	key := &Key{Type: "rsa", Hashes: tags.List("h"), Testing: has(flags, "y"), Strict: has(flags, "s")}
	if k, ok := tags["k"]; ok {
		key.Type = k
	}
	der, err := tags.Base64("p")
	if err != nil {
		return nil, fmt.Errorf("%w: p= is not base64", errKey)
	}
	return key, key.parsePublic(der)
}

func (k *Key) parsePublic(der []byte) error {
	switch k.Type {
	case "ed25519":
		if len(der) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: ed25519 key of %d octets", errKey, len(der))
		}
		k.ed25519 = der
		return nil
	case "rsa":
		if pub, err := x509.ParsePKIXPublicKey(der); err == nil {
			k.rsa, _ = pub.(*rsa.PublicKey)
		} else {
			k.rsa, _ = x509.ParsePKCS1PublicKey(der) // RFC 6376 §3.6.1 can be read this way
		}
		if k.rsa == nil || k.rsa.N.Sign() <= 0 || k.rsa.E < 2 {
			return fmt.Errorf("%w: p= is no RSA key", errKey)
		}
		if k.rsa.N.BitLen() > maxRSABits {
			return fmt.Errorf("%w: RSA key of %d bits", errKey, k.rsa.N.BitLen())
		}
		return nil
	}
	return fmt.Errorf("%w: key type %.20q", errKey, k.Type)
}

// Weak reports whether the key is too short to prove anything (RFC 8301 §3.2).
func (k *Key) Weak() bool { return k.rsa != nil && k.rsa.N.BitLen() < minRSABits }

// Verify reports whether sig signs digest, which was made with hash.
func (k *Key) Verify(hash crypto.Hash, digest, sig []byte) bool {
	if k.ed25519 != nil {
		return ed25519.Verify(k.ed25519, digest, sig)
	}
	if k.Weak() {
		return verifyWeak(k.rsa, hash, digest, sig)
	}
	return rsa.VerifyPKCS1v15(k.rsa, hash, digest, sig) == nil
}

// fits reports whether the key may be used for a signature's algorithm.
func (k *Key) fits(a algorithm) bool {
	return k.Type == a.key && (k.Hashes == nil || has(k.Hashes, a.hashName))
}

// A Failure is why something could not be verified, in the words of RFC 8601.
type Failure struct {
	Result mail.Result
	Reason string
}

func (f *Failure) Error() string { return f.Reason }

func fail(r mail.Result, format string, args ...any) *Failure {
	return &Failure{r, fmt.Sprintf(format, args...)}
}

// Keys looks up the keys of a selector. A name should have one record; of several
// (undefined by RFC 6376 §3.6.2.2) all that are well formed are returned. The
// error is a *Failure: temperror if DNS did not answer, else permerror.
func Keys(ctx context.Context, lookup func(context.Context, string) ([]string, error), selector, domain string) ([]*Key, error) {
	records, err := lookup(ctx, selector+"._domainkey."+domain)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return nil, fail(mail.ResultPermError, "no key in DNS")
		}
		return nil, fail(mail.ResultTempError, "the key could not be looked up")
	}
	var keys []*Key
	why := errors.New("no key in DNS")
	for _, record := range records[:min(len(records), maxRecords)] {
		key, err := ParseKey(record)
		if err != nil {
			why = err
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fail(mail.ResultPermError, "%v", why)
	}
	return slices.Clip(keys), nil
}
