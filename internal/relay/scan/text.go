package scan

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold is s as rules compare it: compatibility forms and accents taken off, lower
// case, every run of white space one blank, invisible characters gone. "Pâÿpal"
// and "ＰＡＹＰＡＬ" both become "paypal".
func Fold(s string) string {
	b := make([]byte, 0, len(s))
	blank := true // leading white space goes
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			end := i + 1
			for end < len(s) && s[end] >= utf8.RuneSelf {
				end++
			}
			b, blank = foldOther(b, s[i:end], blank)
			i = end
			continue
		}
		i++
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			if !blank {
				b = append(b, ' ')
			}
			blank = true
			continue
		case c < ' ' || c == 0x7f:
			continue
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		}
		b = append(b, c)
		blank = false
	}
	if len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return string(b)
}

// foldOther folds a run of characters beyond ASCII onto b.
func foldOther(b []byte, run string, blank bool) ([]byte, bool) {
	for _, r := range norm.NFKD.String(run) {
		switch {
		case unicode.IsSpace(r):
			if !blank {
				b = append(b, ' ')
			}
			blank = true
			continue
		case unicode.Is(unicode.Mn, r) || invisible(r):
			continue
		case r == 'ß':
			b = append(b, "ss"...)
		case r == '’' || r == '‘' || r == '´':
			b = append(b, '\'')
		default:
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
		blank = false
	}
	return b, blank
}

// invisible reports whether r shows nothing: format characters (zero width,
// bidi, soft hyphen, tags), fillers and controls.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Cc) || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0x034f || r >= 0xfe00 && r <= 0xfe0f
}

// Quote is s as it may stand in a finding: one line, without invisible
// characters, cut to 80 characters, and without marks that would end the
// quotation.
func Quote(s string) string {
	var b strings.Builder
	b.WriteString("“")
	n := 0
	for _, r := range s {
		if n == 80 {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError || invisible(r) && !unicode.IsSpace(r):
			r = '·'
		case unicode.IsSpace(r):
			r = ' '
		case r == '“' || r == '”':
			r = '"'
		}
		b.WriteRune(r)
		n++
	}
	b.WriteString("”")
	return b.String()
}
