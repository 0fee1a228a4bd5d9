package ps

import (
	"fmt"
	"strings"
	"unicode"
)

// An Error in a script: where and what. It comes from parsing, or from running
// something the interpreter does not know.
type Error struct {
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// A parser reads a script rune by rune; what a rune means depends on whether an
// expression or a command's argument is expected.
type parser struct {
	src []rune
	pos int

	counted, lines int // line ends before counted
}

// fail stops parsing; Parse turns it into an error.
func (p *parser) fail(format string, args ...any) {
	panic(&Error{p.line(), fmt.Sprintf(format, args...)})
}

// line counts from where it counted last; parsing rarely goes back.
func (p *parser) line() int {
	if p.pos < p.counted {
		p.counted, p.lines = 0, 0
	}
	for ; p.counted < min(p.pos, len(p.src)); p.counted++ {
		if p.src[p.counted] == '\n' {
			p.lines++
		}
	}
	return p.lines + 1
}

func (p *parser) peek() rune { return p.at(0) }

func (p *parser) at(n int) rune {
	if p.pos+n < len(p.src) {
		return p.src[p.pos+n]
	}
	return 0
}

func (p *parser) rest(s string) bool {
	r := []rune(s)
	if p.pos+len(r) > len(p.src) {
		return false
	}
	return strings.EqualFold(string(p.src[p.pos:p.pos+len(r)]), s)
}

// space skips blanks, comments and continued lines, and with lines also line ends.
func (p *parser) space(lines bool) {
	for p.pos < len(p.src) {
		switch c := p.peek(); {
		case c == ' ' || c == '\t' || c == '\r' || c == '\ufeff':
			p.pos++
		case c == '`' && (p.at(1) == '\n' || p.at(1) == '\r' && p.at(2) == '\n'):
			for p.peek() != '\n' {
				p.pos++
			}
			p.pos++
		case c == '\n' && lines:
			p.pos++
		case c == '<' && p.at(1) == '#':
			for p.pos < len(p.src) && !(p.peek() == '#' && p.at(1) == '>') {
				p.pos++
			}
			p.pos += 2
		case c == '#':
			for p.pos < len(p.src) && p.peek() != '\n' {
				p.pos++
			}
		default:
			return
		}
	}
}

// ends skips what separates statements.
func (p *parser) ends() {
	for {
		p.space(true)
		if p.peek() != ';' {
			return
		}
		p.pos++
	}
}

func (p *parser) eat(s string) bool {
	p.space(false)
	if p.rest(s) {
		p.pos += len([]rune(s))
		return true
	}
	return false
}

func (p *parser) want(s string) {
	p.space(true)
	if !p.eat(s) {
		p.fail("expected %q", s)
	}
}

// word reads a keyword or name if one stands here.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.src) && nameRune(p.peek()) {
		p.pos++
	}
	return string(p.src[start:p.pos])
}

// keyword takes a keyword if it stands here as a whole word.
func (p *parser) keyword(names ...string) string {
	start := p.pos
	w := strings.ToLower(p.word())
	next := p.peek()
	for _, n := range names {
		if w == n && next != '-' {
			return n
		}
	}
	p.pos = start
	return ""
}

func nameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// PowerShell takes typographic quotes for plain ones.
func single(r rune) bool { return r == '\'' || r >= '\u2018' && r <= '\u201b' }

func double(r rune) bool { return r == '"' || r >= '\u201c' && r <= '\u201e' }
