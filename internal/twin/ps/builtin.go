package ps

import (
	"maps"
	"slices"
	"strings"
)

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// builtin runs one of the small cmdlets every script uses, and reports whether it
// is one.
func (r *run) builtin(in invocation) bool {
	switch strings.ToLower(in.name) {
	case "where-object", "where", "?":
		r.each(in, func(b *Block, v any) {
			if truth(collapse(r.capture(func() { r.body(b.code.body) }))) {
				*r.out = append(*r.out, v)
			}
		})
	case "foreach-object", "%":
		r.each(in, func(b *Block, _ any) { r.body(b.code.body) })
	case "select-object", "select":
		r.selectObject(in)
	case "sort-object":
		r.sortObject(in)
	case "measure-object":
		m := NewMap(true)
		m.Set("Count", len(in.input))
		r.write(m)
	case "out-null":
	case "write-output", "echo":
		for _, v := range append(in.input, in.positional...) {
			r.write(v)
		}
	case "write-host", "write-verbose", "write-information", "write-debug", "write-progress":
		r.log = append(r.log, join(in.positional, " "))
	case "write-warning":
		r.log = append(r.log, "WARNING: "+r.first(in, "Message"))
	case "write-error":
		action := str(r.get(variable{name: "ErrorActionPreference"}))
		if v, ok := in.named.Get("ErrorAction"); ok {
			action = str(v)
		}
		r.nonTerminating(r.first(in, "Message"), "WriteError", strings.ToLower(action))
	case "set-strictmode", "import-module", "start-sleep", "disconnect-exchangeonline":
	case "get-date":
		r.write(r.now())
	case "new-guid":
		r.write(newGUID())
	case "new-object":
		r.newObject(in)
	case "get-command":
		r.getCommand(in)
	case "join-path":
		r.write(strings.TrimRight(str(in.positional[0]), `/\`) + `/` + str(in.positional[1]))
	default:
		return r.file(in)
	}
	return true
}

// first is the value of a parameter that is usually given by position.
func (r *run) first(in invocation, name string) string {
	if v, ok := in.named.Get(name); ok {
		return str(v)
	}
	if len(in.positional) > 0 {
		return str(in.positional[0])
	}
	if len(in.input) > 0 {
		return str(in.input[0])
	}
	return ""
}

// each runs a block for every input, with $_ set, in the scope of the caller.
func (r *run) each(in invocation, f func(b *Block, v any)) {
	v, _ := in.named.Get("Process")
	if f, ok := in.named.Get("FilterScript"); ok {
		v = f
	}
	if len(in.positional) > 0 {
		v = in.positional[0]
	}
	b, ok := v.(*Block)
	if !ok {
		r.fail(in.line, "%s needs a script block", in.name)
	}
	old, had := r.scopes[len(r.scopes)-1]["_"]
	for _, v := range in.input {
		r.set("_", v)
		f(b, v)
	}
	if had {
		r.set("_", old)
	} else {
		delete(r.scopes[len(r.scopes)-1], "_")
	}
}

func (r *run) selectObject(in invocation) {
	list := in.input
	if v, ok := in.named.Get("ExpandProperty"); ok {
		out := []any{}
		for _, e := range list {
			out = append(out, items(r.property(e, str(v)))...)
		}
		list = out
	}
	props, ok := in.named.Get("Property")
	if !ok && len(in.positional) > 0 {
		props, ok = in.positional[0], true
	}
	if ok {
		out := []any{}
		for _, e := range list {
			m := NewMap(true)
			for _, p := range items(props) {
				m.Set(str(p), plain(r.property(e, str(p))))
			}
			out = append(out, m)
		}
		list = out
	}
	if u, ok := in.named.Get("Unique"); ok && truth(u) {
		out := []any{}
		for _, e := range list {
			if !slices.ContainsFunc(out, func(x any) bool { return equal(x, e, true) }) {
				out = append(out, e)
			}
		}
		list = out
	}
	if v, ok := in.named.Get("Skip"); ok {
		n, _ := num(v)
		list = list[min(len(list), int(n)):]
	}
	if v, ok := in.named.Get("First"); ok {
		n, _ := num(v)
		list = list[:min(len(list), int(n))]
	}
	if v, ok := in.named.Get("Last"); ok {
		n, _ := num(v)
		list = list[max(0, len(list)-int(n)):]
	}
	*r.out = append(*r.out, list...)
}

func (r *run) sortObject(in invocation) {
	list := slices.Clone(in.input)
	by, ok := in.named.Get("Property")
	if !ok && len(in.positional) > 0 {
		by, ok = in.positional[0], true
	}
	key := func(v any) any {
		if ok {
			return r.property(v, str(by))
		}
		return v
	}
	slices.SortStableFunc(list, func(a, b any) int { return compare(key(a), key(b)) })
	if v, ok := in.named.Get("Descending"); ok && truth(v) {
		slices.Reverse(list)
	}
	if u, ok := in.named.Get("Unique"); ok && truth(u) {
		list = slices.CompactFunc(list, func(a, b any) bool { return equal(key(a), key(b), false) })
	}
	*r.out = append(*r.out, list...)
}

func (r *run) newObject(in invocation) {
	if t := strings.ToLower(r.first(in, "TypeName")); t != "psobject" && t != "pscustomobject" {
		r.fail(in.line, "New-Object %s is not supported", t)
	}
	m := NewMap(true)
	if p, ok := in.named.Get("Property"); ok {
		if from, ok := p.(*Map); ok {
			for _, k := range from.keys {
				v, _ := from.Get(k)
				m.Set(k, v)
			}
		}
	}
	r.write(m)
}

// getCommand answers for functions and ours; the host is asked by running Get-Command there.
func (r *run) getCommand(in invocation) {
	name := r.first(in, "Name")
	if _, ok := r.funcs[strings.ToLower(name)]; ok {
		m := NewMap(true)
		m.Set("Name", name)
		r.write(m)
		return
	}
	r.foreign(invocation{name: "Get-Command", named: func() *Map {
		m := NewMap(false)
		m.Set("Name", name)
		m.Set("ErrorAction", "SilentlyContinue")
		return m
	}(), line: in.line})
}
