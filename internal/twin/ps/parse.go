package ps

import (
	"strings"
	"unicode"
)

// A Script is a parsed script.
type Script struct{ body block }

// Parse reads a script. The error is an *Error.
func Parse(src string) (s *Script, err error) {
	defer func() {
		if e, ok := recover().(*Error); ok {
			err = e
		} else if e != nil {
			panic(e)
		}
	}()
	p := &parser{src: []rune(strings.ReplaceAll(src, "\r\n", "\n"))}
	b := block{params: p.paramBlock()}
	b.body = p.statements(0)
	if p.pos < len(p.src) {
		p.fail("unexpected %q", string(p.peek()))
	}
	return &Script{b}, nil
}

// paramBlock is [CmdletBinding()] and param( ), if they stand here.
func (p *parser) paramBlock() []parameter {
	p.space(true)
	start := p.pos
	for p.peek() == '[' {
		p.typeText()
		p.space(true)
	}
	if p.keyword("param") == "" {
		p.pos = start
		return nil
	}
	p.want("(")
	var out []parameter
	for p.space(true); p.peek() != ')'; p.space(true) {
		out = append(out, p.parameter())
		p.space(true)
		if !p.eat(",") {
			break
		}
	}
	p.want(")")
	return out
}

func (p *parser) parameter() parameter {
	var d parameter
	for p.space(true); p.peek() == '['; p.space(true) {
		t := p.typeText()
		switch {
		case strings.HasPrefix(t, "parameter("):
			d.mandatory = strings.Contains(t, "mandatory") && !strings.Contains(strings.ReplaceAll(t, " ", ""), "mandatory=$false")
		case strings.Contains(t, "("): // another attribute, such as ValidateSet
		default:
			d.typ = t
		}
	}
	v, ok := p.primary().(variable)
	if !ok {
		p.fail("a parameter is a variable")
	}
	d.name = v.name
	p.space(true)
	if p.peek() == '=' {
		p.pos++
		p.space(true)
		d.value = p.unary() // a comma ends it
	}
	return d
}

// statements reads up to the closing rune, which stays; 0 is the end of the script.
func (p *parser) statements(end rune) []statement {
	var out []statement
	for {
		p.ends()
		if p.pos >= len(p.src) || p.peek() == end && end != 0 {
			return out
		}
		out = append(out, p.statement())
		p.space(false)
		if c := p.peek(); c != ';' && c != '\n' && c != end && c != 0 && !ended(p.src, p.pos) {
			p.fail("unexpected %q after a statement", string(c))
		}
	}
}

// ended: after the } of a statement another may follow on the same line.
func ended(src []rune, pos int) bool {
	for pos--; pos >= 0 && (src[pos] == ' ' || src[pos] == '\t'); pos-- {
	}
	return pos >= 0 && src[pos] == '}'
}

// body is { statements }.
func (p *parser) bodyOf() []statement {
	p.want("{")
	s := p.statements('}')
	p.want("}")
	return s
}

func (p *parser) block() node {
	p.want("{")
	b := block{params: p.paramBlock()}
	b.body = p.statements('}')
	p.want("}")
	return b
}

func (p *parser) statement() statement {
	p.space(true)
	line := p.line()
	switch k := p.keyword("function", "if", "foreach", "while", "try", "switch", "return", "throw", "break", "continue", "exit"); k {
	case "function":
		return p.function()
	case "if":
		return p.ifStatement()
	case "foreach":
		return p.foreach()
	case "while":
		p.want("(")
		cond := p.pipe()
		p.want(")")
		return whileStmt{cond, p.bodyOf()}
	case "try":
		return p.try()
	case "switch":
		return p.switchStatement()
	case "return", "throw", "exit", "break", "continue":
		p.space(false)
		if c := p.peek(); c == '\n' || c == ';' || c == '}' || c == 0 {
			return flow{k, nil, line}
		}
		return flow{k, p.pipe(), line}
	}
	return p.pipe()
}

