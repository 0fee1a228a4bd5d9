package parse

import (
	"bytes"
	"strconv"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
	"postern/internal/relay/parse/transfer"
)

const (
	maxDelims   = 20_000 // boundary-like lines of one document
	maxKeys     = 16     // different boundaries tried one by one
	maxReadings = 40     // times the message's octets that other readings may look at
	maxBinary   = 3      // other decodings of one file that are kept
	maxInner    = 16     // header blocks looked for inside one stretch
)

// otherReadings makes the parts that other readers would make of the document, as
// far as it leaves them the choice. odd is what the strict reading found strange.
func (p *parser) otherReadings(r *reader, odd oddity, depth int) {
	for i := range r.found {
		e := &r.found[i]
		if e.kind == leaf && e.head.enc == "" && e.body.to > e.body.from {
			body := r.b[e.body.from:e.body.to]
			p.carve(body, r.prefix, &e.head, depth)
		}
	}
	for _, g := range r.gaps {
		text := r.b[g.from:g.to]
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if entityLike(text) {
			odd |= oddGap
		}
		p.gap(text, r.prefix, depth)
	}
	p.reportOdd(odd)
	if odd&^(oddUnclosed|oddFold|oddMixedEnd|oddDecode) == 0 && (odd&(oddUnclosed|oddMixedEnd) == 0 || !p.stretchesLike(r)) {
		return
	}
	l := lenient{p: p, b: r.b, prefix: r.prefix, odd: odd, depth: depth, done: map[span]bool{}}
	l.run()
	p.carveAll(r.b, r.prefix, odd, depth)
}

// stretchesLike reports whether something like a part stands in text or in a gap.
func (p *parser) stretchesLike(r *reader) bool {
	for _, g := range r.gaps {
		if entityLike(r.b[g.from:g.to]) {
			return true
		}
	}
	for i := range r.found {
		e := &r.found[i]
		if e.kind == leaf && e.head.enc == "" && entityLike(r.b[e.body.from:max(e.body.from, e.body.to)]) {
			return true
		}
	}
	return false
}

var oddRules = []struct {
	odd    oddity
	rule   string
	score  int
	detail string
}{
	{oddDuplicate, "mime.duplicate_field", 10, "A field that tells the kind or encoding of content stands twice with different values."},
	{oddSyntax, "mime.field_syntax", 2, "A field that tells the kind of content is not written as the standard says."},
	{oddEncoding, "mime.encoding", 5, "A transfer encoding is unknown, or stands where none may stand."},
	{oddHeader, "mime.header_syntax", 3, "A header has lines that are no fields."},
	{oddFold, "mime.header_fold", 1, "A header has folded lines of nothing but blanks, at which some readers end it."},
	{oddBoundary, "mime.boundary", 10, "A multipart names no boundary, or one that does not occur."},
	{oddPrefix, "mime.boundary_prefix", 2, "A line begins like a boundary and goes on."},
	{oddUnclosed, "mime.unclosed", 2, "The last boundary of a multipart is missing."},
	{oddGap, "mime.outside", 10, "Something like a part stands before the first or after the last boundary."},
	{oddDecode, "mime.decode", 2, "Encoded data holds characters that do not belong there."},
}

func (p *parser) reportOdd(odd oddity) {
	for _, o := range oddRules {
		if odd&o.odd != 0 {
			p.report(o.rule, o.score, "", o.detail)
		}
	}
}

// serious are the oddities that make readers disagree about which parts there are.
const serious = oddDuplicate | oddSyntax | oddEncoding | oddHeader | oddFold | oddBoundary | oddPrefix | oddUnclosed | oddLineEnd | oddMixedEnd | oddNUL | oddGap | oddDecode

// lenient reads one document in all the ways in which forgiving readers do.
type lenient struct {
	p      *parser
	b      []byte
	prefix string
	odd    oddity
	depth  int
	done   map[span]bool
}

// delimLine is a line that some reader could take for a boundary.
type delimLine struct {
	at, next int
	key      string // what could be the boundary
	entity   bool   // a header or an empty line follows
}

func (l *lenient) run() {
	lines, keys := l.delims()
	l.stretch(span{0, len(l.b)})
	l.segments(lines, func(d delimLine) bool { return true })
	for _, k := range keys {
		l.segments(lines, func(d delimLine) bool { return d.key == k })
	}
}

