package sign

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
)

// relaxedField is RFC 6376 §3.4.2, with CRLF at its end.
func relaxedField(f Field) []byte {
	v := spaces.ReplaceAllString(f.loose(), " ")
	return []byte(strings.ToLower(f.Name) + ":" + strings.TrimSpace(v) + "\r\n")
}

// loose is the text after the colon with the folds' line ends taken out and the
// white space kept.
func (f Field) loose() string {
	_, v, _ := bytes.Cut(f.Raw, []byte(":"))
	return strings.NewReplacer("\r\n", "", "\n", "").Replace(string(v))
}

var spaces = regexp.MustCompile(`[ \t]+`)

// canonField is a field as the header canonicalization has it.
func canonField(f Field, relaxed bool) []byte {
	if relaxed {
		return relaxedField(f)
	}
	return f.Raw
}

// bodyHash is the hash of the canonical body (RFC 6376 §3.4.3, §3.4.4).
func bodyHash(body []byte, relaxed bool) string {
	if relaxed {
		body = relaxedBody(body)
	} else {
		body = append(trimEmptyLines(body), "\r\n"...)
	}
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func relaxedBody(body []byte) []byte {
	var out []byte
	for len(body) > 0 {
		n := bytes.Index(body, []byte("\r\n"))
		line := body
		if n >= 0 {
			line, body = body[:n], body[n+2:]
		} else {
			body = nil
		}
		line = bytes.TrimRight(spaces.ReplaceAll(line, []byte(" ")), " ")
		out = append(append(out, line...), "\r\n"...)
	}
	out = trimEmptyLines(out)
	if len(out) == 0 {
		return nil
	}
	return append(out, "\r\n"...)
}

// trimEmptyLines takes all CRLF off the end; the caller puts one back. The result
// has its own array.
func trimEmptyLines(b []byte) []byte {
	for bytes.HasSuffix(b, []byte("\r\n")) {
		b = b[:len(b)-2]
	}
	return bytes.Clone(b)
}
