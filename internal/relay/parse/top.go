package parse

import (
	"bytes"
	"fmt"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
)

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
			p.report("header.from_syntax", 20, "from", fmt.Sprintf("The From field can be read in more than one way: %s", clip(f.Value())))
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
