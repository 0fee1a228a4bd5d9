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

// Words are the language of a letter: Say puts formats and values together, Alarm
// says what an alarm is about.
type Words struct {
	Say   func(format string, args ...any) string
	Alarm func(mail.Sentence) string
}

// Write writes the mail about alarms of a tenant. host is the relay's, url of its
// portal, "" if it is not known. It says that a program wrote it (RFC 3834 §5), and
// quotes nothing of anybody's mail but what alarms do.
func Write(id mail.ID, host, url string, t mail.Tenant, to string, alarms []store.Alarm, now time.Time, w Words) (Letter, error) {
	say := w.Say
	l := Letter{From: "postern@" + host, To: to, MessageID: "alarm-" + string(id) + "@" + host}
	l.Subject = fmt.Sprintf("Postern: %s (%s)", alarms[0].Kind, t.Name)
	if len(alarms) > 1 {
		l.Subject = say("Postern: %d alarms (%s)", len(alarms), t.Name)
	}
	var b strings.Builder
	fmt.Fprintln(&b, say("Postern on %s raised what somebody should look at, for %s.", host, t.Name))
	for _, a := range alarms {
		fmt.Fprintf(&b, "\n- %s\n  (%s)\n", mail.Visible(w.Alarm(a.Text)), mail.Say("%s, raised %d times, last on %s", a.Kind, a.Count, a.LastAt).In(say))
	}
	fmt.Fprintf(&b, "\n%s\n", say("More alarms within the hour come together at its end."))
	if url != "" {
		at := url + "/t/" + t.ID
		fmt.Fprintf(&b, "%s\n%s\n", say("What to do: %s", at+"/"), say("Who gets this mail: %s", at+"/notifications"))
	}
	err := l.fill(b.String(), now)
	return l, err
}

// WriteSignIn writes to somebody whose account was signed in to from a browser or a
// network that was never used before. There is no link to sign in by in it: mail that
// looks like this one is what phishing sends.
func WriteSignIn(id mail.ID, host string, x store.SignIn, now time.Time, w Words) (Letter, error) {
	say := w.Say
	l := Letter{From: "postern@" + host, To: x.Email, MessageID: "sign-in-" + string(id) + "@" + host, Subject: say("Postern: a new sign-in to your account")}
	how := map[string]string{"password": say("password"), "passkey": say("passkey"), "provider": say("sign-in provider")}[x.How]
	text := strings.Join([]string{
		say("Somebody signed in to your account at Postern on %s from a browser or a network that you had not used there before.", host),
		mail.Say("When: %s", x.At).In(say) + "\n" + say("From: %s", x.Address) + "\n" + say("Browser: %s", mail.Visible(x.Agent)) + "\n" + say("By: %s", how),
		say("If it was you, there is nothing to do."),
		say("If it was not you, open the portal as you always do (there is no link in this mail on purpose), and under Your account end all other sessions, change your password and set up your second factor anew. If you cannot get in, ask an owner to disable your account, and tell them the time and the address above."),
		say("Other sign-ins of this sort within a quarter of an hour are not told by mail; Your account lists all."),
	}, "\n\n") + "\n"
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
