package parse

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"strings"

	"postern/internal/mail"
)

// addOther adds what another reading than the strict one sees, if it is more than
// what the strict one has already.
func (p *parser) addOther(part mail.Part, data []byte, odd oddity, depth int) {
	part.Type = strings.TrimSpace(part.Type)
	if i, known := p.seen[sha256.Sum256(data)]; known {
		p.alsoNamed(i, part)
		return
	}
	fresh := 1.0
	if readable(data) && !program(data) {
		if fresh = p.fresh(data); fresh == 0 && !runs[extension(part.Name)] {
			return
		}
	} else if p.sameFile(data) {
		return
	}
	outer, outerOdd := p.via, p.viaOdd
	p.via, p.viaOdd = part.Reading, odd
	i := p.add(part, data, depth, true)
	p.via, p.viaOdd = outer, outerOdd
	if i >= 0 {
		p.disagree(i, odd, fresh)
	}
}

// alsoNamed notes the names that another reading gives the part at index i.
func (p *parser) alsoNamed(i int, other mail.Part) {
	part := &p.msg.Parts[i]
	for _, n := range append([]string{other.Name}, other.Names...) {
		if n == "" || n == part.Name || len(part.Names) >= 16 {
			continue
		}
		if part.Name == "" && runs[extension(n)] {
			p.report("mime.filename_ambiguous", holdScore, part.Path, fmt.Sprintf("A file that some mail programs show as text is called %q by others.", clip(n)))
		}
		part.Names = appendNew(part.Names, n)
	}
	p.compareNames(*part)
}

// lineSeed makes the hashes of lines differ from process to process.
var lineSeed = maphash.MakeSeed()

// fresh is the share of text, by its lines, that no part has yet; headers,
// boundaries and lines of base64 do not count. The lines are known from then on.
func (p *parser) fresh(data []byte) float64 {
	p.learn()
	news, all := 0, 1
	for pos := 0; pos < len(data); {
		line, next := anyLineAt(data, pos)
		pos = next
		line = bytes.TrimSpace(line)
		if len(line) < 4 || bytes.HasPrefix(line, []byte("--")) || isFieldStart(line) || digitsOnly(line) > 20 {
			continue
		}
		all += len(line)
		h := maphash.Bytes(lineSeed, line)
		if !p.lines[h] {
			news += len(line)
			p.lines[h] = true
		}
	}
	return float64(news) / float64(all)
}

// learn takes in the lines of all strict text that it has not seen yet.
func (p *parser) learn() {
	if p.lines == nil {
		p.lines = map[uint64]bool{}
	}
	for ; p.learned < len(p.msg.Parts); p.learned++ {
		part := &p.msg.Parts[p.learned]
		if part.Reading != mail.Strict || part.Container != "" || !readable(part.Data) {
			continue
		}
		for pos := 0; pos < len(part.Data); {
			line, next := anyLineAt(part.Data, pos)
			pos = next
			if line = bytes.TrimSpace(line); len(line) >= 4 {
				p.lines[maphash.Bytes(lineSeed, line)] = true
			}
		}
	}
}

// sameFile reports data that begins as a part of the strict reading does and goes
// on to the end of the shorter of both: the same file, cut or with noise behind it.
func (p *parser) sameFile(data []byte) bool {
	for i := range p.msg.Parts {
		have := p.msg.Parts[i].Data
		if n := min(len(have), len(data)); n >= 64 && p.msg.Parts[i].Container != "message" && len(data) < 2*len(have) && bytes.Equal(have[:n], data[:n]) {
			return true
		}
	}
	return false
}

// disagree notes that only one reading has the part at index i, as heavily as the
// part deserves.
func (p *parser) disagree(i int, odd oddity, fresh float64) {
	part := &p.msg.Parts[i]
	if odd&serious == 0 {
		p.report("mime.embedded", 0, part.Path, fmt.Sprintf("Encoded content stands inside the text of the message: %s.", describe(part)))
		return
	}
	switch {
	case fresh > 0.3 && matters(part):
		p.report("mime.ambiguous", holdScore, part.Path, fmt.Sprintf("Mail programs disagree about the parts of this message; only some of them show %s.", describe(part)))
	default:
		p.report("mime.differs", 5, part.Path, fmt.Sprintf("Mail programs disagree about the parts of this message; only some of them show %s.", describe(part)))
	}
}

func describe(part *mail.Part) string {
	what := part.Sniffed
	if what == "" {
		what = part.Type
	}
	if part.Name != "" {
		return fmt.Sprintf("%q (%s, %d octets)", clip(part.Name), what, part.Size)
	}
	return fmt.Sprintf("%s of %d octets", what, part.Size)
}

// matters tells whether a part that only some readers see could do harm: all but
// plain text, pictures and sound.
func matters(part *mail.Part) bool {
	if part.Container != "" && part.Container != "message" {
		return true
	}
	if program(part.Data) || runs[extension(part.Name)] {
		return true
	}
	for _, n := range part.Names {
		if runs[extension(n)] {
			return true
		}
	}
	switch s := part.Sniffed; {
	case strings.HasPrefix(s, "image/"), strings.HasPrefix(s, "audio/"), strings.HasPrefix(s, "video/"):
		return s == "image/svg+xml"
	case part.Container == "message": // its parts are looked at each
		return false
	case part.Reading == mail.Carved && part.Name == "" && strings.HasPrefix(s, "text/"):
		return s == "text/html"
	case strings.HasPrefix(s, "text/") && s != "text/html" && !strings.Contains(s, "script"), s == "message/rfc822":
		return part.Disposition == "attachment" && part.Name != "" && !harmless[extension(part.Name)] || part.Type == "text/html"
	case s == "":
		return part.Type == "text/html"
	}
	return true
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
			p.report("mime.decode_ambiguous", holdScore, part.Path, fmt.Sprintf("Mail programs decode a file differently; only some of them get %s.", describe(got)))
		}
	}
	c := carver{p: p, prefix: part.Path, odd: oddDecode, depth: depth}
	c.encodedFiles(body)
	c.base64Runs(body)
	if h.enc == "uuencode" {
		c.whole(body)
	}
}
