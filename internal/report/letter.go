package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
	"time"

	"postern/internal/mail"
)

// Letter is the report as a message: a summary as text and HTML, the PDF attached.
// It says that a program wrote it (RFC 3834 §5), so that nobody's absence answers.
func (rep *Report) Letter(t Words, id mail.ID, from, to, host string) (subject string, content []byte, err error) {
	subject = fmt.Sprintf("%s: %s, %s", t("Mail report"), rep.Tenant.Name, rep.between())
	var pdf bytes.Buffer
	if err := rep.PDF(&pdf, t, "Postern"); err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	outer := multipart.NewWriter(&b)
	fmt.Fprintf(&b, "From: Postern <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <report-%s@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%q\r\n\r\n",
		from, to, mime.QEncoding.Encode("utf-8", subject), rep.Made.Format(time.RFC1123Z), id, host, outer.Boundary())
	var texts bytes.Buffer
	inner := multipart.NewWriter(&texts)
	text, page := rep.summary(t, subject)
	part(inner, "text/plain; charset=utf-8", "", []byte(text))
	part(inner, "text/html; charset=utf-8", "", []byte(page))
	inner.Close()
	w, err := outer.CreatePart(textproto.MIMEHeader{"Content-Type": {fmt.Sprintf("multipart/alternative; boundary=%q", inner.Boundary())}})
	if err != nil {
		return "", nil, err
	}
	_, _ = w.Write(texts.Bytes()) // into memory
	part(outer, "application/pdf", fmt.Sprintf("%s-%s.pdf", rep.Tenant.ID, rep.Range.From.Format(time.DateOnly)), pdf.Bytes())
	return subject, b.Bytes(), outer.Close()
}

// summary is the report in a few lines.
func (rep *Report) summary(t Words, title string) (text, page string) {
	var plain, rich strings.Builder
	fmt.Fprintf(&plain, "%s\r\n\r\n", title)
	fmt.Fprintf(&rich, `<!doctype html><html><body style="font-family:sans-serif;color:#1c2321"><h1 style="font-size:20px">%s</h1><table cellpadding="6">`, html.EscapeString(title))
	line := func(value, label string) {
		fmt.Fprintf(&plain, "%s  %s\r\n", value, label)
		fmt.Fprintf(&rich, `<tr><td align="right"><b>%s</b></td><td>%s</td></tr>`, html.EscapeString(value), html.EscapeString(label))
	}
	for _, f := range rep.Figures(t) {
		line(f.Value, f.Label+" ("+f.Note+")")
	}
	for i, n := range rep.Targeted[:min(len(rep.Targeted), 3)] {
		if i == 0 {
			line("", t("People most targeted"))
		}
		line(Number(n.Bad), n.Name)
	}
	plain.WriteString("\r\n" + t("The whole report is attached.") + "\r\n")
	fmt.Fprintf(&rich, "</table><p>%s</p></body></html>\r\n", html.EscapeString(t("The whole report is attached.")))
	return plain.String(), rich.String()
}

// part writes one part in base64, whose lines are 76 long (RFC 2045 §6.8).
func part(w *multipart.Writer, kind, name string, body []byte) {
	h := textproto.MIMEHeader{"Content-Type": {kind}, "Content-Transfer-Encoding": {"base64"}}
	if name != "" {
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	}
	out, _ := w.CreatePart(h) // into memory
	code := base64.StdEncoding.EncodeToString(body)
	for len(code) > 0 {
		n := min(76, len(code))
		_, _ = out.Write([]byte(code[:n] + "\r\n"))
		code = code[n:]
	}
}
