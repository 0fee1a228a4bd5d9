package ps

import (
	"fmt"
	"strings"
	"time"
)

// eval is the value of an expression.
func (r *run) eval(n node) any {
	switch n := n.(type) {
	case literal:
		return n.value
	case expand:
		return r.expand(n)
	case variable:
		return r.get(n)
	case arrayLit:
		out := make([]any, len(n.items))
		for i, e := range n.items {
			out[i] = plain(r.eval(e))
		}
		return out
	case arrayExpr:
		return append([]any{}, r.capture(func() { r.statements(n.body) })...)
	case subExpr:
		return collapse(r.capture(func() { r.statements(n.body) }))
	case paren:
		return r.value(n.inner)
	case hashLit:
		return r.hash(n)
	case block:
		return &Block{n}
	case binary:
		return r.binary(n)
	case unary:
		return r.unary(n)
	case cast:
		return r.cast(n)
	case member:
		return r.member(n)
	case method:
		return r.method(n)
	case index:
		return r.index(n)
	case typeName:
		return n
	case pipeline, assign, command:
		return r.value(n)
	}
	r.fail(0, "an expression of kind %T is not supported", n)
	return nil
}

// plain is null for nothing, as an element of something it becomes so.
func plain(v any) any {
	if v == any(nothing{}) {
		return nil
	}
	return v
}

func (r *run) expand(n expand) string {
	var b strings.Builder
	for _, p := range n.parts {
		if s, ok := p.(string); ok {
			b.WriteString(s)
		} else {
			b.WriteString(str(r.eval(p)))
		}
	}
	return b.String()
}

func (r *run) hash(n hashLit) any {
	m := NewMap(false)
	for i, k := range n.keys {
		key := str(r.eval(k))
		if _, twice := m.Get(key); twice {
			r.fail(n.line, "the key '%s' stands twice in a hashtable", key)
		}
		m.Set(key, plain(r.value(n.values[i])))
	}
	return m
}

func (r *run) binary(n binary) any {
	a := r.eval(n.left)
	switch n.op {
	case "-and":
		return truth(a) && truth(r.eval(n.right))
	case "-or":
		return truth(a) || truth(r.eval(n.right))
	case "-xor":
		return truth(a) != truth(r.eval(n.right))
	}
	return r.operate(n, a, r.eval(n.right))
}

func (r *run) unary(n unary) any {
	switch n.op {
	case "-not":
		return !truth(r.eval(n.inner))
	case "-", "+":
		f, ok := num(r.eval(n.inner))
		if !ok {
			r.fail(n.line, "%s needs a number", n.op)
		}
		if n.op == "-" {
			f = -f
		}
		return whole(f)
	case "-join":
		return join(items(r.eval(n.inner)), "")
	case "-split":
		out := []any{}
		for _, w := range strings.Fields(str(r.eval(n.inner))) {
			out = append(out, w)
		}
		return out
	case "post++", "post--":
		f, _ := num(r.eval(n.inner))
		d := 1.0
		if n.op == "post--" {
			d = -1
		}
		r.store(n.inner, whole(f+d), n.line)
		return nothing{}
	}
	r.fail(n.line, "operator %s is not supported", n.op)
	return nil
}

func (r *run) cast(n cast) any {
	if n.typ == "pscustomobject" || n.typ == "ordered" {
		m, ok := r.eval(n.inner).(*Map)
		if !ok {
			r.fail(n.line, "[%s] needs a hashtable", n.typ)
		}
		if n.typ == "pscustomobject" {
			m.Object = true
		}
		return m
	}
	return r.convert(n.typ, r.eval(n.inner), n.line)
}

// convert makes a value one of a type.
func (r *run) convert(typ string, v any, line int) any {
	switch strings.TrimPrefix(typ, "system.") {
	case "", "object", "array", "object[]", "psobject":
		if strings.HasSuffix(typ, "array") || strings.HasSuffix(typ, "[]") {
			return append([]any{}, items(v)...)
		}
		return v
	case "string":
		return str(v)
	case "string[]":
		if v == nil {
			return nil
		}
		out := []any{}
		for _, e := range items(v) {
			out = append(out, str(e))
		}
		return out
	case "bool", "boolean", "switch":
		if _, ok := v.(string); ok && typ != "bool" {
			r.raise("Cannot convert value \""+str(v)+"\" to type \"System.Boolean\".", "ConvertToBool")
		}
		return truth(v)
	case "int", "int32", "long", "int64", "double":
		f, ok := num(v)
		if !ok {
			r.raise(fmt.Sprintf("Cannot convert value \"%s\" to type \"System.Int32\".", str(v)), "InvalidCast")
		}
		return whole(f)
	case "hashtable", "scriptblock", "void", "collections.arraylist", "guid", "uri":
		if typ == "void" {
			return nothing{}
		}
		return v
	case "datetime":
		if t, ok := v.(time.Time); ok {
			return t
		}
		if t, err := time.Parse(time.RFC3339, str(v)); err == nil {
			return t
		}
		r.raise("String '"+str(v)+"' was not recognized as a valid DateTime.", "InvalidCast")
	}
	r.fail(line, "the type [%s] is not supported", typ)
	return nil
}

func typeOf(v any) string {
	if t, ok := v.(typeName); ok {
		return t.name
	}
	return strings.ToLower(strings.Trim(str(v), "[]"))
}

func isType(v any, typ string) bool {
	switch typ {
	case "string":
		_, ok := v.(string)
		return ok
	case "array", "object[]":
		_, ok := v.([]any)
		return ok
	case "hashtable":
		m, ok := v.(*Map)
		return ok && !m.Object
	case "bool", "boolean":
		_, ok := v.(bool)
		return ok
	case "int", "int32":
		_, ok := v.(int)
		return ok
	case "pscustomobject":
		m, ok := v.(*Map)
		return ok && m.Object
	}
	return false
}
