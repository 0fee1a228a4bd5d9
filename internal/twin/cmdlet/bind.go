package cmdlet

import (
	"fmt"
	"slices"
	"strings"
)

// Args are bound parameters by their documented names. A value is a bool, an int,
// a string, a []string, a Delta, or nil where null was given.
type Args map[string]any

// Delta changes a multi-valued property instead of replacing it.
type Delta struct{ Add, Remove []string }

// Has reports whether name was given, even as null.
func (a Args) Has(name string) bool { _, ok := a[name]; return ok }

// String is a string value, "" if absent or null.
func (a Args) String(name string) string { s, _ := a[name].(string); return s }

// Bool is a boolean value, def if absent or null.
func (a Args) Bool(name string, def bool) bool {
	if b, ok := a[name].(bool); ok {
		return b
	}
	return def
}

// List is a list value as given; a Delta's additions for a Delta.
func (a Args) List(name string) []string {
	switch v := a[name].(type) {
	case []string:
		return v
	case Delta:
		return v.Add
	case string:
		return []string{v}
	}
	return nil
}

// Bind checks in against the cmdlet's parameters and converts its values. Names
// are matched without regard to case, as PowerShell does. The error is an *Error.
func (t *Table) Bind(cmdlet string, in map[string]any) (Args, error) {
	e, ok := t.cmdlets[strings.ToLower(cmdlet)]
	if !ok {
		return nil, Unknown(cmdlet)
	}
	out := Args{}
	for _, name := range sortedKeys(in) {
		if strings.Contains(name, "@") || common[strings.ToLower(name)] {
			continue
		}
		p, ok := e.params[strings.ToLower(name)]
		if !ok {
			return nil, Refuse(AmbiguousType, "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. %s", name)
		}
		v, err := convert(e.name, p, in[name])
		if err != nil {
			return nil, err
		}
		out[p.Name] = v
	}
	var missing []string
	for _, p := range t.Parameters(cmdlet) {
		if p.Required && (!out.Has(p.Name) || out[p.Name] == nil) {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) > 0 {
		return nil, Refuse(MissingType, "Cannot process command because of one or more missing mandatory parameters: %s.", strings.Join(missing, " "))
	}
	return out, nil
}

// common are PowerShell's own parameters, which every cmdlet takes.
var common = map[string]bool{"erroraction": true, "warningaction": true, "informationaction": true, "verbose": true, "debug": true,
	"errorvariable": true, "warningvariable": true, "outvariable": true, "outbuffer": true, "pipelinevariable": true}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func badValue(p Parameter, value any, why string) *Error {
	return Refuse(TransformType, "Cannot process argument transformation on parameter '%s'. Cannot convert value \"%v\" to type \"%s\". %s", p.Name, value, p.Type, why)
}

func badEnum(p Parameter, value string) *Error {
	names := slices.DeleteFunc(slices.Clone(p.Values), func(s string) bool { return s == "$null" })
	return badValue(p, value, fmt.Sprintf("Error: \"Unable to match the identifier name %s to a valid enumerator name. Specify one of the following enumerator names and try again:\r\n%s\"", value, strings.Join(names, ", ")))
}
