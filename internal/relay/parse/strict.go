package parse

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

type span struct{ from, to int }

// entity is one node of the MIME tree in the strict reading.
type entity struct {
	path   string
	body   span
	head   head
	kind   entityKind
	digest bool // directly inside multipart/digest (RFC 2046 §5.1.5)
}

type entityKind int

const (
	leaf entityKind = iota
	multipart
	message
)

// frame is an open multipart.
type frame struct {
	boundary []byte
	entity   int
	children int
}

// holder is an entity whose end is the next boundary of a frame that it stands in.
type holder struct {
	entity int
	depth  int // frames open when it began
}

// reader makes the strict reading of one document, line by line and once.
type reader struct {
	p       *parser
	b       []byte
	prefix  string // of paths
	frames  []frame
	holders []holder
	found   []entity
	gaps    []span // preambles and epilogues
	odd     oddity
}

// read understands b[0:] as a message (header and body).
func (r *reader) read() {
	pos, path, digest := 0, r.prefix, false
	nested := 0
	for {
		e := entity{path: path, digest: digest}
		var ended bool
		e.head, pos, ended = r.header(pos, digest)
		if ended && !isRoot(path, r.prefix) && len(e.head.fields) > 0 {
			e.head.odd |= oddHeader // a returned message may be no more than its header, a part may not
		}
		r.odd |= e.head.odd
		e.body = span{pos, pos}
		e.kind = e.head.kind()
		if e.kind != leaf && len(r.frames)+nested >= r.p.lim.Depth {
			r.p.limit("limit.depth", "The message nests deeper than %d levels; what is deeper was not taken apart.", r.p.lim.Depth)
			e.kind = leaf
		}
		if ended && e.kind == message {
			e.kind = leaf
		}
		if e.kind == message && isRoot(path, r.prefix) {
			path = child(path, r.prefix, 1)
			e.path = path
		}
		r.found = append(r.found, e)
		i := len(r.found) - 1
		if e.kind == message {
			r.holders = append(r.holders, holder{i, len(r.frames)})
			nested++
			path, digest = path+"/message", false
			continue
		}
		if e.kind == multipart {
			r.holders = append(r.holders, holder{i, len(r.frames)})
			r.frames = append(r.frames, frame{boundary: []byte(e.head.boundary), entity: i})
		}
		var ok bool
		pos, ok = r.toNextPart(pos, i)
		if !ok {
			return
		}
		f := &r.frames[len(r.frames)-1]
		f.children++
		if len(r.found) >= r.p.lim.Parts || time.Now().After(r.p.lim.Deadline) {
			r.p.limitParts(len(r.found))
			r.close(-1, pos)
			r.gaps = append(r.gaps, span{pos, len(r.b)})
			return
		}
		parent := r.found[f.entity]
		path = child(parent.path, r.prefix, f.children)
		digest = parent.head.typ.main == "multipart/digest"
	}
}

// child is the path of the n-th part of the multipart at path.
func child(path, prefix string, n int) string {
	switch {
	case path == "":
		return strconv.Itoa(n)
	case isRoot(path, prefix):
		return path + "/" + strconv.Itoa(n)
	}
	return path + "." + strconv.Itoa(n)
}

// isRoot reports that path is a message's own, not one of its parts'.
func isRoot(path, prefix string) bool {
	return path == prefix || strings.HasSuffix(path, "/message")
}

// toNextPart ends entity i at the next boundary and goes on to where the next
// part begins; false at the end of the octets.
func (r *reader) toNextPart(pos, i int) (int, bool) {
	gap := r.found[i].kind == multipart // what comes first is its preamble
	for {
		from := pos
		d := r.delimiter(pos)
		if gap && d.at > from {
			r.gaps = append(r.gaps, span{from, d.at})
		} else if !gap {
			r.found[i].body.to = d.at
		}
		if d.frame < 0 {
			r.close(-1, len(r.b))
			return 0, false
		}
		r.close(d.frame, d.at)
		pos = d.next
		if !d.last {
			return pos, true
		}
		r.endFrame(d.frame, d.at)
		gap = true
	}
}

