package dkim

import "bytes"

// AppendField appends the canonical form of one header field, with its final
// CRLF (RFC 6376 §3.4.1, §3.4.2). raw is the field as it stood, line ends included.
func AppendField(dst []byte, canon Canon, raw []byte) []byte {
	if canon != Relaxed {
		dst = append(dst, raw...)
		if len(raw) == 0 || raw[len(raw)-1] != '\n' {
			dst = append(dst, crlf...) // the header was cut off here
		}
		return dst
	}
	return append(appendRelaxed(dst, raw), crlf...)
}

// AppendUnsigned appends the canonical form of the signature field itself: with
// the value of b= emptied and without the final CRLF (RFC 6376 §3.7).
func AppendUnsigned(dst []byte, canon Canon, raw []byte) []byte {
	bare := make([]byte, 0, len(raw))
	from, to := signatureValue(raw)
	bare = append(bare, raw[:from]...)
	bare = append(bare, raw[to:]...)
	if canon == Relaxed {
		return appendRelaxed(dst, bare)
	}
	return append(dst, bytes.TrimRight(bare, "\r\n")...)
}

// appendRelaxed appends name and value without the line end.
func appendRelaxed(dst, raw []byte) []byte {
	name, value, _ := bytes.Cut(raw, []byte(":"))
	for _, c := range bytes.TrimRight(name, " \t\r\n") {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	dst = append(dst, ':')
	start := len(dst)
	space := false
	for _, c := range value {
		switch c {
		case '\r', '\n':
		case ' ', '\t':
			space = true
		default:
			if space && len(dst) > start {
				dst = append(dst, ' ')
			}
			space = false
			dst = append(dst, c)
		}
	}
	return dst
}

// signatureValue finds the value of the b= tag with the white space around it, as
// offsets into the field. Without the tag both are len(raw).
func signatureValue(raw []byte) (from, to int) {
	pos := bytes.IndexByte(raw, ':') + 1
	for pos < len(raw) {
		end := len(raw)
		if i := bytes.IndexByte(raw[pos:], ';'); i >= 0 {
			end = pos + i
		}
		tag := raw[pos:end]
		if i := bytes.IndexByte(tag, '='); i >= 0 && string(bytes.Trim(tag[:i], " \t\r\n")) == "b" {
			if end == len(raw) { // the line end is the field's, not the value's
				end = len(bytes.TrimRight(raw, "\r\n"))
			}
			return pos + i + 1, max(end, pos+i+1)
		}
		pos = end + 1
	}
	return len(raw), len(raw)
}
