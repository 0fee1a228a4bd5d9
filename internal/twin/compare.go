package twin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference names what differs between two states, object by object and property
// by property; what the directory gives each object (ids, times, names of people)
// does not count, nor the order of a list.
func Difference(a, b map[string][]Object) []string {
	var out []string
	nouns := map[string]bool{}
	for n := range a {
		nouns[n] = true
	}
	for n := range b {
		nouns[n] = true
	}
	for _, noun := range slices.Sorted(maps.Keys(nouns)) {
		left, right := byKey(noun, a[noun]), byKey(noun, b[noun])
		for _, k := range slices.Sorted(maps.Keys(left)) {
			if right[k] == nil {
				out = append(out, noun+" "+k+": only in the first")
				continue
			}
			out = append(out, objectDifference(noun+" "+k, left[k], right[k])...)
		}
		for _, k := range slices.Sorted(maps.Keys(right)) {
			if left[k] == nil {
				out = append(out, noun+" "+k+": only in the second")
			}
		}
	}
	return out
}

// byKey indexes objects by what names them for people.
func byKey(noun string, objs []Object) map[string]Object {
	m := map[string]Object{}
	for _, o := range objs {
		key := o.String("Name")
		if noun == "TenantAllowBlockListSpoofItems" {
			key = strings.Join([]string{o.String("SpoofedUser"), o.String("SendingInfrastructure"), o.String("SpoofType")}, ", ")
		}
		if noun == "TenantAllowBlockListItems" {
			key = o.String("ListType") + " " + o.String("Value")
		}
		m[key] = o
	}
	return m
}

// given are properties the directory writes.
func given(name string) bool {
	switch name {
	case "Guid", "ExchangeObjectId", "ImmutableId", "WhenChanged", "WhenCreated", "WhenChangedUTC", "WhenCreatedUTC", "CreatedBy", "LastModifiedBy", "LastValidationTimestamp":
		return true
	}
	return false
}

func objectDifference(what string, a, b Object) []string {
	var out []string
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if given(n) || n == "Identity" && strings.HasPrefix(what, "TenantAllowBlockList") {
			continue
		}
		x, y := a[n], b[n]
		if l, ok := x.([]string); ok {
			x = slices.Sorted(slices.Values(l))
		}
		if l, ok := y.([]string); ok {
			y = slices.Sorted(slices.Values(l))
		}
		if fmt.Sprint(x) != fmt.Sprint(y) {
			out = append(out, fmt.Sprintf("%s: %s is %v and %v", what, n, x, y))
		}
	}
	return out
}
