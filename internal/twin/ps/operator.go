package ps

import (
	"fmt"
	"regexp"
	"strings"
)

// operate is a binary operator on two values.
func (r *run) operate(n binary, a, b any) any {
	switch n.op {
	case "+":
		return r.add(n, a, b)
	case "-", "*", "/", "%":
		return r.arithmetic(n, a, b)
	case "..":
		from, _ := num(a)
		to, _ := num(b)
		out := []any{}
		for i := int(from); i <= int(to); i++ {
			out = append(out, i)
		}
		return out
	case "-f":
		return format(str(a), items(b))
	case "-contains", "-notcontains":
		return anyEqual(items(a), b) == (n.op == "-contains")
	case "-in", "-notin":
		return anyEqual(items(b), a) == (n.op == "-in")
	case "-join":
		return join(items(a), str(b))
	case "-is", "-isnot":
		return isType(a, typeOf(b)) == (n.op == "-is")
	case "-as":
		return r.convert(typeOf(b), a, n.line)
	case "-split":
		return r.split(a, str(b), n.line)
	case "-replace", "-creplace":
		return r.replace(n, a, b)
	}
	if list, ok := a.([]any); ok { // a comparison filters an array
		out := []any{}
		for _, e := range list {
			if r.compareOne(n, e, b) {
				out = append(out, e)
			}
		}
		return out
	}
	return r.compareOne(n, a, b)
}

func anyEqual(list []any, v any) bool {
	for _, e := range list {
		if equal(e, v, false) {
			return true
		}
	}
	return false
}

func (r *run) compareOne(n binary, a, b any) bool {
	switch n.op {
	case "-eq", "-ieq":
		return equal(a, b, false)
	case "-ne", "-ine":
		return !equal(a, b, false)
	case "-ceq":
		return equal(a, b, true)
	case "-cne":
		return !equal(a, b, true)
	case "-gt":
		return compare(a, b) > 0
	case "-ge":
		return compare(a, b) >= 0
	case "-lt":
		return compare(a, b) < 0
	case "-le":
		return compare(a, b) <= 0
	case "-match", "-notmatch", "-cmatch":
		return r.match(n, str(a), str(b)) == (n.op != "-notmatch")
	case "-like", "-notlike", "-clike":
		return wildcard(str(b)).MatchString(str(a)) == (n.op != "-notlike")
	}
	r.fail(n.line, "operator %s is not supported", n.op)
	return false
}

func (r *run) regexp(pattern string, sensitive bool, line int) *regexp.Regexp {
	if !sensitive {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		r.fail(line, "pattern: %v", err)
	}
	return re
}

// match sets $Matches as PowerShell does.
func (r *run) match(n binary, text, pattern string) bool {
	m := r.regexp(pattern, n.op == "-cmatch", n.line).FindStringSubmatch(text)
	if m == nil {
		return false
	}
	found := NewMap(false)
	for i, s := range m {
		found.Set(fmt.Sprint(i), s)
	}
	r.set("matches", found)
	return true
}

func wildcard(pattern string) *regexp.Regexp {
	q := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?is)^" + q + "$")
}

func (r *run) split(v any, pattern string, line int) any {
	out := []any{}
	for _, e := range items(v) {
		for _, s := range r.regexp(pattern, false, line).Split(str(e), -1) {
			out = append(out, s)
		}
	}
	return out
}

func (r *run) replace(n binary, a, b any) any {
	args := items(b)
	with := ""
	if len(args) > 1 {
		with = str(args[1])
	}
	re := r.regexp(str(args[0]), n.op == "-creplace", n.line)
	one := func(v any) any { return re.ReplaceAllString(str(v), with) }
	list, ok := a.([]any)
	if !ok {
		return one(a)
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = one(e)
	}
	return out
}

func join(list []any, sep string) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = str(e)
	}
	return strings.Join(parts, sep)
}

func (r *run) add(n binary, a, b any) any {
	switch x := a.(type) {
	case []any:
		return append(x[:len(x):len(x)], items(b)...)
	case string:
		return x + str(b)
	case *Map:
		y, ok := b.(*Map)
		if !ok || x.Object {
			r.fail(n.line, "only a hashtable can be added to a hashtable")
		}
		out := NewMap(false)
		for _, m := range []*Map{x, y} {
			for _, k := range m.keys {
				v, _ := m.Get(k)
				if _, twice := out.Get(k); twice {
					r.fail(n.line, "key '%s' is in both hashtables", k)
				}
				out.Set(k, v)
			}
		}
		return out
	case nil, nothing:
		if b == any(nothing{}) {
			return nil
		}
		return b
	}
	return r.arithmetic(n, a, b)
}

func (r *run) arithmetic(n binary, a, b any) any {
	x, ok1 := num(a)
	y, ok2 := num(b)
	if !ok1 || !ok2 {
		r.fail(n.line, "%s needs numbers, not %q and %q", n.op, str(a), str(b))
	}
	switch n.op {
	case "+":
		return whole(x + y)
	case "-":
		return whole(x - y)
	case "*":
		return whole(x * y)
	case "%":
		return whole(float64(int(x) % max(1, int(y))))
	}
	if y == 0 {
		r.raise("Attempted to divide by zero.", "RuntimeException")
	}
	return whole(x / y)
}

var placeholder = regexp.MustCompile(`\{(\d+)(?:,-?\d+)?(?::([^}]*))?\}|\{\{|\}\}`)

// format is the operator -f for {0} and {0:D2} and the like.
func format(text string, args []any) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		if m == "{{" || m == "}}" {
			return m[:1]
		}
		g := placeholder.FindStringSubmatch(m)
		i, _ := num(g[1])
		if int(i) >= len(args) {
			return m
		}
		v := args[int(i)]
		if f, ok := num(v); ok && len(g[2]) > 1 && (g[2][0] == 'D' || g[2][0] == 'd') {
			return fmt.Sprintf("%0"+g[2][1:]+"d", int(f))
		}
		return str(v)
	})
}
