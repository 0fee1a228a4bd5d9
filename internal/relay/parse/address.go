package parse

import (
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
)

const (
	maxMailboxes     = 1000    // mailboxes of one field; RFC 5322 sets no limit, Exchange stops at 1,000 recipients
	maxAddressOctets = 1 << 18 // of one field that are looked at
	maxComments      = 64      // of comments; deeper ones are read as flat
)

// addressList reads a field's value (unfolded, encoded words not yet decoded). odd says
// that clients may disagree on what stands there: octets after a closed angle
// bracket, two addresses without a comma between them, an address inside an encoded word.
// more is true if the list is longer than what is returned.
func addressList(value string) (boxes []mail.Mailbox, odd, more bool) {
	if len(value) > maxAddressOctets {
		value, more = value[:maxAddressOctets], true
	}
	p := addressParser{in: value}
	for p.pos < len(p.in) {
		if len(p.boxes) >= maxMailboxes {
			return p.boxes, p.odd, true
		}
		p.step()
	}
	p.finish()
	return p.boxes, p.odd, more
}

type addressParser struct {
	in     string
	pos    int
	words  []byte   // what stands outside angle brackets since the last comma: a name or a bare address
	angle  []string // what stood in angle brackets since then
	before int      // length of words when the first bracket opened
	after  int      // and when the last one closed
	note   string   // last comment: the old place of a name (RFC 5322 §3.4, "pat@x (Pat)")
	bare   bool     // words holds an "@" outside quotes
	boxes  []mail.Mailbox
	odd    bool
}

func (p *addressParser) step() {
	switch c := p.in[p.pos]; c {
	case '"':
		p.quoted()
	case '(':
		p.comment()
	case '<':
		p.bracket()
	case ',', ';':
		p.finish()
		p.pos++
	case ':':
		if !p.bare && len(p.angle) == 0 && !strings.Contains(string(p.words), "=?") { // a group's name (RFC 5322 §3.4)
			p.words = p.words[:0]
		} else {
			p.words = append(p.words, c)
		}
		p.pos++
	default:
		if c == '@' {
			p.bare = true
		}
		p.words = append(p.words, c)
		p.pos++
	}
}

// quoted copies a quoted string, quotes included where it is the local part of a
// bare address.
func (p *addressParser) quoted() {
	start := p.pos
	p.pos++
	var text []byte
	for p.pos < len(p.in) && p.in[p.pos] != '"' {
		if p.in[p.pos] == '\\' && p.pos+1 < len(p.in) {
			p.pos++
		}
		text = append(text, p.in[p.pos])
		p.pos++
	}
	if p.pos >= len(p.in) {
		p.odd = true
	}
	p.pos = min(p.pos+1, len(p.in))
	if p.pos < len(p.in) && p.in[p.pos] == '@' {
		p.words = append(p.words, p.in[start:p.pos]...)
		return
	}
	p.words = append(p.words, text...)
}

func (p *addressParser) comment() {
	depth, start := 0, p.pos+1
	for ; p.pos < len(p.in); p.pos++ {
		switch p.in[p.pos] {
		case '\\':
			p.pos++
		case '(':
			depth = min(depth+1, maxComments)
		case ')':
			if depth--; depth == 0 {
				p.note = p.in[start:p.pos]
				p.pos++
				return
			}
		}
	}
	p.pos = len(p.in)
	p.odd = true
}

func (p *addressParser) bracket() {
	if len(p.angle) == 0 {
		p.before = len(p.words)
	}
	rest := p.in[p.pos+1:]
	end := strings.IndexAny(rest, "<>\"")
	if end >= 0 && rest[end] == '"' { // a quoted local part may hold a bracket
		if close := strings.IndexByte(rest[end+1:], '"'); close >= 0 {
			if k := strings.IndexAny(rest[end+1+close:], "<>"); k >= 0 {
				end += 1 + close + k
			} else {
				end = -1
			}
		}
	}
	switch {
	case end < 0:
		p.odd = true
		p.angle = append(p.angle, rest)
		p.pos = len(p.in)
	case rest[end] != '>': // "<a <b>": both are candidates
		p.odd = true
		p.angle = append(p.angle, rest[:end])
		p.pos += end + 1
	default:
		p.angle = append(p.angle, rest[:end])
		p.pos += end + 2
	}
	p.after = len(p.words)
}