func (p *parser) function() statement {
	p.space(false)
	start := p.pos
	for nameRune(p.peek()) || p.peek() == '-' || p.peek() == ':' {
		p.pos++
	}
	name := string(p.src[start:p.pos])
	p.space(true)
	var params []parameter
	if p.peek() == '(' { // function f($a, $b) { }
		p.pos++
		for p.space(true); p.peek() != ')'; p.space(true) {
			params = append(params, p.parameter())
			if p.space(true); !p.eat(",") {
				break
			}
		}
		p.want(")")
	}
	b := p.block().(block)
	b.params = append(params, b.params...)
	return function{name, b}
}

func (p *parser) ifStatement() statement {
	var s ifStmt
	for {
		p.want("(")
		p.space(true)
		s.conds = append(s.conds, p.pipe())
		p.want(")")
		s.thens = append(s.thens, p.bodyOf())
		start := p.pos
		p.space(true)
		switch p.keyword("elseif", "else") {
		case "elseif":
			continue
		case "else":
			s.other = p.bodyOf()
			return s
		}
		p.pos = start
		return s
	}
}

func (p *parser) foreach() statement {
	p.want("(")
	p.space(true)
	v, ok := p.variable().(variable)
	p.space(true)
	if !ok || p.keyword("in") == "" {
		p.fail("foreach ($name in values)")
	}
	p.space(true)
	over := p.pipe()
	p.want(")")
	return foreachStmt{v.name, over, p.bodyOf()}
}

func (p *parser) try() statement {
	s := tryStmt{body: p.bodyOf()}
	for {
		start := p.pos
		p.space(true)
		switch p.keyword("catch", "finally") {
		case "catch":
			for p.space(true); p.peek() == '['; p.space(true) {
				p.typeText()
				p.eat(",")
			}
			s.catch, s.caught = p.bodyOf(), true
			continue
		case "finally":
			s.finally = p.bodyOf()
			continue
		}
		p.pos = start
		return s
	}
}

func (p *parser) switchStatement() statement {
	p.want("(")
	s := switchStmt{over: p.pipe()}
	p.want(")")
	p.want("{")
	for p.ends(); p.peek() != '}'; p.ends() {
		if p.keyword("default") != "" {
			s.cases = append(s.cases, nil)
		} else if nameRune(p.peek()) {
			s.cases = append(s.cases, literal{p.word()})
		} else {
			s.cases = append(s.cases, p.unary())
		}
		s.bodys = append(s.bodys, p.bodyOf())
	}
	p.want("}")
	return s
}

// pipe is a pipeline or an assignment.
func (p *parser) pipe() statement {
	p.space(true)
	line := p.line()
	first := p.stage()
	p.space(false)
	for _, op := range []string{"=", "+=", "-=", "*="} {
		if p.rest(op) && !(op == "=" && p.at(1) == '=') && assignable(first) {
			p.pos += len(op)
			p.space(true)
			return assign{first, op, p.statement(), line}
		}
	}
	stages := []node{first}
	for {
		p.space(false)
		if p.peek() != '|' {
			break
		}
		p.pos++
		p.space(true)
		stages = append(stages, p.stage())
	}
	return pipeline{stages}
}

func assignable(n node) bool {
	switch n := n.(type) {
	case variable, member, index:
		return true
	case cast:
		return assignable(n.inner)
	}
	return false
}

// stage is one stage of a pipeline: a command if a name stands here, else an expression.
func (p *parser) stage() node {
	p.space(false)
	c := p.peek()
	if c == '&' || c == '.' && (p.at(1) == ' ' || p.at(1) == '$') {
		line := p.line()
		p.pos++
		p.space(false)
		return command{p.postfix(p.primary()), p.arguments(), line}
	}
	if unicode.IsLetter(c) || c == '%' || c == '?' {
		return p.command()
	}
	return p.expr()
}
