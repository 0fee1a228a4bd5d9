package parse

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/transfer"
	"postern/internal/relay/parse/unpack"
)

// decode undoes a transfer encoding as the standard says.
func decode(enc string, body []byte) (data []byte, regular bool) {
	switch enc {
	case "base64":
		return transfer.Base64(body)
	case "quoted-printable":
		return transfer.QuotedPrintable(body)
	case "uuencode":
		if i := uuStart(body, 0, "egin"); i >= 0 {
			if f, _, ok := transfer.UU(body[i:]); ok {
				return f.Data, true
			}
		}
		return body, false
	}
	return body, true
}

// add makes data a Part, looks inside it and returns its index. A part of another
// reading than the strict one with content that is there already is not added: -1.
// own says that data is memory of its own, to be counted.
func (p *parser) add(part mail.Part, data []byte, depth int, own bool) int {
	if p.hashed += len(data); part.Container != "message" || p.hashed <= p.hashable {
		part.SHA256 = sha256.Sum256(data)
	} // else one of very many messages inside each other, whose parts are hashed each
	inner := p.via != "" && part.Reading == mail.Strict
	if inner {
		part.Reading = p.via
	}
	if part.Reading != mail.Strict {
		if _, known := p.seen[part.SHA256]; known {
			return -1
		}
	}
	if len(p.msg.Parts) >= p.lim.Parts+p.lim.Members {
		p.limit("limit.parts", "The message has more than %d parts; the others were not looked at.", p.lim.Parts)
		return -1
	}
	part.Size = int64(len(data))
	part.Sniffed = sniff(data, part.Type)
	part.Data = data
	if int64(len(data)) > p.lim.Part {
		part.Data, part.Truncated = data[:p.lim.Part], true
	}
	if own {
		if p.budget.Keep -= int64(len(part.Data)); p.budget.Keep < 0 {
			p.limit("limit.unpacked", "The parts hold more than %d octets together; the rest was not kept.", int(p.lim.Kept))
			part.Data, part.Truncated = nil, true
			p.budget.Keep = 0
		}
	}
	i := p.put(part)
	p.inside(i, data, depth)
	if inner && part.Container != "message" {
		p.disagree(i, p.viaOdd, 1)
	}
	return i
}

// addMember makes a Part of a member that unpack has hashed and cut.
func (p *parser) addMember(parent string, m unpack.Member, depth int) {
	name := cleanName(m.Name)
	base := path.Base(strings.ReplaceAll(name, "\\", "/"))
	if name == "" {
		base, name = "", strings.TrimSuffix(strings.TrimSuffix(path.Base(parent), ".gz"), ".bz2")
		if name == path.Base(parent) {
			name += ".unpacked"
		}
		base = name
	}
	part := mail.Part{Path: parent + "/" + name, Reading: mail.Strict, Type: "application/octet-stream", Name: base, Disposition: "attachment",
		Encrypted: m.Encrypted, Size: m.Size, SHA256: m.SHA256, Data: m.Data, Truncated: m.Truncated}
	if len(p.msg.Parts) >= p.lim.Parts+p.lim.Members {
		p.limit("limit.parts", "The message has more than %d parts; the others were not looked at.", p.lim.Parts)
		return
	}
	if m.Truncated && !m.Encrypted && m.Size > int64(len(m.Data)) {
		p.report("limit.unpacked", holdScore, part.Path, "A file is too big unpacked; not all of it was looked at.")
	}
	if p.via != "" {
		part.Reading = p.via
	}
	part.Sniffed = sniff(m.Data, "")
	p.inside(p.put(part), m.Data, depth)
}

// put appends a part under a path of its own.
func (p *parser) put(part mail.Part) int {
	p.paths[part.Path]++
	if n := p.paths[part.Path]; n > 1 {
		part.Path += "#" + strconv.Itoa(n) // members of one name
	}
	i := len(p.msg.Parts)
	p.seen[part.SHA256] = i
	p.msg.Parts = append(p.msg.Parts, part)
	return i
}

