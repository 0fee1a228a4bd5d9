package attachment

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"postern/internal/mail"
)

// content is what the octets of a file show it to be.
type content int

const (
	unknown content = iota
	textual
	markup
	program
	script
	shortcut
	help
	oneNote
	disk
	java
	pdf
	richText
	picture
	ole
	zipped
	strangeArchive
)

// sniff looks at the first octets; it is stricter than media type sniffing,
// because a finding rests on it.
func sniff(p *mail.Part) content {
	d := p.Data
	switch {
	case isProgram(d):
		return program
	case bytes.HasPrefix(d, []byte("L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F")):
		return shortcut
	case bytes.HasPrefix(d, []byte("ITSF\x03\x00\x00\x00")):
		return help
	case bytes.HasPrefix(d, []byte("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3")):
		return oneNote
	case isDisk(d):
		return disk
	case bytes.HasPrefix(d, []byte("\xca\xfe\xba\xbe")) && len(d) > 8 && d[6] == 0 && d[7] >= 45 && d[7] < 90: // a class file; fat Mach-O has a count here
		return java
	case bytes.HasPrefix(d, []byte("%PDF-")):
		return pdf
	case bytes.HasPrefix(d, []byte(`{\rt`)):
		return richText
	case bytes.HasPrefix(d, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return ole
	case bytes.HasPrefix(d, []byte("PK\x03\x04")):
		return zipContent(d)
	case isStrangeArchive(d):
		return strangeArchive
	case bytes.HasPrefix(d, []byte("\xff\xd8\xff")), bytes.HasPrefix(d, []byte("\x89PNG\r\n")), bytes.HasPrefix(d, []byte("GIF8")):
		return picture
	case bytes.HasPrefix(d, []byte("#!/")):
		return script
	}
	return textContent(d)
}

func isProgram(d []byte) bool {
	switch {
	case bytes.HasPrefix(d, []byte("MZ")) && len(d) >= 64:
		pe := binary.LittleEndian.Uint32(d[60:])
		if uint64(pe)+4 <= uint64(len(d)) {
			sig := d[pe:]
			return bytes.HasPrefix(sig, []byte("PE\x00\x00")) || bytes.HasPrefix(sig, []byte("NE")) || bytes.HasPrefix(sig, []byte("LE"))
		}
		return bytes.Contains(d[:min(len(d), 512)], []byte("DOS mode")) || bytes.Contains(d[:min(len(d), 512)], []byte("run under Win32"))
	case bytes.HasPrefix(d, []byte("\x7fELF")) && len(d) > 18:
		kind := d[16] | d[17] // in either byte order
		return kind == 2 || kind == 3
	case bytes.HasPrefix(d, []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(d, []byte("\xce\xfa\xed\xfe")):
		return len(d) > 12 && d[12] == 2
	case bytes.HasPrefix(d, []byte("dex\n0")):
		return true
	}
	return false
}

func isDisk(d []byte) bool {
	at := func(off int, sig string) bool {
		return len(d) >= off+len(sig) && string(d[off:off+len(sig)]) == sig
	}
	return at(0x8001, "CD001") || at(0x8001, "NSR0") || at(0x8001, "BEA01") || at(0, "vhdxfile") || at(0, "conectix\x00\x00\x00") || at(0, "KDMV") || at(0, "QFI\xfb")
}

// zipContent tells a Java archive from others by the first names in it.
func zipContent(d []byte) content {
	head := d[:min(len(d), 4<<10)]
	if bytes.Contains(head, []byte("META-INF/MANIFEST.MF")) && (bytes.Contains(d, []byte(".class")) || bytes.Contains(head, []byte("\xfe\xca\x00\x00"))) {
		return java
	}
	return zipped
}

func isStrangeArchive(d []byte) bool {
	at := func(off int, sig string) bool {
		return len(d) >= off+len(sig) && string(d[off:off+len(sig)]) == sig
	}
	return at(0, "MSCF\x00\x00\x00\x00") || at(7, "**ACE**") || at(2, "-lh") && len(d) > 6 && d[6] == '-' || at(0, "\x60\xea") && len(d) > 10 && d[2]|d[3] != 0 && d[4] < 60 ||
		at(0, "ALZ\x01") || at(0, "EGGA") || at(0, "7kSt") || at(0, "\x1f\x9d") || at(0, "LZIP") || at(0, "StuffIt") || at(0, "SIT!") || at(20, "\xdc\xa7\xc4\xfd")
}

// textContent tells text and HTML from other octets.
func textContent(d []byte) content {
	head := d[:min(len(d), 1024)]
	if len(head) == 0 {
		return unknown
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	bad := 0
	for _, c := range head {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
			bad++
		}
	}
	if bad > 0 || !utf8.Valid(head[:max(0, len(head)-4)]) && bytes.IndexByte(head, 0) >= 0 {
		return unknown
	}
	low := strings.ToLower(string(bytes.TrimSpace(head)))
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body", "<script", "<svg", "<!doctype svg"} {
		if strings.HasPrefix(low, tag) {
			return markup
		}
	}
	if strings.HasPrefix(low, "<?xml") && (strings.Contains(low, "<svg") || strings.Contains(low, "<html")) || strings.HasPrefix(low, "<!--") && strings.Contains(low, "<html") {
		return markup
	}
	return textual
}
