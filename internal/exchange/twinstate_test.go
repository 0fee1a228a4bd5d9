package exchange

import (
	"encoding/json"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// snapshot is the whole tenant as plain JSON values, by noun.
func (of *office) snapshot() map[string]any {
	b, err := json.Marshal(of.tenant.State())
	if err != nil {
		of.t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		of.t.Fatal(err)
	}
	return s
}

// bookkeeping are properties that say when and by whom an object was written, and
// the text that Exchange makes of a rule's other properties.
var bookkeeping = []string{"Description", "WhenChanged", "WhenChangedUTC", "LastModifiedBy", "ModifiedDateTime", "LastModifiedDateTime"}

// sameState compares two snapshots field by field, except for bookkeeping.
func sameState(a, b map[string]any) string {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, x := range v {
				if list, ok := x.([]any); ok && len(list) == 0 && v["Name"] == nil {
					continue // a kind of object that the tenant has none of
				}
				if contains(bookkeeping, k) {
					continue
				}
				if out[k] = walk(x); unset(x) {
					out[k] = nil // an empty list and none are the same to Exchange
				}
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = walk(x)
			}
			return out
		}
		return v
	}
	return cmp.Diff(walk(a), walk(b))
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}
