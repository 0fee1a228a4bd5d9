package ps

import (
	"strings"
)

func (r *run) statements(list []statement) {
	for _, s := range list {
		r.statement(s)
	}
}

// statement runs one and writes its output.
func (r *run) statement(s statement) {
	r.steps++
	if r.steps > maxSteps {
		r.fail(0, "the script does not come to an end")
	}
	if r.ctx.Err() != nil {
		r.fail(0, "%v", r.ctx.Err())
	}
	switch s := s.(type) {
	case nil:
	case assign:
		r.assign(s)
	case function:
		r.funcs[strings.ToLower(s.name)] = s.body
	case ifStmt:
		r.ifStatement(s)
	case foreachStmt:
		for _, v := range items(r.eval(s.over)) {
			r.set(s.name, v)
			if r.loop(s.body) {
				break
			}
		}
	case whileStmt:
		for truth(r.eval(s.cond)) && !r.loop(s.body) {
		}
	case tryStmt:
		r.try(s)
	case switchStmt:
		r.switchOn(s)
	case flow:
		r.flow(s)
	case pipeline:
		r.pipeline(s)
	default:
		r.write(r.eval(s))
	}
}

// loop runs a body once and reports whether a break ended the loop.
func (r *run) loop(body []statement) (done bool) {
	r.steps++
	if r.steps > maxSteps {
		r.fail(0, "the script does not come to an end")
	}
	defer func() {
		e := recover()
		c, ok := e.(control)
		switch {
		case ok && c.kind == "break":
			done = true
		case ok && c.kind == "continue", e == nil:
		default:
			panic(e)
		}
	}()
	r.statements(body)
	return false
}

func (r *run) ifStatement(s ifStmt) {
	for i, c := range s.conds {
		if truth(r.eval(c)) {
			r.statements(s.thens[i])
			return
		}
	}
	r.statements(s.other)
}

func (r *run) switchOn(s switchStmt) {
	v := r.eval(s.over)
	hit := false
	for i, c := range s.cases {
		if c == nil && !hit || c != nil && equal(v, r.eval(c), false) {
			hit = true
			if r.loop(s.bodys[i]) {
				return
			}
		}
	}
}

func (r *run) flow(s flow) {
	switch s.kind {
	case "return":
		if s.value != nil {
			r.statement(s.value)
		}
		panic(control{kind: "return"})
	case "exit":
		code := 0
		if s.value != nil {
			n, _ := num(r.value(s.value))
			code = int(n)
		}
		panic(control{kind: "exit", code: code})
	case "throw":
		f := &Fault{Message: "ScriptHalted", ID: "ScriptHalted"}
		if s.value != nil {
			v := r.value(s.value)
			if old, ok := v.(*Fault); ok {
				f = old
			} else {
				f = &Fault{Message: str(v), ID: str(v)}
			}
		} else if old, ok := r.get(variable{name: "_"}).(*Fault); ok {
			f = old
		}
		panic(control{kind: "throw", fault: f})
	}
	panic(control{kind: s.kind})
}

func (r *run) try(s tryStmt) {
	defer func() {
		if s.finally != nil {
			r.statements(s.finally)
		}
	}()
	f := r.attempt(s.body, s.caught)
	if f == nil {
		return
	}
	old, had := r.scopes[len(r.scopes)-1]["_"]
	r.set("_", f)
	r.statements(s.catch)
	if had {
		r.set("_", old)
	} else {
		delete(r.scopes[len(r.scopes)-1], "_")
	}
}

// attempt runs a body and returns what it threw, if that is to be caught.
func (r *run) attempt(body []statement, caught bool) (f *Fault) {
	out, scopes := r.out, len(r.scopes)
	defer func() {
		e := recover()
		if c, ok := e.(control); ok && c.kind == "throw" && caught {
			r.out, r.scopes, f = out, r.scopes[:scopes], c.fault
			return
		}
		if e != nil {
			panic(e)
		}
	}()
	r.statements(body)
	return nil
}

// value is what a statement amounts to on the right of an assignment.
func (r *run) value(s statement) any {
	if p, ok := s.(pipeline); ok && len(p.stages) == 1 {
		if _, isCommand := p.stages[0].(command); !isCommand {
			return r.eval(p.stages[0])
		}
	}
	return collapse(r.capture(func() { r.statement(s) }))
}

func (r *run) assign(s assign) {
	v := r.value(s.value)
	if s.op != "=" {
		v = r.operate(binary{op: s.op[:1], line: s.line}, r.eval(s.target), v)
	}
	r.store(s.target, v, s.line)
}

func (r *run) store(target node, v any, line int) {
	switch t := target.(type) {
	case variable:
		switch {
		case strings.EqualFold(t.name, "null"):
		case t.scope == "script" || t.scope == "global":
			r.scopes[0][strings.ToLower(t.name)] = v
		default:
			r.set(t.name, v)
		}
	case cast:
		r.store(t.inner, r.convert(t.typ, v, line), line)
	case member:
		m, ok := r.eval(t.object).(*Map)
		name := str(r.eval(t.name))
		if !ok {
			r.raise("The property '"+name+"' cannot be found on this object.", "PropertyNotFound")
		}
		if _, there := m.Get(name); !there && m.Object {
			r.raise("The property '"+name+"' cannot be found on this object. Verify that the property exists and can be set.", "PropertyNotFound")
		}
		m.Set(name, v)
	case index:
		r.storeIndex(t, v, line)
	}
}

func (r *run) storeIndex(t index, v any, line int) {
	at := r.eval(t.at)
	switch o := r.eval(t.object).(type) {
	case *Map:
		o.Set(str(at), v)
	case []any:
		i, ok := num(at)
		if !ok || int(i) < 0 || int(i) >= len(o) {
			r.raise("Index was outside the bounds of the array.", "IndexOutOfRange")
		}
		o[int(i)] = v
	default:
		r.fail(line, "only an array or a hashtable can be assigned to by index")
	}
}
