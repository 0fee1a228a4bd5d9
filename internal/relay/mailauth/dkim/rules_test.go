package dkim

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

// handmade signs like a sloppy or hostile signer: any tags, any key.
func handmade(t testing.TB, key ed25519.PrivateKey, tags, octets string) []byte {
	t.Helper()
	m := NewMessage([]byte(octets))
	parsed, err := ParseTags(tags)
	if err != nil {
		t.Fatal(err)
	}
	sig := &Signature{Headers: parsed.List("h"), Length: -1, header: Relaxed, alg: algorithms["ed25519-sha256"]}
	if err := sig.parseNumbers(Tags{"l": cmpOr(parsed["l"], "9223372036854775807")}); err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	hashBody(h, Relaxed, m.Body, sig.Length)
	own := "DKIM-Signature: " + tags + "; c=relaxed/relaxed; bh=" + base64.StdEncoding.EncodeToString(h.Sum(nil)) + "; b="
	digest := sig.alg.digest(m.signedHeader(sig, -1, []byte(own)))
	return []byte(own + base64.StdEncoding.EncodeToString(ed25519.Sign(key, digest)) + "\r\n" + octets)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestRules(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := base64.StdEncoding.EncodeToString(pub)
	const ok = "v=1; a=ed25519-sha256; d=sender.example; s=e; h=from:subject"
	at := time.Unix(1767608200, 0)
	const message = plain + "\r\nHello  there.\r\nBye.\r\n"
	for _, c := range []struct {
		name, tags string
		records    []string
		change     func(string) string
		want       mail.Result
		reason     string
	}{
		{name: "all is well", want: "pass"},
		// keys (RFC 6376 §3.6.1)
		{name: "no key", records: []string{}, want: "permerror", reason: "no key"},
		{name: "DNS fails", records: []string{"TEMPERROR"}, want: "temperror"},
		{name: "key revoked", records: []string{"v=DKIM1; k=ed25519; p="}, want: "permerror", reason: "revoked"},
		{name: "key without p", records: []string{"v=DKIM1; k=ed25519"}, want: "permerror"},
		{name: "key is rubbish", records: []string{"v=DKIM1; k=ed25519; p=!!"}, want: "permerror"},
		{name: "key of another version", records: []string{"v=DKIM2; k=ed25519; p=" + p}, want: "permerror"},
		{name: "key of another type", records: []string{"k=rsa; p=" + p}, want: "permerror"},
		{name: "key of an unknown type", records: []string{"k=x; p=" + p}, want: "permerror"},
		{name: "key too short", records: []string{"k=ed25519; p=" + p[:20] + "="}, want: "permerror"},
		{name: "key for another hash", records: []string{"h=sha512; k=ed25519; p=" + p}, want: "permerror"},
		{name: "key for this hash among others", records: []string{"h=sha512:sha256; k=ed25519; p=" + p}, want: "pass"},
		{name: "key for another service", records: []string{"s=tlsrpt; k=ed25519; p=" + p}, want: "permerror"},
		{name: "key for e-mail", records: []string{"s=x:email; k=ed25519; p=" + p}, want: "pass"},
		{name: "key for any service", records: []string{"s=*; k=ed25519; p=" + p}, want: "pass"},
		{name: "key with empty tags", records: []string{"v=DKIM1;; k=ed25519; ; p=" + p + ";"}, want: "pass"},
		{name: "key with blanks in it", records: []string{"k=ed25519; p=" + p[:9] + " \t" + p[9:]}, want: "pass"},
		{name: "key with a tag twice", records: []string{"k=ed25519; p=" + p + "; p=" + p}, want: "permerror"},
		{name: "key too large a record", records: []string{"k=ed25519; n=" + strings.Repeat("x", maxRecord) + "; p=" + p}, want: "permerror"},
		{name: "key beside other records", records: []string{"v=spf1 -all", "hello", "k=ed25519; p=" + p}, want: "pass"},
		{name: "key behind too many others", records: append(slices.Repeat([]string{"x"}, maxRecords), "k=ed25519; p="+p), want: "permerror"},
		{name: "two keys, the second fits", records: []string{"k=ed25519; p=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "k=ed25519; p=" + p}, want: "pass"},
		{name: "testing", records: []string{"t=y; k=ed25519; p=" + p}, want: "pass"},
		// signature (RFC 6376 §3.5)
		{name: "version missing", tags: ok[5:], want: "neutral"},
		{name: "another version", tags: "v=2; " + ok[5:], want: "neutral"},
		{name: "another algorithm", tags: strings.Replace(ok, "ed25519-sha256", "rsa-sha512", 1), want: "neutral"},
		{name: "algorithm of another key", tags: strings.Replace(ok, "ed25519-sha256", "rsa-sha256", 1), want: "permerror"},
		{name: "From not signed", tags: strings.Replace(ok, "from:", "", 1), want: "permerror", reason: "From"},
		{name: "From in capitals", tags: strings.Replace(ok, "from:", "FROM :", 1), want: "pass"},
		{name: "selector with NUL", tags: strings.Replace(ok, "s=e", "s=e._domainkey.evil.example.\x00.any", 1), want: "neutral"},
		{name: "selector with a slash", tags: strings.Replace(ok, "s=e", "s=e/f", 1), want: "neutral"},
		{name: "no selector", tags: strings.Replace(ok, "s=e", "s=", 1), want: "neutral"},
		{name: "domain with NUL", tags: strings.Replace(ok, "sender.example", "sender.example\x00", 1), want: "neutral"},
		{name: "identity in the domain", tags: ok + "; i=@sender.example", want: "pass"},
		{name: "identity below the domain", tags: ok + "; i=a@b.sender.example", want: "pass"},
		{name: "identity below, key says t=s", tags: ok + "; i=a@b.sender.example", records: []string{"t=s; k=ed25519; p=" + p}, want: "permerror"},
		{name: "identity in it, key says t=s", tags: ok + "; i=a@Sender.example", records: []string{"t=y:s; k=ed25519; p=" + p}, want: "pass"},
		{name: "identity elsewhere", tags: ok + "; i=a@bank.example", want: "permerror"},
		{name: "identity that ends alike", tags: ok + "; i=a@notsender.example", want: "permerror"},
		{name: "expired", tags: ok + "; t=1767600000; x=1767608199", want: "fail", reason: "expired"},
		{name: "not yet expired", tags: ok + "; t=1767600000; x=1767608201", want: "pass"},
		{name: "expires before it was made", tags: ok + "; t=1767600000; x=1767599999", want: "neutral"},
		{name: "from the future", tags: ok + "; t=1767708200", want: "fail", reason: "future"},
		{name: "a clock that is fast", tags: ok + "; t=1767608300", want: "pass"},
		{name: "t is no number", tags: ok + "; t=1e9", want: "neutral"},
		{name: "query method unknown", tags: ok + "; q=http", want: "neutral"},
		{name: "one query method known", tags: ok + "; q=http:dns/txt", want: "pass"},
		{name: "unknown tags", tags: ok + "; z=From:x; foo=bar", want: "pass"},
		{name: "length of the whole body", tags: ok + "; l=20", want: "pass"},
		{name: "tail not signed", tags: ok + "; l=14", want: "policy", reason: "6 octets"},
		{name: "nothing of the body signed", tags: ok + "; l=0", want: "policy"},
		{name: "length beyond the body", tags: ok + "; l=21", want: "permerror"},
		// on the way
		{name: "field added on top", change: func(s string) string { return "Received: x\r\n" + s }, want: "pass"},
		{name: "second From on top", change: func(s string) string { return "From: ceo@bank.example\r\n" + s }, want: "policy", reason: "From"},
		{name: "second From below", change: func(s string) string {
			return strings.Replace(s, "\r\n\r\n", "\r\nFrom: ceo@bank.example\r\n\r\n", 1)
		}, want: "fail"},
		{name: "From changed", change: func(s string) string { return strings.Replace(s, "From: Alice", "From: Bob", 1) }, want: "fail"},
		{name: "body changed", change: func(s string) string { return s + "x" }, want: "fail", reason: "body"},
		{name: "white space added", change: func(s string) string { return strings.Replace(s, "Bye.", "Bye. ", 1) + "\r\n\r\n" }, want: "pass"},
		{name: "bare line feeds on arrival", change: func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }, want: "pass", reason: "bare LF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tags := cmpOr(c.tags, ok)
			octets := string(handmade(t, key, tags, message))
			if c.change != nil {
				octets = c.change(octets)
			}
			z := zone{"e._domainkey.sender.example": {"v=DKIM1; k=ed25519; p=" + p}}
			if c.records != nil {
				z["e._domainkey.sender.example"] = c.records
			}
			got := verify(z, []byte(octets), at, 0)
			if len(got) != 1 || got[0].Result != c.want || !strings.Contains(got[0].Reason, c.reason) {
				t.Errorf("%+v, want %s (%s)", got, c.want, c.reason)
			}
			if c.name == "testing" && !got[0].Testing {
				t.Error("t=y not told")
			}
		})
	}
}

func TestOnlyTenSignaturesAreLookedAt(t *testing.T) {
	z, r, _ := signers(t)
	octets := []byte(plain + "\r\nHello.\r\n")
	field, err := r.DKIM(octets, time.Unix(1767608100, 0))
	if err != nil {
		t.Fatal(err)
	}
	octets = append(bytes.Repeat(field, 14), octets...)
	if got := verify(z, octets, time.Unix(1767608200, 0), 0); len(got) != maxSignatures {
		t.Errorf("%d results", len(got))
	}
}

// TestWeakKeys checks the verifier for keys that the standard library refuses.
func TestWeakKeys(t *testing.T) {
	p, _ := new(big.Int).SetString("f6e8b5b6f34f7ec1f0a3e5b2a9b2a5c5b3a6c1b5d3f2e1c0d9b8a7968574635f", 16)
	for !p.ProbablyPrime(20) {
		p.Add(p, big.NewInt(2))
	}
	q := new(big.Int).Add(p, big.NewInt(1000002))
	for !q.ProbablyPrime(20) {
		q.Add(q, big.NewInt(2))
	}
	n := new(big.Int).Mul(p, q)
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	e := big.NewInt(65537)
	d := new(big.Int).ModInverse(e, phi)
	if d == nil {
		t.Skip("65537 divides phi")
	}
	key, err := ParseKey("p=" + base64.StdEncoding.EncodeToString(pkcs1(n, e)))
	if err != nil || !key.Weak() {
		t.Fatalf("%+v, %v", key, err)
	}
	for _, hash := range []string{"rsa-sha1", "rsa-sha256"} {
		alg := algorithms[hash]
		digest := alg.digest([]byte("x"))
		if hash == "rsa-sha1" {
			sum := sha1.Sum([]byte("x"))
			if !bytes.Equal(digest, sum[:]) {
				t.Fatal("not SHA-1")
			}
		}
		size := key.rsa.Size()
		em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(digestInfo[alg.hash])-len(digest))...)
		em = append(append(append(em, 0), digestInfo[alg.hash]...), digest...)
		sig := new(big.Int).Exp(new(big.Int).SetBytes(em), d, n).FillBytes(make([]byte, size))
		if !key.Verify(alg.hash, digest, sig) {
			t.Errorf("%s: good signature refused", hash)
		}
		sig[5] ^= 1
		if key.Verify(alg.hash, digest, sig) {
			t.Errorf("%s: bad signature taken", hash)
		}
	}
}