// delims finds every line that begins with "--", whatever ends lines, and the
// boundaries that they could be of, those before a header first.
func (l *lenient) delims() (lines []delimLine, keys []string) {
	have := map[string]bool{}
	for pos := 0; pos < len(l.b); {
		line, next := anyLineAt(l.b, pos)
		text := bytes.TrimLeft(line, " \t\x00")
		if len(text) < 3 || text[0] != '-' || text[1] != '-' || len(text) > 2000 {
			pos = next
			continue
		}
		key := strings.TrimRight(string(bytes.TrimRight(text[2:], " \t\x00")), "-")
		after, _ := anyLineAt(l.b, next)
		d := delimLine{at: pos, next: next, key: key, entity: len(after) == 0 || isFieldStart(after) || contentish(after)}
		if len(lines) >= maxDelims {
			l.p.limit("limit.parts", "The message has more than %d lines like boundaries; the others were not looked at.", maxDelims)
			break
		}
		lines = append(lines, d)
		if d.entity && !have[key] && len(keys) < maxKeys {
			have[key] = true
			keys = append(keys, key)
		}
		pos = next
	}
	return lines, keys
}

// segments looks at the stretches between the chosen lines.
func (l *lenient) segments(lines []delimLine, chosen func(delimLine) bool) {
	from := -1
	for _, d := range lines {
		if !chosen(d) {
			continue
		}
		if from >= 0 {
			l.stretch(span{from, d.at})
		} else if d.at > 0 {
			l.stretch(span{0, d.at})
		}
		from = d.next
	}
	if from >= 0 {
		l.stretch(span{from, len(l.b)})
	}
}

// stretch reads octets as one part, and as the parts that begin inside it.
func (l *lenient) stretch(s span) {
	if s.to <= s.from || l.done[s] {
		return
	}
	l.done[s] = true
	if l.p.late() {
		return
	}
	b := l.b[s.from:s.to]
	if !l.p.spend(len(b)) {
		return
	}
	for _, at := range headerBlocks(b) {
		end := len(b)
		if i := bytes.Index(b[at:], []byte("\n--")); i >= 0 {
			end = at + i
		}
		if l.p.spend(end - at) {
			l.part(b[at:end])
		}
	}
	l.part(b)
}

// spend takes octets off what other readings may look at; false, and a finding, if
// that is used up.
func (p *parser) spend(n int) bool {
	if p.work -= n; p.work >= 0 {
		return true
	}
	p.report("limit.readings", holdScore, "", "The message can be read in too many ways to look at them all.")
	return false
}

// headerBlocks are the places where a block of Content fields begins, other than
// at the start.
func headerBlocks(b []byte) (at []int) {
	inBlock := false
	for pos := 0; pos < len(b); {
		line, next := anyLineAt(b, pos)
		switch {
		case contentish(line):
			if !inBlock && pos > 0 {
				at = append(at, pos)
				if len(at) >= maxInner {
					return at
				}
			}
			inBlock = true
		case len(line) > 0 && (line[0] == ' ' || line[0] == '\t') || isFieldStart(line):
		default:
			inBlock = false
		}
		pos = next
	}
	return at
}

// contentish recognises a line that begins a Content field, also a garbled one.
func contentish(line []byte) bool {
	t := bytes.TrimLeft(line[:min(len(line), 64)], " \t\x00:")
	if len(t) < 10 || t[0]|0x20 != 'c' {
		return false
	}
	low := strings.ToLower(string(t))
	if !strings.HasPrefix(low, "content") {
		return false
	}
	low = strings.ReplaceAll(low, "\x00", "")
	return strings.Contains(low, "type") || strings.Contains(low, "transfer") || strings.Contains(low, "disposition") || strings.Contains(low, "encoding")
}

// entityLike reports whether some line of b begins a Content field.
func entityLike(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '-')
		if i < 0 {
			return false
		}
		if i >= 7 && b[i-7]|0x20 == 'c' && bytes.EqualFold(b[i-7:i], []byte("content")) {
			from := max(0, i-10)
			start := bytes.LastIndexAny(b[from:i-7], "\r\n")
			if (start >= 0 || i-7 == 0 || from == 0) && contentish(b[i-7:]) {
				return true
			}
		}
		b = b[i+1:]
	}
}

