package sign

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// A Key signs for one domain and selector.
type Key struct {
	Domain, Selector string
	Private          *rsa.PrivateKey
}

// Record is where the public key is published and what stands there (RFC 6376 §3.6).
func (k Key) Record() (name, txt string) {
	der, _ := x509.MarshalPKIXPublicKey(&k.Private.PublicKey) // cannot fail for RSA
	return k.Selector + "._domainkey." + k.Domain, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// DKIM is a DKIM-Signature field over the named fields and the body, with CRLF.
func (k Key) DKIM(head []Field, body []byte, names string) []byte {
	return k.message("DKIM-Signature", "v=1; ", head, body, names)
}

// AMS is an ARC-Message-Signature field of set i.
func (k Key) AMS(i int, head []Field, body []byte, names string) []byte {
	return k.message("ARC-Message-Signature", fmt.Sprintf("i=%d; ", i), head, body, names)
}

func (k Key) message(name, lead string, head []Field, body []byte, names string) []byte {
	text := fmt.Sprintf("%s: %sa=rsa-sha256; c=relaxed/relaxed;\r\n d=%s; s=%s;\r\n h=%s;\r\n bh=%s;\r\n b=", name, lead, k.Domain, k.Selector, names, bodyHash(body, true))
	f := Field{name, []byte(text)}
	var data bytes.Buffer
	for _, s := range chosen(head, names) {
		data.Write(relaxedField(s))
	}
	data.Write(bytes.TrimSuffix(relaxedField(f), []byte("\r\n")))
	return []byte(text + k.sign(data.Bytes()) + "\r\n")
}

// Seal is an ARC-Seal field over the sets given, instance 1 first; the last one has
// AAR and AMS only (RFC 8617 §5.1.1).
func (k Key) Seal(i int, cv string, sets []Set) []byte {
	text := fmt.Sprintf("ARC-Seal: i=%d; a=rsa-sha256; s=%s; d=%s; cv=%s;\r\n b=", i, k.Selector, k.Domain, cv)
	data := sealed(sets, Field{"ARC-Seal", []byte(text)})
	return []byte(text + k.sign(data) + "\r\n")
}

// sealed is what a seal covers: every set in order, and itself without its value.
func sealed(sets []Set, seal Field) []byte {
	var data bytes.Buffer
	for n, s := range sets {
		data.Write(relaxedField(s.Results))
		data.Write(relaxedField(s.Message))
		if n < len(sets)-1 {
			data.Write(relaxedField(s.Seal))
		}
	}
	data.Write(bytes.TrimSuffix(relaxedField(seal), []byte("\r\n")))
	return data.Bytes()
}

func (k Key) sign(data []byte) string {
	sum := sha256.Sum256(data)
	sig, err := rsa.SignPKCS1v15(rand.Reader, k.Private, crypto.SHA256, sum[:])
	if err != nil {
		return "" // cannot happen with a 2048-bit key
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// chosen are the fields that h= names, from the bottom up where a name repeats
// (RFC 6376 §5.4.2).
func chosen(head []Field, names string) []Field {
	used := map[int]bool{}
	var out []Field
	for name := range strings.SplitSeq(names, ":") {
		name = strings.TrimSpace(name)
		for i := len(head) - 1; i >= 0; i-- {
			if !used[i] && strings.EqualFold(head[i].Name, name) {
				used[i] = true
				out = append(out, head[i])
				break
			}
		}
	}
	return out
}
