package twin

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed objects.json
var objectsJSON []byte

// An Object is one configuration object as a Get- cmdlet shows it. Values are
// nil, bool, int, string or []string. An Object that a tenant holds is never
// changed; a changed copy replaces it.
type Object map[string]any

// String is a text property, "" if it is null or absent.
func (o Object) String(name string) string { s, _ := o[name].(string); return s }

// Bool is a boolean property, false if it is null or absent.
func (o Object) Bool(name string) bool { b, _ := o[name].(bool); return b }

// Int is a number property, 0 if it is null or absent.
func (o Object) Int(name string) int { n, _ := o[name].(int); return n }

// List is a multi-valued property; nil if it is null or absent.
func (o Object) List(name string) []string { l, _ := o[name].([]string); return l }

func (o Object) clone() Object { return maps.Clone(o) }

// is reports whether identity names the object, as cmdlets take it.
func (o Object) is(identity string) bool {
	for _, p := range []string{"Identity", "Name", "Guid", "ImmutableId", "ExchangeObjectId", "DistinguishedName", "DomainName", "PrimarySmtpAddress", "UserPrincipalName", "Alias"} {
		if v := o.String(p); v != "" && strings.EqualFold(v, identity) {
			return true
		}
	}
	return false
}

// templates are the objects with their default values, by noun.
func templates() (map[string]Object, error) {
	return decodeObjects[map[string]Object](objectsJSON)
}

// decodeObjects reads JSON whose leaves become an Object's kinds of value.
func decodeObjects[T any](text []byte) (T, error) {
	var v T
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("objects: %w", err)
	}
	switch m := any(v).(type) {
	case map[string]Object:
		for _, o := range m {
			settle(o)
		}
	case map[string][]Object:
		for _, l := range m {
			for _, o := range l {
				settle(o)
			}
		}
	}
	return v, nil
}

// settle turns what the JSON decoder made into the kinds of value an Object holds.
func settle(o Object) {
	for k, v := range o {
		switch v := v.(type) {
		case json.Number:
			if n, err := v.Int64(); err == nil {
				o[k] = int(n)
			} else {
				o[k] = v.String()
			}
		case []any:
			list := make([]string, 0, len(v))
			for _, e := range v {
				list = append(list, fmt.Sprint(e))
			}
			o[k] = list
		}
	}
}

// same compares two values of properties; lists as they stand.
func same(a, b any) bool {
	la, aok := a.([]string)
	lb, bok := b.([]string)
	if aok || bok {
		return aok == bok && slices.Equal(la, lb)
	}
	return a == b
}
