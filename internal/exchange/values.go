package exchange

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/exchange/adminapi"
)

// Values are properties by name. Printed in any way (JSON, fmt, slog) they show
// "***" for the relay key and the tenant's token; only the map itself has them.
type Values map[string]any

// MarshalJSON writes v with secrets masked.
func (v Values) MarshalJSON() ([]byte, error) { return json.Marshal(adminapi.Mask(v)) }

// String is v as JSON with secrets masked.
func (v Values) String() string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(b)
}

// GoString is String.
func (v Values) GoString() string { return v.String() }

// LogValue is v with secrets masked.
func (v Values) LogValue() slog.Value { return slog.StringValue(v.String()) }

func (v Values) clone() Values { return maps.Clone(v) }

// exact are the properties whose case counts.
var exact = []string{"SetHeaderName", "SetHeaderValue", "Comment", "Comments"}

// same compares a wanted value with one that was read: lists as sets, numbers
// whatever their JSON type, names without regard to case, addresses by value.
func same(name string, want, have any) bool {
	if hash, ok := want.(keyHashes); ok {
		return hash.match(have)
	}
	switch w := want.(type) {
	case nil:
		return empty(have) || have == false
	case []string:
		return slices.Equal(folded(w), folded(listOf(have)))
	case bool:
		return boolOf(have) == strconv.FormatBool(w)
	}
	if empty(have) || isList(have) && len(listOf(have)) != 1 {
		return empty(have) && empty(want)
	}
	w, h := text(want), listOf(have)[0]
	if slices.Contains(exact, name) {
		return w == h
	}
	return fold(w) == fold(h)
}

// boolOf is "true" or "false", or "" for a value that is neither; null is not false.
func boolOf(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case string:
		if l := strings.ToLower(v); l == "true" || l == "false" {
			return l
		}
	}
	return ""
}

func isList(v any) bool {
	switch v.(type) {
	case []any, []string:
		return true
	}
	return false
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	}
	return isList(v) && len(listOf(v)) == 0
}

// listOf is v as list of texts: null is none, a single value is one.
func listOf(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		return v
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			out = append(out, text(e))
		}
		return out
	}
	return []string{text(v)}
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

func folded(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fold(s)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fold is the form in which texts of Exchange are compared: connectors read
// "smtp:*;1" for "*" (limits.json), addresses may come as /32, names in any case.
func fold(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if rest, ok := strings.CutPrefix(s, "smtp:"); ok {
		s, _, _ = strings.Cut(rest, ";")
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	if at, ok := instant(s); ok {
		return at
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return addressText(p.Masked())
	}
	return s
}

// instant is a point in time in one form; Exchange writes seven digits and
// sometimes no zone.
func instant(s string) (string, bool) {
	if len(s) < len("2006-01-02t15:04:05") || s[4] != '-' {
		return "", false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, strings.ToUpper(s)); err == nil {
			return t.UTC().Format(time.RFC3339), true
		}
	}
	return "", false
}

// without are the entries of list that none of other equals.
func without(list, other []string) []string {
	gone := folded(other)
	var out []string
	for _, s := range list {
		if _, found := slices.BinarySearch(gone, fold(s)); !found {
			out = append(out, s)
		}
	}
	return out
}

// common are the entries of list that some of other equals.
func common(list, other []string) []string { return without(list, without(list, other)) }

// union are the entries of both lists, sorted, each once.
func union(a, b []string) []string {
	out := append(slices.Clone(a), without(b, a)...)
	slices.Sort(out)
	return slices.Compact(out)
}

// hashTable is the change of a shared list on the wire (wire.json, invoke.rules).
func hashTable(add, remove []string) map[string]any {
	t := map[string]any{"@odata.type": "#Exchange.GenericHashTable"}
	if len(add) > 0 {
		t["Add"] = add
	}
	if len(remove) > 0 {
		t["Remove"] = remove
	}
	return t
}
