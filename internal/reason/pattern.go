package reason

import (
	"regexp"
	"strconv"
	"strings"
)

// A pattern recognises the sentences that fmt makes of one format.
type pattern struct {
	fixed []string // the format's own text, before, between and after the values
	verbs []byte   // 's', 'd', 'f' or 'q', one less than fixed
	joint bool     // hardly any text of its own: "%s: %s"
}

var verb = regexp.MustCompile(`%(\[\d\])?(\.\d+)?([sdfqv])`)

// fewLetters is less than what tells one sentence from another.
const fewLetters = 4

func newPattern(format string) pattern {
	var p pattern
	at, own := 0, 0
	for _, m := range verb.FindAllStringSubmatchIndex(format, -1) {
		p.fixed = append(p.fixed, format[at:m[0]])
		c := format[m[6]]
		if c == 'v' {
			c = 's'
		}
		p.verbs = append(p.verbs, c)
		at = m[1]
	}
	p.fixed = append(p.fixed, format[at:])
	for _, s := range p.fixed {
		own += len(strings.Trim(s, " .,:;()"))
	}
	p.joint = own < fewLetters
	return p
}

// size is how much text of its own a pattern has: the more, the surer it is.
func (p *pattern) size() int { return len(strings.Join(p.fixed, "")) }

// match reads the values out of a sentence. A value ends where the format's text
// goes on, outside of what the value quotes: a quoted name cannot play the
// sentence's part.
func (p *pattern) match(s string) (values []string, ok bool) {
	s, ok = strings.CutPrefix(s, p.fixed[0])
	if !ok {
		return nil, false
	}
	for i, c := range p.verbs {
		next := p.fixed[i+1]
		end := valueEnd(s, c, next, i == len(p.verbs)-1)
		if end < 0 {
			return nil, false
		}
		values = append(values, s[:end])
		s = s[end+len(next):]
	}
	return values, s == ""
}

// valueEnd is where the value at the beginning of s ends, -1 if none is there.
// last says that the sentence ends with next.
func valueEnd(s string, verb byte, next string, last bool) int {
	end := -1
	switch {
	case verb == 'q':
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return -1
		}
		end = len(quoted)
	case verb == 'd' || verb == 'f':
		end = len(s) - len(strings.TrimLeft(s, "-0123456789."))
		if verb == 'd' || next == "." {
			end = len(s) - len(strings.TrimLeft(s, "-0123456789"))
		}
	case last:
		end = len(s) - len(next)
	default:
		end = closed(s, next)
	}
	if end <= 0 || !strings.HasPrefix(s[end:], next) || last && end+len(next) != len(s) {
		return -1
	}
	return end
}

// closed is the first place of next in s at which no quotation is open.
func closed(s, next string) int {
	for from := 0; ; {
		i := strings.Index(s[from:], next)
		if i < 0 {
			return -1
		}
		at := from + i
		if at > 0 && strings.Count(s[:at], "“") <= strings.Count(s[:at], "”") {
			return at
		}
		from = at + 1
	}
}
