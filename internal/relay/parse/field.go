package parse

import (
	"bytes"
	"strings"
)

// field is one header field of an entity, cut out but not decoded.
type field struct {
	name  []byte // white space before the colon removed; nil for a line that is no field
	value []byte // after the colon, still folded
}

func (f field) is(name string) bool {
	return len(f.name) == len(name) && strings.EqualFold(string(f.name), name)
}

// text is the value unfolded and trimmed.
func (f field) text() string { return unfold(f.value) }

func unfold(v []byte) string {
	v = bytes.TrimSpace(v)
	if bytes.IndexByte(v, '\n') < 0 {
		return string(v)
	}
	return unfolder.Replace(string(v))
}

var unfolder = strings.NewReplacer("\r\n", "", "\n", "")

// lineAt is the line at pos without its end (LF or CRLF) and where the next begins.
func lineAt(b []byte, pos int) (line []byte, next int) {
	i := bytes.IndexByte(b[pos:], '\n')
	if i < 0 {
		return b[pos:], len(b)
	}
	line, next = b[pos:pos+i], pos+i+1
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, next
}

// usualLine is the length within which most lines end.
const usualLine = 256

// anyLineAt is lineAt for readers to whom a bare CR ends a line too.
func anyLineAt(b []byte, pos int) (line []byte, next int) {
	if i := bytes.IndexByte(b[pos:min(len(b), pos+usualLine)], '\n'); i >= 0 {
		line = b[pos : pos+i]
		switch j := bytes.IndexByte(line, '\r'); {
		case j < 0:
			return line, pos + i + 1
		case j == i-1:
			return line[:j], pos + i + 1
		default:
			return line[:j], pos + j + 1
		}
	}
	for i := pos; i < len(b); i++ { // octet by octet: the next LF may be far and each CR a line
		switch b[i] {
		case '\n':
			return b[pos:i], i + 1
		case '\r':
			if i+1 < len(b) && b[i+1] == '\n' {
				return b[pos:i], i + 2
			}
			return b[pos:i], i + 1
		}
	}
	return b[pos:], len(b)
}

// isFieldStart reports whether line could begin a header field: a name of
// printable ASCII (RFC 5322 §2.2), perhaps with white space before the colon.
func isFieldStart(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	if i < 1 || i > 200 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:i], " \t\x00") {
		if c <= ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

// splitFields cuts a header into fields. odd notes what readers could take otherwise.
func splitFields(b []byte, limit int) (fields []field, odd oddity, cut bool) {
	for pos := 0; pos < len(b); {
		start := pos
		line, next := lineAt(b, pos)
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			odd |= oddHeader // nothing before it to continue
		}
		pos = next
		for pos < len(b) && (b[pos] == ' ' || b[pos] == '\t') {
			more, next := lineAt(b, pos)
			if len(bytes.TrimSpace(more)) == 0 {
				odd |= oddFold
			}
			if contentField(more) {
				odd |= oddHeader // a field to readers that do not unfold
			}
			pos = next
		}
		if len(fields) >= limit {
			return fields, odd, true
		}
		f, o := cutField(b[start:pos])
		fields = append(fields, f)
		odd |= o
	}
	return fields, odd, false
}

func cutField(raw []byte) (field, oddity) {
	if bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) {
		return field{value: raw}, 0 // of a mailbox file
	}
	i := bytes.IndexByte(raw, ':')
	if i < 0 || bytes.IndexByte(raw[:i], '\n') >= 0 {
		if len(bytes.TrimSpace(raw)) == 0 {
			return field{value: raw}, 0
		}
		return field{value: raw}, oddHeader
	}
	name := raw[:i]
	f := field{name: bytes.TrimRight(name, " \t"), value: raw[i+1:]}
	var odd oddity
	if len(f.name) != len(name) && isContentName(f.name) || len(f.name) == 0 {
		odd |= oddHeader
	}
	for _, c := range f.name {
		if c <= ' ' || c >= 0x7F {
			odd |= oddHeader
		}
	}
	if isContentName(f.name) && (bytes.IndexByte(raw, 0) >= 0 || strayCR(raw)) {
		odd |= oddSyntax
	}
	return f, odd
}

// isContentName recognises the fields that shape the MIME tree, also garbled ones.
func isContentName(name []byte) bool {
	return len(name) >= 8 && bytes.EqualFold(name[:8], []byte("content-")) || bytes.EqualFold(name, []byte("mime-version"))
}

// strayCR reports a CR that does not belong to a CRLF.
func strayCR(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\r')
		if i < 0 {
			return false
		}
		if i+1 >= len(b) || b[i+1] != '\n' {
			return true
		}
		b = b[i+2:]
	}
}

// contentField recognises a whole Content field behind white space, as opposed to
// the list of field names in a signature.
func contentField(line []byte) bool {
	name, rest, ok := bytes.Cut(bytes.TrimLeft(line, " \t"), []byte(":"))
	return ok && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') && isContentName(bytes.TrimSpace(name))
}
