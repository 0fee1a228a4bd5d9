package parse

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/transfer"
)

const (
	maxCarved  = 64 // pieces carved out of one stretch
	minCarved  = 40 // base64 digits below which nothing can hide that runs
	minEscapes = 8  // "=XX" from which on text counts as quoted-printable
)

// carver decodes what looks encoded in one stretch of octets.
type carver struct {
	p      *parser
	prefix string
	odd    oddity
	depth  int
	n      int
}

// carve looks at text that the strict reading takes as it stands.
func (p *parser) carve(b []byte, prefix string, h *head, depth int) {
	if entityLike(b) && p.spend(2*len(b)) {
		l := lenient{p: p, b: b, prefix: prefix, depth: depth, done: map[span]bool{}}
		l.run()
	}
	c := carver{p: p, prefix: prefix, depth: depth}
	if h != nil && (h.odd != 0 || h.typ.main != "text/plain" && h.typ.main != "text/html" || h.dispose.main == "attachment") {
		c.whole(b)
	}
	c.encodedFiles(b)
	c.base64Runs(b)
	c.dataURIs(b)
	c.quoted(b)
	if h != nil && h.typ.main == "application/mac-binhex40" || bytes.Contains(b[:min(len(b), 4096)], []byte("(This file must be converted with BinHex")) {
		c.binHex(b)
	}
}

// whole tries whether b is base64 that nothing says is such, among whatever else:
// what the first octets decode to tells.
func (c *carver) whole(b []byte) {
	b = bytes.TrimSpace(b)
	head := b[:min(len(b), 4096)]
	if len(head) < minCarved || digits64(head)*4 < len(head) {
		return
	}
	strict, _ := transfer.Base64(head)
	if !holdsFile(strict) && !slices.ContainsFunc(transfer.Base64Readings(head), holdsFile) {
		return
	}
	if !c.p.spend(8 * len(b)) {
		return
	}
	full, _ := transfer.Base64(b)
	for _, d := range append([][]byte{full}, transfer.Base64Readings(b)...) {
		if holdsFile(d) {
			c.add("", d)
		}
	}
}

func digits64(b []byte) (n int) {
	for _, c := range b {
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '+' || c == '/' {
			n++
		}
	}
	return n
}

func (c *carver) binHex(b []byte) {
	if f, ok := transfer.BinHex(b); ok {
		c.add(f.Name, f.Data)
	}
}

// gap looks at octets that belong to no part.
func (p *parser) gap(b []byte, prefix string, depth int) {
	p.carve(b, prefix, nil, depth)
	c := carver{p: p, prefix: prefix, depth: depth}
	c.magic(b)
	if len(b) > 300 || !boring(b) {
		part := mail.Part{Type: "text/plain", Reading: mail.Carved, Path: c.path()}
		p.add(part, b, depth, false)
	}
}

// boring reports words and nothing else, as "This is a multi-part message in MIME
// format." that stands before most messages.
func boring(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' && c > '9' || c|0x20 > 'z' || c < '0' && strings.IndexByte(" .,-'!\r\n\t", c) < 0 {
			return false
		}
	}
	return true
}

// carveAll looks at the whole of a document about whose parts readers disagree.
func (p *parser) carveAll(b []byte, prefix string, odd oddity, depth int) {
	if p.late() {
		return
	}
	c := carver{p: p, prefix: prefix, odd: odd, depth: depth}
	c.encodedFiles(b)
	c.base64Runs(b)
	c.quoted(b)
	c.magic(b)
}

func (c *carver) path() string {
	path := "carved." + strconv.Itoa(len(c.p.msg.Parts)+1)
	if c.prefix != "" {
		path = c.prefix + "/" + path
	}
	return path
}

func (c *carver) add(name string, data []byte) {
	if c.n >= maxCarved || len(data) == 0 {
		return
	}
	part := mail.Part{Reading: mail.Carved, Path: c.path(), Name: cleanName(name)}
	if name != "" {
		part.Disposition = "attachment"
	}
	c.n++
	c.p.addOther(part, data, c.odd, c.depth)
}

// encodedFiles finds uuencoded and yEnc files by their first lines.
func (c *carver) encodedFiles(b []byte) {
	for _, word := range []string{"egin", "EGIN"} {
		c.uu(b, word)
	}
	for pos := 0; c.n < maxCarved; {
		i := bytes.Index(b[pos:], []byte("=ybegin "))
		if i < 0 {
			return
		}
		f, rest, ok := transfer.YEnc(b[pos+i:])
		pos += i + 8
		if ok {
			c.add(f.Name, f.Data)
			pos = max(pos, len(b)-len(rest))
		}
	}
}

func (c *carver) uu(b []byte, word string) {
	for pos := uuStart(b, 0, word); pos >= 0 && c.n < maxCarved; {
		f, rest, ok := transfer.UU(b[pos:])
		next := pos + 5
		if ok {
			c.add(f.Name, f.Data)
			next = len(b) - len(rest)
		}
		pos = uuStart(b, max(next, pos+5), word)
	}
}

