package mail

import (
	"bytes"
	"strings"
)

// A Field is one header field exactly as it stood, folded lines and line ends
// included. Concatenating the Raw of all fields gives the header back.
type Field struct {
	Name string // as written, white space before the colon removed; "" for a line that is no field
	Raw  []byte // octets with the final line end
}

// Is compares the field's name without regard to ASCII case (RFC 5322 §1.2.2).
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// Value is what follows the colon, unfolded (RFC 5322 §2.2.3) and trimmed.
// Encoded words are left as they are.
func (f Field) Value() string {
	_, v, ok := bytes.Cut(f.Raw, []byte(":"))
	if !ok {
		v = f.Raw
	}
	return strings.TrimSpace(unfolder.Replace(string(v)))
}

var unfolder = strings.NewReplacer("\r\n", "", "\n", "", "\r", "")

// Header is a message's fields in their order.
type Header []Field

// First is the value of the first field called name, "" if there is none.
func (h Header) First(name string) string {
	for _, f := range h {
		if f.Is(name) {
			return f.Value()
		}
	}
	return ""
}

// All are the values of every field called name, top to bottom.
func (h Header) All(name string) []string {
	var v []string
	for _, f := range h {
		if f.Is(name) {
			v = append(v, f.Value())
		}
	}
	return v
}

// SplitHeader cuts octets into header fields and the offset at which the body
// begins, that is after the empty line. Lines end with CRLF, or with a bare LF or
// a bare CR as lenient readers take them. A line before the empty one that has no
// colon and does not continue a field becomes a Field without a name. Without an
// empty line all is header and body is len(octets). No octet is copied.
func SplitHeader(octets []byte) (h Header, body int) {
	start := -1 // of the field being gathered
	pos := 0
	flush := func(end int) {
		if start >= 0 {
			h = append(h, newField(octets[start:end]))
		}
		start = -1
	}
	for pos < len(octets) {
		line, next := nextLine(octets, pos)
		if len(line) == 0 {
			flush(pos)
			return h, next
		}
		if (line[0] != ' ' && line[0] != '\t') || start < 0 {
			flush(pos)
			start = pos
		}
		pos = next
	}
	flush(len(octets))
	return h, len(octets)
}

// nextLine is the line at pos without its end, and where the next one begins.
func nextLine(b []byte, pos int) (line []byte, next int) {
	rest := b[pos:]
	i := bytes.IndexAny(rest, "\r\n")
	if i < 0 {
		return rest, len(b)
	}
	if rest[i] == '\r' && i+1 < len(rest) && rest[i+1] == '\n' {
		return rest[:i], pos + i + 2
	}
	return rest[:i], pos + i + 1
}

func newField(raw []byte) Field {
	name, _, ok := bytes.Cut(raw, []byte(":"))
	if !ok || bytes.ContainsAny(name, "\r\n") {
		return Field{Raw: raw}
	}
	return Field{Name: strings.TrimRight(string(name), " \t"), Raw: raw}
}
