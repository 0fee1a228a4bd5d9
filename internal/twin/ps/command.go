package ps

import (
	"strings"
	"unicode"
)

// command is a name and its arguments.
func (p *parser) command() node {
	line := p.line()
	start := p.pos
	for p.pos < len(p.src) && !strings.ContainsRune(" \t\r\n;|(){}'\"$,", p.peek()) {
		p.pos++
	}
	name := string(p.src[start:p.pos])
	return command{literal{name}, p.arguments(), line}
}

// arguments reads up to the end of the command.
func (p *parser) arguments() []argument {
	var out []argument
	for {
		p.space(false)
		c := p.peek()
		if p.pos >= len(p.src) || strings.ContainsRune("\n;|)}", c) {
			return out
		}
		switch {
		case p.rest("2>&1"):
			p.pos += 4
		case p.rest("2>") || p.rest("3>") || p.rest("*>") || c == '>':
			p.redirect()
		case c == '@' && nameRune(p.at(1)):
			p.pos++
			out = append(out, argument{value: variable{name: p.word(), line: p.line()}, splat: true})
		case c == '-' && unicode.IsLetter(p.at(1)):
			out = append(out, p.named())
		default:
			out = append(out, argument{value: p.argumentList()})
		}
	}
}

// redirect skips a redirection to $null; another one has nowhere to go.
func (p *parser) redirect() {
	for p.peek() != '>' {
		p.pos++
	}
	p.pos++
	p.space(false)
	if v, ok := p.primary().(variable); !ok || !strings.EqualFold(v.name, "null") {
		p.fail("redirection to anything but $null is not supported")
	}
}

// named is -Name value, -Name:value, or a switch.
func (p *parser) named() argument {
	p.pos++
	start := p.pos
	for nameRune(p.peek()) {
		p.pos++
	}
	a := argument{name: string(p.src[start:p.pos])}
	if p.peek() == ':' {
		p.pos++
		p.space(false)
		a.value = p.argumentList()
		return a
	}
	p.space(false)
	c := p.peek()
	if p.pos >= len(p.src) || strings.ContainsRune("\n;|)}", c) || c == '-' && unicode.IsLetter(p.at(1)) || c == '@' && nameRune(p.at(1)) {
		return a
	}
	a.value = p.argumentList()
	return a
}

// argumentList is one argument, or several with commas between them.
func (p *parser) argumentList() node {
	first := p.argument()
	items := []node{first}
	for {
		p.space(false)
		if p.peek() != ',' {
			break
		}
		p.pos++
		p.space(true)
		items = append(items, p.argument())
	}
	if len(items) == 1 {
		return first
	}
	return arrayLit{items}
}

// argument is one value in argument mode, where a bare word is a string.
func (p *parser) argument() node {
	switch c := p.peek(); {
	case c == '$', c == '(', c == '@', c == '{', single(c), double(c):
		return p.postfix(p.primary())
	case c == '[' && strings.ContainsRune(string(p.src[p.pos:min(len(p.src), p.pos+40)]), ':'):
		return p.typed()
	}
	start := p.pos
	for p.pos < len(p.src) && !strings.ContainsRune(" \t\r\n;|(){},", p.peek()) {
		if p.peek() == '`' {
			p.fail("escapes in bare words are not supported")
		}
		p.pos++
	}
	if p.pos == start {
		p.fail("unexpected %q", string(p.peek()))
	}
	w := string(p.src[start:p.pos])
	if n, ok := number(w); ok {
		return literal{n}
	}
	if strings.Contains(w, "$") {
		return (&parser{src: []rune(w)}).expanded(true)
	}
	return literal{w}
}
