package digest

import (
	"html"
	"html/template"
	"regexp"
	"strings"
	"unicode/utf8"

	"postern/internal/mail"
)

const (
	maxSubject = 120 // characters
	maxReason  = 300
	maxLocal   = 64 // of the part before "@": the domain is what must be seen
)

// linkish are places in a text where mail programs begin a link by themselves.
var linkish = regexp.MustCompile(`([\pL\pN_-])\.([\pL]{2,})`)

// schemes are the other ways in which they begin one.
var schemes = regexp.MustCompile(`(?i)\b(mailto|javascript|data|file|tel|sms|callto|skype|ms-[a-z]+):`)

// plain is a stranger's text for the text part: on one line, cut to most characters, what hides shown, and
// without anything that a mail program makes a link of.
func plain(s string, most int) string {
	s = cut(mail.Visible(s), most)
	s = strings.ReplaceAll(s, "://", "[://]")
	s = schemes.ReplaceAllString(s, "$1[:]")
	for range 2 { // matches do not overlap
		s = linkish.ReplaceAllString(s, "$1[.]$2")
	}
	return s
}

// inert is the same for the HTML part.
func inert(s string) template.HTML { return apart(plain(s, maxSubject)) }

// who is a stranger's address as it is.
func who(addr string) string {
	shown := mail.Shown(addr)
	local, domain := mail.SplitAddress(shown)
	if domain == "" {
		return plain(addr, maxSubject)
	}
	local = schemes.ReplaceAllString(strings.ReplaceAll(local, "://", "[://]"), "$1[:]")
	return cut(local, maxLocal) + "@" + domain
}

// inertWho is the same for HTML.
func inertWho(addr string) template.HTML { return apart(who(addr)) }

// apart escapes s and sets the characters apart by which programs know addresses,
// so that they are shown but not made links.
func apart(s string) template.HTML {
	var b strings.Builder
	for _, r := range s {
		switch r {
		case '.', '@', ':':
			b.WriteString("<span>" + string(r) + "</span>")
		default:
			b.WriteString(html.EscapeString(string(r)))
		}
	}
	return template.HTML(b.String())
}

func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}
