package sign

import (
	"regexp"
	"strings"
)

// tags reads a tag list (RFC 6376 §3.2).
func tags(value string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(value, ";") {
		k, v, ok := strings.Cut(part, "=")
		if ok {
			m[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return m
}

// wellFormed holds a tag list to the letter of RFC 6376 §3.2, as ARC asks: names of
// letters, digits and underscores that begin with a letter, none twice, none empty
// but after the last semicolon.
func wellFormed(value string) bool {
	seen := map[string]bool{}
	parts := strings.Split(value, ";")
	for i, part := range parts {
		name, _, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if i == len(parts)-1 && strings.TrimSpace(part) == "" {
			return true
		}
		if !ok || !tagName.MatchString(name) || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

var tagName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

var signatureTag = regexp.MustCompile(`(^|;)(\s*b\s*=)[^;]*`)

// unsigned is a signature field with its b= emptied, as it stood when it was signed.
func unsigned(f Field) Field {
	colon := strings.IndexByte(string(f.Raw), ':') + 1
	v := signatureTag.ReplaceAllString(string(f.Raw[colon:]), "$1$2")
	if !strings.HasSuffix(v, "\n") {
		v += "\r\n"
	}
	return Field{Name: f.Name, Raw: append(append([]byte{}, f.Raw[:colon]...), v...)}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
