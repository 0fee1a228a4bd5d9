package twin

import (
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// notProperty tells parameters that steer the cmdlet and are stored nowhere.
func notProperty(name string) bool {
	switch name {
	case "Identity", "Confirm", "WhatIf", "Force", "Priority", "Enabled", "MakeDefault", "Name",
		"BypassValidation", "BypassScopeCheck", "RequiredCharsetCoverageOverride":
		return true
	}
	return false
}

// apply writes the given parameters into o as properties.
func (c *call) apply(o Object) {
	for name, v := range c.args {
		switch {
		case name == "Name" && v != nil:
			o["Name"], o["Identity"] = v, v
			if _, ok := o["Id"]; ok {
				o["Id"] = v
			}
		case name == "Enabled" && ordered(c.noun):
			o["State"] = map[bool]string{true: "Enabled", false: "Disabled"}[v == true]
		case name == "Enabled" && o["Enabled"] != nil:
			o["Enabled"] = v
		case notProperty(name):
		default:
			o[name] = merged(o, name, v)
		}
	}
	if c.noun == "TransportRule" && c.args.Has("SetSCL") && o["SetSCL"] != nil {
		o["SetSCL"] = strings.TrimPrefix(o.String("SetSCL"), "+")
	}
}

// merged is the new value of a property: a list's changes applied to what is there.
// Rules show an empty list as null, other objects as an empty list.
func merged(o Object, name string, v any) any {
	d, ok := v.(cmdlet.Delta)
	if !ok {
		if l, isList := v.([]string); isList && len(l) == 0 && nullWhenEmpty(o) {
			return nil
		}
		if v == nil && isList(o, name) && !nullWhenEmpty(o) {
			return []string{}
		}
		return v
	}
	list := slices.Clone(o.List(name))
	for _, r := range d.Remove {
		list = slices.DeleteFunc(list, func(s string) bool { return strings.EqualFold(s, r) })
	}
	for _, a := range d.Add {
		if !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, a) }) {
			list = append(list, a)
		}
	}
	if list == nil {
		list = []string{}
	}
	if len(list) == 0 && nullWhenEmpty(o) {
		return nil
	}
	return list
}

func isList(o Object, name string) bool { _, ok := o[name].([]string); return ok }

func nullWhenEmpty(o Object) bool {
	_, rule := o["State"]
	return rule
}
