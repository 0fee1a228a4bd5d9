package parse

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
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
	texts_   []textPart       // to become Message.Text and Links, in order
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

// compareNames notes when readers show names of different kinds.
func (p *parser) compareNames(part mail.Part) {
	for _, n := range part.Names {
		a, b := extension(part.Name), extension(n)
		if a != b && a != "" && b != "" && runs[a] != runs[b] {
			p.report("mime.filename_ambiguous", holdScore, part.Path, fmt.Sprintf("A file is called %q by some mail programs and %q by others.", part.Name, n))
		} else if a != b {
			p.report("mime.filename_differs", 5, part.Path, fmt.Sprintf("A file is called %q by some mail programs and %q by others.", part.Name, n))
		}
	}
}

func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 12 {
		return ""
	}
	return strings.ToLower(strings.TrimRight(name[i+1:], ". "))
}

// runs are the extensions that Windows executes or mounts at a click.
var runs = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields("exe com scr pif bat cmd vbs vbe js jse wsf wsh hta msi msp cpl dll jar lnk ps1 psm1 reg scf url iso img vhd vhdx chm inf appx msix xll application gadget docm xlsm pptm one library-ms settingcontent-ms") {
		m[e] = true
	}
	return m
}()

// header fills what the message's own header tells.
func (p *parser) header(octets []byte) {
	top := octets[:min(len(octets), p.lim.Header)]
	p.msg.Header, _ = mail.SplitHeader(top)
	if len(p.msg.Header) > p.lim.Fields {
		p.msg.Header = p.msg.Header[:p.lim.Fields]
		p.limit("limit.header", "The header has more than %d fields; the others were not read.", p.lim.Fields)
	}
	count := map[string]int{}
	var from []mail.Mailbox
	for i := range p.msg.Header {
		p.headerField(&p.msg.Header[i], count, &from)
	}
	p.msg.From = from
	p.checkFrom(count["from"], from)
	for _, name := range []string{"date", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references", "subject"} { // RFC 5322 §3.6
		if count[name] > 1 {
			p.report("header.duplicate", 5, name, fmt.Sprintf("The field %s stands %d times; readers show different ones.", name, count[name]))
		}
	}
}

func (p *parser) headerField(f *mail.Field, count map[string]int, from *[]mail.Mailbox) {
	if bytes.IndexByte(f.Raw, 0) >= 0 {
		p.report("header.nul", 20, f.Name, "A header field holds a NUL, at which some readers stop.")
	}
	if len(f.Name) > 32 || f.Name == "" {
		return
	}
	name := fieldName(f.Name)
	switch name {
	case "from", "reply-to", "to", "cc", "sender", "date", "message-id", "in-reply-to", "references", "subject":
		count[name]++
	}
	switch name {
	case "from":
		boxes, odd, _ := addressList(f.Value())
		*from = append(*from, boxes...)
		if odd {
			p.report("header.from_syntax", 20, "from", "The From field can be read in more than one way: "+clip(f.Value()))
		}
	case "reply-to":
		p.msg.ReplyTo = p.addresses(p.msg.ReplyTo, f)
	case "to", "cc":
		p.msg.To = p.addresses(p.msg.To, f)
	case "subject":
		if p.msg.Subject == "" {
			v := f.Value()
			p.msg.Subject = strings.Join(strings.Fields(charset.Header(v[:min(len(v), 16<<10)])), " ")
		}
	case "list-id", "list-unsubscribe":
		p.msg.Bulk = true
	case "precedence":
		switch strings.ToLower(f.Value()) {
		case "bulk", "list", "junk":
			p.msg.Bulk = true
		}
	case "auto-submitted":
		v, _, _ := strings.Cut(strings.ToLower(f.Value()), ";")
		p.msg.AutoReply = p.msg.AutoReply || strings.TrimSpace(v) != "no"
	case "return-path":
		p.msg.AutoReply = p.msg.AutoReply || f.Value() == "<>"
	}
}

// fieldName is name in lower case if it is one that headerField asks for.
func fieldName(name string) string {
	switch name[0] | 0x20 {
	case 'f', 'r', 't', 'c', 's', 'd', 'm', 'i', 'l', 'p', 'a':
		return strings.ToLower(name)
	}
	return ""
}

func (p *parser) addresses(have []mail.Mailbox, f *mail.Field) []mail.Mailbox {
	boxes, _, more := addressList(f.Value())
	if more || len(have)+len(boxes) > maxMailboxes {
		p.limit("limit.addresses", "A field has more than %d addresses; the others were not read.", maxMailboxes)
	}
	return append(have, boxes[:min(len(boxes), max(0, maxMailboxes-len(have)))]...)
}

func (p *parser) checkFrom(fields int, from []mail.Mailbox) {
	different := map[string]bool{}
	for _, m := range from {
		different[strings.ToLower(m.Addr)] = true
	}
	switch {
	case fields == 0:
		p.report("header.from_count", 20, "from", "The message has no From field.")
	case fields > 1 && len(different) > 1:
		p.report("header.from_count", holdScore, "from", fmt.Sprintf("The message has %d From fields with different senders; readers show one or the other.", fields))
	case fields > 1:
		p.report("header.from_count", 10, "from", fmt.Sprintf("The message has %d From fields.", fields))
	case len(different) > 1:
		p.report("header.from_count", 20, "from", fmt.Sprintf("The From field names %d senders.", len(different)))
	case len(from) == 0:
		p.report("header.from_count", 20, "from", "The From field names no sender.")
	}
}

func clip(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
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
