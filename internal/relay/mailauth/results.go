package mailauth

import (
	"fmt"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// Results is the value of an Authentication-Results field that tells a under the
// name authserv (RFC 8601 §2.2), folded with CRLF and a blank, without a final
// line end. Whatever the message brought is checked or quoted, so that it can end
// neither its own value nor the field.
func Results(authserv string, a mail.Auth) string {
	var b strings.Builder
	b.WriteString(value(authserv))
	add := func(method string, r mail.Result, reason string, properties ...string) {
		fmt.Fprintf(&b, ";\r\n %s=%s", method, result(r))
		if reason != "" {
			b.WriteString(" reason=" + quote(reason))
		}
		for i := 0; i+1 < len(properties); i += 2 {
			if properties[i+1] != "" {
				b.WriteString(" " + properties[i] + "=" + value(properties[i+1]))
			}
		}
	}
	identity := "smtp.mailfrom"
	if a.Origin.MailFrom == "" {
		identity = "smtp.helo"
	}
	ip := ""
	if a.Origin.IP.IsValid() {
		ip = a.Origin.IP.String()
	}
	add("spf", a.SPF.Result, a.SPF.Reason, identity, a.SPF.Domain, "smtp.remote-ip", ip)
	for _, d := range a.DKIM {
		add("dkim", d.Result, d.Reason, "header.d", d.Domain, "header.s", d.Selector, "header.a", d.Algorithm)
	}
	if len(a.DKIM) == 0 {
		add("dkim", mail.ResultNone, "")
	}
	add("dmarc", a.DMARC.Result, a.DMARC.Reason, "header.from", a.DMARC.Domain, "policy.dmarc", a.DMARC.Policy)
	oldest := ""
	if a.ARC.Result == mail.ResultPass {
		oldest = strconv.Itoa(a.ARC.Oldest)
	}
	add("arc", a.ARC.Result, a.ARC.Reason, "header.oldest-pass", oldest)
	return b.String()
}

func result(r mail.Result) string {
	if r == "" {
		return string(mail.ResultNone)
	}
	return token(string(r))
}

// value is a token where s is one, else a quoted string.
func value(s string) string {
	if s != "" && token(s) == s {
		return s
	}
	return quote(s)
}

// token keeps the octets that a value may have without quotes (RFC 2045 §5.1).
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) {
			return -1
		}
		return r
	}, s)
}

// quote makes a quoted string of one line of ASCII (RFC 5322 §3.2.4).
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		if i > 200 {
			b.WriteString("...")
			break
		}
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r >= 0x7f:
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