// pkcs1 is RSAPublicKey in DER.
func pkcs1(n, e *big.Int) []byte {
	integer := func(i *big.Int) []byte {
		b := i.Bytes()
		if b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(integer(n), integer(e)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func TestSignedFieldsAreFolded(t *testing.T) {
	_, r, _ := signers(t)
	field, err := r.DKIM([]byte(plain+"\r\nHello.\r\n"), time.Unix(1767608100, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(field), "\r\n"), "\r\n") {
		if len(line) > 998 || i > 0 && line[0] != ' ' {
			t.Errorf("line %d: %q", i, line)
		}
	}
}

// naive is relaxed canonicalisation as the RFC tells it, octet by octet.
func naive(body []byte) []byte {
	lines := strings.Split(string(body), "\r\n")
	for i, l := range lines {
		var out []byte
		for j := range len(l) {
			if !isWSP(l[j]) {
				out = append(out, l[j])
			} else if len(out) == 0 || out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
		}
		lines[i] = strings.TrimRight(string(out), " ")
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("a  b\t\r\n \r\nc\r\n\r\n"))
	f.Add([]byte(strings.Repeat("!\t! !\r! \n!  ", 9)))
	f.Fuzz(func(t *testing.T, body []byte) {
		want := naive(body)
		got, h := sha256.Sum256(want), sha256.New()
		size := hashBody(h, Relaxed, body, -1)
		if size != int64(len(want)) || !bytes.Equal(h.Sum(nil), got[:]) {
			t.Fatalf("%q: %d octets, want %q", body, size, want)
		}
		for _, n := range []int64{0, min(1, size), size / 2, size} {
			part, h := sha256.Sum256(want[:n]), sha256.New()
			if hashBody(h, Relaxed, body, n) != size || !bytes.Equal(h.Sum(nil), part[:]) {
				t.Fatalf("%q cut to %d", body, n)
			}
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add("v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=AA==; b=AA==; c=relaxed/simple; l=1; t=1; x=2; i=@a.example; q=dns/txt")
	f.Fuzz(func(t *testing.T, value string) {
		sig, err := ParseSignature(value)
		if err == nil && (sig.Domain == "" || sig.Selector == "" || !has(sig.Headers, "from")) {
			t.Fatalf("%q: %+v", value, sig)
		}
		raw := []byte("DKIM-Signature: " + value + "\r\n")
		if from, to := signatureValue(raw); from > to || to > len(raw) {
			t.Fatalf("%q: %d %d", value, from, to)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("v=DKIM1; k=ed25519; t=y:s; h=sha256; s=email; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Fuzz(func(t *testing.T, record string) {
		if key, err := ParseKey(record); err == nil && key.rsa == nil && key.ed25519 == nil {
			t.Fatalf("%q: no key", record)
		}
	})
}

// FuzzVerify wants only the kind of outcome to be sane, whatever the message.
func FuzzVerify(f *testing.F) {
	z, r, e := signers(f)
	f.Add(signed(f, []byte(plain+"\r\nHello.\r\n"), r, e))
	f.Fuzz(func(t *testing.T, octets []byte) {
		for _, d := range verify(z, octets, time.Unix(1767608200, 0), 0) {
			if (d.Result != mail.ResultPass) == (d.Reason == "") && !strings.Contains(d.Reason, "bare LF") {
				t.Fatal(fmt.Sprint(d))
			}
		}
	})
}
