package parse

import (
	"bytes"
	"fmt"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
	"postern/internal/relay/parse/htmltext"
	"postern/internal/relay/parse/tnef"
)

// textPart is a part whose text is to become Message.Text or Links.
type textPart struct {
	part int
	data []byte
}

// maxTextPart is how much of one text part is turned into text; what is behind it
// is scanned as octets only.
const maxTextPart = 8 << 20

// noteText remembers a part that a reader reads or follows links from.
func (p *parser) noteText(i int, data []byte) {
	part := &p.msg.Parts[i]
	switch {
	case strings.HasPrefix(part.Type, "text/"), part.Type == "application/rtf", part.Type == "application/xhtml+xml":
	case part.Sniffed == "text/html", part.Sniffed == "image/svg+xml":
	default:
		if ext := extension(part.Name); ext != "html" && ext != "htm" && ext != "shtml" && ext != "svg" && ext != "xhtml" {
			return
		}
	}
	p.shown = append(p.shown, textPart{i, data})
}

// texts fills Message.Text and Links.
func (p *parser) texts() {
	var text strings.Builder
	for _, t := range p.shown {
		if p.late() {
			break
		}
		part := p.msg.Parts[t.part]
		data := t.data
		if len(data) > maxTextPart {
			data = data[:maxTextPart]
			p.report("limit.text", holdScore, part.Path, "A text is very long; not all of it was read.")
		}
		s, links := p.textOf(t.part, data)
		p.addLinks(part.Path, links)
		if part.Disposition == "attachment" || s == "" {
			continue
		}
		if text.Len() > 0 {
			text.WriteString("\n")
		}
		if room := p.lim.Text - text.Len(); len(s) > room {
			s = strings.ToValidUTF8(s[:max(room, 0)], "")
			p.report("limit.text", holdScore, part.Path, "The message holds very much text; not all of it was read.")
		}
		text.WriteString(s)
	}
	p.msg.Text = text.String()
	if p.hidden > 0 {
		p.report("html.hidden_text", 0, "", fmt.Sprintf("The HTML hides %d octets of text from the reader.", p.hidden))
	}
}

// textOf is the text and the links of one part.
func (p *parser) textOf(i int, data []byte) (string, []mail.Link) {
	part := p.msg.Parts[i]
	if part.Type == "text/rtf" || part.Type == "application/rtf" || bytes.HasPrefix(data, []byte("{\\rtf")) {
		s, isHTML := tnef.ReadRTF(data)
		if isHTML {
			return p.html(i, []byte(s))
		}
		return s, plainLinks(s)
	}
	label := part.Charset
	isHTML := looksHTML(part)
	if label == "" && isHTML {
		label = metaCharset(data)
	}
	s, _ := charset.Decode(label, data)
	p.otherCharset(i, label, data, s)
	if isHTML {
		return p.html(i, []byte(s))
	}
	if part.Type == "text/enriched" || part.Type == "text/richtext" {
		return p.html(i, []byte(s))
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\x00", "")
	return strings.TrimSpace(s), plainLinks(s)
}

func looksHTML(part mail.Part) bool {
	if part.Type == "text/html" || part.Sniffed == "text/html" || part.Type == "application/xhtml+xml" || part.Sniffed == "image/svg+xml" {
		return true
	}
	switch extension(part.Name) {
	case "html", "htm", "shtml", "svg", "xhtml":
		return true
	}
	return false
}

// metaCharset is the charset that HTML names for itself, "" if none.
func metaCharset(data []byte) string {
	head := bytes.ToLower(data[:min(len(data), 2048)])
	_, rest, ok := bytes.Cut(head, []byte("charset="))
	if !ok {
		return ""
	}
	rest = bytes.TrimLeft(rest, "\"' ")
	end := bytes.IndexAny(rest, "\"'> ;/")
	if end < 0 {
		return ""
	}
	return string(rest[:end])
}

// otherText adds what a file in UTF-16 says as a part in UTF-8, whatever it was
// declared as: script hosts and editors go by the mark at its beginning.
func (p *parser) otherText(i int, data []byte, depth int) {
	part := p.msg.Parts[i]
	if strings.HasPrefix(part.Type, "text/") || len(data) > maxTextPart || len(data) < 4 {
		return // the first is done where its text is made
	}
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
		s, _ := charset.Decode("utf-16", data)
		p.addText(part, s)
	}
}