// finish turns what was gathered since the last comma into mailboxes.
func (p *addressParser) finish() {
	words := strings.TrimSpace(string(p.words))
	name := charset.Header(words)
	if len(p.angle) > 0 {
		name = charset.Header(strings.TrimSpace(string(p.words[:p.before])))
	}
	note := charset.Header(p.note)
	switch {
	case len(p.angle) > 0:
		for _, a := range p.angle {
			p.add(name, a)
		}
		if len(p.angle) > 1 {
			p.odd = true
		}
		tail := strings.TrimSpace(string(p.words[min(p.after, len(p.words)):]))
		if tail != "" {
			p.odd = true
			if strings.Contains(tail, "@") {
				p.add("", tail)
			}
		}
	case words != "":
		p.addBare(words, name, note)
	case note != "" && strings.Contains(note, "@"):
		p.odd = true
		p.add("", note)
	}
	p.words, p.angle, p.note, p.bare, p.after = p.words[:0], p.angle[:0], "", false, 0
}

func (p *addressParser) addBare(words, name, note string) {
	fields := strings.Fields(words)
	if strings.HasPrefix(words, `"`) {
		fields = []string{words} // a quoted local part
	}
	var addrs []string
	for _, f := range fields {
		if strings.Contains(f, "@") {
			addrs = append(addrs, f)
		}
	}
	switch {
	case len(addrs) == 0 && strings.Contains(name, "@"): // an address inside an encoded word
		p.odd = true
		p.add("", name)
	case len(addrs) == 0:
		p.boxes = append(p.boxes, mail.Mailbox{Name: name})
	case len(fields) == 1:
		p.add(note, words)
	default: // "a @ b", "Pat pat@x": all that looks like an address
		p.odd = true
		if joined := strings.Join(fields, ""); len(addrs) == 1 && (addrs[0][0] == '@' || strings.HasSuffix(addrs[0], "@")) {
			p.add(note, joined)
			return
		}
		for _, a := range addrs {
			p.add(note, a)
		}
	}
}

func (p *addressParser) add(name, addr string) {
	addr = strings.TrimSpace(addr)
	if strings.Contains(addr, "=?") {
		if d := charset.Header(addr); d != addr {
			p.odd = true
			if strings.Contains(addr, "@") && !strings.Contains(d, addr) {
				p.boxes = append(p.boxes, mail.Mailbox{Name: name, Addr: cleanAddress(addr)})
			}
			addr = d
		}
	}
	if strings.HasPrefix(addr, "@") { // source route (RFC 5322 §4.4)
		if _, last, ok := strings.Cut(addr, ":"); ok {
			addr = last
			p.odd = true
		}
	}
	addr = cleanAddress(charset.Header(addr))
	if strings.Count(addr, "@") > 1 && !strings.HasPrefix(addr, `"`) {
		p.odd = true
	}
	p.boxes = append(p.boxes, mail.Mailbox{Name: name, Addr: addr})
}

// cleanAddress takes comments, controls and white space out of an address.
func cleanAddress(addr string) string {
	if strings.HasPrefix(addr, `"`) {
		return strings.Map(noControl, addr)
	}
	depth := 0
	return strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			depth++
			return -1
		case r == ')' && depth > 0:
			depth--
			return -1
		case depth > 0 || r == ' ':
			return -1
		}
		return noControl(r)
	}, addr)
}

func noControl(r rune) rune {
	if r < 0x20 || r == 0x7F {
		return -1
	}
	return r
}
