package sign

import (
	"bytes"
	"strings"
)

// A Field is one header field as it stood, folds and line end included.
type Field struct {
	Name string // as written; "" for a line that is no field
	Raw  []byte
}

// Value is the unfolded, trimmed text after the colon.
func (f Field) Value() string {
	_, v, _ := bytes.Cut(f.Raw, []byte(":"))
	return strings.TrimSpace(strings.NewReplacer("\r\n", "", "\n", "").Replace(string(v)))
}

// Split cuts a message into its fields, the empty line as it stood, and the body.
// Joined again they are the message; nothing is copied.
func Split(raw []byte) (head []Field, blank, body []byte) {
	start := 0 // of the field being gathered
	for pos := 0; pos < len(raw); {
		end := pos + lineLen(raw[pos:])
		line := bytes.TrimRight(raw[pos:end], "\r\n")
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		if !folded && pos > start {
			head = append(head, newField(raw[start:pos]))
			start = pos
		}
		if len(line) == 0 {
			return head, raw[pos:end], raw[end:]
		}
		pos = end
	}
	if start < len(raw) {
		head = append(head, newField(raw[start:]))
	}
	return head, nil, nil
}

func newField(raw []byte) Field {
	name, _, ok := bytes.Cut(raw, []byte(":"))
	if !ok || bytes.ContainsAny(name, "\r\n") {
		return Field{Raw: raw[:len(raw):len(raw)]}
	}
	return Field{Name: strings.TrimRight(string(name), " \t"), Raw: raw[:len(raw):len(raw)]}
}

func lineLen(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}
