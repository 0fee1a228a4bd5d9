package notice

import (
	"bytes"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Letter is a notice as mail.
type Letter struct {
	From, To, Subject, MessageID string
	Content                      []byte // the whole mail
}

// Write writes the mail about alarms of a tenant. host is the relay's, url of its
// portal, "" if it is not known. It says that a program wrote it (RFC 3834 §5), and
// quotes nothing of anybody's mail but what alarms do.
func Write(id mail.ID, host, url string, t mail.Tenant, to string, alarms []store.Alarm, now time.Time) (Letter, error) {
	l := Letter{From: "postern@" + host, To: to, MessageID: "alarm-" + string(id) + "@" + host}
	l.Subject = fmt.Sprintf("Postern: %s (%s)", alarms[0].Kind, t.Name)
	if len(alarms) > 1 {
		l.Subject = fmt.Sprintf("Postern: %d alarms (%s)", len(alarms), t.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Postern on %s raised what somebody should look at, for %s.\n", host, t.Name)
	for _, a := range alarms {
		fmt.Fprintf(&b, "\n- %s\n  (%s, raised %d times, last at %s)\n", mail.Visible(a.Text), a.Kind, a.Count, a.LastAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	b.WriteString("\nMore alarms within the hour come together at its end.\n")
	if url != "" {
		fmt.Fprintf(&b, "What to do: %s/t/%s/\nWho gets this mail: %s/t/%s/notifications\n", url, t.ID, url, t.ID)
	}
	var c bytes.Buffer
	for _, f := range [][2]string{
		{"From", "Postern <" + l.From + ">"},
		{"To", "<" + to + ">"},
		{"Subject", mime.QEncoding.Encode("utf-8", mail.Visible(l.Subject))},
		{"Date", now.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + l.MessageID + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"X-Auto-Response-Suppress", "All"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&c, "%s: %s\r\n", f[0], f[1])
	}
	c.WriteString("\r\n")
	q := quotedprintable.NewWriter(&c)
	if _, err := q.Write([]byte(strings.ReplaceAll(b.String(), "\n", "\r\n"))); err != nil {
		return l, err
	}
	err := q.Close()
	l.Content = c.Bytes()
	return l, err
}
