package parse

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

// outline is what the golden files hold of a message.
func outline(m *mail.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "subject: %s\n", m.Subject)
	for _, f := range []struct {
		name  string
		boxes []mail.Mailbox
	}{{"from", m.From}, {"reply-to", m.ReplyTo}, {"to", m.To}} {
		for _, box := range f.boxes {
			fmt.Fprintf(&b, "%s: %q <%s>\n", f.name, box.Name, box.Addr)
		}
	}
	fmt.Fprintf(&b, "bulk %v, automatic %v\n", m.Bulk, m.AutoReply)
	for _, p := range m.Parts {
		fmt.Fprintf(&b, "part %s: %s %s", p.Path, p.Reading, p.Type)
		for _, f := range []struct{ name, val string }{{"sniffed", p.Sniffed}, {"charset", p.Charset}, {"name", p.Name}, {"names", strings.Join(p.Names, "|")},
			{"disposition", p.Disposition}, {"id", p.ContentID}, {"container", p.Container}} {
			if f.val != "" {
				fmt.Fprintf(&b, " %s=%q", f.name, f.val)
			}
		}
		if p.Encrypted {
			b.WriteString(" encrypted")
		}
		fmt.Fprintf(&b, " %d octets\n", p.Size)
	}
	for _, l := range m.Links {
		fmt.Fprintf(&b, "link %s in %s: %s %q\n", l.Kind, l.Path, l.URL, l.Text)
	}
	for _, a := range m.Anomalies {
		fmt.Fprintf(&b, "finding %s %d %s\n", a.Rule, a.Score, a.Where)
	}
	fmt.Fprintf(&b, "text:\n%s\n", m.Text)
	return b.String()
}

// TestGolden reads the messages in testdata; POSTERN_UPDATE=1 writes what is found.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no messages in testdata: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		got := outline(Parse(b, Limits{}))
		golden := strings.TrimSuffix(name, ".eml") + ".golden"
		if os.Getenv("POSTERN_UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func finding(m *mail.Message, rule string) (mail.Finding, bool) {
	for _, a := range m.Anomalies {
		if a.Rule == rule {
			return a, true
		}
	}
	return mail.Finding{}, false
}

func TestHeadersThatReadersTakeDifferentlyAreFindings(t *testing.T) {
	for _, tt := range []struct {
		name, msg, rule string
		min             int
	}{
		{"two senders in two fields", "From: a@b.example\r\nFrom: c@d.example\r\n\r\n", "header.from_count", 50},
		{"one sender in two fields", "From: a@b.example\r\nFrom: A@b.example\r\n\r\n", "header.from_count", 1},
		{"no sender", "To: a@b.example\r\n\r\n", "header.from_count", 1},
		{"two senders in one field", "From: a@b.example, c@d.example\r\n\r\n", "header.from_count", 1},
		{"an address behind the brackets", "From: <a@b.example>c@d.example\r\n\r\n", "header.from_syntax", 20},
		{"two subjects", "From: a@b.example\r\nSubject: x\r\nSubject: y\r\n\r\n", "header.duplicate", 1},
		{"NUL", "From: a@b.example\r\nSubject: x\x00y\r\n\r\n", "header.nul", 1},
		{"1,001 fields", "From: a@b.example\r\n" + strings.Repeat("X: y\r\n", 1000) + "\r\n", "limit.header", 50},
		{"a header of more than 1 MiB", "From: a@b.example\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\nx", "limit.header", 50},
		{"two types", top + "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx", "mime.duplicate_field", 1},
		{"names of different kinds", top + "Content-Type: application/octet-stream; name=a.txt\r\nContent-Disposition: attachment; filename=a.exe\r\n\r\nx", "mime.filename_ambiguous", 50},
		{"a fragment", top + "Content-Type: message/partial; id=1; number=1; total=2\r\n\r\nx", "mime.partial", 50},
		{"content elsewhere", top + "Content-Type: message/external-body; access-type=URL\r\n\r\nx", "mime.external_body", 1},
		{"no boundary", top + "Content-Type: multipart/mixed\r\n\r\nx", "mime.boundary", 1},
		{"a CR alone", top + "\r\nx\ry", "mime.bare_line_end", 1},
	} {
		f, ok := finding(Parse([]byte(tt.msg), Limits{}), tt.rule)
		if !ok || f.Score < tt.min || f.Class != mail.Suspicious {
			t.Errorf("%s: want %s of at least %d points, got %+v (found %v)", tt.name, tt.rule, tt.min, f, ok)
		}
	}
}

