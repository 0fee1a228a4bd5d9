package adminapi

import (
	"context"
	"time"
)

// A Call is one cmdlet run, for the audit log. It holds no secret.
type Call struct {
	At         time.Time
	Cmdlet     string
	Parameters map[string]any // secrets replaced by Masked
	Change     Change         // what it was for; zero if nobody said
	Requests   int            // HTTP requests it took
	Status     int            // of the last one
	RequestID  string
	Warnings   []string
	Took       time.Duration
	Err        error
}

// A Change says what a call is for: the planned action and the values it turns.
type Change struct {
	Action string // id of the planned action
	Before any    // marshals without secrets
	After  any
}

type changeKey struct{}

// WithChange makes calls under the returned context carry ch into the audit log.
func WithChange(ctx context.Context, ch Change) context.Context {
	return context.WithValue(ctx, changeKey{}, ch)
}

func changeOf(ctx context.Context) Change {
	ch, _ := ctx.Value(changeKey{}).(Change)
	return ch
}

// Masked stands where a secret was.
const Masked = "***"

// shortestToken is the length from which a word in a rule's exception is taken for
// a tenant's token: 128 bits need 22 characters, the guide's word "yes" has 3.
const shortestToken = 16

// Mask copies params with the relay key and the tenant's token replaced: the
// value a rule sets a header to, unless it is the plain "true" of the clutter
// rule, and long words that a rule looks for in a header.
func Mask(params map[string]any) map[string]any {
	if params == nil {
		return nil
	}
	m := make(map[string]any, len(params))
	for k, v := range params {
		m[k] = maskValue(k, v)
	}
	return m
}

func maskValue(name string, v any) any {
	switch name {
	case "SetHeaderValue":
		if s, ok := v.(string); ok && s != "true" && s != "" {
			return Masked
		}
	case "ExceptIfHeaderContainsWords", "HeaderContainsWords":
		return maskWords(v)
	}
	return v
}

func maskWords(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) >= shortestToken {
			return Masked
		}
	case []string:
		out := make([]any, len(v))
		for i, w := range v {
			out[i] = maskWords(w)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, w := range v {
			out[i] = maskWords(w)
		}
		return out
	}
	return v
}
