package parse

import (
	"bytes"
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

// bodyStarts are the places where readers begin the body of a part: after an empty
// line, whatever ends lines; after the last of several header blocks; at the first
// line that is no field. headerEnd is the last of them.
func bodyStarts(b []byte, limit int) (starts []int, headerEnd int) {
	add := func(at int) {
		for _, s := range starts {
			if s == at {
				return
			}
		}
		starts = append(starts, at)
		headerEnd = max(headerEnd, at)
	}
	head := b[:min(len(b), limit)]
	firstLine, blankStrict, blankAny := -1, -1, -1
	pos := 0
	for pos < len(head) { // empty lines before the header
		line, next := anyLineAt(head, pos)
		if len(bytes.Trim(line, " \t\x00")) > 0 {
			break
		}
		pos = next
	}
	began := pos
	blanks := 0
	for pos < len(head) {
		line, next := anyLineAt(head, pos)
		blank := len(bytes.Trim(line, " \t\x00")) == 0
		switch {
		case blank && blankAny < 0:
			blankAny = next
			blanks++
		case blank:
			blanks++
		case blankAny >= 0 && !contentish(line):
			if firstLine < 0 {
				firstLine = pos
			}
			if blankStrict < 0 {
				blankStrict = strictBlank(head, began)
			}
			goto end
		case len(line) > 0 && (line[0] == ' ' || line[0] == '\t'), isFieldStart(line), contentish(line), bytes.IndexByte(line, ':') >= 0 && len(line) < 200 && blankAny < 0:
		case firstLine < 0:
			firstLine = pos
			if blankAny >= 0 {
				goto end
			}
		}
		pos = next
	}
end:
	if blankStrict < 0 {
		blankStrict = strictBlank(head, began)
	}
	for _, at := range []int{blankStrict, blankAny, firstLine, pos} {
		if at >= 0 && at < len(b) {
			add(at)
		}
	}
	if len(starts) == 0 {
		add(0)
	}
	return starts, headerEnd
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
