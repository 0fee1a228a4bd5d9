package ps

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Values are nil, bool, int, float64, string, time.Time, []any, *Map, *Block,
// *Fault and nothing.

// A Map is a hashtable or a custom object: names in any case, in the order given.
type Map struct {
	Object bool // a custom object, which members read by dot and foreach does not
	keys   []string
	values map[string]any // by lower-case key
}

// NewMap is an empty hashtable; with object a custom object.
func NewMap(object bool) *Map { return &Map{Object: object, values: map[string]any{}} }

// Get is a value by its key.
func (m *Map) Get(key string) (any, bool) {
	v, ok := m.values[strings.ToLower(key)]
	return v, ok
}

// Set puts a value.
func (m *Map) Set(key string, v any) {
	l := strings.ToLower(key)
	if _, ok := m.values[l]; !ok {
		m.keys = append(m.keys, key)
	}
	m.values[l] = v
}

// Remove takes a key away.
func (m *Map) Remove(key string) {
	l := strings.ToLower(key)
	delete(m.values, l)
	for i, k := range m.keys {
		if strings.ToLower(k) == l {
			m.keys = append(m.keys[:i:i], m.keys[i+1:]...)
			return
		}
	}
}

// Keys are the keys in their order.
func (m *Map) Keys() []string { return m.keys }

// A Block is a script block as a value.
type Block struct{ code block }

// A Fault is an error as catch sees it in $_.
type Fault struct {
	Message string
	ID      string
}

// nothing is what a pipeline without output leaves: it compares like $null, but no
// pipeline carries it.
type nothing struct{}

// items are what a value becomes in a pipeline: arrays come apart, nothing is gone.
func items(v any) []any {
	switch v := v.(type) {
	case nothing:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// collapse is the value of a pipeline's output: none, the one, or an array.
func collapse(out []any) any {
	switch len(out) {
	case 0:
		return nothing{}
	case 1:
		return out[0]
	}
	return out
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, nothing:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 1 || len(v) == 1 && truth(v[0])
	}
	return true
}

// str is a value's text.
func str(v any) string {
	switch v := v.(type) {
	case nil, nothing:
		return ""
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.Format("01/02/2006 15:04:05")
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = str(e)
		}
		return strings.Join(parts, " ")
	case *Map:
		if !v.Object {
			return "System.Collections.Hashtable"
		}
		parts := make([]string, 0, len(v.keys))
		for _, k := range v.keys {
			parts = append(parts, k+"="+str(v.values[strings.ToLower(k)]))
		}
		return "@{" + strings.Join(parts, "; ") + "}"
	case *Fault:
		return v.Message
	}
	return fmt.Sprint(v)
}

// num is a value as a number.
func num(v any) (float64, bool) {
	switch v := v.(type) {
	case nil, nothing:
		return 0, true
	case int:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		n, ok := number(strings.TrimSpace(v))
		if !ok {
			return 0, strings.TrimSpace(v) == ""
		}
		f, _ := num(n)
		return f, true
	}
	return 0, false
}

// whole gives an int where a float is one.
func whole(f float64) any {
	if f == float64(int(f)) {
		return int(f)
	}
	return f
}

// equal compares as -eq does with a single left side: the right side becomes what
// the left one is.
func equal(a, b any, sensitive bool) bool {
	switch a := a.(type) {
	case nil, nothing:
		return b == nil || b == any(nothing{})
	case string:
		if b == nil || b == any(nothing{}) {
			return false
		}
		if sensitive {
			return a == str(b)
		}
		return strings.EqualFold(a, str(b))
	case bool:
		return a == truth(b)
	case int, float64:
		if b == nil || b == any(nothing{}) {
			return false
		}
		x, _ := num(a)
		y, ok := num(b)
		return ok && x == y
	case time.Time:
		t, ok := b.(time.Time)
		return ok && a.Equal(t)
	case []any:
		return false
	}
	return a == b
}

// compare is -1, 0 or 1, by number or by text as the left side is.
func compare(a, b any) int {
	if s, ok := a.(string); ok {
		return strings.Compare(strings.ToLower(s), strings.ToLower(str(b)))
	}
	if t, ok := a.(time.Time); ok {
		if u, ok := b.(time.Time); ok {
			return t.Compare(u)
		}
	}
	x, _ := num(a)
	y, _ := num(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
