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
