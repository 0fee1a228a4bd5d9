package parse

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"

	"postern/internal/relay/parse/unpack"
)

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
