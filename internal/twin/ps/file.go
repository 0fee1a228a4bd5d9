package ps

import (
	"bytes"
	"encoding/json"
	"strings"
)

// file runs the cmdlets for files, JSON and web requests.
func (r *run) file(in invocation) bool {
	switch strings.ToLower(in.name) {
	case "test-path":
		_, ok := r.read(r.path(in))
		r.write(ok)
	case "get-content":
		r.getContent(in)
	case "set-content", "out-file":
		v, ok := in.named.Get("Value")
		if !ok && len(in.positional) > 1 {
			v, ok = in.positional[1], true
		}
		if !ok {
			v = in.input
		}
		r.writeFile(r.path(in), join(items(v), "\r\n")+"\r\n")
	case "remove-item":
		for name := range r.host.Files {
			if strings.EqualFold(name, r.path(in)) {
				delete(r.host.Files, name)
			}
		}
	case "convertto-json":
		r.toJSON(in)
	case "convertfrom-json":
		r.fromJSON(in)
	case "invoke-restmethod":
		r.rest(in)
	default:
		return false
	}
	return true
}

func (r *run) path(in invocation) string {
	path := ""
	if len(in.positional) > 0 {
		path = str(in.positional[0])
	}
	for _, name := range []string{"LiteralPath", "Path", "FilePath"} {
		if v, ok := in.named.Get(name); ok {
			path = str(v)
		}
	}
	if path == "" {
		r.raise("Cannot bind argument to parameter 'Path' because it is null or empty.", "ParameterArgumentValidationError")
	}
	return path
}

func (r *run) read(path string) (string, bool) {
	for name, text := range r.host.Files {
		if strings.EqualFold(name, path) {
			return string(bytes.TrimPrefix(text, []byte("\ufeff"))), true
		}
	}
	return "", false
}

func (r *run) writeFile(path, text string) {
	for name := range r.host.Files {
		if strings.EqualFold(name, path) {
			path = name
		}
	}
	if r.host.Files == nil {
		r.host.Files = map[string][]byte{}
	}
	r.host.Files[path] = []byte(text)
}

func (r *run) getContent(in invocation) {
	text, ok := r.read(r.path(in))
	if !ok {
		r.raise("Cannot find path '"+r.path(in)+"' because it does not exist.", "PathNotFound")
	}
	if v, ok := in.named.Get("Raw"); ok && truth(v) {
		r.write(text)
		return
	}
	for line := range strings.Lines(text) {
		r.write(strings.TrimRight(line, "\r\n"))
	}
}

// toJSON stops at -Depth, 2 by default, and writes what lies deeper as text.
func (r *run) toJSON(in invocation) {
	var v any
	switch given, ok := in.named.Get("InputObject"); {
	case ok:
		v = given
	case len(in.positional) > 0:
		v = in.positional[0]
	default:
		v = collapse(in.input)
	}
	depth := 2
	if d, ok := in.named.Get("Depth"); ok {
		n, _ := num(d)
		depth = int(n)
	}
	var b bytes.Buffer
	encodeJSON(&b, v, depth)
	if c, ok := in.named.Get("Compress"); ok && truth(c) {
		r.write(b.String())
		return
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b.Bytes(), "", "    "); err != nil {
		r.fail(in.line, "%v", err)
	}
	r.write(pretty.String())
}

func encodeJSON(b *bytes.Buffer, v any, depth int) {
	switch v := v.(type) {
	case []any:
		if depth < 0 {
			jsonText(b, str(v))
			return
		}
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			encodeJSON(b, e, depth-1)
		}
		b.WriteByte(']')
	case *Map:
		if depth < 0 {
			jsonText(b, str(v))
			return
		}
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			jsonText(b, k)
			b.WriteByte(':')
			x, _ := v.Get(k)
			encodeJSON(b, x, depth-1)
		}
		b.WriteByte('}')
	case nil, nothing:
		b.WriteString("null")
	case bool, int, float64:
		text, _ := json.Marshal(v) // cannot fail
		b.Write(text)
	default:
		jsonText(b, str(v))
	}
}

func jsonText(b *bytes.Buffer, s string) {
	text, _ := json.Marshal(s) // cannot fail
	b.Write(text)
}

func (r *run) fromJSON(in invocation) {
	text := join(in.input, "\n")
	if v, ok := in.named.Get("InputObject"); ok {
		text = str(v)
	} else if len(in.positional) > 0 {
		text = str(in.positional[0])
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := decodeJSON(d)
	if err != nil {
		r.raise("Conversion from JSON failed with error: "+err.Error(), "ConvertFromJson")
	}
	r.write(v)
}

// decodeJSON keeps the order of an object's names.
func decodeJSON(d *json.Decoder) (any, error) {
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '[' {
			out := []any{}
			for d.More() {
				v, err := decodeJSON(d)
				if err != nil {
					return nil, err
				}
				out = append(out, v)
			}
			_, err := d.Token()
			return out, err
		}
		m := NewMap(true)
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeJSON(d)
			if err != nil {
				return nil, err
			}
			m.Set(k.(string), v)
		}
		_, err := d.Token()
		return m, err
	case json.Number:
		n, _ := number(t.String())
		return n, nil
	}
	return tok, nil
}

func (r *run) rest(in invocation) {
	if r.host.Rest == nil {
		r.raise("The remote server could not be reached.", "WebException")
	}
	get := func(name string) string { v, _ := in.named.Get(name); return str(v) }
	headers := map[string]string{}
	if v, ok := in.named.Get("Headers"); ok {
		if m, ok := v.(*Map); ok {
			for _, k := range m.keys {
				x, _ := m.Get(k)
				headers[k] = str(x)
			}
		}
	}
	url := get("Uri")
	if url == "" && len(in.positional) > 0 {
		url = str(in.positional[0])
	}
	text, err := r.host.Rest(r.ctx, get("Method"), url, headers, get("Body"))
	if err != nil {
		r.raise(err.Error(), "WebException")
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") { // an answer in JSON becomes an object
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if v, err := decodeJSON(d); err == nil {
			r.write(v)
			return
		}
	}
	r.write(text)
}
