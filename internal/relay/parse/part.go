package parse

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"github.com/richardlehane/mscfb"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
	"postern/internal/relay/parse/tnef"
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
	i := len(p.msg.Parts)
	p.seen[part.SHA256] = i
	p.msg.Parts = append(p.msg.Parts, part)
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
	i := len(p.msg.Parts)
	p.seen[part.SHA256] = i
	p.msg.Parts = append(p.msg.Parts, part)
	p.inside(i, m.Data, depth)
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
		p.report("archive.unknown", holdScore, part.Path, "An archive of a kind ("+kind+") that cannot be opened here; what is in it was not looked at.")
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

// ole looks whether an OLE file is an Office document behind a password
// (MS-OFFCRYPTO §1.3.1).
func (p *parser) ole(i int, data []byte) {
	defer func() {
		if recover() != nil {
			p.report("archive.damaged", 20, p.msg.Parts[i].Path, "An OLE document is damaged; not all of it could be looked at.")
		}
	}()
	doc, err := mscfb.New(bytes.NewReader(data))
	if err != nil {
		return
	}
	for n, f := range doc.File {
		if f.Name == "EncryptedPackage" {
			p.msg.Parts[i].Encrypted = true
		}
		if n >= p.lim.Members {
			return
		}
	}
}

// tnef takes a winmail.dat apart.
func (p *parser) tnef(where string, data []byte, depth int) {
	m := tnef.Decode(data)
	if m.Damaged {
		p.report("archive.damaged", 10, where, "A TNEF attachment (winmail.dat) is damaged; not all of it could be looked at.")
	}
	label := codePage(m.CodePage)
	add := func(name, typ, set string, b []byte, file bool) int {
		if len(b) == 0 {
			return -1
		}
		if p.budget.Members--; p.budget.Members < 0 {
			p.report("limit.members", holdScore, where, "The archives hold too many files; not all of them were looked at.")
			return -1
		}
		part := mail.Part{Path: where + "/" + name, Reading: mail.Strict, Type: typ, Charset: set}
		if file {
			part.Name, part.Disposition = path.Base(strings.ReplaceAll(name, "\\", "/")), "attachment"
		}
		return p.add(part, b, depth+1, false)
	}
	if m.Unicode {
		add("body.txt", "text/plain", "utf-8", m.Body, false)
	} else {
		add("body.txt", "text/plain", label, m.Body, false)
	}
	add("body.html", "text/html", label, m.HTML, false)
	if len(m.RTF) > 0 {
		add("body.rtf", "text/rtf", "", m.RTF, false)
	}
	for _, f := range m.Files {
		name, _ := charset.Decode(label, []byte(f.Name))
		if utf8.ValidString(f.Name) {
			name = f.Name
		}
		if name = cleanName(name); name == "" {
			name = "untitled"
		}
		typ := f.Type
		if typ == "" {
			typ = "application/octet-stream"
		}
		if i := add(name, typ, "", f.Data, true); i >= 0 {
			p.msg.Parts[i].ContentID = f.ContentID
			for _, n := range f.Names {
				if n = cleanName(n); n != name && n != "" {
					p.msg.Parts[i].Names = appendNew(p.msg.Parts[i].Names, n)
				}
			}
		}
	}
}

func codePage(n int) string {
	switch n {
	case 0:
		return ""
	case 65001:
		return "utf-8"
	case 20127:
		return "us-ascii"
	case 28591:
		return "iso-8859-1"
	case 50220, 50221, 50222:
		return "iso-2022-jp"
	case 20866:
		return "koi8-r"
	}
	return "cp" + strconv.Itoa(n)
}

// sniff is the media type by content, "" if unknown.
func sniff(data []byte, declared string) string {
	if len(data) == 0 {
		return ""
	}
	head := data[:min(len(data), 3072)]
	if strings.HasPrefix(declared, "text/") && tame(head) {
		return declaredText(declared, head)
	}
	m := mimetype.Detect(head).String()
	m, _, _ = strings.Cut(m, ";")
	if m == "application/octet-stream" {
		return ""
	}
	return m
}

