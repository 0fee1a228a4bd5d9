package exchange

import (
	"regexp"
	"strings"

	"postern/internal/mail"
)

// verdicts are what Exchange says of SPF, DKIM and DMARC in its own form of
// Authentication-Results, which has no authserv-id.
type verdicts struct {
	spf, dkim, dmarc string
	compAuth, reason string
	ip               string // "sender IP is"
	mailFrom         string // smtp.mailfrom: a domain
}

var (
	senderIP = regexp.MustCompile(`(?i)^\(sender ip is ([0-9A-Fa-f:.]+)\)`)
	mailFrom = regexp.MustCompile(`(?i)\bsmtp\.mailfrom=([^\s;]+)`)
	because  = regexp.MustCompile(`(?i)\breason=([0-9]{3})\b`)
)

// parseResults reads one field. A method that stands twice counts only where both
// agree, since a sender's names are repeated in the field and could look like one.
func parseResults(value string) verdicts {
	var v verdicts
	for _, part := range splitMethods(value) {
		method, rest, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		result := word(rest)
		rest = strings.TrimSpace(strings.TrimSpace(rest)[len(result):])
		result = strings.ToLower(result)
		switch strings.ToLower(strings.TrimSpace(method)) {
		case "spf":
			first := v.spf == ""
			v.spf = agree(v.spf, result)
			if m := senderIP.FindStringSubmatch(rest); m != nil && first {
				v.ip = m[1]
			}
			if m := mailFrom.FindStringSubmatch(rest); m != nil && first {
				v.mailFrom = strings.ToLower(m[1])
			}
		case "dkim":
			if v.dkim == "" || result == "pass" {
				v.dkim = result // one good signature is enough, as for Exchange
			}
		case "dmarc":
			v.dmarc = agree(v.dmarc, result)
		case "compauth":
			v.compAuth = agree(v.compAuth, result)
			if m := because.FindStringSubmatch(rest); m != nil {
				v.reason = m[1]
			}
		}
	}
	return v
}

func agree(before, now string) string {
	if before == "" || before == now {
		return now
	}
	return "ambiguous"
}

// word is the leading run of letters.
func word(s string) string {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return s[:i]
		}
	}
	return s
}

// splitMethods cuts at semicolons outside of comments and quotes.
func splitMethods(s string) []string {
	var parts []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ';' && depth == 0:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[start:]))
}

// report is an X-Forefront-Antispam-Report.
type report map[string]string

// lastReport reads the last of the header: Exchange appends its own and renames or
// removes what came with the message.
func lastReport(h mail.Header) report {
	r := report{}
	all := h.All("X-Forefront-Antispam-Report")
	if len(all) == 0 {
		return r
	}
	for part := range strings.SplitSeq(all[len(all)-1], ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), ":")
		name = strings.ToUpper(name)
		if _, twice := r[name]; ok && !twice {
			r[name] = strings.TrimSpace(value)
		}
	}
	return r
}

func last(h mail.Header, name string) string {
	all := h.All(name)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}
