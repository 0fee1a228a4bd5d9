package charset

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// Header decodes the encoded words (RFC 2047) of a header value and takes raw
// octets above ASCII for what they most likely are. Broken words that readers
// understand all the same are understood: inside quotes, without blanks around
// them, with blanks inside, without padding, characters cut between words.
func Header(value string) string {
	if !strings.Contains(value, "=?") {
		return raw(value)
	}
	var out strings.Builder
	var open chunk // encoded octets of one charset, not yet converted
	for value != "" {
		i := strings.Index(value, "=?")
		if i < 0 {
			break
		}
		w, n, ok := word(value[i:])
		if !ok {
			open.flush(&out)
			out.WriteString(raw(value[:i+2]))
			value = value[i+2:]
			continue
		}
		if between := value[:i]; open.label == "" || strings.Trim(between, " \t\r\n") != "" {
			open.flush(&out)
			out.WriteString(raw(between))
		}
		if !strings.EqualFold(open.label, w.label) {
			open.flush(&out)
			open.label = w.label
		}
		open.octets = append(open.octets, w.octets...)
		value = value[i+n:]
	}
	open.flush(&out)
	out.WriteString(raw(value))
	return out.String()
}

type chunk struct {
	label  string
	octets []byte
}

func (c *chunk) flush(out *strings.Builder) {
	if c.label != "" {
		s, _ := Decode(c.label, c.octets)
		out.WriteString(s)
	}
	*c = chunk{}
}

// maxWord bounds the search for the end of an encoded word. RFC 2047 §2 allows 75
// characters; broken senders put whole subjects into one word.
const maxWord = 4096

// word reads the encoded word at the start of s and its length.
func word(s string) (w chunk, n int, ok bool) {
	head := s[2:min(len(s), 2+80)]
	q := strings.IndexByte(head, '?')
	if q < 1 || q+2 >= len(head) || head[q+2] != '?' {
		return chunk{}, 0, false
	}
	label, kind := Fold(head[:q]), head[q+1]|0x20
	start := 2 + q + 3
	window := s[start:min(len(s), start+maxWord)]
	end := strings.Index(window, "?=")
	if kind == 'q' && end == 0 && strings.HasPrefix(window, "?==") { // "=?x?q??==…" begins with an escaped octet
		return chunk{label: label}, start + 2, label != ""
	}
	if end < 0 || label == "" {
		return chunk{}, 0, false
	}
	text := window[:end]
	switch kind {
	case 'b':
		w.octets = wordBase64(text)
	case 'q':
		w.octets = wordQ(text)
	default:
		return chunk{}, 0, false
	}
	w.label = label
	return w, start + end + 2, true
}

func wordBase64(text string) []byte {
	clean := make([]byte, 0, len(text))
	for i := range len(text) {
		c := text[i]
		if c == '+' || c == '/' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			clean = append(clean, c)
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}

func wordQ(text string) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '_' {
			c = ' '
		}
		if c == '=' && i+2 < len(text) {
			hi, lo := hexDigit(text[i+1]), hexDigit(text[i+2])
			if hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		out = append(out, c)
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

// raw is s with octets that are no UTF-8 read by the best guess.
func raw(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return guess([]byte(s))
}
