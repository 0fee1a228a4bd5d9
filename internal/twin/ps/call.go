package ps

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// pipeline passes each stage's output to the next.
func (r *run) pipeline(p pipeline) {
	var input []any
	for i, s := range p.stages {
		last := i == len(p.stages)-1
		c, isCommand := s.(command)
		switch {
		case !isCommand && i > 0:
			r.fail(0, "a pipeline goes into a command")
		case !isCommand && last:
			r.write(r.eval(s))
		case !isCommand:
			input = items(r.eval(s))
		case last:
			r.call(c, input, i > 0)
		default:
			in := input
			input = r.capture(func() { r.call(c, in, i > 0) })
		}
	}
}

// An invocation is a command with its arguments evaluated.
type invocation struct {
	name       string
	named      *Map
	positional []any
	input      []any
	piped      bool
	line       int
}

// call runs a command: a block, a function, one of ours, or one of the host's.
func (r *run) call(c command, input []any, piped bool) {
	in := invocation{named: NewMap(false), input: input, piped: piped, line: c.line}
	target := r.eval(c.name)
	r.arguments(c, &in)
	if b, ok := target.(*Block); ok {
		r.invoke(b.code, in, "script block")
		return
	}
	in.name = str(target)
	if f, ok := r.funcs[strings.ToLower(in.name)]; ok {
		r.invoke(f, in, in.name)
		return
	}
	if r.builtin(in) {
		return
	}
	r.foreign(in)
}

func (r *run) arguments(c command, in *invocation) {
	for _, a := range c.args {
		switch {
		case a.splat:
			switch v := r.eval(a.value).(type) {
			case *Map:
				for _, k := range v.Keys() {
					x, _ := v.Get(k)
					in.named.Set(k, x)
				}
			case nil, nothing:
			default:
				in.positional = append(in.positional, items(v)...)
			}
		case a.name == "":
			in.positional = append(in.positional, r.eval(a.value))
		default:
			if _, twice := in.named.Get(a.name); twice {
				r.raise(fmt.Sprintf("Cannot bind parameter because parameter '%s' is specified more than once.", a.name), "ParameterAlreadyBound")
			}
			if a.value == nil {
				in.named.Set(a.name, true)
			} else {
				in.named.Set(a.name, plain(r.eval(a.value)))
			}
		}
	}
}

// invoke runs a function or a block in a scope of its own.
func (r *run) invoke(b block, in invocation, who string) {
	for _, p := range b.params { // a switch before a value took the value
		if p.typ != "switch" {
			continue
		}
		if v, ok := in.named.Get(p.name); ok {
			if _, isBool := v.(bool); !isBool {
				in.named.Set(p.name, true)
				in.positional = append(in.positional, v)
			}
		}
	}
	r.within(func() {
		for _, common := range []string{"ErrorAction", "WarningAction", "Verbose"} {
			in.named.Remove(common)
		}
		r.bind(b.params, in.named, in.positional, who)
		if in.piped {
			r.set("input", in.input)
		}
		r.body(b.body)
	})
}

// body runs statements that a return may leave.
func (r *run) body(list []statement) {
	defer func() {
		e := recover()
		if c, ok := e.(control); ok && c.kind == "return" {
			return
		}
		if e != nil {
			panic(e)
		}
	}()
	r.statements(list)
}

// foreign runs a cmdlet of the host's.
func (r *run) foreign(in invocation) {
	if r.host.Command == nil {
		r.fail(in.line, "the command %s is not known", in.name)
	}
	if len(in.positional) == 1 {
		if _, ok := in.named.Get("Identity"); !ok {
			in.named.Set("Identity", in.positional[0])
			in.positional = nil
		}
	}
	if len(in.positional) > 0 {
		r.fail(in.line, "%s: give every value with its parameter's name", in.name)
	}
	action := strings.ToLower(str(r.get(variable{name: "ErrorActionPreference"})))
	if v, ok := in.named.Get("ErrorAction"); ok {
		action = strings.ToLower(str(v))
	}
	params := map[string]any{}
	for _, k := range in.named.Keys() {
		v, _ := in.named.Get(k)
		params[k] = toGo(v)
	}
	out, warnings, known, err := r.host.Command(r.ctx, in.name, params)
	if !known {
		r.fail(in.line, "the command %s is not known", in.name)
	}
	for _, w := range warnings {
		r.log = append(r.log, "WARNING: "+w)
	}
	if err != nil {
		if errors.Is(err, r.ctx.Err()) && r.ctx.Err() != nil {
			r.fail(in.line, "%v", err)
		}
		r.nonTerminating(err.Error(), in.name, action)
		return
	}
	for _, v := range out {
		r.write(fromGo(v))
	}
}

// nonTerminating is an error of a cmdlet, which the preference makes an end or not.
func (r *run) nonTerminating(message, id, action string) {
	switch action {
	case "stop":
		r.raise(message, id)
	case "silentlycontinue", "ignore":
	default:
		r.log = append(r.log, "ERROR: "+message)
	}
}

// toGo makes of a value what the host takes.
func toGo(v any) any {
	switch v := v.(type) {
	case nothing:
		return nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = toGo(e)
		}
		return out
	case *Map:
		out := map[string]any{}
		for _, k := range v.keys {
			x, _ := v.Get(k)
			out[k] = toGo(x)
		}
		return out
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.0000000Z")
	}
	return v
}

// fromGo makes a value of what the host gives; maps become objects.
func fromGo(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := NewMap(true)
		for _, k := range sorted(v) {
			m.Set(k, fromGo(v[k]))
		}
		return m
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = fromGo(e)
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = e
		}
		return out
	}
	return v
}

func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