// uuStart is where the next line begins that could begin a uuencoded file.
func uuStart(b []byte, pos int, word string) int {
	for pos < len(b) {
		i := bytes.Index(b[pos:], []byte(word))
		if i < 0 {
			return -1
		}
		at := pos + i - 1
		pos += i + 4
		if at < 0 || b[at]|0x20 != 'b' || at > 0 && b[at-1] != '\n' && b[at-1] != '\r' || pos >= len(b) || b[pos] != ' ' && b[pos] != '-' {
			continue
		}
		return at
	}
	return -1
}

// base64Runs finds stretches of lines that hold nothing but base64 digits.
func (c *carver) base64Runs(b []byte) {
	from, digits := -1, 0
	second := 0 // where the second line of the run begins
	flush := func(to int) {
		if from >= 0 && digits >= minCarved {
			c.run(b[from:to], b[max(second, from):to])
		}
		from, digits, second = -1, 0, 0
	}
	for pos := 0; pos < len(b) && c.n < maxCarved; {
		line, next := anyLineAt(b, pos)
		n := digitsOnly(line)
		switch {
		case n <= 0:
			if n < 0 || len(line) == 0 && (next >= len(b) || from < 0 || b[next-1] != '\n' || next-pos > 1 || pos == 0 || b[pos-1] != '\r') {
				flush(pos)
			}
		case from < 0:
			from, digits, second = pos, n, next
		default:
			digits += n
		}
		pos = next
	}
	flush(len(b))
}

// digitsOnly counts the base64 digits of a line; -1 if it holds anything else.
func digitsOnly(line []byte) int {
	line = bytes.TrimSpace(line)
	for _, c := range line {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '+' && c != '/' && c != '=' {
			return -1
		}
	}
	return len(line)
}

// run decodes a run, and the run without its first line, which could be a word of
// the text before it.
func (c *carver) run(whole, rest []byte) {
	data, regular := transfer.Base64(whole)
	if telling(data) {
		c.add("", data)
	} else if d, _ := transfer.Base64(rest); len(rest) < len(whole) && len(rest) >= minCarved && telling(d) {
		c.add("", d)
	}
	if regular {
		return
	}
	for _, d := range transfer.Base64Readings(whole) {
		if telling(d) {
			c.add("", d)
		}
	}
}

// dataURIs decodes base64 in the addresses of HTML (RFC 2397).
func (c *carver) dataURIs(b []byte) {
	mark := []byte(";base64,")
	for c.n < maxCarved {
		i := bytes.Index(b, mark)
		if i < 0 {
			return
		}
		b = b[i+len(mark):]
		end := 0
		for end < len(b) && b[end] != '"' && b[end] != '\'' && b[end] != ')' && b[end] != '>' && b[end] != '<' {
			end++
		}
		if end >= minCarved {
			if data, _ := transfer.Base64(b[:end]); telling(data) {
				c.add("", data)
			}
		}
		b = b[end:]
	}
}

// quoted decodes the stretches of lines that hold enough escapes of
// quoted-printable, in every way.
func (c *carver) quoted(b []byte) {
	if bytes.Count(b, []byte("=")) < minEscapes {
		return
	}
	for _, w := range escapedWindows(b) {
		if escapes(w) < minEscapes || !c.p.spend(len(w)) {
			continue
		}
		data, regular := transfer.QuotedPrintable(w)
		c.add("", data)
		if !regular && c.p.spend(8*len(w)) {
			for _, d := range transfer.QuotedPrintableReadings(w) {
				c.add("", d)
			}
		}
	}
}

func escapes(b []byte) (n int) {
	for {
		i := bytes.IndexByte(b, '=')
		if i < 0 || i+2 >= len(b) {
			return n
		}
		if hexDigit(b[i+1]) >= 0 && hexDigit(b[i+2]) >= 0 {
			n++
		}
		b = b[i+1:]
	}
}

// escapedWindows are the stretches of lines with escapes, with up to three lines
// without one between them.
func escapedWindows(b []byte) (windows [][]byte) {
	from, last, without := -1, 0, 0
	for pos := 0; pos < len(b); {
		line, next := anyLineAt(b, pos)
		switch {
		case bytes.IndexByte(line, '=') >= 0:
			if from < 0 {
				from = pos
			}
			last, without = next, 0
		case from >= 0:
			if without++; without > 3 {
				windows = append(windows, b[from:last])
				from = -1
			}
		}
		if len(windows) >= maxCarved {
			return windows
		}
		pos = next
	}
	if from >= 0 {
		windows = append(windows, b[from:last])
	}
	return windows
}

// magic finds files that stand in the octets without any encoding.
func (c *carver) magic(b []byte) {
	for _, m := range []string{"PK\x03\x04", "%PDF-", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "7z\xBC\xAF\x27\x1C", "Rar!\x1A\x07", "{\\rtf1", "X5O!P%@AP[4"} {
		if i := bytes.Index(b, []byte(m)); i >= 0 {
			c.add("", b[i:])
		}
	}
	for pos := 0; ; {
		i := bytes.Index(b[pos:], []byte("MZ"))
		if i < 0 {
			return
		}
		if program(b[pos+i:]) {
			c.add("", b[pos+i:])
			return
		}
		pos += i + 2
	}
}
