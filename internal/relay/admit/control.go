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
	var s scan
	for _, f := range fields(header) {
		switch name := fold(f.Name); {
		case name == n.Creds:
			s.keys = append(s.keys, compact(f.Value()))
		case name == n.Hop:
			s.hops = append(s.hops, f.Value())
		case name == n.Processed, name == n.Verdict, strings.HasPrefix(name, organization):
		default:
			s.note(name, f)
			s.kept = append(s.kept, f.Raw)
		}
	}
	s.dropQuotes()
	return s
}

func (s *scan) note(name string, f mail.Field) {
	switch name {
	case "received":
		s.received++
	case "subject":
		s.subject = f.Value()
	case "from":
		s.from = f.Value()
	case "message-id":
		s.id = strings.Trim(f.Value(), "<> ")
	}
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
			if !bytes.Contains(raw, []byte(key)) && !strings.Contains(compact(string(raw)), key) {
				kept = append(kept, raw)
			}
		}
		s.kept = kept
	}
}

// fold is a field's name as a forgiving reader could take it: ASCII lower case,
// without white space, control characters and line ends.
func fold(name string) string {
	plain := true
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || ('A' <= c && c <= 'Z') {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	return strings.ToLower(compact(name))
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

// fields cuts a header into its fields. Other than mail.SplitHeader it does not end
// at an empty line made of bare CR or LF: Exchange writes its fields by the strict
// reading, in which only CRLF CRLF ends the header, and the key may stand below.
func fields(header []byte) []mail.Field {
	var list []mail.Field
	start := 0
	for pos := 0; pos < len(header); {
		next := lineEnd(header, pos)
		if pos > start && header[pos] != ' ' && header[pos] != '\t' {
			list = append(list, field(header[start:pos]))
			start = pos
		}
		pos = next
	}
	if start < len(header) {
		list = append(list, field(header[start:]))
	}
	return list
}

// lineEnd is where the line after the one at pos begins.
func lineEnd(b []byte, pos int) int {
	i := bytes.IndexByte(b[pos:], '\n')
	end := len(b)
	if i >= 0 {
		end = pos + i + 1
	}
	if cr := bytes.IndexByte(b[pos:end], '\r'); cr >= 0 && pos+cr+2 < end {
		return pos + cr + 1 // bare CR within the line
	}
	return end
}

func field(raw []byte) mail.Field {
	name, _, ok := bytes.Cut(raw, []byte(":"))
	if !ok {
		return mail.Field{Raw: raw}
	}
	return mail.Field{Name: string(name), Raw: raw}
}