// otherCharset adds the text as a part of its own where its octets do not show it:
// scanners look at octets, and a client may store the file as text.
func (p *parser) otherCharset(i int, label string, data []byte, s string) {
	part := p.msg.Parts[i]
	bom := bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF})
	if (bom || !charset.Transparent(label)) && s != string(data) {
		p.addText(part, s)
	}
}

func (p *parser) addText(part mail.Part, s string) {
	if strings.HasSuffix(part.Path, "/text") {
		return
	}
	part.Reading, part.Path, part.Charset, part.Container = mail.Lenient, part.Path+"/text", "utf-8", ""
	n := len(p.shown)
	if p.add(part, []byte(s), p.lim.Containers, true) >= 0 {
		p.shown = p.shown[:n] // its text is being made already
	}
}

func (p *parser) html(i int, src []byte) (string, []mail.Link) {
	part := p.msg.Parts[i]
	page := htmltext.Extract(src, htmltext.Limits{Text: p.lim.Text, Links: p.lim.Links})
	p.hidden += page.Unseen
	if page.Cut {
		p.report("limit.text", holdScore, part.Path, "An HTML text is too long or too strange to be read to its end.")
	}
	if part.Reading == mail.Strict && part.Disposition != "attachment" && bytes.Contains(src, []byte(";base64,")) {
		c := carver{p: p, prefix: part.Path, depth: p.lim.Containers - 1}
		c.dataURIs(src)
	}
	return page.Text, page.Links
}

func (p *parser) addLinks(path string, links []mail.Link) {
	for _, l := range links {
		if len(p.msg.Links) >= p.lim.Links {
			p.report("limit.links", holdScore, path, fmt.Sprintf("The message has more than %d links; the others were not looked at.", p.lim.Links))
			return
		}
		l.Path = path
		p.msg.Links = append(p.msg.Links, l)
	}
}

// plainLinks are the addresses that mail programs make clickable in plain text.
func plainLinks(s string) (links []mail.Link) {
	scheme, www := -1, -1 // where the next of each stands
	for pos := 0; pos < len(s); {
		scheme, www = nextIn(s, pos, scheme, "://"), nextIn(s, pos, www, "ww", "WW", "Ww")
		at := min(scheme, www)
		if at >= len(s) {
			return links
		}
		pos = at + 2
		switch {
		case at == scheme:
			start := schemeStart(s, at)
			if start < 0 {
				continue
			}
			at = start
		case len(s)-at > 4 && strings.EqualFold(s[at:at+4], "www.") && (at == 0 || !wordByte(s[at-1]) && s[at-1] != '/' && s[at-1] != '.' && s[at-1] != '@'):
		default:
			pos = at + 1
			continue
		}
		end := at + linkLength(s[at:])
		if end > pos {
			if links == nil {
				links = make([]mail.Link, 0, 16)
			}
			links = append(links, mail.Link{URL: s[at:end], Kind: "text"})
			pos = end
		}
		if len(links) > 4*defaultLinks {
			return links
		}
	}
	return links
}

// nextIn is where the first of the words stands at or behind pos; known is the last
// answer, so that the text is searched once. Past the end if there is none.
func nextIn(s string, pos, known int, words ...string) int {
	if known >= pos {
		return known
	}
	best := len(s)
	for _, w := range words {
		if i := strings.Index(s[pos:best], w); i >= 0 {
			best = pos + i
		}
	}
	return best
}

// schemeStart is where the scheme before "://" begins, -1 if it is not one of the web.
func schemeStart(s string, colon int) int {
	for _, scheme := range []string{"https", "http", "ftp"} {
		if at := colon - len(scheme); at >= 0 && strings.EqualFold(s[at:colon], scheme) && (at == 0 || !wordByte(s[at-1])) {
			return at
		}
	}
	return -1
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
}

// maxURL is beyond what any browser takes (2 KiB to 8 KiB).
const maxURL = 16 << 10

// linkLength is how much of s belongs to the address it begins with: up to white
// space or a bracket, without the punctuation of the sentence around it.
func linkLength(s string) int {
	s = s[:min(len(s), maxURL)]
	end := strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == '<' || r == '>' || r == '"' || r == 0xA0 || r == 0x3000 || r == '\u201d'
	})
	if end < 0 {
		end = len(s)
	}
	trimmed := strings.TrimRight(s[:end], ".,;:!?'*|\\^`]}")
	if n := len(trimmed); n > 0 && trimmed[n-1] == ')' && !strings.Contains(trimmed, "(") {
		trimmed = trimmed[:n-1]
	}
	if len(trimmed) < 8 {
		return 0
	}
	return len(trimmed)
}
