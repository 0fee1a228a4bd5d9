package tnef

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func attr(level byte, id uint32, data []byte) []byte {
	b := []byte{level}
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(append(b, data...), 0, 0)
}

func le16(s string) (b []byte) {
	for _, c := range append(utf16.Encode([]rune(s)), 0) {
		b = append(b, byte(c), byte(c>>8))
	}
	return b
}

// prop is one property of variable length.
func prop(kind, id uint16, data []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func props(list ...[]byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(list))), bytes.Join(list, nil)...)
}

func stream(attrs ...[]byte) []byte {
	return append([]byte{0x78, 0x9F, 0x3E, 0x22, 1, 0}, bytes.Join(attrs, nil)...)
}

func TestDecodeReadsBodyAndAttachments(t *testing.T) {
	long := append([]byte{0x02, 0x00, 0x00, 0x80}, make([]byte, 16)...) // a named property of fixed size comes first
	long = binary.LittleEndian.AppendUint32(long, 0)
	long = binary.LittleEndian.AppendUint32(long, 1)
	long = append(long, 7, 0, 0, 0)
	inner := stream(attr(1, 0x00018004, []byte("inner\x00")))
	b := stream(
		attr(1, 0x00018004, []byte("subject\x00")),
		attr(1, 0x00069007, []byte{0xE4, 4, 0, 0, 0, 0, 0, 0}),
		attr(1, 0x00069003, props(long, prop(0x1F, 0x1000, le16("bödy")), prop(0x102, 0x1013, []byte("<p>html</p>")))),
		attr(2, 0x00069002, nil),
		attr(2, 0x00018010, []byte("SHORT~1.DOC\x00")),
		attr(2, 0x0006800F, []byte("first")),
		attr(2, 0x00069005, props(prop(0x1F, 0x3707, le16("long name.doc")), prop(0x1E, 0x370E, []byte("application/msword\x00")))),
		attr(2, 0x00069002, nil),
		attr(2, 0x00018010, []byte("b.msg\x00")),
		attr(2, 0x00069005, props(prop(0x0D, 0x3701, append(make([]byte, 16), inner...)))),
	)
	m := Decode(b)
	if m.Damaged || m.Subject != "subject" || string(m.Body) != "bödy" || !m.Unicode || string(m.HTML) != "<p>html</p>" || m.CodePage != 1252 || len(m.Files) != 2 {
		t.Fatalf("got %+v", m)
	}
	if f := m.Files[0]; f.Name != "long name.doc" || strings.Join(f.Names, "|") != "SHORT~1.DOC" || string(f.Data) != "first" || f.Type != "application/msword" {
		t.Errorf("first file: %+v", f)
	}
	if f := m.Files[1]; !f.Embedded || Decode(f.Data).Subject != "inner" {
		t.Errorf("second file: %+v", f)
	}
}

func TestDamageIsSaidAndWhatCameBeforeStays(t *testing.T) {
	whole := stream(attr(2, 0x00069002, nil), attr(2, 0x00018010, []byte("a.exe\x00")), attr(2, 0x0006800F, []byte("0123456789")))
	for _, tt := range []struct {
		name  string
		b     []byte
		files int
	}{
		{"cut data", whole[:len(whole)-6], 1},
		{"huge count", stream(attr(1, 0x00069003, []byte{0xFF, 0xFF, 0xFF, 0x7F})), 0},
		{"data without beginning", stream(attr(2, 0x0006800F, []byte("x"))), 1},
		{"junk behind", append(bytes.Clone(whole), []byte("some junk")...), 1},
		{"not TNEF", []byte("x"), 0},
	} {
		if m := Decode(tt.b); !m.Damaged || len(m.Files) != tt.files {
			t.Errorf("%s: damaged %v, %d files", tt.name, m.Damaged, len(m.Files))
		}
	}
}

// TestDecompressRTF uses the examples of MS-OXRTFCP §3.1.
func TestDecompressRTF(t *testing.T) {
	simple := []byte{0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0, 0x0a, 0, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a,
		0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0}
	crossing := []byte{0x1a, 0, 0, 0, 0x1c, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xe2, 0xd4, 0x4b, 0x51, 0x41, 0, 0x04, 0x20, 0x57, 0x58, 0x59, 0x5a, 0x0d, 0x6e, 0x7d, 0x01, 0x0e, 0xb0}
	for _, tt := range []struct {
		name string
		b    []byte
		want string
		ok   bool
	}{
		{"simple", simple, "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", true},
		{"reference beyond the write position", crossing, "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}", true},
		{"not compressed", append([]byte{0, 0, 0, 0, 5, 0, 0, 0, 'M', 'E', 'L', 'A', 0, 0, 0, 0}, "hello"...), "hello", true},
		{"cut", simple[:30], "", false},
		{"too short", simple[:10], "", false},
		{"unknown kind", append([]byte{0, 0, 0, 0, 5, 0, 0, 0, 'X', 'E', 'L', 'A', 0, 0, 0, 0}, "hello"...), "", false},
	} {
		got, ok := DecompressRTF(tt.b)
		if ok != tt.ok || ok && string(got) != tt.want {
			t.Errorf("%s: got %q %v, want %q %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestReadRTF(t *testing.T) {
	for _, tt := range []struct {
		name, rtf, want string
		html            bool
	}{
		{"text", `{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard Hello \b World\b0\par next}`, "Hello World\nnext", false},
		{"escapes", `{\rtf1 a\'e4\u8364?\{b\}}`, "aä€{b}", false},
		{"unknown destination", `{\rtf1 a{\*\unknown secret}b}`, "ab", false},
		{"wrapped HTML", `{\rtf1\ansi\fromhtml1 {\*\htmltag84 <a href="http://a.example/">}\htmlrtf {\htmlrtf0 here\htmlrtf }\htmlrtf0 {\*\htmltag92 </a>}}`, `<a href="http://a.example/">here</a>`, true},
		{"open groups", `{\rtf1 {{{a`, "a", false},
	} {
		got, html := ReadRTF([]byte(tt.rtf))
		if strings.TrimSpace(got) != tt.want || html != tt.html {
			t.Errorf("%s: got %q %v, want %q", tt.name, got, html, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(stream(attr(2, 0x00069002, nil), attr(2, 0x00069005, props(prop(0x1F, 0x3707, le16("a"))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := Decode(b)
		total := len(m.RTF)
		for _, file := range m.Files {
			total += len(file.Data)
		}
		if total > 20*len(b)+64 {
			t.Errorf("%d octets out of %d", total, len(b))
		}
	})
}

func FuzzRTF(f *testing.F) {
	f.Add([]byte(`{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard Hello\par}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, _ := ReadRTF(b); len(s) > 4*len(b)+4 {
			t.Errorf("%d characters out of %d octets", len(s), len(b))
		}
		if out, _ := DecompressRTF(b); len(out) > 9*len(b)+16 {
			t.Errorf("%d octets out of %d", len(out), len(b))
		}
	})
}
