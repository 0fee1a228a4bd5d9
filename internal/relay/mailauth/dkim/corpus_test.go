package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"postern/internal/corpus"
	"postern/internal/mail"
)

// granularity are cases of mail-dkim that only fail for the key's g= tag, which
// RFC 6376 took out of DKIM. They are signed with rsa-sha1 and 512 bits, so they
// do not pass here either.
var granularity = map[string]bool{"badkey_8.txt": true, "badkey_9.txt": true, "badkey_12.txt": true, "badkey_13.txt": true}

// mail-dkim's names tell the outcome. Good signatures with rsa-sha1 or 512-bit
// keys are policy here (RFC 8301); those of drafts before RFC 4871, without v=1,
// and DomainKeys count as none.
func TestMailDKIMCorpus(t *testing.T) {
	dir := corpus.Path(t, "dkim", "mail-dkim", "t")
	z := mailDKIMZone(string(read(t, dir, "FAKE_DNS.dat")))
	version := regexp.MustCompile(`(?s)(^|[;\s])v=1\s*;`)
	files, _ := filepath.Glob(filepath.Join(dir, "corpus", "*.txt"))
	good := 0
	for _, file := range files {
		name := filepath.Base(file)
		m := NewMessage(toCRLF(read(t, file)))
		results := verifyExpired(z, m)
		bad := len(results) != m.Count("dkim-signature")
		for i, r := range results {
			genuine := r.Result == mail.ResultPass || r.Result == mail.ResultPolicy
			current := version.MatchString(m.Header[m.fields["dkim-signature"][i]].Value())
			switch {
			case !current:
				bad = bad || r.Result != mail.ResultNeutral
			case strings.HasPrefix(name, "good"), granularity[name]:
				bad = bad || !genuine || (r.Result == mail.ResultPass) != (r.Algorithm == "ed25519-sha256")
			case strings.HasPrefix(name, "bad"), strings.HasPrefix(name, "ignore"):
				bad = bad || genuine
			}
		}
		if bad {
			t.Errorf("%s: %+v", name, results)
			continue
		}
		good++
	}
	t.Logf("mail-dkim: %d of %d", good, len(files))
}

