package digest

import (
	"bytes"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"postern/internal/mail"
)

// letter is a letter without its content.
func (c *Composer) letter(id mail.ID, t mail.Tenant, rules mail.Recipients, to Reader, subject string) Letter {
	return Letter{ID: id, Tenant: t.ID, To: to.Addr, From: From(rules, to.Addr), Subject: subject, MessageID: "digest-" + string(id) + "@" + c.Hostname}
}

// From is the sender of what is written to an address.
func From(rules mail.Recipients, to string) string {
	if rules.FromAddr != "" {
		return rules.FromAddr
	}
	_, domain := mail.SplitAddress(to)
	return "quarantine@" + domain
}

// octets is the whole mail. It says that a program wrote it (RFC 3834 §5) and
// which list it is of (RFC 2919), so that nobody's absence is answered.
func (l *Letter) octets(host string, t mail.Tenant, rules mail.Recipients, lang, text string, page []byte, now time.Time) ([]byte, error) {
	name := rules.FromName
	if name == "" {
		name = t.Name
	}
	boundary := "=_" + string(l.ID)
	var b bytes.Buffer
	for _, f := range [][2]string{
		{"From", phrase(name) + " <" + l.From + ">"},
		{"To", "<" + l.To + ">"},
		{"Subject", mime.QEncoding.Encode("utf-8", l.Subject)},
		{"Date", now.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + l.MessageID + ">"},
		{"List-Id", phrase(name) + " <held-mail." + t.ID + "." + host + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"Precedence", "bulk"},
		{"X-Auto-Response-Suppress", "All"},
		{"Content-Language", lang},
		{"MIME-Version", "1.0"},
		{"Content-Type", `multipart/alternative; boundary="` + boundary + `"`},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	for _, part := range []struct {
		kind string
		text []byte
	}{{"text/plain", []byte(text)}, {"text/html", page}} {
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary, part.kind)
		q := quotedprintable.NewWriter(&b)
		if _, err := q.Write(bytes.ReplaceAll(part.text, []byte("\n"), []byte("\r\n"))); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes(), nil
}

// phrase is a name as a header field takes it (RFC 5322 §3.2.5, RFC 2047 §5).
func phrase(name string) string {
	name = mail.Visible(name)
	encoded := mime.QEncoding.Encode("utf-8", name)
	if encoded != name {
		return encoded
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
