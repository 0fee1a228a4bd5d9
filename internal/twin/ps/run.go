package ps

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Host is what a script can reach besides the language.
type Host struct {
	// Command runs a cmdlet the interpreter does not have. known false means that
	// there is none of that name. Maps in params are map[string]any, lists []any.
	Command func(ctx context.Context, name string, params map[string]any) (out []any, warnings []string, known bool, err error)
	Files   map[string][]byte // by path, in any case; written by Set-Content
	Now     func() time.Time  // nil for the clock
	// Rest is Invoke-RestMethod; nil makes it fail.
	Rest func(ctx context.Context, method, url string, headers map[string]string, body string) (string, error)
}

// A Result is how a script ended.
type Result struct {
	Output   []any    // what it wrote to its output, as values
	Text     string   // the same as text, a line each
	Messages []string // Write-Host, Write-Warning, errors that did not end it
	Exit     int      // of exit; 1 after an error that ended it
}

// control is how return, break, throw and the like leave what they are in.
type control struct {
	kind  string // "return", "break", "continue", "exit", "throw"
	fault *Fault
	code  int
}

// A run is a script at work.
type run struct {
	ctx    context.Context
	host   *Host
	scopes []map[string]any // by lower-case name; the last is the innermost
	funcs  map[string]block // by lower-case name
	out    *[]any           // where a statement's output goes
	log    []string
	steps  int
}

// maxSteps ends a script that runs in circles.
const maxSteps int = 5_000_000

// Run runs the script with the parameters given. An error is an *Error, when the
// script does what the interpreter does not know; an error the script itself ends
// with is in err as well, as a plain text, and Exit is 1.
func (s *Script) Run(ctx context.Context, host *Host, params map[string]any) (res Result, err error) {
	out := []any{}
	r := &run{ctx: ctx, host: host, scopes: []map[string]any{{}}, funcs: map[string]block{}, out: &out}
	defer func() {
		res.Output, res.Messages = out, r.log
		for _, v := range out {
			res.Text += str(v) + "\n"
		}
		switch e := recover().(type) {
		case nil:
		case *Error:
			err, res.Exit = e, 1
		case control:
			switch e.kind {
			case "exit":
				res.Exit = e.code
			case "throw":
				err, res.Exit = fmt.Errorf("%s", e.fault.Message), 1
			}
		default:
			panic(e)
		}
	}()
	given := NewMap(false)
	for k, v := range params {
		given.Set(k, fromGo(v))
	}
	r.bind(s.body.params, given, nil, "script")
	r.statements(s.body.body)
	return res, nil
}

// fail ends the run: the interpreter does not know how to go on.
func (r *run) fail(line int, format string, args ...any) {
	panic(&Error{line, fmt.Sprintf(format, args...)})
}

// raise throws an error that the script may catch.
func (r *run) raise(message, id string) {
	panic(control{kind: "throw", fault: &Fault{Message: message, ID: id}})
}

func (r *run) now() time.Time {
	if r.host.Now != nil {
		return r.host.Now()
	}
	return time.Now()
}

// get finds a variable from the innermost scope outwards.
func (r *run) get(v variable) any {
	name := strings.ToLower(v.name)
	switch v.scope {
	case "env":
		return nil
	case "script", "global":
		return r.scopes[0][name]
	}
	switch name {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	for i := len(r.scopes) - 1; i >= 0; i-- {
		if x, ok := r.scopes[i][name]; ok {
			return x
		}
	}
	return nil
}

// set assigns in the innermost scope.
func (r *run) set(name string, v any) { r.scopes[len(r.scopes)-1][strings.ToLower(name)] = v }

// within runs f in a scope of its own.
func (r *run) within(f func()) {
	r.scopes = append(r.scopes, map[string]any{})
	depth := len(r.scopes)
	defer func() { r.scopes = r.scopes[:depth-1] }()
	if depth > 200 {
		r.raise("The script failed due to call depth overflow.", "CallDepthOverflow")
	}
	f()
}

// capture runs f and returns what it wrote.
func (r *run) capture(f func()) []any {
	outer := r.out
	mine := []any{}
	r.out = &mine
	defer func() { r.out = outer }()
	f()
	return mine
}

func (r *run) write(v any) { *r.out = append(*r.out, items(v)...) }

// bind gives parameters their values: named ones, then the rest by position.
func (r *run) bind(params []parameter, named *Map, positional []any, who string) {
	for _, p := range params {
		v, ok := named.Get(p.name)
		if !ok && p.typ != "switch" && len(positional) > 0 {
			v, ok = positional[0], true
			positional = positional[1:]
		}
		switch {
		case ok:
			if v == any(nothing{}) {
				v = nil
			}
			r.set(p.name, r.convert(p.typ, v, 0))
		case p.value != nil:
			r.set(p.name, r.convert(p.typ, r.eval(p.value), 0))
		case p.mandatory:
			r.raise(fmt.Sprintf("Cannot process command because of one or more missing mandatory parameters: %s.", p.name), "MissingMandatoryParameter")
		default:
			r.set(p.name, r.convert(p.typ, nil, 0))
		}
		named.Remove(p.name)
	}
	if keys := named.Keys(); len(keys) > 0 {
		r.raise(fmt.Sprintf("A parameter cannot be found that matches parameter name '%s' (%s).", keys[0], who), "NamedParameterNotFound")
	}
	rest := append([]any{}, positional...)
	r.set("args", rest)
}
