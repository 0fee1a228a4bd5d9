package parse

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/parse/unpack"
)

// Parse understands a message of any octets within lim. It always returns a
// message; what it could not clear up is in Anomalies. The Data of parts may share
// memory with octets, which must not change as long as the message is in use.
func Parse(octets []byte, lim Limits) *mail.Message {
	p := newParser(lim)
	defer func() { // a bug here must hold one message, not lose its judgement
		if r := recover(); r != nil {
			p.report("parse.fault", holdScore, "", fmt.Sprintf("Reading the message failed inside Postern: %v. Not all of it was looked at.", r))
		}
	}()
	p.work = maxReadings*len(octets) + 1<<16
	p.hashable = maxHashed * len(octets)
	p.header(octets)
	p.document(octets, "", 0)
	p.texts()
	return p.msg
}

func newParser(lim Limits) *parser {
	lim = lim.orDefaults()
	return &parser{
		lim:   lim,
		msg:   &mail.Message{},
		rules: map[string]int{},
		seen:  map[[32]byte]int{},
		paths: map[string]int{},
		budget: unpack.Budget{Deadline: lim.Deadline, Members: lim.Members, Octets: lim.Unpacked, Keep: lim.Kept, KeepOne: lim.Part,
			Ratio: lim.Ratio, RatioFrom: lim.RatioFrom},
	}
}

// parser is the work on one message.
type parser struct {
	lim      Limits
	msg      *mail.Message
	rules    map[string]int   // rule and place of a finding → its index in Anomalies
	seen     map[[32]byte]int // content → index in msg.Parts
	paths    map[string]int   // how many parts have it
	shown    []textPart       // to become Message.Text and Links, in order
	budget   unpack.Budget
	messages int             // attached messages read so far
	hidden   int             // octets of text that HTML hides
	hashed   int             // octets of parts hashed so far ...
	hashable int             // ... of which messages that hold others may make this many
	work     int             // octets that other readings may still look at
	via      mail.Reading    // of the part that is being looked into, if not strict
	viaOdd   oddity          // why it was read so
	lines    map[uint64]bool // hashes of the lines of known text
	learned  int             // parts whose lines are in lines
}

// maxHashed is how often an octet may be hashed as part of messages inside each
// other; people forward a forwarded message, not twenty of them.
const maxHashed = 20

// holdScore makes policy hold by itself (its threshold for "suspicious" is 50).
const holdScore = 60

// report notes a finding; of several with one rule the weightiest stays.
func (p *parser) report(rule string, score int, where, detail string) {
	f := mail.Finding{Rule: rule, Score: score, Detail: detail, Where: where}
	if score > 0 {
		f.Class = mail.Suspicious
	}
	if i, ok := p.rules[rule]; ok {
		if p.msg.Anomalies[i].Score < score {
			p.msg.Anomalies[i] = f
		}
		return
	}
	p.rules[rule] = len(p.msg.Anomalies)
	p.msg.Anomalies = append(p.msg.Anomalies, f)
}

func (p *parser) limit(rule, format string, n int) {
	p.report(rule, holdScore, "", fmt.Sprintf(format, n))
}

// limitParts tells which of two limits stopped the reading of parts.
func (p *parser) limitParts(n int) {
	if n >= p.lim.Parts {
		p.limit("limit.parts", "The message has more than %d parts; the others were not looked at.", p.lim.Parts)
		return
	}
	p.late()
}

// late reports whether the time is up, and notes it.
func (p *parser) late() bool {
	if time.Now().Before(p.lim.Deadline) {
		return false
	}
	p.report("limit.time", holdScore, "", "Reading the message took longer than allowed; not all of it was looked at.")
	return true
}

// document reads octets as a message of its own: the one received, or one that was
// decoded out of it, whose parts get paths below prefix.
func (p *parser) document(b []byte, prefix string, depth int) {
	if p.messages++; p.messages > p.lim.Depth || depth > p.lim.Containers {
		p.limit("limit.depth", "Messages are nested deeper, or are more, than %d; what is deeper was not taken apart.", p.lim.Depth)
		return
	}
	r := reader{p: p, b: b, prefix: prefix}
	r.read()
	odd := r.odd
	decodeOdd := oddity(0)
	for i := range r.found {
		decodeOdd |= p.entity(&r.found[i], b, prefix, depth)
	}
	odd |= p.lineEnds(b, odd)
	p.otherReadings(&r, odd|decodeOdd, depth)
}

