package dkim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/corpus"
	"postern/internal/mail"
)

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func toCRLF(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
}

// zone answers TXT look-ups. "TEMPERROR" and "PERMERROR" as a record are errors.
type zone map[string][]string

func (z zone) lookup(_ context.Context, name string) ([]string, error) {
	records := z[strings.ToLower(strings.TrimSuffix(name, "."))]
	if len(records) == 0 || records[0] == "PERMERROR" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if records[0] == "TEMPERROR" {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return records, nil
}

func (z zone) add(name, record string) {
	name = strings.ToLower(name)
	z[name] = append(z[name], record)
}

func verify(z zone, octets []byte, at time.Time, limit int) []mail.DKIM {
	v := &Verifier{LookupTXT: z.lookup, Max: limit}
	return v.Verify(context.Background(), NewMessage(octets), at)
}

func TestRealMailAgrees(t *testing.T) {
	dir := corpus.Path(t, "dkim-real")
	z := zone{}
	for line := range strings.Lines(string(read(t, dir, "dns-keys.tsv"))) {
		name, record, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		z.add(name, record)
	}
	good, all := 0, 0
	lines := strings.Split(strings.TrimSpace(string(read(t, dir, "expected.tsv"))), "\n")
	for _, line := range lines[1:] {
		cols := strings.Split(line, "\t")
		octets := toCRLF(read(t, dir, "..", cols[0]))
		var got []string
		for _, r := range verifyAnyTime(z, octets) {
			if _, served := z[r.Selector+"._domainkey."+r.Domain]; served {
				got = append(got, r.Domain+"="+string(r.Result))
			}
		}
		all++
		if strings.Join(got, " ") == strings.TrimSpace(cols[1]) {
			good++
		} else {
			t.Errorf("%s: got %q, want %q", cols[0], strings.Join(got, " "), cols[1])
		}
	}
	t.Logf("dkim-real: %d of %d agree", good, all)
}

// verifyAnyTime ignores t= and x=.
func verifyAnyTime(z zone, octets []byte) []mail.DKIM {
	m := NewMessage(octets)
	var out []mail.DKIM
	v := &Verifier{LookupTXT: z.lookup}
	for _, field := range m.fields["dkim-signature"] {
		c := check{field: field}
		c.sig, c.err = ParseSignature(m.Header[field].Value())
		checks := []check{c}
		v.fetchKeys(context.Background(), checks)
		out = append(out, checks[0].result(m))
	}
	return out
}

func TestMailAuthVectors(t *testing.T) {
	dir := corpus.Path(t, "dkim", "mail-auth", "resources", "dkim")
	files, _ := filepath.Glob(filepath.Join(dir, "*.txt"))
	good, all := 0, 0
	for _, file := range files {
		head, octets, _ := bytes.Cut(toCRLF(read(t, file)), []byte("\r\n\r\n"))
		z := zone{}
		for line := range strings.Lines(string(head)) {
			name, record, _ := strings.Cut(strings.TrimSpace(line), " ")
			z.add(name, record)
		}
		all++
		ok := true
		results := verifyAnyTime(z, octets) // each file is of another time
		for _, r := range results {
			if r.Result != mail.ResultPass {
				ok = false
				t.Errorf("%s: %+v", filepath.Base(file), r)
			}
		}
		if ok && len(results) > 0 {
			good++
		}
	}
	t.Logf("mail-auth: %d of %d files pass", good, all)
}

// A case of chasquid's is made of files that share a name; where one is missing
// (a link in the original) the one of another case stands for it.
func TestChasquidVectors(t *testing.T) {
	dir := corpus.Path(t, "dkim", "chasquid", "internal", "dkim", "testdata")
	good, all := 0, 0
	for _, c := range []struct {
		name, msg, dns string
		want           string // "" takes the .result file
	}{
		{"01-rfc8463", "01", "01", ""},
		{"02-too_many_headers", "02", "01", ""},
		{"03-bad_message", "03", "01", "-"},
		{"04-bad_dkim_signature_header", "04", "01", "neutral"}, // PERMFAIL there; bad syntax is neutral in RFC 8601
		{"05-dns_temp_error", "01", "05", ""},
		{"06-dns_perm_error", "01", "06", ""},
		{"07-algo_mismatch", "01", "07", "pass pass"},
		{"08-our_signature", "08", "08", ""},
		{"09-limited_body", "09", "08", "policy pass pass"}, // genuine over part of the body: SUCCESS there
		{"10-strict_domain_check_pass", "01", "10", "pass pass"},
		{"11-strict_domain_check_fail", "11", "11", ""},
	} {
		all++
		t.Run(c.name, func(t *testing.T) {
			want := strings.Fields(c.want)
			if c.want == "" {
				want = chasquidResults(t, filepath.Join(dir, c.name+".result"))
			} else if c.want == "-" {
				want = nil
			}
			octets := toCRLF(read(t, one(t, dir, c.msg+"-*.msg")))
			var got []string
			for _, r := range verify(chasquidZone(t, one(t, dir, c.dns+"-*.dns")), octets, time.Unix(1709466347, 0), 5) { // its limit is 5
				got = append(got, string(r.Result))
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("got %v, want %v", got, want)
				return
			}
			good++
		})
	}
	t.Logf("chasquid: %d of %d agree", good, all)
}

func one(t *testing.T, dir, pattern string) string {
	files, _ := filepath.Glob(filepath.Join(dir, pattern))
	if len(files) != 1 {
		t.Fatalf("%s: %d files", pattern, len(files))
	}
	return files[0]
}

func chasquidZone(t *testing.T, file string) zone {
	z := zone{}
	sc := bufio.NewScanner(strings.NewReader(strings.ReplaceAll(string(read(t, file)), "\\\n", "")))
	for sc.Scan() {
		if name, record, ok := strings.Cut(sc.Text(), ":"); ok {
			z.add(strings.TrimSpace(name), strings.TrimSpace(record))
		}
	}
	return z
}

func chasquidResults(t *testing.T, file string) []string {
	var r struct{ Results []struct{ State string } }
	if err := json.Unmarshal(read(t, file), &r); err != nil {
		t.Fatal(err)
	}
	words := map[string]mail.Result{"SUCCESS": mail.ResultPass, "TEMPFAIL": mail.ResultTempError, "PERMFAIL": mail.ResultPermError}
	var out []string
	for _, x := range r.Results {
		out = append(out, string(words[x.State]))
	}
	return out
}
