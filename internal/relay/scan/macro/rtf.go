package macro

import (
	"bytes"
	"encoding/hex"
	"strings"

	"postern/internal/mail"
)

// maxRTF is how much of an RTF document is looked at.
const maxRTF = 16 << 20

// lower is d with ASCII letters in lower case, octet for octet: bytes.ToLower puts
// three octets for one that is no UTF-8, and a place in its result is none in d.
func lower(d []byte) []byte {
	out := make([]byte, len(d))
	for i, c := range d {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		out[i] = c
	}
	return out
}

// isRTF is as lenient as Word, which needs no more than this.
func isRTF(d []byte) bool {
	d = bytes.TrimLeft(d[:min(len(d), 256)], " \t\r\n\x00")
	return bytes.HasPrefix(d, []byte(`{\rt`))
}

// richText looks for embedded objects in RTF. Their hexadecimal text may be
// broken up by anything that Word skips.
func richText(p *mail.Part) []mail.Finding {
	d := p.Data[:min(len(p.Data), maxRTF)]
	low := lower(d)
	update := hasControl(low, `\objupdate`)
	var found []mail.Finding
	objects := 0
	for pos := 0; objects < 50; objects++ {
		i := bytes.Index(low[pos:], []byte(`\objdata`))
		if i < 0 {
			break
		}
		pos += i + len(`\objdata`)
		object := unhex(d[pos:])
		if f, ok := rtfObject(p, object); ok {
			found = append(found, f)
		}
	}
	switch {
	case len(found) > 0:
		return found[:1]
	case update:
		return []mail.Finding{finding(p, "rtf.update", mail.Malware, 60, "%s loads an embedded object by itself when it is opened.")}
	case bytes.Contains(low, []byte(`\*\template http`)) || bytes.Contains(low, []byte(`{\*\template \\`)):
		return []mail.Finding{finding(p, "template.remote", mail.Malware, 70, "%s loads its template from elsewhere when it is opened.")}
	case objects > 0:
		return []mail.Finding{finding(p, "rtf.object", mail.Suspicious, 30, "%s contains an embedded object.")}
	case hasRTFDDE(low):
		return []mail.Finding{dde(p)}
	}
	return nil
}

// hasControl reports whether the control word is there, and not as text behind
// an escaped backslash.
func hasControl(low []byte, word string) bool {
	for pos := 0; ; {
		i := bytes.Index(low[pos:], []byte(word))
		if i < 0 {
			return false
		}
		at := pos + i
		n := 0
		for at-1-n >= 0 && low[at-1-n] == '\\' {
			n++
		}
		if n%2 == 0 {
			return true
		}
		pos = at + len(word)
	}
}

func hasRTFDDE(low []byte) bool {
	i := bytes.Index(low, []byte(`\fldinst`))
	for i >= 0 {
		low = low[i+8:]
		if bytes.Contains(low[:min(len(low), 300)], []byte("ddeauto")) {
			return true
		}
		i = bytes.Index(low, []byte(`\fldinst`))
	}
	return false
}

// unhex decodes the hexadecimal digits up to the group's end, skipping white
// space, control words and inner groups.
func unhex(d []byte) []byte {
	digits := make([]byte, 0, 4096)
	depth := 0
	for i := 0; i < len(d) && len(digits) < 4<<20; i++ {
		c := d[i]
		switch {
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth < 0 {
				i = len(d)
			}
		case c == '\\':
			for i+1 < len(d) && (isLetter(d[i+1]) || d[i+1] == '*' || d[i+1] == '\'') {
				i++
			}
			for i+1 < len(d) && (d[i+1] >= '0' && d[i+1] <= '9' || d[i+1] == '-') && i > 0 && isLetter(d[i]) {
				i++
			}
		case c >= '0' && c <= '9' || isLetter(c) && c|0x20 <= 'f':
			digits = append(digits, c)
		}
	}
	out := make([]byte, len(digits)/2)
	n, _ := hex.Decode(out, digits[:len(digits)/2*2])
	return out[:n]
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// rtfObject judges an OLE object by its class name and content (MS-OLEDS
// §2.2.5).
func rtfObject(p *mail.Part, o []byte) (mail.Finding, bool) {
	low := strings.ToLower(string(o[:min(len(o), 4096)]))
	switch {
	case strings.Contains(low, "equation.") || strings.Contains(low, "equation native") || bytes.Contains(o, []byte("\x02\xce\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F")):
		return finding(p, "object.equation", mail.Malware, 80, "%s contains an object of the old equation editor, which is used to run code through its faults (CVE-2017-11882)."), true
	case strings.Contains(low, "package\x00") && (packaged(o) || packagedAnywhere(o)):
		return finding(p, "object.program", mail.Malware, 80, "%s contains an embedded program or script."), true
	case strings.Contains(low, "package\x00"):
		return finding(p, "object.package", mail.Suspicious, 50, "%s contains an embedded file."), true
	case strings.Contains(low, "ole2link") || strings.Contains(low, "otkloadr"):
		return finding(p, "object.remote", mail.Malware, 80, "%s contains a link that loads code from elsewhere when it is opened (CVE-2017-0199)."), true
	case strings.Contains(low, "excel.") || strings.Contains(low, "word."):
		return finding(p, "object.document", mail.Suspicious, 50, "%s contains another document embedded in it, which could carry macros."), true
	}
	return mail.Finding{}, false
}

// packagedAnywhere finds the package behind the object's header.
func packagedAnywhere(o []byte) bool {
	i := bytes.Index(bytes.ToLower(o), []byte("package\x00"))
	return i >= 0 && packaged(o[i:])
}
