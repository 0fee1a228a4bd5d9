package macro

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/richardlehane/mscfb"

	"postern/internal/mail"
)

const (
	maxStreams = 2000
	maxStream  = 8 << 20 // octets of one stream that are looked at
	maxOLE     = 3       // documents within documents
)

// compound looks into an OLE2 file: a document of Office 97 to 2003, the VBA
// project of a newer one, or an embedded object.
func compound(p *mail.Part) []mail.Finding {
	var c contents
	c.read(p.Data, 0)
	var found []mail.Finding
	if len(c.source) > 0 {
		found = append(found, vba(p, string(c.source)))
	} else if c.project {
		found = append(found, finding(p, "vba.stomped", mail.Malware, 60, "%s contains a macro whose source text was removed, so that only Office can see what it does."))
	}
	if c.sheets > 0 {
		found = append(found, sheet(p, c.autoOpen)...)
	}
	if c.dde {
		found = append(found, dde(p))
	}
	if c.program {
		found = append(found, finding(p, "object.program", mail.Malware, 80, "%s contains an embedded program or script."))
	}
	if c.equation {
		found = append(found, finding(p, "object.equation", mail.Malware, 80, "%s contains an object of the old equation editor, which is used to run code through its faults (CVE-2017-11882)."))
	}
	if c.action {
		found = append(found, finding(p, "action.program", mail.Malware, 60, "%s starts a program when something in it is clicked or pointed at."))
	}
	if c.locked && !p.Encrypted { // else attachment says so
		found = append(found, finding(p, "encrypted", mail.Suspicious, 60, "%s is encrypted, so that its content could not be checked."))
	}
	if c.broken {
		found = append(found, finding(p, "ole.broken", mail.Suspicious, 50, "%s is damaged in a way that kept it from being checked."))
	}
	return found
}

// contents is what streams of an OLE2 file showed.
type contents struct {
	source   []byte // of VBA
	project  bool   // a VBA project is there
	sheets   int    // Excel 4.0 macro sheets
	autoOpen bool   // one of them runs by itself
	dde      bool
	program  bool // an embedded program
	equation bool
	action   bool
	locked   bool // it needs a password
	broken   bool
}

func (c *contents) read(data []byte, depth int) {
	doc, err := mscfb.New(bytes.NewReader(data))
	if err != nil {
		c.broken = c.broken || depth == 0
		return
	}
	for n := 0; n < maxStreams; n++ {
		entry, err := doc.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.broken = true
			return
		}
		if entry.FileInfo().IsDir() {
			continue
		}
		stream, err := io.ReadAll(io.LimitReader(entry, maxStream))
		if err != nil && len(stream) == 0 {
			continue
		}
		c.stream(strings.ToLower(entry.Name), stream, depth)
	}
}

func (c *contents) stream(name string, s []byte, depth int) {
	switch name {
	case "workbook", "book":
		c.workbook(s)
	case "worddocument":
		c.dde = c.dde || hasDDE(s)
		c.locked = c.locked || len(s) > 12 && s[11]&1 != 0 // FIB, fEncrypted (MS-DOC §2.5.2)
	case "encryptedpackage", "encryptedsummary":
		c.locked = true
	case "_vba_project":
		c.project = true
	case "powerpoint document":
		c.action = c.action || hasAction(s)
	case "equation native":
		c.equation = true
	case "ole10native": // mscfb drops the \x01 before it
		c.program = c.program || packaged(s)
	case "package", "contents":
		if depth < maxOLE && bytes.HasPrefix(s, []byte("\xd0\xcf\x11\xe0")) {
			c.read(s, depth+1)
		}
	}
	c.source = append(c.source, modules(s)...)
	c.source = c.source[:min(len(c.source), maxSource)]
	if depth < maxOLE && name == "powerpoint document" {
		c.embedded(s, depth)
	}
}

// workbook walks the records of a BIFF8 stream (MS-XLS §2.1.4): sheets of the
// macro kind, and names that run by themselves.
func (c *contents) workbook(s []byte) {
	auto := false
	for pos := 0; pos+4 <= len(s); {
		kind := binary.LittleEndian.Uint16(s[pos:])
		size := int(binary.LittleEndian.Uint16(s[pos+2:]))
		body := s[pos+4:]
		body = body[:min(size, len(body))]
		pos += 4 + size
		switch {
		case kind == 0x2f: // FilePass
			c.locked = true
			return
		case kind == 0x85 && len(body) > 6 && body[5] == 1: // BoundSheet8, dt: macro sheet
			c.sheets++
		case kind == 0x18 && len(body) > 15 && body[0]&0x20 != 0 && body[15]|body[14] <= 2 && (body[14] == 1 || body[15] == 1): // Lbl, built-in name Auto_Open
			auto = true
		case kind == 0x18 && bytes.Contains(bytes.ToLower(body), []byte("auto_open")):
			auto = true
		case kind == 0x1ae && len(body) > 8 && bytes.Contains(bytes.ToLower(body), []byte("cmd\x03")): // SupBook, DDE link: application and topic
			c.dde = true
		}
	}
	c.autoOpen = c.autoOpen || auto && c.sheets > 0
}

// embedded looks into the compressed OLE storages of a PowerPoint 97 stream: VBA
// projects and objects (MS-PPT §2.10.34, ExOleObjStgCompressedAtom).
func (c *contents) embedded(s []byte, depth int) {
	for pos, n := 0, 0; n < 100; n++ {
		i := bytes.Index(s[pos:], []byte("\x10\x00\x11\x10"))
		if i < 0 {
			return
		}
		pos += i
		if pos+12 > len(s) {
			return
		}
		size := int(binary.LittleEndian.Uint32(s[pos+4:]))
		body := s[pos+12:]
		if size > 4 && size-4 < len(body) {
			body = body[:size-4]
		}
		if storage := inflate(body); bytes.HasPrefix(storage, []byte("\xd0\xcf\x11\xe0")) {
			c.read(storage, depth+1)
		}
		pos += 4
	}
}

// packaged reports whether an OLE package (Ole10Native) carries a program or a
// script, by the name in it or by content.
func packaged(s []byte) bool {
	if len(s) < 8 {
		return false
	}
	head := bytes.ToLower(s[4:min(len(s), 2048)])
	for _, ext := range []string{".exe\x00", ".js\x00", ".jse\x00", ".vbs\x00", ".vbe\x00", ".bat\x00", ".cmd\x00", ".scr\x00", ".hta\x00", ".ps1\x00", ".wsf\x00", ".lnk\x00", ".sct\x00", ".com\x00", ".pif\x00", ".msi\x00", ".jar\x00"} {
		if bytes.Contains(head, []byte(ext)) {
			return true
		}
	}
	return bytes.Contains(s[:min(len(s), 4096)], []byte("This program cannot be run in DOS mode"))
}

// hasAction reports whether a PowerPoint stream names a program to run, in UTF-16.
func hasAction(s []byte) bool {
	plain := bytes.ToLower(bytes.ReplaceAll(s, []byte{0}, nil))
	for _, w := range []string{"powershell", "cmd.exe", "mshta", "wscript", "rundll32"} {
		if bytes.Contains(plain, []byte(w)) {
			return true
		}
	}
	return false
}
