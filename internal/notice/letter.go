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
	err := l.fill(b.String(), now)
	return l, err
}

// WriteSignIn writes to somebody whose account was signed in to from a browser or a
// network that was never used before. There is no link to sign in by in it: mail that
// looks like this one is what phishing sends.
func WriteSignIn(id mail.ID, host string, x store.SignIn, now time.Time) (Letter, error) {
	l := Letter{From: "postern@" + host, To: x.Email, MessageID: "sign-in-" + string(id) + "@" + host, Subject: "Postern: a new sign-in to your account"}
	text := fmt.Sprintf("Somebody signed in to your account at Postern on %s from a browser or a network that you had not used there before.\n\n"+
		"When:     %s\nFrom:     %s\nBrowser:  %s\nBy:       %s\n\n"+
		"If it was you, there is nothing to do.\n\n"+
		"If it was not you, open the portal as you always do (there is no link in this mail on purpose), and under Your account end all other sessions, "+
		"change your password and set up your second factor anew. If you cannot get in, ask an owner to disable your account, and tell them the time and the address above.\n\n"+
		"Other sign-ins of this sort within a quarter of an hour are not told by mail; Your account lists all.\n",
		host, x.At.UTC().Format("2006-01-02 15:04 UTC"), x.Address, mail.Visible(x.Agent), x.How)
	return l, l.fill(text, now)
}

// fill makes the whole mail.
func (l *Letter) fill(text string, now time.Time) error {
	var c bytes.Buffer
	for _, f := range [][2]string{
		{"From", "Postern <" + l.From + ">"},
		{"To", "<" + l.To + ">"},
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
	if _, err := q.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
		return err
	}
	err := q.Close()
	l.Content = c.Bytes()
	return err
}
