package parse

import (
	"testing"
	"time"
	"unicode/utf8"

	"postern/internal/lineartest"
	"postern/internal/mail"
)

// check holds what is true of every message that Parse returns.
func check(t *testing.T, m *mail.Message) {
	t.Helper()
	for _, a := range m.Anomalies {
		if a.Rule == "parse.fault" {
			t.Fatalf("Parse failed inside: %s", a.Detail)
		}
		if a.Rule == "" || a.Detail == "" || a.Score < 0 || a.Score > 100 {
			t.Errorf("finding %+v", a)
		}
	}
	if !utf8.ValidString(m.Text) || !utf8.ValidString(m.Subject) {
		t.Errorf("text or subject is no UTF-8")
	}
	if len(m.Text) > defaultText || len(m.Links) > defaultLinks {
		t.Errorf("text of %d octets, %d links", len(m.Text), len(m.Links))
	}
	for _, p := range m.Parts {
		if p.Path == "" || p.Reading == "" {
			t.Errorf("part without path or reading: %q %q", p.Path, p.Reading)
		}
		if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Path) {
			t.Errorf("name %q, path %q: no UTF-8", p.Name, p.Path)
		}
		if int64(len(p.Data)) > p.Size || !p.Truncated && int64(len(p.Data)) != p.Size {
			t.Errorf("%s: %d octets of %d, truncated %v", p.Path, len(p.Data), p.Size, p.Truncated)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, data := range payloads {
		n := 0
		for _, msg := range variants(data) {
			if n++; n%7 == 0 {
				f.Add([]byte(msg))
			}
		}
	}
	f.Add(typical())
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		start := lineartest.Processor()
		check(t, Parse(b, Limits{}))
		if took := lineartest.Processor() - start; len(b) < 1<<16 && took > 3*time.Second {
			t.Errorf("%d octets took %v", len(b), took)
		}
	})
}

func FuzzAddressList(f *testing.F) {
	for _, s := range []string{`Pat <pat@sender.example>`, `"a\"b" <a@b>, c@d (e)`, `g: a@b, c@d;`, `<a@trusted>b@evil`, `=?utf-8?q?a=40b?=`, `"a@b" <c@d>`, `<@a,@b:c@d>`, `(((`, `a@b@c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		boxes, _, _ := addressList(s)
		if len(boxes) > maxMailboxes+maxComments {
			t.Errorf("%d mailboxes", len(boxes))
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, v := range typeFields {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := parseValue(s)
		v.all("filename")
		v.all("boundary")
	})
}
