package parse

import (
	"slices"
	"strings"

	"postern/internal/relay/parse/charset"
)

// A value is a structured field such as Content-Type: a word and parameters (RFC 2045 §5.1).
type value struct {
	main   string // lower case, without comments
	params []param
	odd    bool // readers could take it otherwise
}

type param struct{ key, val string }

const maxParams = 64 // of one field; real ones have below five

// get is the first parameter called key.
func (v value) get(key string) string {
	for _, p := range v.params {
		if p.key == key {
			return p.val
		}
	}
	return ""
}

// all are the values that some reader gives the parameter: each of repeated ones,
// RFC 2231 and encoded words decoded and not.
func (v value) all(key string) (vals []string) {
	add := func(s string) {
		if s != "" && !slices.Contains(vals, s) && len(vals) < 16 {
			vals = append(vals, s)
		}
	}
	add(v.extended(key))
	for _, p := range v.params {
		if p.key == key {
			add(charset.Header(p.val))
			add(p.val)
			if d, ok := percentDecoded(p.val); ok && key != "boundary" {
				add(d)
			}
		}
	}
	return vals
}

// extended is the parameter as RFC 2231 writes it, in pieces and with a charset; ""
// if it is not written so. Pieces are joined in the order of their numbers.
func (v value) extended(key string) string {
	type piece struct {
		n       int
		encoded bool
		val     string
	}
	var pieces []piece
	for _, p := range v.params {
		rest, ok := strings.CutPrefix(p.key, key+"*")
		if !ok {
			continue
		}
		encoded := rest == "" || strings.HasSuffix(rest, "*")
		n := 0
		for _, c := range []byte(strings.TrimSuffix(rest, "*")) {
			if c < '0' || c > '9' || n > maxParams {
				n = maxParams + 1
				break
			}
			n = n*10 + int(c-'0')
		}
		pieces = append(pieces, piece{n, encoded, p.val})
	}
	if len(pieces) == 0 {
		return ""
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return a.n - b.n })
	label := ""
	var octets []byte
	for i, p := range pieces {
		if !p.encoded {
			octets = append(octets, p.val...)
			continue
		}
		s := p.val
		if i == 0 {
			if set, rest, ok := strings.Cut(s, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					label, s = set, text
				}
			}
		}
		octets = append(octets, percentDecode(s)...)
	}
	text, _ := charset.Decode(label, octets)
	return text
}

func percentDecoded(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, false
	}
	d := percentDecode(s)
	text, _ := charset.Decode("utf-8", d)
	return text, text != s
}

func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// parseValue reads a structured field, unfolded.
func parseValue(s string) (v value) {
	if len(s) > 16<<10 {
		s, v.odd = s[:16<<10], true
	}
	bare, comments := stripComments(s)
	v.odd = v.odd || comments
	for i := range len(bare) {
		if c := bare[i]; c < ' ' && c != '\t' || c == 0x7F {
			v.odd = true
		}
	}
	main, rest, more := strings.Cut(bare, ";")
	v.main = strings.ToLower(strings.TrimSpace(main))
	for more && len(v.params) < maxParams {
		var p param
		var odd bool
		p, rest, more, odd = nextParam(rest)
		v.odd = v.odd || odd
		if p.key == "" && p.val == "" {
			continue
		}
		if prev := v.get(p.key); prev != "" && prev != p.val {
			v.odd = true
		}
		v.params = append(v.params, p)
	}
	return v
}

// nextParam cuts one parameter off s, which begins behind a semicolon.
func nextParam(s string) (p param, rest string, more, odd bool) {
	s = strings.TrimLeft(s, " \t\r\n")
	i := strings.IndexAny(s, "=;")
	if i < 0 || s[i] == ';' {
		word := s
		if i >= 0 {
			word, rest, more = s[:i], s[i+1:], true
		}
		return param{}, rest, more, strings.TrimSpace(word) != ""
	}
	key := s[:i]
	p.key = strings.ToLower(strings.Trim(key, " \t\x00"))
	if strings.ContainsAny(key, " \t\x00\"") {
		odd = strings.TrimRight(key, " \t") != p.key
	}
	s = strings.TrimLeft(s[i+1:], " \t\r\n")
	if !strings.HasPrefix(s, `"`) {
		p.val, rest, more = strings.Cut(s, ";")
		p.val = strings.TrimSpace(p.val)
		return p, rest, more, odd || p.key == "boundary" && strings.ContainsAny(p.val, " \t\"',=<>@[]\\") || strings.HasPrefix(p.key, "boundary*")
	}
	var text strings.Builder
	j := 1
	for ; j < len(s) && s[j] != '"'; j++ {
		if s[j] == '\\' && j+1 < len(s) {
			if next := s[j+1]; next == '"' || next == '\\' {
				j++
			} else if p.key == "boundary" {
				odd = true
			}
		}
		text.WriteByte(s[j])
	}
	p.val = text.String()
	if j >= len(s) {
		return p, "", false, odd || p.key == "boundary"
	}
	tail, rest, more := strings.Cut(s[j+1:], ";")
	if strings.TrimSpace(tail) != "" {
		odd = true
	}
	if p.key == "boundary" && (strings.TrimSpace(p.val) != p.val || strings.Contains(p.val, "=?")) || strings.HasPrefix(p.key, "boundary*") {
		odd = true
	}
	return p, rest, more, odd
}

// stripComments takes comments (RFC 5322 §3.2.2) out of a structured field.
func stripComments(s string) (bare string, had bool) {
	if !strings.Contains(s, "(") {
		return s, false
	}
	var out strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			if depth == 0 {
				out.WriteString(s[i : i+2])
			}
			i++
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
			had = true
			continue
		case c == ')' && depth > 0:
			depth--
			continue
		}
		if depth == 0 {
			out.WriteByte(c)
		}
	}
	return out.String(), had
}
