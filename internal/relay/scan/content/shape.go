package content

import (
	"fmt"
	"strings"
	"unicode"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// shape judges how a message is made instead of what it says.
func shape(msg *mail.Message, about scan.About, h *hearing) []mail.Finding {
	var found []mail.Finding
	add := func(rule string, score int, format string, a ...any) {
		found = append(found, mail.Finding{Rule: "content.shape." + rule, Class: mail.Spam, Score: score, Detail: fmt.Sprintf(format, a...)})
	}
	subject(msg.Subject, add)
	client(about, add)
	return found
}

// subject judges the way a subject is written.
func subject(s string, add func(rule string, score int, format string, a ...any)) {
	letters, upper := 0, 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
			if unicode.IsUpper(r) {
				upper++
			}
		}
	}
	if letters >= 10 && upper*10 >= letters*9 {
		add("subject.capitals", 12, "The subject is written in capitals.")
	}
	if strings.Contains(s, "$$") || strings.Count(s, "!") >= 3 {
		add("subject.loud", 12, "The subject shouts.")
	}
	if i := strings.LastIndex(s, "     "); i > 0 {
		add("subject.tail", 15, "The subject ends with a mark that tells copies of the same message apart.")
	}
}

// client judges how the sender's server introduced itself.
func client(about scan.About, add func(rule string, score int, format string, a ...any)) {
	helo := strings.ToLower(strings.Trim(about.Auth.Origin.HELO, "[]"))
	if helo == "" || about.Auth.Origin.Internal {
		return
	}
	d, err := mail.FoldDomain(helo)
	switch {
	case err == nil && scan.Within(d, about.Domains):
		add("helo.ours", 40, "The sender's server introduced itself with your own domain (%s).", helo)
	case about.Auth.Origin.IP.IsValid() && helo == about.Auth.Origin.IP.String():
		add("helo.address", 12, "The sender's server introduced itself by nothing but its address.")
	}
}