func TestAWellFormedMessageHasNoFindings(t *testing.T) {
	for name, msg := range map[string]string{
		"plain":       top + "\r\nHello\r\n",
		"typical":     string(typical()),
		"attachment":  string(attachment(4000)),
		"a file":      mixed(plainCT, file("Content-Type: application/pdf; name=\"a b.pdf\"\r\nContent-Disposition: attachment; filename=\"a b.pdf\"\r\nContent-Transfer-Encoding: base64\r\n", b64([]byte("%PDF-1.4 nothing")))),
		"rfc2231":     mixed(plainCT, file("Content-Type: application/pdf\r\nContent-Disposition: attachment; filename*0*=utf-8''%C3%A4; filename*1=b.pdf\r\nContent-Transfer-Encoding: base64\r\n", b64([]byte("%PDF-1.4 nothing")))),
		"signed":      top + "Content-Type: multipart/signed; boundary=\"foo\"; micalg=sha-256; protocol=\"application/pkcs7-signature\"\r\n\r\nThis is an S/MIME signed message\r\n\r\n--foo\r\n" + hello + "--foo\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(noise(900)) + "--foo--\r\n\r\n",
		"forwarded":   mixed(plainCT, "Content-Type: message/rfc822\r\n\r\n"+top+"Content-Type: multipart/alternative; boundary=bar\r\n\r\n--bar\r\n"+hello+"--bar\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--bar--\r\n"),
		"calendar":    mixed("Content-Type: multipart/alternative; boundary=foo", "Content-Type: text/calendar; method=REQUEST; charset=UTF-8\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
		"signature":   top + "\r\nHello\r\n\r\n-- \r\nPat\r\n--------\r\n",
		"pgp":         top + "\r\n-----BEGIN PGP MESSAGE-----\r\n\r\n" + b64(noise(600)) + "-----END PGP MESSAGE-----\r\n",
		"a patch":     top + "\r\n--- a/x.go\r\n+++ b/x.go\r\n@@ -1,2 +1,2 @@\r\n-a\r\n+b\r\n-- \r\n2.39\r\n",
		"list footer": top + "Content-Type: multipart/mixed; boundary=foo\r\n\r\n--foo\r\n" + hello + "--foo--\r\n\r\n_______________\r\nA list\r\nhttps://lists.example/x\r\n",
	} {
		if m := Parse([]byte(msg), Limits{}); len(m.Anomalies) > 0 {
			t.Errorf("%s: %v", name, m.Anomalies)
		}
	}
}

func TestLimitsAreFindings(t *testing.T) {
	parts := top + plainCT + "\r\n\r\n" + strings.Repeat("--foo\r\n\r\na\r\n", 30) + "--foo--\r\n"
	zipped := attached(zipOf("a", bytes.Repeat([]byte("0123456789"), 1000)))
	for _, tt := range []struct {
		name, msg, rule string
		lim             Limits
	}{
		{"time", parts, "limit.time", Limits{Deadline: time.Now().Add(-time.Second)}},
		{"parts", parts, "limit.parts", Limits{Parts: 10}},
		{"depth", nestedMultiparts(3000), "limit.depth", Limits{Depth: 5}},
		{"messages", generators["nested messages"](1000), "limit.depth", Limits{Depth: 5}},
		{"fields", top + "X: y\r\n\r\n", "limit.header", Limits{Fields: 3}},
		{"header", top + "\r\n", "limit.header", Limits{Header: 20}},
		{"archives", attached(zipNested(1, 4, []byte("x"))), "limit.depth", Limits{Containers: 2}},
		{"members", attached(zipNested(5, 1, []byte("x"))), "limit.members", Limits{Members: 3}},
		{"octets", zipped, "limit.unpacked", Limits{Unpacked: 5000}},
		{"one part", zipped, "limit.unpacked", Limits{Part: 5000}},
		{"ratio", zipped, "limit.ratio", Limits{Ratio: 2, RatioFrom: 1000}},
		{"kept", zipped, "limit.unpacked", Limits{Kept: 50}},
		{"text", top + "\r\n" + strings.Repeat("word ", 100), "limit.text", Limits{Text: 100}},
		{"links", top + "\r\n" + strings.Repeat("http://a.example/ ", 10), "limit.links", Limits{Links: 5}},
	} {
		if f, ok := finding(Parse([]byte(tt.msg), tt.lim), tt.rule); !ok || f.Score < 50 {
			t.Errorf("%s: want %s that holds, got %+v", tt.name, tt.rule, Parse([]byte(tt.msg), tt.lim).Anomalies)
		}
	}
}

func TestAddressList(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  []mail.Mailbox
		odd   bool
	}{
		{`pat@sender.example`, []mail.Mailbox{{Addr: "pat@sender.example"}}, false},
		{`Pat Sender <pat@sender.example>`, []mail.Mailbox{{Name: "Pat Sender", Addr: "pat@sender.example"}}, false},
		{`"Sender, Pat" <pat@sender.example>`, []mail.Mailbox{{Name: "Sender, Pat", Addr: "pat@sender.example"}}, false},
		{`"a \"b\"" <pat@sender.example>`, []mail.Mailbox{{Name: `a "b"`, Addr: "pat@sender.example"}}, false},
		{`pat@sender.example (Pat Sender)`, []mail.Mailbox{{Name: "Pat Sender", Addr: "pat@sender.example"}}, false},
		{`=?utf-8?q?P=C3=A4t?= <pat@sender.example>`, []mail.Mailbox{{Name: "Pät", Addr: "pat@sender.example"}}, false},
		{`a@b.example, C <c@d.example>`, []mail.Mailbox{{Addr: "a@b.example"}, {Name: "C", Addr: "c@d.example"}}, false},
		{`friends: a@b.example, c@d.example;`, []mail.Mailbox{{Addr: "a@b.example"}, {Addr: "c@d.example"}}, false},
		{`undisclosed-recipients:;`, nil, false},
		{`"a b"@c.example`, []mail.Mailbox{{Addr: `"a b"@c.example`}}, false},
		{`<a@trusted.example>b@evil.example`, []mail.Mailbox{{Addr: "a@trusted.example"}, {Addr: "b@evil.example"}}, true},
		{`<a@trusted.example> <b@evil.example>`, []mail.Mailbox{{Addr: "a@trusted.example"}, {Addr: "b@evil.example"}}, true},
		{`a@trusted.example <b@evil.example>`, []mail.Mailbox{{Name: "a@trusted.example", Addr: "b@evil.example"}}, false},
		{`a@trusted.example b@evil.example`, []mail.Mailbox{{Addr: "a@trusted.example"}, {Addr: "b@evil.example"}}, true},
		{`<@x.example,@y.example:a@b.example>`, []mail.Mailbox{{Addr: "a@b.example"}}, true},
		{`=?utf-8?b?YUBiLmV4YW1wbGU=?=`, []mail.Mailbox{{Addr: "a@b.example"}}, true},
		{`<=?utf-8?b?YUBiLmV4YW1wbGU=?=>`, []mail.Mailbox{{Addr: "a@b.example"}}, true},
		{`Pat <pat@sender.example`, []mail.Mailbox{{Name: "Pat", Addr: "pat@sender.example"}}, true},
		{`Pat`, []mail.Mailbox{{Name: "Pat"}}, false},
		{``, nil, false},
		{`a @ b.example`, []mail.Mailbox{{Addr: "a@b.example"}}, true},
		{`pat(x)@sender.example`, []mail.Mailbox{{Name: "x", Addr: "pat@sender.example"}}, false},
	} {
		got, odd, _ := addressList(tt.value)
		if fmt.Sprint(got) != fmt.Sprint(tt.want) || odd != tt.odd {
			t.Errorf("%s: got %q odd %v, want %q odd %v", tt.value, got, odd, tt.want, tt.odd)
		}
	}
}