// close ends every holder that a boundary of the frame ends; frame -1 is the end of
// the octets.
func (r *reader) close(frame, at int) {
	for len(r.holders) > 0 {
		h := r.holders[len(r.holders)-1]
		if h.depth <= frame {
			break
		}
		r.found[h.entity].body.to = at
		r.holders = r.holders[:len(r.holders)-1]
	}
	for len(r.frames)-1 > frame {
		f := r.frames[len(r.frames)-1]
		if f.children == 0 {
			r.odd |= oddBoundary // announced and never seen
		} else {
			r.odd |= oddUnclosed
		}
		r.frames = r.frames[:len(r.frames)-1]
	}
}

func (r *reader) endFrame(frame, at int) {
	f := r.frames[frame]
	if f.children == 0 {
		r.odd |= oddBoundary
	}
	for len(r.holders) > 0 {
		h := r.holders[len(r.holders)-1]
		r.found[h.entity].body.to = at
		r.holders = r.holders[:len(r.holders)-1]
		if h.entity == f.entity { // what is around it goes on
			break
		}
	}
	r.frames = r.frames[:frame]
}

// delim is a boundary line.
type delim struct {
	at    int // where the part before it ends: its line end belongs to the boundary (RFC 2046 §5.1.1)
	next  int // where the next line begins
	frame int // whose boundary it is; -1 for the end of the octets
	last  bool
}

// delimiter finds the next boundary line of any open frame.
func (r *reader) delimiter(pos int) delim {
	if len(r.frames) == 0 {
		return delim{at: len(r.b), next: len(r.b), frame: -1}
	}
	at := pos
	if !bytes.HasPrefix(r.b[pos:], []byte("--")) {
		at = -1
	}
	for {
		if at < 0 {
			i := bytes.Index(r.b[pos:], []byte("\n--"))
			if i < 0 {
				return delim{at: len(r.b), next: len(r.b), frame: -1}
			}
			at = pos + i + 1
		}
		line, next := lineAt(r.b, at)
		if f, last := r.match(line[2:]); f >= 0 {
			end := at
			if end > 0 && r.b[end-1] == '\n' && end > pos {
				end--
				if end > pos && r.b[end-1] == '\r' {
					end--
				}
			}
			return delim{at: max(end, pos), next: next, frame: f, last: last}
		}
		pos, at = at+2, -1
	}
}

// match finds the frame whose boundary text is; white space may follow it.
func (r *reader) match(text []byte) (frame int, last bool) {
	text = bytes.TrimRight(text, " \t")
	for i := len(r.frames) - 1; i >= 0; i-- {
		b := r.frames[i].boundary
		if len(text) < len(b) || string(text[:len(b)]) != string(b) {
			continue
		}
		switch rest := text[len(b):]; {
		case len(rest) == 0:
			return i, false
		case string(rest) == "--":
			return i, true
		default:
			r.odd |= oddPrefix
		}
	}
	return -1, false
}

// header reads the fields at pos. ended is true if a boundary came before the
// empty line: the part has no body then and pos is that boundary.
func (r *reader) header(pos int, digest bool) (h head, body int, ended bool) {
	start := pos
	end := -1
	for pos < len(r.b) {
		line, next := lineAt(r.b, pos)
		if len(line) == 0 {
			end, body = pos, next
			break
		}
		if line[0] == '-' && len(line) > 2 && line[1] == '-' && len(r.frames) > 0 {
			if f, _ := r.match(line[2:]); f >= 0 {
				end, body, ended = pos, pos, true
				break
			}
		}
		pos = next
	}
	if end < 0 {
		end, body = len(r.b), len(r.b)
	}
	block := r.b[start:end]
	if len(block) > r.p.lim.Header {
		r.p.limit("limit.header", "A header is longer than %d octets; the rest of it was not read.", r.p.lim.Header)
		block = block[:r.p.lim.Header]
	}
	return r.p.readHead(block, digest), body, ended
}
