package report

import (
	"fmt"
	"strings"
	"time"
)

// Words says an English sentence in a reader's language; args fill its verbs.
type Words func(english string, args ...any) string

// English says sentences as they are.
func English(s string, args ...any) string {
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// Brief is a duration for people, to two digits or so.
func Brief(d time.Duration) string {
	switch s := d.Seconds(); {
	case d == 0:
		return "–"
	case s < 1:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 10:
		return fmt.Sprintf("%.1f s", s)
	case s < 120:
		return fmt.Sprintf("%.0f s", s)
	case s < 2*3600:
		return fmt.Sprintf("%.0f min", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%.0f h", s/3600)
	default:
		return fmt.Sprintf("%.0f d", s/86400)
	}
}

// Number is n with narrow blanks between thousands, which every language reads.
func Number(n int) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && c != '-' && s[i-1] != '-' {
			b.WriteString("\u00a0")
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Rule says what a rule of the scanners looks for.
func Rule(t Words, rule string) string {
	family, _, _ := strings.Cut(rule, ".")
	switch family {
	case "lookalike":
		return t("Looks like a known name or domain")
	case "sender", "auth", "spf", "dkim", "dmarc", "arc":
		return t("Sender could not be proved or is forged")
	case "link", "url":
		return t("Dangerous or disguised link")
	case "attachment", "archive":
		return t("Dangerous or disguised attachment")
	case "macro":
		return t("Macro in a document")
	case "content":
		return t("Wording of spam or fraud")
	case "signature", "clamd", "av":
		return t("Known malware")
	case "rspamd":
		return t("Found by rspamd")
	case "mime", "limit", "limits", "header", "html", "parse":
		return t("Ambiguous or oversized structure")
	case "engine", "judge":
		return t("A check could not look")
	}
	return t("Other rule")
}