func TestFileNames(t *testing.T) {
	for _, tt := range []struct{ header, name, names string }{
		{"Content-Disposition: attachment; filename=a.pdf", "a.pdf", ""},
		{"Content-Disposition: attachment; filename=\"a b.pdf\"", "a b.pdf", ""},
		{"Content-Disposition: attachment; filename=a b.pdf", "a b.pdf", ""},
		{"Content-Disposition: attachment; filename*=utf-8''%C3%A4.pdf", "ä.pdf", ""},
		{"Content-Disposition: attachment; filename*=iso-8859-1'de'%E4.pdf", "ä.pdf", ""},
		{"Content-Disposition: attachment; filename*0=\"a\"; filename*1=\".pdf\"", "a.pdf", ""},
		{"Content-Disposition: attachment; filename*1=\".exe\"; filename*0=\"a\"", "a.exe", ""},
		{"Content-Disposition: attachment; filename*0*=utf-8''%C3%A4; filename*1=.pdf; filename=a.pdf", "ä.pdf", "a.pdf"},
		{"Content-Disposition: attachment; filename=\"=?utf-8?q?=C3=A4=2Epdf?=\"", "ä.pdf", ""},
		{"Content-Disposition: attachment; filename=a.txt; filename=a.exe", "a.txt", "a.exe"},
		{"Content-Type: application/x; name=a.exe\r\nContent-Disposition: attachment; filename=a.txt", "a.txt", "a.exe"},
		{"Content-Type: application/x; name=a.exe", "a.exe", ""},
		{"Content-Disposition: attachment; filename=\"Gr\xfc\xdfe.pdf\"", "Grüße.pdf", ""},
		{"Content-Disposition: attachment;\r\n filename=\"a\r\n b.pdf\"", "a b.pdf", ""},
		{"Content-Disposition: attachment; FileName=a.pdf", "a.pdf", ""},
	} {
		m := Parse([]byte(top+tt.header+"\r\n\r\nx"), Limits{})
		var p mail.Part
		for _, q := range m.Parts {
			if q.Reading == mail.Strict {
				p = q
			}
		}
		names := strings.ReplaceAll(strings.Join(p.Names, "|"), "Gr\uFFFD\uFFFDe.pdf", "")
		if p.Name != tt.name || names != tt.names {
			t.Errorf("%s: name %q others %q, want %q %q", tt.header, p.Name, names, tt.name, tt.names)
		}
	}
}

func TestAutomaticAndBulkMailIsRecognised(t *testing.T) {
	for _, tt := range []struct {
		field      string
		bulk, auto bool
	}{
		{"X: y", false, false},
		{"List-Id: <a.b>", true, false},
		{"List-Unsubscribe: <mailto:a@b>", true, false},
		{"Precedence: bulk", true, false},
		{"Auto-Submitted: auto-replied", false, true},
		{"Auto-Submitted: No", false, false},
		{"Auto-Submitted: auto-generated; x=y", false, true},
		{"Return-Path: <>", false, true},
	} {
		if m := Parse([]byte(top+tt.field+"\r\n\r\nx"), Limits{}); m.Bulk != tt.bulk || m.AutoReply != tt.auto {
			t.Errorf("%s: bulk %v, automatic %v", tt.field, m.Bulk, m.AutoReply)
		}
	}
}
