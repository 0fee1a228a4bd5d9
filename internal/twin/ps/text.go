package ps

import "strings"

// text reads a string of any kind.
func (p *parser) text() node {
	switch {
	case p.peek() == '@' && single(p.at(1)):
		return literal{p.here(single)}
	case p.peek() == '@' && double(p.at(1)):
		return (&parser{src: []rune(p.here(double))}).expanded(true)
	case single(p.peek()):
		return literal{p.plain()}
	}
	p.pos++
	return p.expanded(false)
}

// plain is a single-quoted string; a quote is doubled.
func (p *parser) plain() string {
	p.pos++
	var b strings.Builder
	for {
		switch c := p.peek(); {
		case p.pos >= len(p.src):
			p.fail("a string is not closed")
		case single(c) && single(p.at(1)):
			b.WriteRune(c)
			p.pos += 2
		case single(c):
			p.pos++
			return b.String()
		default:
			b.WriteRune(c)
			p.pos++
		}
	}
}

// here is the text between @' or @" and its end at the start of a line.
func (p *parser) here(quote func(rune) bool) string {
	p.pos += 2
	for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\r' {
		p.pos++
	}
	if p.peek() != '\n' {
		p.fail("a here-string begins on its own line")
	}
	p.pos++
	start := p.pos
	for {
		if p.pos >= len(p.src) {
			p.fail("a here-string is not closed")
		}
		if (p.pos == start || p.src[p.pos-1] == '\n') && quote(p.peek()) && p.at(1) == '@' {
			end := p.pos
			p.pos += 2
			s := string(p.src[start:max(start, end-1)])
			return strings.TrimSuffix(s, "\r")
		}
		p.pos++
	}
}

// expanded is a double-quoted string, up to its quote, or to the end of a here-string.
func (p *parser) expanded(here bool) node {
	var out expand
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out.parts = append(out.parts, b.String())
			b.Reset()
		}
	}
	for {
		c := p.peek()
		switch {
		case p.pos >= len(p.src) && here:
			flush()
			return out
		case p.pos >= len(p.src):
			p.fail("a string is not closed")
		case !here && double(c) && double(p.at(1)):
			b.WriteRune(c)
			p.pos += 2
		case !here && double(c):
			p.pos++
			flush()
			return out
		case c == '`':
			p.pos++
			b.WriteRune(escape(p.peek()))
			p.pos++
		case c == '$' && p.at(1) == '(':
			flush()
			p.pos += 2
			out.parts = append(out.parts, subExpr{p.statements(')')})
			p.want(")")
		case c == '$' && (nameRune(p.at(1)) || p.at(1) == '{'):
			flush()
			out.parts = append(out.parts, p.variable())
		default:
			b.WriteRune(c)
			p.pos++
		}
	}
}

func escape(c rune) rune {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case '0':
		return 0
	}
	return c
}

// variable is $name, ${name} or $scope:name.
func (p *parser) variable() node {
	line := p.line()
	p.pos++
	if p.peek() == '{' {
		start := p.pos + 1
		for p.peek() != '}' {
			if p.pos >= len(p.src) {
				p.fail("a variable's name is not closed")
			}
			p.pos++
		}
		p.pos++
		return scoped(string(p.src[start:p.pos-1]), line)
	}
	if c := p.peek(); c == '?' || c == '$' || c == '^' {
		p.pos++
		return variable{name: string(c), line: line}
	}
	name := p.word()
	if p.peek() == ':' && nameRune(p.at(1)) {
		p.pos++
		return variable{scope: strings.ToLower(name), name: p.word(), line: line}
	}
	if name == "" {
		p.fail("a variable's name is missing")
	}
	return variable{name: name, line: line}
}

func scoped(s string, line int) node {
	if scope, name, ok := strings.Cut(s, ":"); ok {
		return variable{scope: strings.ToLower(scope), name: name, line: line}
	}
	return variable{name: s, line: line}
}
