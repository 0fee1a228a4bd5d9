package arc

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/relay/mailauth/dkim"
)

type scenario struct {
	top   map[string]*yaml.Node
	tests []suiteCase
}

type suiteCase struct {
	name   string
	fields map[string]string
}

// suite reads Valimail's files: several documents, in which keys occur twice, so
// that they are walked as nodes.
func suite(t *testing.T, file string) []scenario {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []scenario
	for dec := yaml.NewDecoder(f); ; {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			if err.Error() == "EOF" {
				return out
			}
			t.Fatal(err)
		}
		s := scenario{top: map[string]*yaml.Node{}}
		each(doc.Content[0], func(key string, value *yaml.Node) { s.top[key] = value })
		each(s.top["tests"], func(name string, value *yaml.Node) {
			c := suiteCase{name, map[string]string{}}
			each(value, func(key string, value *yaml.Node) { c.fields[key] = value.Value })
			s.tests = append(s.tests, c)
		})
		out = append(out, s)
	}
}

func each(node *yaml.Node, f func(string, *yaml.Node)) {
	for i := 0; node != nil && i+1 < len(node.Content); i += 2 {
		f(node.Content[i].Value, node.Content[i+1])
	}
}

func (s scenario) lookup(_ context.Context, name string) ([]string, error) {
	var out []string
	each(s.top["txt-records"], func(key string, value *yaml.Node) {
		if strings.EqualFold(key, strings.TrimSuffix(name, ".")) {
			out = append(out, value.Value)
		}
	})
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return out, nil
}

func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n"))
}

// superseded are cases of the older copy that comes with mail-dkim: the newer
// suite and RFC 8301 decide them the other way.
var superseded = map[string]string{
	"mail-dkim/ams_fields_a_sha1": "fail",
	"mail-dkim/as_fields_a_sha1":  "fail",
	"mail-dkim/ams_fields_c_na":   "pass",
}

func TestValidationSuite(t *testing.T) {
	for _, path := range [][]string{
		{"arc", "arc_test_suite", "tests", "arc-draft-validation-tests.yml"},
		{"dkim", "mail-dkim", "t", "arc_test_suite", "arc-draft-validation-tests.yml"},
	} {
		good, all := 0, 0
		for _, s := range suite(t, corpus.Path(t, path...)) {
			v := &Verifier{LookupTXT: s.lookup}
			for _, c := range s.tests {
				all++
				want := strings.ToLower(c.fields["cv"])
				if want == "" { // left open: seals that say cv=fail (RFC 8617 §5.2 step 2: the chain fails)
					want = "fail"
				}
				if w := superseded[path[1]+"/"+c.name]; w != "" {
					want = w
				}
				got := v.Verify(context.Background(), dkim.NewMessage(crlf(c.fields["message"])))
				if string(got.Result) == want {
					good++
					continue
				}
				t.Errorf("%s (%s): %s %q, want %s", c.name, c.fields["description"], got.Result, got.Reason, want)
			}
		}
		t.Logf("%s: %d of %d", path[1], good, all)
	}
}

// brokenChains are cases of mail-dkim's older copy whose message comes with a
// chain that does not verify, because it was folded after it was sealed. The newer
// suite has the same cases with those seals made again.
var brokenChains = map[string]bool{"mail-dkim/i1_base": true, "mail-dkim/i2_base": true}

func TestSigningSuite(t *testing.T) {
	for _, path := range [][]string{
		{"arc", "arc_test_suite", "tests", "arc-draft-sign-tests.yml"},
		{"dkim", "mail-dkim", "t", "arc_test_suite", "arc-draft-sign-tests.yml"},
	} {
		good, all := 0, 0
		for _, s := range suite(t, corpus.Path(t, path...)) {
			for _, c := range s.tests {
				all++
				if signsAs(t, path[1], s, c) {
					good++
				}
			}
		}
		t.Logf("%s: %d of %d", path[1], good, all)
	}
}

// signsAs compares all three fields with what the suite expects, white space
// aside; the signatures too, because RSA signatures are deterministic.
func signsAs(t *testing.T, path string, s scenario, c suiteCase) bool {
	block, _ := pem.Decode([]byte(s.top["privatekey"].Value))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := strconv.ParseInt(c.fields["t"], 10, 64)
	sealer := &Sealer{
		Signer: dkim.Signer{Domain: s.top["domain"].Value, Selector: s.top["sel"].Value, Key: key,
			Headers: strings.Split(c.fields["sig-headers"], ":")},
		LookupTXT: s.lookup,
	}
	octets := crlf(c.fields["message"])
	results := merged(octets, c.fields["srv-id"])
	set, err := sealer.Seal(context.Background(), octets, results, "", time.Unix(at, 0))
	if err != nil && c.fields["AS"] != "" {
		t.Errorf("%s: %v", c.name, err)
		return false
	}
	h, _ := mail.SplitHeader(set)
	if brokenChains[path+"/"+c.name] {
		if !strings.Contains(h.First("ARC-Seal"), "cv=fail;") {
			t.Errorf("%s: sealed as %s over a broken chain", c.name, h.First("ARC-Seal"))
			return false
		}
		return true
	}
	ok := true
	for kind, name := range map[string]string{"AS": "ARC-Seal", "AMS": "ARC-Message-Signature", "AAR": "ARC-Authentication-Results"} {
		got, want := squeeze(h.First(name)), squeeze(c.fields[kind])
		if got != want {
			t.Errorf("%s (%s): %s\n got %s\nwant %s", c.name, c.fields["description"], name, got, want)
			ok = false
		}
	}
	return ok
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

var comment = regexp.MustCompile(`\([^()]*\)`)

// merged is one value of all Authentication-Results fields of srv, as a sealer
// whose results stand in the header would make it (RFC 8617 §4.1.1).
func merged(octets []byte, srv string) string {
	h, _ := mail.SplitHeader(octets)
	parts := []string{srv}
	for _, value := range h.All("Authentication-Results") {
		id, rest, _ := strings.Cut(value, ";")
		if strings.TrimSpace(comment.ReplaceAllString(id, "")) == srv {
			parts = append(parts, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ";")))
		}
	}
	return strings.Join(parts, "; ")
}

// TestRealMail checks the ARC seals of Microsoft, kernel.org and Zoho on real list
// mail.
func TestRealMail(t *testing.T) {
	dir := corpus.Path(t, "dkim-real")
	keys, err := os.ReadFile(filepath.Join(dir, "dns-keys.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	z := zone{}
	for line := range strings.Lines(string(keys)) {
		name, record, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		z[strings.ToLower(name)] = record
	}
	expected, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	good, all, none := 0, 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(expected)), "\n")[1:] {
		cols := strings.Split(line, "\t")
		octets, err := os.ReadFile(filepath.Join(dir, "..", cols[0]))
		if err != nil {
			t.Fatal(err)
		}
		got := verify(z, crlf(string(octets)))
		if len(cols) < 3 || cols[2] == "" {
			none++
			continue // not told
		}
		all++
		if want := "i=1 pass"; cols[2] != want || got.Result != mail.ResultPass || len(got.Sealers) != 1 {
			t.Errorf("%s: %+v, want %s", cols[0], got, cols[2])
			continue
		}
		good++
	}
	t.Logf("dkim-real: ARC of %d of %d passes as expected (%d say nothing)", good, all, none)
}
