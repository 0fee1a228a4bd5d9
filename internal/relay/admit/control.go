package admit

import (
	"bytes"
	"strings"

	"postern/internal/mail"
)

// Headers are the names of our control headers, made from one prefix (house.md
// decision 8).
type Headers struct {
	Creds     string // the relay key, set by the tenant's transport rule
	Processed string // "yes" and the tenant's token, set by us
	Hop       string // our signed hop mark
	Verdict   string // our verdict, for the tenant's own rules
}

// HeadersFor returns the control headers under prefix, "x-trustifi" by default.
func HeadersFor(prefix string) Headers {
	return Headers{
		Creds:     prefix + "-creds",
		Processed: prefix + "-inbound-processed",
		Hop:       prefix + "-inbound-hop",
		Verdict:   prefix + "-inbound-verdict",
	}
}

// organization is the prefix of headers that only Exchange itself may write; an
// outsider's copy could switch its protections off.
const organization = "x-ms-exchange-organization-"

// scan is what the header says to us, and the header without it.
type scan struct {
	keys     []string // values of every creds header, without white space
	hops     []string // values of every hop header
	received int      // number of Received fields
	kept     [][]byte // fields that stay, in order; views into the header
	subject  string
	from     string
	id       string // Message-ID
}

// read takes the control headers out of header, which ends before the empty line.
// A field is ours in any case, folded or not, with white space or control
// characters within or after its name, and once or many times. A field that
// quotes a presented key in its value goes too, whatever its name.
func (n Headers) read(header []byte) scan {
	s := scan{kept: make([][]byte, 0, 64)}
	for start := 0; start < len(header); {
		end := fieldEnd(header, start)
		s.field(n, header[start:end])
		start = end
	}
	s.dropQuotes()
	return s
}

// field sorts one field, raw, into what is ours and what stays.
func (s *scan) field(n Headers, raw []byte) {
	before, _, _ := bytes.Cut(raw, []byte(":"))
	name := fold(before)
	is := func(other string) bool { return len(name) == len(other) && strings.EqualFold(string(name), other) }
	value := func() string { return mail.Field{Raw: raw}.Value() }
	switch {
	case is(n.Creds):
		s.keys = append(s.keys, compact(value()))
		return
	case is(n.Hop):
		s.hops = append(s.hops, value())
		return
	case is(n.Processed), is(n.Verdict),
		len(name) > len(organization) && strings.EqualFold(string(name[:len(organization)]), organization):
		return
	case is("received"):
		s.received++
	case is("subject"):
		s.subject = value()
	case is("from"):
		s.from = value()
	case is("message-id"):
		s.id = strings.Trim(value(), "<> ")
	}
	s.kept = append(s.kept, raw)
}

// dropQuotes removes fields that repeat a presented key under another name. Short
// values are left alone: they are no keys, and a sender could otherwise make us
// remove what he likes.
func (s *scan) dropQuotes() {
	for _, key := range s.keys {
		if !LooksLikeKey(key) {
			continue
		}
		kept := s.kept[:0]
		for _, raw := range s.kept {
			if !quotes(raw, key) {
				kept = append(kept, raw)
			}
		}
		s.kept = kept
	}
}

// quotes reports whether key stands in field, be it with white space, control
// characters or line ends within. It is asked of every field of every message.
func quotes(field []byte, key string) bool {
	for len(field) >= len(key) {
		i := bytes.IndexByte(field, key[0])
		if i < 0 {
			return false
		}
		field = field[i:]
		matched := 0
		for _, c := range field {
			if c == key[matched] {
				if matched++; matched == len(key) {
					return true
				}
			} else if c > ' ' && c != 0x7f {
				break
			}
		}
		field = field[1:]
	}
	return false
}

// fold is a field's name as a forgiving reader could take it: without white
// space, control characters and line ends.
func fold(name []byte) []byte {
	for _, c := range name {
		if c <= ' ' || c == 0x7f {
			return []byte(compact(string(name)))
		}
	}
	return name
}

// compact removes white space, control characters and line ends.
func compact(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// fieldEnd is where the field that starts at pos ends. Other than
// mail.SplitHeader it goes on past an empty line made of bare CR or LF: Exchange
// writes its fields by the strict reading, in which only CRLF CRLF ends the
// header, and the key may stand below.
func fieldEnd(header []byte, pos int) int {
	for {
		pos = lineEnd(header, pos)
		if pos == len(header) || (header[pos] != ' ' && header[pos] != '\t') {
			return pos
		}
	}
}

// lineEnd is where the line after the one at pos begins.
func lineEnd(b []byte, pos int) int {
	end := len(b)
	if i := bytes.IndexByte(b[pos:], '\n'); i >= 0 {
		end = pos + i + 1
	}
	if cr := bytes.IndexByte(b[pos:end], '\r'); cr >= 0 && pos+cr+2 < end {
		return pos + cr + 1 // a bare CR within the line
	}
	return end
}