// entity makes a Part of an entity of the strict reading.
func (p *parser) entity(e *entity, b []byte, prefix string, depth int) (odd oddity) {
	body := b[e.body.from:max(e.body.from, e.body.to)]
	part := p.partOf(&e.head, mail.Strict)
	part.Path = e.path
	if e.kind == leaf && isRoot(part.Path, prefix) {
		part.Path = child(part.Path, prefix, 1)
	}
	switch e.kind {
	case multipart:
		return 0
	case message:
		part.Container = "message"
		p.add(part, body, depth, false)
		return 0
	}
	data, regular := decode(e.head.enc, body)
	if !regular {
		odd |= oddDecode
	}
	p.special(&e.head, part.Path)
	i := p.add(part, data, depth, e.head.enc != "")
	if i >= 0 {
		p.innerMessage(&p.msg.Parts[i], &e.head, data, depth)
	}
	if i >= 0 && e.head.enc != "" && strings.HasPrefix(p.msg.Parts[i].Sniffed, "text/") {
		c := carver{p: p, prefix: part.Path, depth: depth}
		c.encodedFiles(data)
		c.base64Runs(data)
	}
	if odd&oddDecode != 0 {
		p.otherDecodings(&e.head, part, body, data, depth)
	}
	return odd
}

// special notes the message types whose content is not in the message.
func (p *parser) special(h *head, path string) {
	switch h.typ.main {
	case "message/partial":
		p.report("mime.partial", holdScore, path, "A fragment of a message (message/partial): the whole is only put together at the reader, where it cannot be judged.")
	case "message/external-body":
		p.report("mime.external_body", 10, path, "The content of a part is somewhere else (message/external-body) and was not looked at.")
	}
}

// innerMessage reads a message that was decoded out of a transfer encoding, or of
// which only a fragment is here.
func (p *parser) innerMessage(part *mail.Part, h *head, data []byte, depth int) {
	t := h.typ.main
	composite := strings.HasPrefix(t, "multipart/")
	if h.enc == "" && t != "message/partial" && t != "message/external-body" {
		return
	}
	if !composite && !strings.HasPrefix(t, "message/") || t == "message/delivery-status" || len(data) == 0 {
		return
	}
	path := part.Path
	if composite {
		head := "Content-Type: " + strings.ReplaceAll(unfold(typeField(h)), "\r", " ") + "\r\n\r\n"
		data = append([]byte(head), data...)
	} else {
		part.Container = "message"
		path += "/message"
	}
	p.document(data, path, depth+1)
}

func typeField(h *head) []byte {
	for _, f := range h.fields {
		if f.is("Content-Type") {
			return f.value
		}
	}
	return nil
}

// partOf begins a Part with what its header says.
func (p *parser) partOf(h *head, reading mail.Reading) mail.Part {
	part := mail.Part{Reading: reading, Type: h.typ.main, Charset: h.charset(), ContentID: h.cid}
	switch d := h.dispose.main; {
	case d == "inline":
		part.Disposition = d
	case d != "": // unknown ones count as attachment (RFC 2183 §2.8)
		part.Disposition = "attachment"
	}
	part.Name, part.Names = h.names()
	if len(part.Names) > 0 {
		p.compareNames(part)
	}
	return part
}

// lineEnds notes line ends that readers take differently.
func (p *parser) lineEnds(b []byte, odd oddity) (found oddity) {
	if strayCR(b) {
		found |= oddLineEnd
		p.report("mime.bare_line_end", 2, "", "A CR stands alone, where some readers end a line.")
	}
	if i := bytes.Index(b, []byte("\r\n")); i >= 0 && bareLF(b) {
		found |= oddMixedEnd
		p.report("mime.bare_line_end", 1, "", "Some lines end with CRLF and some with LF alone.")
	}
	return found
}

// bareLF reports an LF without CR before it.
func bareLF(b []byte) bool {
	for pos := 0; ; {
		i := bytes.IndexByte(b[pos:], '\n')
		if i < 0 {
			return false
		}
		if pos+i == 0 || b[pos+i-1] != '\r' {
			return true
		}
		pos += i + 1
	}
}
