package dkim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"postern/internal/lineartest"
	"postern/internal/mail"
)

// text is n octets of prose in lines, as most mail is.
func text(n int) []byte {
	line := "The quick brown fox jumps over the lazy dog, and then it does so once more.\r\n"
	return []byte(strings.Repeat(line, n/len(line)+1))[:n]
}

func BenchmarkBodyHash(b *testing.B) {
	hard := []byte(strings.Repeat("  a\tb  \r\n", 1<<17))
	for _, c := range []struct {
		name  string
		canon Canon
		body  []byte
	}{
		{"relaxed 8 KiB", Relaxed, text(8 << 10)},
		{"relaxed 1 MiB", Relaxed, text(1 << 20)},
		{"simple 1 MiB", Simple, text(1 << 20)},
		{"relaxed 1 MiB of white space to fold", Relaxed, hard},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			h := sha256.New()
			for b.Loop() {
				hashBody(h, c.canon, c.body, -1)
			}
		})
	}
	b.Run("SHA-256 alone 1 MiB", func(b *testing.B) {
		body := text(1 << 20)
		b.SetBytes(int64(len(body)))
		h := sha256.New()
		for b.Loop() {
			h.Write(body)
		}
	})
}

// signers make one RSA and one ed25519 key, and the zone that publishes them.
func signers(t testing.TB) (zone, *Signer, *Signer) {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&r.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pub, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	z := zone{}
	z.add("r._domainkey.sender.example", "v=DKIM1; k=rsa; p="+base64.StdEncoding.EncodeToString(der))
	z.add("e._domainkey.sender.example", "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(pub))
	return z, &Signer{Domain: "sender.example", Selector: "r", Key: r}, &Signer{Domain: "sender.example", Selector: "e", Key: ed}
}

const plain = "From: Alice <alice@sender.example>\r\nTo: bob@contoso.example\r\nSubject:  hello   there \r\n" +
	"Date: Mon, 5 Jan 2026 10:15:00 +0000\r\nMessage-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"

func signed(t testing.TB, octets []byte, signers ...*Signer) []byte {
	t.Helper()
	for _, s := range signers {
		field, err := s.DKIM(octets, time.Unix(1767608100, 0))
		if err != nil {
			t.Fatal(err)
		}
		octets = append(field, octets...)
	}
	return octets
}

func BenchmarkVerify(b *testing.B) {
	z, r, e := signers(b)
	octets := signed(b, append([]byte(plain+"\r\n"), text(8<<10)...), r, e)
	v := &Verifier{LookupTXT: z.lookup}
	at := time.Unix(1767608200, 0)
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range v.Verify(context.Background(), NewMessage(octets), at) {
			if r.Result != mail.ResultPass {
				b.Fatal(r)
			}
		}
	}
}

// TestVerifyIsLinear doubles hostile input and wants the time to grow by no more
// than a factor of 2.3 (safety R16).
func TestVerifyIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("timing")
	}
	z, r, _ := signers(t)
	field, err := r.DKIM([]byte(plain+"\r\nhello\r\n"), time.Unix(1767608100, 0))
	if err != nil {
		t.Fatal(err)
	}
	sig := string(field[:bytes.Index(field, []byte(" h=from"))+1])
	for _, c := range []struct {
		name string
		make func(n int) []byte
	}{
		{"blanks", func(n int) []byte { return []byte(plain + "\r\n" + strings.Repeat(" ", 16*n)) }},
		{"empty lines", func(n int) []byte { return []byte(plain + "\r\n" + strings.Repeat(" \r\n", 8*n)) }},
		{"bare line feeds", func(n int) []byte { return []byte(plain + "\r\n" + strings.Repeat("a\n", 8*n)) }},
		{"header fields", func(n int) []byte { return []byte(strings.Repeat("X: y\r\n", n) + plain + "\r\n") }},
		{"signatures", func(n int) []byte { return []byte(strings.Repeat(sig+"h=from\r\n", n/64) + plain + "\r\n") }},
		{"signed names", func(n int) []byte {
			return []byte(sig + "h=from" + strings.Repeat(":x", n) + "\r\n" + strings.Repeat("X: y\r\n", n) + plain + "\r\n")
		}},
		{"tags", func(n int) []byte {
			return []byte("DKIM-Signature: " + strings.Repeat("; ", 4*n) + "b" + strings.Repeat("=", 4*n) + "\r\n" + plain + "\r\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lineartest.Check(t, 1<<15, func(n int) func() {
				octets := c.make(n)
				return func() { verify(z, bytes.Clone(octets), time.Unix(1767608200, 0), 0) }
			})
		})
	}
}
