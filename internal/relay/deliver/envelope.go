package deliver

import (
	"strconv"
	"strings"

	"postern/internal/mail"
)

// unfit says why the job cannot go to a hop with these extensions unharmed, ""
// if it can. eight says that the content is known to hold octets above 127, whole
// that it is known whether it does. An error means the content cannot be read.
func (t *transfer) unfit(c *conn, eight, whole bool) (string, error) {
	job, x := t.job, c.ext
	if job.RequireTLS && (!x.requireTLS || c.tls.Version == "" || c.route.mta.TLS == mail.TLSRequire) {
		return "the sender demands TLS all the way (REQUIRETLS, RFC 8689), which this MTA does not promise", nil
	}
	if !x.utf8 {
		need, err := t.needsUTF8()
		if need || err != nil {
			return "550 5.6.7 the message has UTF-8 addresses or header fields, which this MTA does not take (no SMTPUTF8)", err
		}
	}
	if !x.eightBit {
		if !eight && !whole {
			var err error
			if eight, err = t.holds8bit(false); err != nil {
				return "", err
			}
		}
		if eight {
			return "550 5.6.3 the message has 8-bit content, which this MTA does not take (no 8BITMIME)", nil
		}
	}
	return "", nil
}

// needsUTF8 reports whether the message really needs SMTPUTF8: clients ask for it
// also when addresses and header are plain ASCII, and then any hop will do (RFC
// 6531 §3.3).
func (t *transfer) needsUTF8() (bool, error) {
	if !isASCII(t.job.From) {
		return true, nil
	}
	for _, r := range t.job.Rcpts {
		if !isASCII(r.Addr) {
			return true, nil
		}
	}
	if !t.job.SMTPUTF8 {
		return false, nil
	}
	return t.holds8bit(true)
}

// mailCommand is MAIL with the parameters that the hop understands. What it does
// not offer is left out (RFC 3461 §5.2, RFC 6152 §3).
func (t *transfer) mailCommand(x extensions, eight bool) string {
	job := t.job
	var b strings.Builder
	b.WriteString("MAIL FROM:<" + job.From + ">")
	if x.size {
		b.WriteString(" SIZE=" + strconv.FormatInt(int64(len(job.Prepend))+job.Size, 10))
	}
	if x.eightBit && (eight || job.Body == "8BITMIME") {
		b.WriteString(" BODY=8BITMIME")
	} else if x.eightBit && job.Body == "7BIT" {
		b.WriteString(" BODY=7BIT")
	}
	if x.utf8 && job.SMTPUTF8 {
		b.WriteString(" SMTPUTF8")
	}
	if job.RequireTLS {
		b.WriteString(" REQUIRETLS")
	}
	if x.dsn && (job.Ret == "FULL" || job.Ret == "HDRS") {
		b.WriteString(" RET=" + job.Ret)
	}
	if x.dsn && job.EnvID != "" && validParam(job.EnvID) {
		b.WriteString(" ENVID=" + job.EnvID)
	}
	return b.String()
}

func rcptCommand(x extensions, r mail.Rcpt) string {
	s := "RCPT TO:<" + r.Addr + ">"
	if x.dsn && r.Notify != "" && validParam(r.Notify) {
		s += " NOTIFY=" + r.Notify
	}
	if x.dsn && r.ORcpt != "" && validParam(r.ORcpt) && (x.utf8 || isASCII(r.ORcpt)) {
		s += " ORCPT=" + r.ORcpt
	}
	return s
}

// validPath reports whether addr can stand between < and > without changing what
// the command says: no control character, and blanks and angle brackets only
// within quotes.
func validPath(addr string) bool {
	if len(addr) > 1000 {
		return false
	}
	quoted := false
	for i := 0; i < len(addr); i++ {
		switch c := addr[i]; {
		case c < ' ' || c == 0x7f:
			return false
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
			if i == len(addr) || addr[i] < ' ' || addr[i] == 0x7f {
				return false
			}
		case !quoted && (c == ' ' || c == '<' || c == '>'):
			return false
		}
	}
	return !quoted
}

// validParam reports whether v is an esmtp-value (RFC 5321 §4.1.2), "=" allowed
// because clients send it.
func validParam(v string) bool {
	for i := range len(v) {
		if v[i] <= ' ' || v[i] == 0x7f {
			return false
		}
	}
	return len(v) <= 500
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > 127 {
			return false
		}
	}
	return true
}
