package adminapi

import (
	"encoding/json"
	"strings"
)

// page is one answer of InvokeCommand. Empty results come as [], null or without
// the key.
type page struct {
	Value    json.RawMessage `json:"value"`
	Next     string          `json:"@odata.nextLink"`
	Warnings []string        `json:"@adminapi.warnings"`
}

// objects are the page's objects without type sidecars ("X@odata.type").
func (p *page) objects() []map[string]any {
	var list []map[string]any
	if json.Unmarshal(p.Value, &list) != nil {
		var one map[string]any
		if json.Unmarshal(p.Value, &one) != nil || one == nil {
			return nil
		}
		list = []map[string]any{one}
	}
	for _, o := range list {
		clean(o)
	}
	return list
}

func clean(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if strings.Contains(k, "@") {
				delete(v, k)
				continue
			}
			clean(e)
		}
	case []any:
		for _, e := range v {
			clean(e)
		}
	}
}
