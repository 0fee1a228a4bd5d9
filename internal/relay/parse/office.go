package parse

import (
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/richardlehane/mscfb"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
	"postern/internal/relay/parse/tnef"
)

// ole looks whether an OLE file is an Office document behind a password.
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
		if needsPassword(f) {
			p.msg.Parts[i].Encrypted = true
		}
		if n >= p.lim.Members {
			return
		}
	}
}

// needsPassword tells by one stream whether a document is encrypted.
func needsPassword(f *mscfb.File) bool {
	head := make([]byte, 4096)
	switch f.Name {
	case "EncryptedPackage": // Office 2007 and later (MS-OFFCRYPTO §1.3.1)
		return true
	case "WordDocument": // fEncrypted (MS-DOC §2.5.2)
		n, _ := io.ReadFull(f, head[:32])
		return n >= 12 && head[11]&1 != 0
	case "Workbook", "Book": // a FilePass record (MS-XLS §2.4.117)
		n, _ := io.ReadFull(f, head)
		for b := head[:n]; len(b) >= 4; {
			kind, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
			if kind == 0x2F {
				return true
			}
			b = b[min(4+size, len(b)):]
		}
	case "Current User": // headerToken (MS-PPT §2.3.2)
		n, _ := io.ReadFull(f, head[:32])
		return n >= 16 && binary.LittleEndian.Uint32(head[12:]) == 0xF3D1C4DF
	}
	return false
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
