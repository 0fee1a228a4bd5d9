package mail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kept is a Sentence that is stored with its values, so that it can be said in
// another language later: in JSON a text, or a list of the format and its values.
// A plain text that was stored before is read as a sentence without values.
type Kept struct{ Sentence }

// MarshalJSON implements json.Marshaler.
func (k Kept) MarshalJSON() ([]byte, error) {
	if len(k.Args) == 0 {
		return json.Marshal(k.Format)
	}
	list := []any{k.Format}
	for _, a := range k.Args {
		switch a := a.(type) {
		case Sentence:
			list = append(list, Kept{a})
		case error:
			if w := written(a); w != nil {
				list = append(list, Kept{w.Told()})
			} else {
				list = append(list, strings.TrimSuffix(a.Error(), "."))
			}
		case time.Time:
			list = append(list, keptTime{Moment: &a})
		case Day:
			list = append(list, keptTime{Day: (*time.Time)(&a)})
		case int, int64, bool:
			list = append(list, a)
		case float64: // with a point, so that it is read as one again
			list = append(list, json.RawMessage(strconv.FormatFloat(a, 'f', 6, 64)))
		default:
			list = append(list, fmt.Sprint(a))
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *Kept) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		*k = Kept{}
		return json.Unmarshal(b, &k.Format)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	var s Sentence
	for i, raw := range list {
		if i == 0 {
			if err := json.Unmarshal(raw, &s.Format); err != nil {
				return err
			}
			continue
		}
		v, err := keptValue(raw)
		if err != nil {
			return err
		}
		s.Args = append(s.Args, v)
	}
	*k = Kept{s}
	return nil
}

// keptTime is a time in a sentence that is stored: one of both.
type keptTime struct {
	Moment *time.Time `json:"moment,omitempty"`
	Day    *time.Time `json:"day,omitempty"`
}

// keptValue reads a value so that the verb it was written for takes it again.
func keptValue(raw json.RawMessage) (any, error) {
	if bytes.HasPrefix(raw, []byte("[")) {
		var k Kept
		err := json.Unmarshal(raw, &k)
		return k.Sentence, err
	}
	var at keptTime
	if bytes.HasPrefix(raw, []byte("{")) && json.Unmarshal(raw, &at) == nil {
		switch {
		case at.Moment != nil:
			return *at.Moment, nil
		case at.Day != nil:
			return Day(*at.Day), nil
		}
	}
	var n int64
	if json.Unmarshal(raw, &n) == nil {
		return n, nil
	}
	var v any
	err := json.Unmarshal(raw, &v)
	return v, err
}
