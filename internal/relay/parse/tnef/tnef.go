package tnef

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

const (
	signature      = 0x223E9F78 // MS-OXTNEF §2.1.3.1
	maxAttributes  = 100_000
	maxProperties  = 10_000 // of one attribute
	maxAttachments = 2_000
)

// Attributes that matter (MS-OXTNEF §2.1.3.2), without the type in their upper
// half, which readers do not look at.
const (
	attSubject     = 0x8004
	attBody        = 0x800C
	attMAPIProps   = 0x9003
	attRendData    = 0x9002 // begins an attachment
	attAttachTitle = 0x8010
	attAttachData  = 0x800F
	attAttachment  = 0x9005 // MAPI properties of an attachment
	attCodePage    = 0x9007
)

// MAPI properties that matter (MS-OXPROPS).
const (
	propBody         = 0x1000
	propRTF          = 0x1009
	propHTML         = 0x1013
	propSubject      = 0x0037
	propDisplayName  = 0x3001
	propAttachData   = 0x3701
	propAttachExt    = 0x3703
	propAttachName   = 0x3704
	propAttachLong   = 0x3707
	propAttachType   = 0x370E
	propAttachCID    = 0x3712
	propInternetCPID = 0x3FDE
)

// A Message is what stands in one TNEF stream.
type Message struct {
	Subject  string
	Body     []byte // plain text, in CodePage unless Unicode
	Unicode  bool   // Body is UTF-8
	HTML     []byte // octets as stored, in CodePage
	RTF      []byte // decompressed
	CodePage int    // Windows code page of Body and HTML, 0 if not said
	Files    []File
	Damaged  bool // something was cut, wrong or too much
}

// A File is an attachment.
type File struct {
	Name      string
	Names     []string // other names it carries
	Type      string   // media type, "" if not said
	ContentID string
	Data      []byte
	Embedded  bool // Data is itself a TNEF stream of an attached message
}

// Is reports whether b begins as a TNEF stream does.
func Is(b []byte) bool { return len(b) >= 6 && binary.LittleEndian.Uint32(b) == signature }

// Decode reads a TNEF stream. The slices in Message share b's memory where they can.
func Decode(b []byte) (m Message) {
	if !Is(b) {
		m.Damaged = true
		return m
	}
	b = b[6:]
	for n := 0; len(b) >= 11; n++ {
		id, size := binary.LittleEndian.Uint32(b[1:]), int64(binary.LittleEndian.Uint32(b[5:]))
		data := b[9:]
		if size > int64(len(data)) {
			m.Damaged = true
			size = int64(len(data))
		}
		if n >= maxAttributes || len(m.Files) >= maxAttachments {
			m.Damaged = true
			break
		}
		m.attribute(id, data[:size])
		b = data[size:]
		b = b[min(2, len(b)):] // check sum, which no reader looks at
	}
	if len(bytes.Trim(b, "\x00\r\n")) > 0 {
		m.Damaged = true
	}
	for i := range m.Files {
		m.Files[i].settle()
	}
	return m
}

func (m *Message) attribute(id uint32, data []byte) {
	switch id & 0xFFFF {
	case attSubject:
		m.Subject = cstring(data)
	case attBody:
		if len(m.Body) == 0 {
			m.Body = bytes.TrimRight(data, "\x00")
		}
	case attCodePage:
		if len(data) >= 4 && m.CodePage == 0 {
			m.CodePage = int(binary.LittleEndian.Uint32(data))
		}
	case attMAPIProps:
		m.properties(data, m.property)
	case attRendData:
		m.Files = append(m.Files, File{})
	case attAttachTitle:
		m.file().addName(cstring(data))
	case attAttachData:
		m.file().Data = data
	case attAttachment:
		m.properties(data, m.file().property)
	}
}

// file is the attachment being read; one without its beginning is taken too.
func (m *Message) file() *File {
	if len(m.Files) == 0 {
		m.Files = append(m.Files, File{})
		m.Damaged = true
	}
	return &m.Files[len(m.Files)-1]
}

