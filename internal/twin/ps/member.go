package ps

import (
	"strings"
	"time"
)

// member is object.name: an entry, a property, or of an array that of each element.
func (r *run) member(n member) any {
	if n.static {
		return r.static(n)
	}
	return r.property(r.eval(n.object), str(r.eval(n.name)))
}

func (r *run) property(o any, name string) any {
	l := strings.ToLower(name)
	switch o := o.(type) {
	case nil, nothing:
		if l == "count" || l == "length" {
			return 0
		}
		return nil
	case *Map:
		if v, ok := o.Get(name); ok {
			return v
		}
		return mapProperty(o, l)
	case []any:
		if l == "count" || l == "length" {
			return len(o)
		}
		out := []any{}
		for _, e := range o {
			out = append(out, items(r.property(e, name))...)
		}
		return collapse(out)
	case string:
		if l == "length" {
			return len([]rune(o))
		}
	case *Fault:
		switch l {
		case "exception":
			e := NewMap(true)
			e.Set("Message", o.Message)
			return e
		case "message":
			return o.Message
		case "fullyqualifiederrorid":
			return o.ID
		}
	case time.Time:
		switch l {
		case "year":
			return o.Year()
		case "ticks":
			return int(o.UnixNano() / 100)
		}
	}
	if l == "count" || l == "length" {
		return 1
	}
	return nil
}

func mapProperty(m *Map, name string) any {
	switch name {
	case "keys":
		out := []any{}
		for _, k := range m.keys {
			out = append(out, k)
		}
		return out
	case "values":
		out := []any{}
		for _, k := range m.keys {
			v, _ := m.Get(k)
			out = append(out, v)
		}
		return out
	case "count":
		if m.Object {
			return 1
		}
		return len(m.keys)
	case "psobject":
		if !m.Object {
			return nil
		}
		return psobject(m)
	}
	return nil
}

// psobject gives $x.PSObject.Properties.Name and .Value.
func psobject(m *Map) any {
	props := []any{}
	for _, k := range m.keys {
		p := NewMap(true)
		p.Set("Name", k)
		v, _ := m.Get(k)
		p.Set("Value", v)
		props = append(props, p)
	}
	o := NewMap(true)
	o.Set("Properties", props)
	return o
}

func (r *run) static(n member) any {
	t, _ := n.object.(typeName)
	switch t.name + "." + strings.ToLower(str(r.eval(n.name))) {
	case "datetime.utcnow", "system.datetime.utcnow":
		return r.now().UTC()
	case "datetime.now", "system.datetime.now":
		return r.now()
	case "string.empty", "system.string.empty":
		return ""
	case "environment.newline", "system.environment.newline":
		return "\r\n"
	}
	r.fail(n.line, "[%s]::%s is not supported", t.name, str(r.eval(n.name)))
	return nil
}

func (r *run) index(n index) any {
	o, at := r.eval(n.object), r.eval(n.at)
	if m, ok := o.(*Map); ok {
		v, _ := m.Get(str(at))
		return v
	}
	list := items(o)
	if s, ok := o.(string); ok {
		list = nil
		for _, c := range s {
			list = append(list, string(c))
		}
	}
	if many, ok := at.([]any); ok {
		out := []any{}
		for _, i := range many {
			out = append(out, element(list, i))
		}
		return out
	}
	return element(list, at)
}

// element counts from the end where the index is negative, and is null outside.
func element(list []any, at any) any {
	f, _ := num(at)
	i := int(f)
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}

// method is object.name(args).
func (r *run) method(n method) any {
	args := make([]any, len(n.args))
	for i, a := range n.args {
		args[i] = r.eval(a)
	}
	name := strings.ToLower(n.name)
	if n.static {
		return r.staticMethod(n, name, args)
	}
	switch o := r.eval(n.object).(type) {
	case *Map:
		switch {
		case (name == "remove") && len(args) == 1:
			o.Remove(str(args[0]))
			return nothing{}
		case name == "add" && len(args) == 2:
			if _, twice := o.Get(str(args[0])); twice {
				r.raise("Item has already been added. Key in dictionary: '"+str(args[0])+"'", "ArgumentException")
			}
			o.Set(str(args[0]), args[1])
			return nothing{}
		case (name == "containskey" || name == "contains") && len(args) == 1:
			_, ok := o.Get(str(args[0]))
			return ok
		}
	case string:
		if v, ok := stringMethod(o, name, args); ok {
			return v
		}
	case time.Time:
		switch name {
		case "touniversaltime":
			return o.UTC()
		case "tostring":
			if len(args) == 0 {
				return str(o)
			}
			if f := str(args[0]); f == "o" || f == "s" || f == "u" {
				return o.Format(map[string]string{"o": "2006-01-02T15:04:05.0000000Z07:00", "s": "2006-01-02T15:04:05", "u": "2006-01-02 15:04:05Z"}[f])
			}
		}
	case nil, nothing:
		r.raise("You cannot call a method on a null-valued expression.", "InvokeMethodOnNull")
	default:
		if name == "tostring" {
			return str(o)
		}
	}
	r.fail(n.line, "the method .%s() is not supported here", n.name)
	return nil
}

func stringMethod(s, name string, args []any) (any, bool) {
	a := func(i int) string {
		if i < len(args) {
			return str(args[i])
		}
		return ""
	}
	switch name {
	case "tolower", "tolowerinvariant":
		return strings.ToLower(s), true
	case "toupper", "toupperinvariant":
		return strings.ToUpper(s), true
	case "trim":
		if len(args) > 0 {
			return strings.Trim(s, a(0)), true
		}
		return strings.TrimSpace(s), true
	case "trimend":
		return strings.TrimRight(s, a(0)), true
	case "trimstart":
		return strings.TrimLeft(s, a(0)), true
	case "startswith":
		return strings.HasPrefix(s, a(0)), true
	case "endswith":
		return strings.HasSuffix(s, a(0)), true
	case "contains":
		return strings.Contains(s, a(0)), true
	case "indexof":
		return strings.Index(s, a(0)), true
	case "replace":
		return strings.ReplaceAll(s, a(0), a(1)), true
	case "tostring":
		return s, true
	case "split":
		out := []any{}
		for _, p := range strings.FieldsFunc(s+"\x00", func(c rune) bool { return strings.ContainsRune(a(0), c) }) {
			out = append(out, strings.TrimSuffix(p, "\x00"))
		}
		return out, true
	case "substring":
		from, _ := num(args[0])
		end := len(s)
		if len(args) > 1 {
			n, _ := num(args[1])
			end = min(len(s), int(from)+int(n))
		}
		return s[min(len(s), int(from)):end], true
	}
	return nil, false
}

func (r *run) staticMethod(n method, name string, args []any) any {
	t, _ := n.object.(typeName)
	switch strings.TrimPrefix(t.name, "system.") + "." + name {
	case "string.isnullorempty":
		return str(args[0]) == ""
	case "string.isnullorwhitespace":
		return strings.TrimSpace(str(args[0])) == ""
	case "string.join":
		return join(items(args[1]), str(args[0]))
	case "guid.newguid":
		return newGUID()
	}
	r.fail(n.line, "[%s]::%s() is not supported", t.name, n.name)
	return nil
}