// inside looks into the part at index i if it is a container.
func (p *parser) inside(i int, data []byte, depth int) {
	part := &p.msg.Parts[i]
	if part.Encrypted || part.Container == "message" {
		return
	}
	p.noteText(i, data)
	if part.Reading == mail.Strict && part.Data != nil {
		p.otherText(i, data, depth)
	}
	part = &p.msg.Parts[i]
	kind := ""
	if len(data) > 3 && !plain(part, data) {
		kind = unpack.Kind(data)
	}
	if kind == "" {
		if couldBeCMS(part, data) && p.cms(i, data, depth) {
			return
		}
		if bytes.HasPrefix(data, []byte("-----BEGIN PGP MESSAGE-----")) {
			part.Encrypted = true
			return
		}
		if attachedMessage(part, data) {
			part.Container = "message"
			p.document(data, containerPath(part), depth+1)
		}
		return
	}
	part.Container = kind
	where := containerPath(part)
	if depth >= p.lim.Containers {
		if unpack.Opens(kind) || kind == "tnef" {
			p.report("limit.depth", holdScore, part.Path, "Archives are nested too deep; what is deeper was not unpacked.")
		}
		return
	}
	switch {
	case unopened[kind]:
		p.report("archive.unknown", holdScore, part.Path, fmt.Sprintf("An archive of a kind (%s) that cannot be opened here; what is in it was not looked at.", kind))
	case kind == "tnef":
		p.tnef(where, data, depth)
	case kind == "ole":
		p.ole(i, data)
	case unpack.Opens(kind):
		err := unpack.Open(kind, data, &p.budget, func(m unpack.Member) { p.addMember(where, m, depth+1) })
		p.archiveError(i, err)
	}
}

// unopened are containers that unpack recognises and cannot open.
var unopened = map[string]bool{"cab": true, "ace": true, "arj": true, "alz": true, "egg": true, "wim": true, "vhd": true, "vhdx": true, "lzip": true, "lha": true,
	"compress": true, "udf": true, "xar": true, "cpio": true, "arc": true, "zpaq": true}

// plain reports that data is text declared as text, in which no container hides.
func plain(part *mail.Part, data []byte) bool {
	return strings.HasPrefix(part.Type, "text/") && strings.HasPrefix(part.Sniffed, "text/") && part.Name == "" && len(data) < 0x8001
}

// attachedMessage recognises messages that came as files.
func attachedMessage(part *mail.Part, data []byte) bool {
	ext := extension(part.Name)
	if ext != "eml" && ext != "mht" && ext != "mhtml" && part.Type != "message/rfc822" {
		return false
	}
	line, _ := lineAt(data, 0)
	return isFieldStart(line) || bytes.HasPrefix(line, []byte("From "))
}

// containerPath is the path below which the members of a container stand.
func containerPath(part *mail.Part) string {
	if part.Name != "" && strings.HasSuffix(part.Path, part.Name) {
		return part.Path
	}
	name := strings.ReplaceAll(part.Name, "/", "_")
	if name == "" {
		name = part.Container
	}
	return part.Path + "/" + name
}

func (p *parser) archiveError(i int, err error) {
	if err == nil {
		return
	}
	part := &p.msg.Parts[i]
	for _, k := range []struct {
		err    error
		rule   string
		score  int
		detail string
	}{
		{unpack.ErrOverlap, "limit.ratio", holdScore, "The files of an archive overlap, as in archives made to exhaust scanners; they were not unpacked."},
		{unpack.ErrRatio, "limit.ratio", holdScore, "An archive unpacks to far more than its size, as archives made to exhaust scanners do; not all of it was looked at."},
		{unpack.ErrOctets, "limit.unpacked", holdScore, "The archives unpack to too much; not all of it was looked at."},
		{unpack.ErrMembers, "limit.members", holdScore, "The archives hold too many files; not all of them were looked at."},
		{unpack.ErrTime, "limit.time", holdScore, "Unpacking took longer than allowed; not all was looked at."},
		{unpack.ErrHidden, "archive.hidden_member", 30, "An archive holds files that its directory does not name; some programs show them."},
		{unpack.ErrDamaged, "archive.damaged", holdScore, "An archive is damaged or packed in an unknown way; not all of it could be looked at."},
	} {
		if errors.Is(err, k.err) {
			p.report(k.rule, k.score, part.Path, k.detail)
		}
	}
	if errors.Is(err, unpack.ErrEncrypted) {
		part.Encrypted = true
	}
}
