package twin

import (
	"bytes"
	"mime"
	"slices"
	"strings"

	"postern/internal/twin/sign"
)

// A header is a message's fields, which are moved, renamed and added to, but never
// written anew unless a rule says so.
type header []sign.Field

// fields is the header of a message.
func fields(raw []byte) header {
	h, _, _ := sign.Split(raw)
	return h
}

func (h header) first(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value()
		}
	}
	return ""
}

func (h header) all(name string) []string {
	var v []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			v = append(v, f.Value())
		}
	}
	return v
}

func (h header) has(name string) bool {
	return slices.ContainsFunc(h, func(f sign.Field) bool { return strings.EqualFold(f.Name, name) })
}

// without is the header less every field whose lower-case name drop picks.
func (h header) without(drop func(name string) bool) header {
	return slices.DeleteFunc(slices.Clone(h), func(f sign.Field) bool { return drop(strings.ToLower(f.Name)) })
}

// add puts fields at the end.
func (h header) add(texts ...string) header {
	for _, t := range texts {
		h = append(h, field(t))
	}
	return h
}

// field makes a Field of "Name: value", with a line end.
func field(text string) sign.Field {
	name, _, _ := strings.Cut(text, ":")
	return sign.Field{Name: name, Raw: []byte(text + "\r\n")}
}

// set is what the rule action SetHeader does: the first field of the name gets the
// value and the other copies go, unless keep; without one it is added at the end
// with the name as typed.
func (h header) set(name, value string, keep bool) header {
	out, done := make(header, 0, len(h)+1), false
	for _, f := range h {
		if !strings.EqualFold(f.Name, name) {
			out = append(out, f)
			continue
		}
		if !done {
			out, done = append(out, field(name+": "+value)), true
		} else if keep {
			out = append(out, f)
		}
	}
	if !done {
		out = out.add(name + ": " + value)
	}
	return out
}

// rename gives every field of a name another one; the rest of it stays.
func (h header) rename(from, to string) {
	for i, f := range h {
		if strings.EqualFold(f.Name, from) {
			_, rest, _ := bytes.Cut(f.Raw, []byte(":"))
			h[i] = sign.Field{Name: to, Raw: append([]byte(to+":"), rest...)}
		}
	}
}

// bytes joins the header, the empty line and the body.
func (h header) bytes(blank, body []byte) []byte {
	var b bytes.Buffer
	for _, f := range h {
		b.Write(f.Raw)
		if !bytes.HasSuffix(f.Raw, []byte("\n")) {
			b.WriteString("\r\n")
		}
	}
	if len(blank) == 0 {
		blank = []byte("\r\n")
	}
	b.Write(blank)
	b.Write(body)
	return b.Bytes()
}

func decoded(value string) string {
	d := mime.WordDecoder{}
	if s, err := d.DecodeHeader(value); err == nil {
		return s
	}
	return value
}

func subjectOf(raw []byte) string { return decoded(fields(raw).first("Subject")) }

// fromAddress is the addr-spec of the From field, "" if there is none: what stands
// in the last angle brackets, or else the only word with an "@".
func (h header) fromAddress() string {
	v := h.first("From")
	if i := strings.LastIndexByte(v, '<'); i >= 0 {
		v, _, _ = strings.Cut(v[i+1:], ">")
		return strings.TrimSpace(v)
	}
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(" ,;\t", r) }) {
		if strings.Contains(w, "@") {
			return w
		}
	}
	return ""
}

func domainOf(addr string) string {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return ""
	}
	return strings.ToLower(addr[i+1:])
}

// fold breaks a field at blanks so that lines stay under 78 columns.
func fold(text string) string {
	var b strings.Builder
	col := 0
	for i, w := range strings.Split(text, " ") {
		if i > 0 {
			if col+1+len(w) > 77 {
				b.WriteString("\r\n")
				col = 0
			}
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += len(w)
	}
	return b.String()
}
