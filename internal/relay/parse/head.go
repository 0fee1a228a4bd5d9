package parse

import (
	"strings"

	"postern/internal/relay/parse/charset"
)

// head is what the fields of an entity say about its content.
type head struct {
	fields   []field
	typ      value
	hasType  bool
	enc      string // "base64", "quoted-printable", "uuencode", or "" for data as it stands
	dispose  value
	cid      string
	boundary string
	odd      oddity
}

// readHead reads the header block of an entity.
func (p *parser) readHead(block []byte, digest bool) (h head) {
	var cut bool
	h.fields, h.odd, cut = splitFields(block, p.lim.Fields)
	if cut {
		p.limit("limit.header", "A header has more than %d fields; the others were not read.", p.lim.Fields)
	}
	var rawType, rawEnc, rawDispose string
	for _, f := range h.fields {
		if len(f.name) < 8 || f.name[0]|0x20 != 'c' {
			continue
		}
		switch {
		case f.is("Content-Type"):
			h.odd |= h.take(&h.typ, &rawType, f, h.hasType)
			h.hasType = true
		case f.is("Content-Transfer-Encoding"):
			v := f.text()
			if rawEnc != "" && !strings.EqualFold(v, rawEnc) {
				h.odd |= oddDuplicate
			} else if rawEnc == "" {
				rawEnc = v
			}
		case f.is("Content-Disposition"):
			h.odd |= h.take(&h.dispose, &rawDispose, f, rawDispose != "") &^ oddSyntax
		case f.is("Content-ID"):
			h.cid = strings.Trim(f.text(), "<> \t")
		}
	}
	h.encoding(rawEnc)
	h.settleType(digest)
	return h
}

// take reads a structured field into v unless one was read before.
func (h *head) take(v *value, raw *string, f field, again bool) oddity {
	text := f.text()
	if again {
		if text != *raw {
			return oddDuplicate
		}
		return 0
	}
	*raw = text
	*v = parseValue(text)
	if v.odd {
		return oddSyntax
	}
	return 0
}

func (h *head) encoding(raw string) {
	bare, comments := stripComments(raw)
	enc := strings.ToLower(strings.TrimSpace(bare))
	if comments {
		h.odd |= oddEncoding
	}
	switch enc {
	case "", "7bit", "8bit", "binary":
	case "7-bit", "8-bit", "7bits", "8bits", "7bit;", "8bit;": // seen in real mail, harmless
	case "base64", "quoted-printable":
		h.enc = enc
	case "uuencode", "x-uuencode", "x-uue", "uue":
		h.enc = "uuencode"
	default:
		h.odd |= oddEncoding
	}
}

func (h *head) settleType(digest bool) {
	if !h.hasType {
		h.typ.main = "text/plain" // RFC 2045 §5.2
		if digest {
			h.typ.main = "message/rfc822"
		}
		return
	}
	major, minor, slash := strings.Cut(h.typ.main, "/")
	if !slash || major == "" || minor == "" || strings.ContainsAny(h.typ.main, " \t,=\"()<>@[]?\\") || strings.Count(h.typ.main, "/") > 1 {
		if h.typ.main != "text" { // "Content-Type: text" of old mailers
			h.odd |= oddSyntax
		}
		if h.typ.main == "" || !slash {
			h.typ.main = "text/plain"
		}
	}
	if h.boundary = h.typ.get("boundary"); h.boundary == "" {
		h.boundary = h.typ.extended("boundary")
	}
	if major == "multipart" && h.boundary == "" {
		h.odd |= oddBoundary
	}
	if major != "multipart" && h.boundary != "" && major != "message" {
		h.odd |= oddSyntax
	}
	if h.enc != "" && (major == "multipart" || h.typ.main == "message/rfc822") {
		h.odd |= oddEncoding
	}
}

// kind says how the strict reading goes on behind this header.
func (h *head) kind() entityKind {
	switch {
	case h.enc != "":
		return leaf
	case strings.HasPrefix(h.typ.main, "multipart/") && h.boundary != "":
		return multipart
	case h.typ.main == "message/rfc822", h.typ.main == "message/global", h.typ.main == "message/news":
		return message
	}
	return leaf
}

func (h *head) charset() string { return charset.Fold(h.typ.get("charset")) }
