package parse

import (
	"bytes"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
)

// lenientHead reads a header block as forgiving readers do. others is true if the
// block names more than one type.
func (p *parser) lenientHead(block []byte) (part mail.Part, others bool) {
	flat := bytes.ReplaceAll(block, []byte{0}, nil)
	flat = bytes.ReplaceAll(flat, []byte("\r\n"), []byte("\n"))
	flat = bytes.ReplaceAll(flat, []byte("\r"), []byte("\n"))
	part.Type = "text/plain"
	typed := false
	fields, _, _ := splitFields(flat[:min(len(flat), p.lim.Header)], p.lim.Fields)
	for _, f := range fields {
		v := parseValue(f.text())
		major, _, slash := strings.Cut(v.main, "/")
		switch {
		case v.main == "attachment" || v.main == "inline":
			part.Disposition = v.main
		case slash && knownMajor[strings.TrimSpace(major)]:
			others = others || typed
			if !typed || part.Type == "text/plain" {
				part.Type = v.main
			}
			typed = true
			part.Charset = charset.Fold(v.get("charset"))
		}
		for _, key := range []string{"filename", "name"} {
			for _, n := range v.all(key) {
				if n = cleanName(n); n == "" {
					continue
				}
				if part.Name == "" {
					part.Name = n
				} else if n != part.Name && len(part.Names) < 16 {
					part.Names = appendNew(part.Names, n)
				}
			}
		}
	}
	return part, others
}

var knownMajor = map[string]bool{"text": true, "application": true, "image": true, "audio": true, "video": true, "message": true, "multipart": true, "font": true, "model": true}

// mentioned are the encodings that a header block speaks of, however it does.
func mentioned(block []byte) (encs []string) {
	low := strings.ToLower(string(block[:min(len(block), 64<<10)]))
	if i := strings.Index(low, "encoding"); i < 0 && !strings.Contains(low, "=?") && !strings.Contains(low, "base") && !strings.Contains(low, "quoted") {
		return nil
	}
	plainer := squeeze(low)
	uncommented, _ := stripComments(low)
	forms := []string{plainer, squeeze(uncommented)}
	if strings.Contains(low, "=?") {
		forms = append(forms, squeeze(strings.ToLower(charset.Header(unfold([]byte(string(block[:min(len(block), 64<<10)])))))))
	}
	for _, k := range []struct{ word, enc string }{
		{"base64", "base64"}, {"base-64", "base64"}, {"quoted-printable", "quoted-printable"}, {"quotedprintable", "quoted-printable"}, {"uue", "uuencode"}, {"yenc", "yenc"}, {"binhex", "binhex"}, {"gzip64", "base64"},
	} {
		for _, f := range forms {
			if strings.Contains(f, k.word) {
				encs = appendNew(encs, k.enc)
				break
			}
		}
	}
	return encs
}

// squeeze takes out of a header what could split a word in it.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7F || r == '"' || r == '\'' {
			return -1
		}
		return r
	}, s)
}

// bodyStarts are the places where readers begin the body of a part: after the first
// empty line, whatever ends lines; at the first line that is no field; after the
// last of several blocks of fields with empty lines between them. headerEnd is the
// last of these.
func bodyStarts(b []byte, limit int) (starts []int, headerEnd int) {
	head := b[:min(len(b), limit)]
	pos := skipBlank(head, 0)
	blank := anyBlank(head, pos)
	places := []int{strictBlank(head, pos), blank, noField(head, pos)}
	for blank >= 0 {
		pos = skipBlank(head, blank)
		if line, _ := anyLineAt(head, pos); !contentish(line) {
			break
		}
		blank = anyBlank(head, pos)
		places = append(places, blank, noField(head, pos))
	}
	for _, at := range places {
		if at >= 0 && at < len(b) && !slices.Contains(starts, at) && len(starts) < maxStarts {
			starts = append(starts, at)
			headerEnd = max(headerEnd, at)
		}
	}
	if len(starts) == 0 {
		starts = append(starts, 0)
	}
	return starts, headerEnd
}

// maxStarts bounds how many beginnings of one body are tried.
const maxStarts = 8

func isBlank(line []byte) bool { return len(bytes.Trim(line, " \t\x00")) == 0 }

// anyBlank is where the line after the first empty line begins, whatever ends
// lines; -1 if there is none.
func anyBlank(b []byte, pos int) int {
	for pos < len(b) {
		line, next := anyLineAt(b, pos)
		if isBlank(line) {
			return next
		}
		pos = next
	}
	return -1
}

// noField is where the first line begins that is neither a field nor the rest of
// one, before any empty line; -1 if there is none.
func noField(b []byte, pos int) int {
	for pos < len(b) {
		line, next := anyLineAt(b, pos)
		switch {
		case isBlank(line):
			return -1
		case line[0] != ' ' && line[0] != '\t' && !isFieldStart(line) && !contentish(line) && bytes.IndexByte(line, ':') < 0:
			return pos
		}
		pos = next
	}
	return -1
}

// skipBlank is where the first line from pos on begins that is not empty.
func skipBlank(b []byte, pos int) int {
	for pos < len(b) {
		line, next := anyLineAt(b, pos)
		if !isBlank(line) {
			return pos
		}
		pos = next
	}
	return pos
}

// strictBlank is where the line after the first empty line begins that CRLF or LF
// end; -1 if there is none.
func strictBlank(b []byte, pos int) int {
	for pos < len(b) {
		line, next := lineAt(b, pos)
		if len(line) == 0 {
			return next
		}
		pos = next
	}
	return -1
}

// trimLineEnd takes off the line end that belongs to the boundary behind it.
func trimLineEnd(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}