func (m *Message) property(id, kind uint16, v []byte) {
	switch id {
	case propSubject:
		m.Subject = text(kind, v)
	case propBody:
		m.Body, m.Unicode = []byte(text(kind, v)), kind == 0x1F
	case propRTF:
		rtf, ok := DecompressRTF(v)
		m.RTF = rtf
		m.Damaged = m.Damaged || !ok
	case propHTML:
		m.HTML = v
		if kind == 0x1F {
			m.HTML = []byte(text(kind, v))
		}
	case propInternetCPID:
		if len(v) >= 4 {
			m.CodePage = int(binary.LittleEndian.Uint32(v))
		}
	}
}

func (f *File) property(id, kind uint16, v []byte) {
	switch id {
	case propAttachLong, propAttachName, propDisplayName:
		f.addName(text(kind, v))
		if id == propAttachLong && len(f.Names) > 0 {
			f.Name = text(kind, v)
		}
	case propAttachType:
		f.Type = strings.ToLower(text(kind, v))
	case propAttachCID:
		f.ContentID = strings.Trim(text(kind, v), "<> ")
	case propAttachData:
		if kind == 0x0D && len(v) >= 16 { // an object: the GUID of its interface, then the object
			v = v[16:]
		}
		if len(v) > 0 && (len(f.Data) == 0 || Is(v)) {
			f.Data = v
		}
	}
}

func (f *File) addName(name string) {
	if name == "" {
		return
	}
	if f.Name == "" {
		f.Name = name
	}
	if len(f.Names) < 16 {
		f.Names = append(f.Names, name)
	}
}

// settle takes the shown name out of Names and looks for an attached message.
func (f *File) settle() {
	var others []string
	for _, n := range f.Names {
		if n != f.Name {
			others = append(others, n)
		}
	}
	f.Names = others
	f.Embedded = Is(f.Data)
}

// properties reads a property list (MS-OXTNEF §2.1.3.4).
func (m *Message) properties(b []byte, each func(id, kind uint16, v []byte)) {
	r := reader{b: b}
	count := int(r.u32())
	for i := 0; i < count && !r.bad; i++ {
		if i >= maxProperties {
			m.Damaged = true
			return
		}
		kind, id := r.u16(), r.u16()
		if id >= 0x8000 {
			r.take(16)
			if r.u32() == 0 {
				r.take(4)
			} else {
				r.padded(int(r.u32()))
			}
		}
		values := 1
		base := kind &^ 0x1000
		long := base == 0x1E || base == 0x1F || base == 0x102 || base == 0x0D
		if long || kind&0x1000 != 0 {
			values = int(r.u32())
		}
		for v := 0; v < values && !r.bad; v++ {
			var data []byte
			if long {
				data = r.padded(int(r.u32()))
			} else {
				data = r.take(width(base))
			}
			if !r.bad {
				each(id, base, data)
			}
		}
	}
	m.Damaged = m.Damaged || r.bad
}

// width is the room a value of fixed size takes (MS-OXCDATA §2.11.1, padded to four).
func width(kind uint16) int {
	switch kind {
	case 0x05, 0x06, 0x07, 0x14, 0x40:
		return 8
	case 0x48:
		return 16
	}
	return 4
}

// reader reads little-endian numbers and remembers that it came to the end.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// padded takes n octets and the filling up to the next multiple of four.
func (r *reader) padded(n int) []byte {
	v := r.take(n)
	if n%4 != 0 && !r.bad {
		r.b = r.b[min(4-n%4, len(r.b)):]
	}
	return v
}

func (r *reader) u16() uint16 {
	if v := r.take(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if v := r.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func cstring(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func text(kind uint16, v []byte) string {
	if kind != 0x1F {
		return cstring(v)
	}
	u := make([]uint16, 0, len(v)/2)
	for ; len(v) >= 2; v = v[2:] {
		c := uint16(v[0]) | uint16(v[1])<<8
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}