// part reads b as one part: its header is what looks like one, its encodings are
// all that the header mentions, and its body begins where any reader begins it.
func (l *lenient) part(b []byte) {
	starts, headerEnd := bodyStarts(b, l.p.lim.Header)
	block := b[:headerEnd]
	encs := mentioned(block)
	h, others := l.p.lenientHead(block)
	l.p.compareNames(mail.Part{Name: h.Name, Names: h.Names, Path: l.path()})
	for _, s := range starts {
		body := trimLineEnd(b[s:])
		if len(body) == 0 {
			continue
		}
		if len(encs) == 0 && s == headerEnd && (h.Name != "" || !strings.HasPrefix(h.Type, "text/") && !strings.HasPrefix(h.Type, "multipart/") && h.Type != "") {
			l.add(h, body, others)
			c := carver{p: l.p, prefix: l.prefix, odd: l.odd, depth: l.depth}
			c.whole(body)
		}
		for _, enc := range encs {
			if enc == "quoted-printable" && s != headerEnd {
				continue // the same with header lines before it
			}
			l.decodings(enc, body, h, others)
		}
	}
}

func (l *lenient) decodings(enc string, body []byte, h mail.Part, others bool) {
	switch enc {
	case "uuencode", "yenc", "binhex":
		if !l.p.spend(2 * len(body)) {
			return
		}
		c := carver{p: l.p, prefix: l.prefix, odd: l.odd, depth: l.depth}
		c.encodedFiles(body)
		c.binHex(body)
		c.whole(body)
		return
	}
	if !l.p.spend(len(body)) {
		return
	}
	data, regular := decode(enc, body)
	if regular || telling(data) {
		l.add(h, data, others)
	}
	if regular || !l.p.spend(5*len(body)) {
		return
	}
	for _, d := range readings(enc, body) {
		if holdsFile(d) {
			l.add(h, d, others)
		}
	}
}

func readings(enc string, body []byte) [][]byte {
	switch enc {
	case "base64":
		return transfer.Base64Readings(body)
	case "quoted-printable":
		return transfer.QuotedPrintableReadings(body)
	}
	return nil
}

func (l *lenient) path() string {
	path := "lenient." + strconv.Itoa(len(l.p.msg.Parts)+1)
	if l.prefix != "" {
		path = l.prefix + "/" + path
	}
	return path
}

// add makes a Part of what one reader sees. others says that its header holds more
// than one opinion about the part.
func (l *lenient) add(h mail.Part, data []byte, others bool) {
	if len(data) == 0 {
		return
	}
	h.Reading, h.Path = mail.Lenient, l.path()
	l.p.addOther(h, data, l.odd, l.depth)
}

// otherDecodings adds what other readers decode from irregular data of a part that
// the strict reading has.
func (p *parser) otherDecodings(h *head, part mail.Part, body, strict []byte, depth int) {
	if !p.spend(8 * len(body)) {
		return
	}
	binary := 0
	attached := part.Name != "" || !strings.HasPrefix(part.Type, "text/") && part.Type != ""
	for _, d := range readings(h.enc, body) {
		if !holdsFile(d) || readable(d) && !program(d) && p.fresh(d) == 0 {
			continue
		}
		if !readable(d) {
			if binary++; binary > maxBinary {
				continue
			}
		}
		alt := part
		alt.Reading = mail.Lenient
		alt.Path = part.Path + "/decoded"
		i := p.add(alt, d, depth, true)
		if i < 0 {
			continue
		}
		got := &p.msg.Parts[i]
		if s := sniff(strict, part.Type); attached && (s != got.Sniffed || len(strict)*2 < len(d)) && matters(got) {
			p.report("mime.decode_ambiguous", holdScore, part.Path, "Mail programs decode a file differently; only some of them get "+describe(got))
		}
	}
	c := carver{p: p, prefix: part.Path, odd: oddDecode, depth: depth}
	c.encodedFiles(body)
	c.base64Runs(body)
	if h.enc == "uuencode" {
		c.whole(body)
	}
}

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
