package preview

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/idna"
)

// legible is text in which nothing turns the direction of what surrounds it and
// nothing is there that cannot be seen: the first shows itself, the second is left
// out, as a reader's eye does (safety.md R38).
func legible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return r
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return '\uFFFD'
		case r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069', r == '\u200E', r == '\u200F', r == '\u061C':
			return '\u2BD1' // ⯑: something was here
		case unicode.Is(unicode.Cf, r), r == '\u034F', unicode.Is(unicode.Variation_Selector, r):
			return -1
		}
		return r
	}, s)
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// address is where a link leads, as text: "‹https://HOST/path›" with the host that
// would really be asked standing out, as machines see it.
func address(where string) *html.Node {
	n := element("span", html.Attribute{Key: "class", Val: "url"})
	before, host, after := CutHost(where)
	n.AppendChild(text("‹" + clip(shown(before), 40)))
	if host != "" {
		strong := element("b")
		strong.AppendChild(text(clip(host, maxAddress)))
		n.AppendChild(strong)
	}
	n.AppendChild(text(clip(shown(after), maxAddress-min(len(host), maxAddress-20)) + "›"))
	return n
}

// CutHost finds the host of a web address as a browser does, in the form in which
// machines see it; without one all is in after.
func CutHost(where string) (before, host, after string) {
	u, err := url.Parse(strings.ReplaceAll(where, `\`, "/"))
	if err != nil || u.Hostname() == "" {
		return "", "", where
	}
	host = u.Hostname()
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	before = u.Scheme + "://"
	if u.User != nil {
		before += u.User.String() + "@"
	}
	after = u.RequestURI()
	if u.Port() != "" {
		after = ":" + u.Port() + after
	}
	if u.Fragment != "" {
		after += "#" + u.Fragment
	}
	return before, shown(host), after
}

// shown makes every character that cannot be seen, or turns the line, show itself:
// an address is for reading letter by letter.
func shown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == utf8.RuneError || r == 0x7f || r > 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Z, r)) {
			fmt.Fprintf(&b, "‹U+%04X›", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
