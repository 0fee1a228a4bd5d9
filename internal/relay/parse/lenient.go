package parse

import (
	"bytes"
	"strconv"
	"strings"

	"postern/internal/mail"
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
	for _, g := range r.gaps {
		if entityLike(r.b[g.from:g.to]) {
			odd |= oddGap
		}
	}
	p.reportOdd(odd)
	if odd&^(oddUnclosed|oddFold|oddMixedEnd|oddDecode) != 0 || odd&(oddUnclosed|oddMixedEnd) != 0 && p.stretchesLike(r) {
		l := lenient{p: p, b: r.b, prefix: r.prefix, odd: odd, depth: depth, done: map[span]bool{}}
		l.run()
		p.carveAll(r.b, r.prefix, odd, depth)
	}
	for i := range r.found {
		e := &r.found[i]
		if e.kind == leaf && e.head.enc == "" && e.body.to > e.body.from {
			p.carve(r.b[e.body.from:e.body.to], r.prefix, &e.head, depth)
		}
	}
	for _, g := range r.gaps {
		if text := r.b[g.from:g.to]; len(bytes.TrimSpace(text)) > 0 {
			p.gap(text, r.prefix, depth)
		}
	}
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