// verifyExpired takes the time of now, at which the corpus' x= of 2007 is over.
func verifyExpired(z zone, m *Message) []mail.DKIM {
	return (&Verifier{LookupTXT: z.lookup}).Verify(context.Background(), m, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

func mailDKIMZone(text string) zone {
	z := zone{}
	for line := range strings.Lines(text) {
		name, record, ok := strings.Cut(strings.TrimSpace(line), " ")
		record = strings.TrimSpace(record)
		switch {
		case !ok || strings.HasPrefix(name, "#") || record == "NXDOMAIN":
		case strings.HasPrefix(record, "~~"):
			z.add(name, "TEMPERROR")
		default:
			z.add(name, strings.Trim(record, `"`))
		}
	}
	return z
}

// The set of zk-email-verify comes without keys, so only the body hash can be
// told: with a key of our own published, what is intact says "the signature does
// not match", and what was tampered with says so.
func TestZKEmailBodies(t *testing.T) {
	dir := corpus.Path(t, "dkim", "zk-email-verify", "packages")
	z, _, _ := signers(t)
	key := z["r._domainkey.sender.example"][0]
	good := 0
	cases := map[string]string{
		"helpers/tests/test-data/email-body-tampered.eml":    "the body was changed",
		"helpers/tests/test-data/email-bodyless.eml":         "the body was changed",
		"helpers/tests/test-data/email-different-domain.eml": "the signature does not match",
		"helpers/tests/test-data/email-good-large.eml":       "the signature does not match",
		"helpers/tests/test-data/email-invalid-domain.eml":   "the signature does not match",
		"helpers/tests/test-data/email-invalid-selector.eml": "the signature does not match",
		"helpers/tests/test-data/multi-dkim-sig.eml":         "the signature does not match",
		"circuits/tests/test-emails/lorem_ipsum.eml":         "the signature does not match",
	}
	for file, want := range cases {
		m := NewMessage(toCRLF(read(t, dir, file)))
		published := zone{}
		for _, at := range m.fields["dkim-signature"] {
			sig, _ := ParseSignature(m.Header[at].Value())
			published[sig.Selector+"._domainkey."+sig.Domain] = []string{key}
		}
		results := verifyAnyTime(published, m.octets)
		ok := len(results) > 0
		for _, r := range results {
			ok = ok && r.Reason == want
		}
		if !ok {
			t.Errorf("%s: %+v, want %q", file, results, want)
			continue
		}
		good++
	}
	t.Logf("zk-email-verify: %d of %d bodies", good, len(cases))
}

// TestRspamdKeysSign signs with the keys that rspamd's tests sign with.
func TestRspamdKeysSign(t *testing.T) {
	dir := corpus.Path(t, "dkim", "rspamd", "test", "functional", "configs")
	for _, name := range []string{"dkim.key", "dkim-eddsa-pem.key"} {
		block, _ := pem.Decode(read(t, dir, name))
		if block == nil {
			t.Fatalf("%s: no PEM", name)
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		s := &Signer{Domain: "sender.example", Selector: "x", Key: key.(crypto.Signer)}
		z := zone{}
		z.add("x._domainkey.sender.example", publish(t, s))
		octets := signed(t, []byte(plain+"\r\nHello.\r\n"), s)
		if r := verify(z, octets, time.Unix(1767608200, 0), 0); r[0].Result != mail.ResultPass {
			t.Errorf("%s: %+v", name, r)
		}
		oracleAgrees(t, z, octets)
	}
}

func publish(t testing.TB, s *Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	kind := "rsa"
	if alg, _ := s.Algorithm(); alg == "ed25519-sha256" {
		kind, der = "ed25519", der[len(der)-32:]
	}
	return "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(der)
}

// oracleAgrees compares with go-msgauth, which knows no policy.
func oracleAgrees(t testing.TB, z zone, octets []byte) {
	t.Helper()
	theirs, err := dkim.VerifyWithOptions(bytes.NewReader(octets), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) { return z.lookup(context.Background(), name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ours := verifyAnyTime(z, octets)
	if len(ours) != len(theirs) {
		t.Fatalf("%d signatures, go-msgauth sees %d", len(ours), len(theirs))
	}
	for i := range ours {
		if (ours[i].Result == mail.ResultPass) != (theirs[i].Err == nil) {
			t.Errorf("%+v, go-msgauth says %v\n%.400q", ours[i], theirs[i].Err, octets)
		}
	}
}

// TestAgreesWithOracle signs odd messages with go-msgauth in every combination of
// canonicalisation, changes them on the way, and wants the same outcome.
func TestAgreesWithOracle(t *testing.T) {
	z, r, e := signers(t)
	bodies := []string{"", "\r\n", "\r\n\r\n", "a", "a\r\n", "a\r\n\r\n\r\n", " \t \r\n", "a \t\r\n b\tc  d\r\n \r\n\t\r\n", "  a\r\n",
		"a\r\n.\r\n", "\ta\r\n\r\nb", strings.Repeat("long ", 3000) + "\r\n", strings.Repeat("x  y\r\n", 2000), "\xff\x00\x80 \r\n"}
	heads := []string{plain, "fROM:a@sender.example\r\nSubject:  x \t y \r\n\tz\r\nto : b\r\n", "From: a@sender.example\r\nSubject:\r\nX-Empty:\r\n \r\n"}
	changes := []func([]byte) []byte{
		func(b []byte) []byte { return b },
		func(b []byte) []byte { return bytes.Replace(b, []byte("a\r\n"), []byte("a  \r\n"), 1) },
		func(b []byte) []byte { return append(bytes.Clone(b), "\r\n"...) },
		func(b []byte) []byte { return append(bytes.Clone(b), "x\r\n"...) },
		func(b []byte) []byte { return bytes.Replace(b, []byte("Subject: "), []byte("Subject:   "), 1) },
		func(b []byte) []byte { return bytes.Replace(b, []byte("Subject"), []byte("SUBJECT"), 1) },
		func(b []byte) []byte { return append([]byte("Received: by x; now\r\n"), b...) },
	}
	n := 0
	for _, s := range []*Signer{r, e} {
		for _, hc := range []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed} {
			for _, bc := range []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed} {
				for _, head := range heads {
					for _, body := range bodies {
						var out bytes.Buffer
						err := dkim.Sign(&out, strings.NewReader(head+"\r\n"+body), &dkim.SignOptions{Domain: s.Domain, Selector: s.Selector,
							Signer: s.Key, HeaderCanonicalization: hc, BodyCanonicalization: bc})
						if err != nil {
							t.Fatal(err)
						}
						for _, change := range changes {
							oracleAgrees(t, z, change(out.Bytes()))
							n++
						}
					}
				}
			}
		}
	}
	t.Logf("go-msgauth: %d messages compared", n)
}
