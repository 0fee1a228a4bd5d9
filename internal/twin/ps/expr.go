package ps

import (
	"strconv"
	"strings"
	"unicode"
)

// The operators by precedence, loosest first (about_Operator_Precedence).
func levels() [][]string {
	return [][]string{
		{"-and", "-or", "-xor"},
		{"-ceq", "-cne", "-cmatch", "-clike", "-creplace", "-ieq", "-ine", "-eq", "-ne", "-gt", "-ge", "-lt", "-le", "-contains", "-notcontains", "-in", "-notin", "-like", "-notlike", "-match", "-notmatch", "-replace", "-split", "-join", "-isnot", "-is", "-as"},
		{"+", "-"},
		{"*", "/", "%"},
		{"-f"},
		{".."},
	}
}

func (p *parser) expr() node { return p.level(0) }

func (p *parser) level(n int) node {
	ops := levels()
	if n == len(ops) {
		return p.list()
	}
	left := p.level(n + 1)
	for {
		op := p.operator(ops[n])
		if op == "" {
			return left
		}
		line := p.line()
		p.space(true)
		left = binary{op, left, p.level(n + 1), line}
	}
}

// operator takes one of ops if it stands here; word operators as whole words.
func (p *parser) operator(ops []string) string {
	p.space(false)
	for _, op := range ops {
		if !p.rest(op) {
			continue
		}
		next := p.at(len(op))
		if len(op) > 1 && op[0] == '-' && nameRune(next) || op == "-" && unicode.IsLetter(next) {
			continue
		}
		if (op == "+" || op == "-" || op == "*" || op == "/" || op == "%") && (next == '=' || next == rune(op[0])) {
			continue
		}
		p.pos += len(op)
		return op
	}
	return ""
}

// list is values with commas between them.
func (p *parser) list() node {
	p.space(false)
	if p.peek() == ',' {
		p.pos++
		return arrayLit{[]node{p.unary()}}
	}
	first := p.unary()
	items := []node{first}
	for p.eat(",") {
		p.space(true)
		items = append(items, p.unary())
	}
	if len(items) == 1 {
		return first
	}
	return arrayLit{items}
}

func (p *parser) unary() node {
	p.space(false)
	line := p.line()
	for _, op := range []string{"-not", "-join", "-split"} {
		if p.rest(op) && !nameRune(p.at(len(op))) {
			p.pos += len(op)
			return unary{op, p.unary(), line}
		}
	}
	switch c := p.peek(); {
	case c == '!':
		p.pos++
		return unary{"-not", p.unary(), line}
	case c == '-' && !unicode.IsDigit(p.at(1)) || c == '+':
		p.pos++
		return unary{string(c), p.unary(), line}
	case c == '[':
		return p.typed()
	}
	return p.postfix(p.primary())
}

// typed is [type]value, or [type]::member.
func (p *parser) typed() node {
	line := p.line()
	name := p.typeText()
	if p.rest("::") {
		return p.postfix(typeName{name})
	}
	p.space(false)
	if c := p.peek(); c == 0 || strings.ContainsRune("\n;|)}", c) || c == '-' && unicode.IsLetter(p.at(1)) {
		return typeName{name} // the type itself, as -is and -as take it
	}
	return cast{name, p.unary(), line}
}

func (p *parser) typeText() string {
	p.want("[")
	start, depth := p.pos, 1
	for depth > 0 {
		switch p.peek() {
		case '[':
			depth++
		case ']':
			depth--
		case 0:
			p.fail("a type is not closed")
		}
		p.pos++
	}
	return strings.ToLower(strings.TrimSpace(string(p.src[start : p.pos-1])))
}

func (p *parser) primary() node {
	line := p.line()
	switch c := p.peek(); {
	case c == '$' && p.at(1) == '(':
		p.pos += 2
		s := subExpr{p.statements(')')}
		p.want(")")
		return s
	case c == '$':
		return p.variable()
	case single(c), double(c), c == '@' && (single(p.at(1)) || double(p.at(1))):
		return p.text()
	case c == '@' && p.at(1) == '(':
		p.pos += 2
		a := arrayExpr{p.statements(')')}
		p.want(")")
		return a
	case c == '@' && p.at(1) == '{':
		p.pos += 2
		return p.hash(line)
	case c == '(':
		p.pos++
		p.space(true)
		inner := p.statement()
		p.want(")")
		return paren{inner}
	case c == '{':
		return p.block()
	case unicode.IsDigit(c) || c == '-' && unicode.IsDigit(p.at(1)) || c == '.' && unicode.IsDigit(p.at(1)):
		return literal{p.number()}
	}
	p.fail("unexpected %q", string(p.peek()))
	return nil
}

func (p *parser) number() any {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	for unicode.IsDigit(p.peek()) || p.peek() == '.' && unicode.IsDigit(p.at(1)) {
		p.pos++
	}
	n, ok := number(string(p.src[start:p.pos]))
	if !ok {
		p.fail("not a number: %s", string(p.src[start:p.pos]))
	}
	for unit, factor := range map[string]int{"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30} {
		if i, isInt := n.(int); isInt && p.rest(unit) && !nameRune(p.at(2)) {
			p.pos += 2
			return i * factor
		}
	}
	return n
}

func number(s string) (any, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// hash is a hashtable after its @{.
func (p *parser) hash(line int) node {
	h := hashLit{line: line}
	for {
		p.ends()
		if p.eat("}") {
			return h
		}
		h.keys = append(h.keys, p.hashKey())
		p.want("=")
		p.space(true)
		h.values = append(h.values, p.statement())
		p.space(false)
		if c := p.peek(); c != ';' && c != '\n' && c != '}' {
			p.fail("a hashtable's entries are separated by lines or ;")
		}
	}
}

func (p *parser) hashKey() node {
	if c := p.peek(); nameRune(c) {
		return literal{p.word()}
	}
	return p.unary()
}

// postfix reads what hangs on a value: .member, .method(), [index], ++.
func (p *parser) postfix(n node) node {
	for {
		line := p.line()
		switch {
		case p.rest("::"):
			p.pos += 2
			n = p.memberOf(n, true, line)
		case p.peek() == '.' && (nameRune(p.at(1)) || p.at(1) == '$' || single(p.at(1)) || double(p.at(1)) || p.at(1) == '('):
			p.pos++
			n = p.memberOf(n, false, line)
		case p.peek() == '[':
			p.pos++
			p.space(true)
			at := p.expr()
			p.want("]")
			n = index{n, at, line}
		case p.rest("++") || p.rest("--"):
			op := string(p.src[p.pos : p.pos+2])
			p.pos += 2
			n = unary{"post" + op, n, line}
		default:
			return n
		}
	}
}

func (p *parser) memberOf(n node, static bool, line int) node {
	var name node
	switch c := p.peek(); {
	case c == '$':
		name = p.variable()
	case c == '(':
		name = p.primary()
	case single(c), double(c):
		name = p.text()
	default:
		name = literal{p.word()}
	}
	if l, ok := name.(literal); ok && p.peek() == '(' {
		p.pos++
		var args []node
		for p.space(true); p.peek() != ')'; p.space(true) {
			args = append(args, p.level(1)) // a comma here separates arguments
			if !p.eat(",") {
				break
			}
		}
		p.want(")")
		return method{n, l.value.(string), flat(args), static, line}
	}
	return member{n, name, static, line}
}

// flat undoes the array that a comma between arguments made.
func flat(args []node) []node {
	if len(args) == 1 {
		if a, ok := args[0].(arrayLit); ok {
			return a.items
		}
	}
	return args
}
