package sign

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/goccy/go-yaml"

	"postern/internal/corpus"
)

const message string = "From: \"Alice\" <alice@sender.example>\r\nTo: <bob@contoso.example>\r\nSubject: a\r\n  folded   subject \r\nDate: Mon, 5 Jan 2026 10:15:00 +0000\r\n\r\nHello,  \r\n\tworld\t \r\n\r\n\r\n"

func testKey(t *testing.T) (Key, LookupTXT) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := Key{"sender.example", "s1", k}
	name, txt := key.Record()
	return key, func(_ context.Context, n string) ([]string, error) {
		if n == name {
			return []string{txt}, nil
		}
		return nil, nil
	}
}

func TestAnotherLibraryVerifiesOurSignature(t *testing.T) {
	key, lookup := testKey(t)
	for _, raw := range []string{message, strings.ReplaceAll(message, "Hello,  \r\n\tworld\t \r\n\r\n\r\n", "")} {
		head, _, body := Split([]byte(raw))
		signed := append(key.DKIM(head, body, "From:Subject:Date:Message-ID"), raw...)
		v, err := dkim.VerifyWithOptions(bytes.NewReader(signed), &dkim.VerifyOptions{LookupTXT: func(n string) ([]string, error) { return lookup(context.Background(), n) }})
		if err != nil || len(v) != 1 || v[0].Err != nil {
			t.Error(err, v[0].Err)
		}
		if got := DKIM(context.Background(), lookup, signed); len(got) != 1 || !got[0].OK {
			t.Error(got)
		}
	}
}

func TestWeVerifyAnotherLibrarysSignature(t *testing.T) {
	key, lookup := testKey(t)
	for _, c := range [][2]dkim.Canonicalization{{dkim.CanonicalizationRelaxed, dkim.CanonicalizationRelaxed}, {dkim.CanonicalizationSimple, dkim.CanonicalizationSimple}, {dkim.CanonicalizationRelaxed, dkim.CanonicalizationSimple}} {
		var b bytes.Buffer
		if err := dkim.Sign(&b, strings.NewReader(message), &dkim.SignOptions{Domain: "sender.example", Selector: "s1", Signer: key.Private, HeaderCanonicalization: c[0], BodyCanonicalization: c[1]}); err != nil {
			t.Fatal(err)
		}
		if got := DKIM(context.Background(), lookup, b.Bytes()); len(got) != 1 || !got[0].OK {
			t.Error(c, got)
		}
		for what, changed := range map[string]string{badBody: strings.Replace(b.String(), "world", "World", 1), badSig: strings.Replace(b.String(), "bob@", "eve@", 1)} {
			if got := DKIM(context.Background(), lookup, []byte(changed)); got[0].OK || got[0].Reason != what {
				t.Error(c, what, got)
			}
		}
	}
}

// arcSuite is the ARC test suite of ValiMail (see the test data's README).
type arcSuite struct {
	Tests map[string]struct {
		Message string
		CV      string
	}
	Records map[string]string `yaml:"txt-records"`
}

func TestTheARCSuite(t *testing.T) {
	f, err := os.Open(corpus.Path(t, "arc", "arc_test_suite", "tests", "arc-draft-validation-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f, yaml.AllowDuplicateMapKey())
	n := 0
	for {
		var s arcSuite
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		lookup := func(_ context.Context, name string) ([]string, error) {
			if r, ok := s.Records[name]; ok {
				return []string{r}, nil
			}
			return nil, nil
		}
		for name, c := range s.Tests {
			n++
			raw := []byte(strings.ReplaceAll(strings.ReplaceAll(c.Message, "\r\n", "\n"), "\n", "\r\n"))
			want := strings.ToLower(c.CV)
			if want == "" {
				continue
			}
			if got := ARC(context.Background(), lookup, raw); got.Status != want {
				t.Errorf("%s: %s (%s), want %s", name, got.Status, got.Reason, want)
			}
		}
	}
	t.Logf("%d cases", n)
}

func TestAChainOfThreeSetsVerifiesAndBreaks(t *testing.T) {
	key, lookup := testKey(t)
	raw := []byte(message)
	for i := 1; i <= 3; i++ {
		c := ARC(context.Background(), lookup, raw)
		head, _, body := Split(raw)
		set := Set{Results: Field{"ARC-Authentication-Results", []byte("ARC-Authentication-Results: i=" + string(rune('0'+i)) + "; x; dmarc=pass\r\n")}}
		set.Message = Field{"ARC-Message-Signature", key.AMS(i, head, body, "From:Subject")}
		set.Seal = Field{"ARC-Seal", key.Seal(i, c.Status, append(c.Sets, set))}
		raw = bytes.Join([][]byte{set.Seal.Raw, set.Message.Raw, set.Results.Raw, raw}, nil)
		if c := ARC(context.Background(), lookup, raw); c.Status != "pass" || len(c.Sets) != i {
			t.Fatal(i, c.Status, c.Reason)
		}
	}
	if c := ARC(context.Background(), lookup, bytes.Replace(raw, []byte("i=2; x; dmarc=pass"), []byte("i=2; x; dmarc=fail"), 1)); c.Status != "fail" {
		t.Error("an altered set was taken")
	}
}