// tame reports text that begins with a letter or blank and has no octet that text
// lacks: no format with a signature looks so.
func tame(head []byte) bool {
	for _, c := range head {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	t := bytes.TrimLeft(head, " \t\r\n")
	if len(t) == 0 {
		return true
	}
	return t[0] == '<' && bytes.HasPrefix(bytes.ToLower(t[:min(len(t), 14)]), []byte("<!doctype html")) || bytes.HasPrefix(bytes.ToLower(t[:min(len(t), 5)]), []byte("<html")) ||
		t[0]|0x20 >= 'a' && t[0]|0x20 <= 'z' && len(t) > 2 && t[1] >= ' ' && !bytes.HasPrefix(t, []byte("MZ")) && !bytes.HasPrefix(t, []byte("BEGIN:"))
}

func declaredText(declared string, head []byte) string {
	if t := bytes.TrimLeft(head, " \t\r\n"); len(t) > 0 && t[0] == '<' {
		return "text/html"
	}
	if declared == "text/html" {
		if bytes.IndexByte(head, '<') >= 0 {
			return "text/html"
		}
	}
	return "text/plain"
}

// telling reports content of a kind that can be named, as opposed to noise from
// decoding what was not encoded: a known format, or text.
func telling(data []byte) bool {
	if len(data) < 16 {
		return false
	}
	if unpack.Kind(data) != "" {
		return true
	}
	for _, m := range strongMagics {
		if bytes.HasPrefix(data, []byte(m)) {
			return true
		}
	}
	return readable(data)
}

var strongMagics = []string{"%PDF-", "\x7fELF", "GIF8", "\x89PNG\r\n", "\xff\xd8\xff", "{\\rtf", "\xca\xfe\xba\xbe", "#!/", "ITSF", "L\x00\x00\x00\x01\x14\x02\x00", "\xe4\x52\x5c\x7b", "SQLite format 3", "RIFF", "OggS", "MThd", "II*\x00", "MM\x00*"}

// holdsFile reports telling content that may stand behind some octets of noise.
func holdsFile(data []byte) bool {
	if telling(data) {
		return true
	}
	head := data[:min(len(data), 4096)]
	for i := 0; ; i++ {
		n := bytes.Index(head[i:], []byte("MZ"))
		if n < 0 {
			break
		}
		if i += n; program(data[i:]) {
			return true
		}
	}
	for _, m := range []string{"PK\x03\x04", "%PDF-", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "7z\xBC\xAF\x27\x1C", "Rar!\x1A\x07", "{\\rtf1"} {
		if bytes.Contains(head, []byte(m)) {
			return true
		}
	}
	return false
}

// program recognises DOS and Windows programs, whose mark is too short to tell alone.
func program(data []byte) bool {
	if len(data) < 64 || data[0] != 'M' || data[1] != 'Z' {
		return false
	}
	at := int(data[60]) | int(data[61])<<8 | int(data[62])<<16
	return at+4 <= len(data) && (string(data[at:at+2]) == "PE" || string(data[at:at+2]) == "NE" || string(data[at:at+2]) == "LE") ||
		bytes.Contains(data[:min(len(data), 512)], []byte("DOS mode"))
}

// readable reports text: hardly a control octet among the first 4 KiB, and valid
// UTF-8 or mostly ASCII.
func readable(data []byte) bool {
	head := data[:min(len(data), 4096)]
	if program(data) {
		return true
	}
	bad, high := 0, 0
	for _, c := range head {
		switch {
		case c >= 0x80:
			high++
		case c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7F:
			bad++
		}
	}
	if bad*50 > len(head) {
		return false
	}
	return high*8 < len(head) || len(head) > 64 && utf8.Valid(head[:lastRune(head)])
}

// lastRune is where the last whole UTF-8 character of b ends, to within three octets.
func lastRune(b []byte) int {
	for n := len(b); n > 0 && n > len(b)-4; n-- {
		if utf8.RuneStart(b[n-1]) {
			return n - 1
		}
	}
	return len(b)
}
