package parse

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/lineartest"
)

// generators make messages of about n octets that have brought parsers down.
var generators = map[string]func(n int) string{
	"long line":                  func(n int) string { return top + "\r\n" + strings.Repeat("a", n) },
	"empty lines":                func(n int) string { return top + "\r\n" + strings.Repeat("\r\n", n/2) },
	"bare CR":                    func(n int) string { return top + "\r\n" + strings.Repeat("a\r", n/2) },
	"bare LF":                    func(n int) string { return top + "\r\n" + strings.Repeat("a\n", n/2) },
	"NUL":                        func(n int) string { return top + "\r\n" + strings.Repeat("\x00", n) },
	"header fields":              func(n int) string { return top + strings.Repeat("X: y\r\n", n/6) + "\r\n" },
	"header field folded":        func(n int) string { return top + "X: y" + strings.Repeat("\r\n z", n/4) + "\r\n\r\n" },
	"header without end":         func(n int) string { return top + strings.Repeat("no field here\r\n", n/15) },
	"header colons":              func(n int) string { return top + strings.Repeat(":", n) },
	"content fields":             func(n int) string { return top + strings.Repeat("Content-Type: text/plain\r\n", n/26) + "\r\n" },
	"To list":                    func(n int) string { return "To: " + strings.Repeat("a@b.example, ", n/13) + "\r\n" + top + "\r\n" },
	"From angle brackets":        func(n int) string { return "From: " + strings.Repeat("<", n) + "\r\n\r\n" },
	"From comments":              func(n int) string { return "From: " + strings.Repeat("(", n) + "\r\n\r\n" },
	"From quotes":                func(n int) string { return "From: " + strings.Repeat("\"", n) + "\r\n\r\n" },
	"From groups":                func(n int) string { return "From: " + strings.Repeat("a:", n/2) + "\r\n\r\n" },
	"From words":                 func(n int) string { return "From: " + strings.Repeat("a ", n/2) + "\r\n\r\n" },
	"From bracket quotes":        func(n int) string { return "From: " + strings.Repeat("<\"", n/2) + "\r\n\r\n" },
	"Subject encoded words":      func(n int) string { return "Subject: " + strings.Repeat("=?utf-8?q?a?= ", n/14) + "\r\n\r\n" },
	"Subject open encoded words": func(n int) string { return "Subject: " + strings.Repeat("=?utf-8?q?", n/10) + "\r\n\r\n" },
	"Subject question marks":     func(n int) string { return "Subject: " + strings.Repeat("=?", n/2) + "\r\n\r\n" },
	"type parameters": func(n int) string {
		return top + "Content-Type: text/plain" + strings.Repeat("; a=b", n/5) + "\r\n\r\nx"
	},
	"type comments": func(n int) string { return top + "Content-Type: " + strings.Repeat("(", n) + "\r\n\r\nx" },
	"type quotes": func(n int) string {
		return top + "Content-Type: text/plain; a=\"" + strings.Repeat("\\\"", n/2) + "\r\n\r\nx"
	},
	"name pieces": func(n int) string { return top + "Content-Type: a/b" + numbered("; name*%d*=%%41", n/14) + "\r\n\r\nx" },
	"parts": func(n int) string {
		return top + plainCT + "\r\n\r\n" + strings.Repeat("--foo\r\n\r\na\r\n", n/12) + "--foo--\r\n"
	},
	"parts without end of header": func(n int) string { return top + plainCT + "\r\n\r\n" + strings.Repeat("--foo\r\n", n/7) },
	"boundary prefixes":           func(n int) string { return top + plainCT + "\r\n\r\n" + strings.Repeat("--fooo\r\n", n/8) },
	"dash lines":                  func(n int) string { return top + plainCT + "\r\n\r\n" + strings.Repeat("--\r\n", n/4) },
	"many boundaries": func(n int) string {
		return top + plainCT + "\r\n\r\n" + numbered("--b%d\r\nContent-Type: a/b\r\n\r\nx\r\n", n/34)
	},
	"nested multiparts":         nestedMultiparts,
	"nested messages":           func(n int) string { return strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n/32) + "x" },
	"nested messages in base64": nestedBase64,
	"nested without close": func(n int) string {
		return top + strings.Repeat("Content-Type: multipart/mixed; boundary=foo\r\n\r\n--foo\r\n", n/54)
	},
	"closes": func(n int) string {
		return top + plainCT + "\r\n\r\n--foo\r\n\r\n" + strings.Repeat("--foo--\r\n", n/9)
	},
	"header blocks in text": func(n int) string {
		return top + "\r\n" + strings.Repeat("Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n\r\n", n/66)
	},
	"content in text": func(n int) string { return top + "\r\n" + strings.Repeat("content-", n/8) },
	"dashes":          func(n int) string { return top + "\r\n" + strings.Repeat("-", n) },
	"dash starts":     func(n int) string { return top + "\r\n" + strings.Repeat("\n--", n/3) },
	"base64": func(n int) string {
		return mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", lines(strings.Repeat("QUJD", n/4), 76)))
	},
	"base64 of equals signs": func(n int) string {
		return mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", strings.Repeat("=", n)))
	},
	"base64 padded pieces": func(n int) string {
		return mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", strings.Repeat("QQ==", n/4)))
	},
	"base64 junk": func(n int) string {
		return mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", strings.Repeat("QUJD!", n/5)))
	},
	"base64 in text":    func(n int) string { return top + "\r\n" + lines(strings.Repeat("QUJD", n/4), 76) },
	"base64 short runs": func(n int) string { return top + "\r\n" + strings.Repeat(strings.Repeat("QUJD", 12)+"\r\n\r\n", n/52) },
	"qp escapes": func(n int) string {
		return mixed(plainCT, file("Content-Transfer-Encoding: quoted-printable\r\n", strings.Repeat("=41", n/3)))
	},
	"qp illegal": func(n int) string {
		return mixed(plainCT, file("Content-Transfer-Encoding: quoted-printable\r\n", strings.Repeat("=z", n/2)))
	},
	"qp soft breaks": func(n int) string {
		return mixed(plainCT, file("Content-Transfer-Encoding: quoted-printable\r\n", strings.Repeat("=\r\n", n/3)))
	},
	"qp spaces": func(n int) string {
		return mixed(plainCT, file("Content-Transfer-Encoding: quoted-printable\r\n", strings.Repeat(" ", n)))
	},
	"qp in text":      func(n int) string { return top + "\r\n" + strings.Repeat("=41=42 \r\n", n/9) },
	"uuencode begins": func(n int) string { return top + "\r\n" + strings.Repeat("begin 644 a\r\n", n/13) },
	"uuencode":        func(n int) string { return top + "\r\nbegin 644 a\r\n" + strings.Repeat("#86)C\r\n", n/7) },
	"yenc begins":     func(n int) string { return top + "\r\n" + strings.Repeat("=ybegin name=a\r\n", n/16) },
	"binhex": func(n int) string {
		return top + "\r\n(This file must be converted with BinHex 4.0)\r\n:" + strings.Repeat("!!*", n/3)
	},
	"two types": func(n int) string {
		return mixed(plainCT+"\r\nContent-Type: text/plain", file(fileHead+"Content-Transfer-Encoding: base64\r\n", lines(strings.Repeat("QUJD", n/4), 76)))
	},
	"two types, many parts": func(n int) string {
		return top + plainCT + "\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("--foo\r\nContent-Type: a/b\r\n\r\na\r\n", n/33)
	},
	"html tags":       func(n int) string { return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<b>", n/3) },
	"html end tags":   func(n int) string { return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<b></i>", n/7) },
	"html attributes": func(n int) string { return top + "Content-Type: text/html\r\n\r\n<a " + numbered("a%d=b ", n/9) + ">" },
	"html same attribute": func(n int) string {
		return top + "Content-Type: text/html\r\n\r\n<a " + strings.Repeat("href=b ", n/7) + ">"
	},
	"html open comment":  func(n int) string { return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<!--", n/4) },
	"html less-than":     func(n int) string { return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<", n) },
	"html entities":      func(n int) string { return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("&amp;", n/5) },
	"html open entities": func(n int) string { return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("&", n) },
	"html links": func(n int) string {
		return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<a href=http://a.example/>x</a>", n/31)
	},
	"html open links": func(n int) string {
		return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<a href=http://a.example/>x", n/27)
	},
	"html style": func(n int) string {
		return top + "Content-Type: text/html\r\n\r\n<p style=\"" + strings.Repeat("color:red;", n/10) + "\">x"
	},
	"html base": func(n int) string {
		return top + "Content-Type: text/html\r\n\r\n<base href=\"http://a.example/" + strings.Repeat("../", n/10) + "\">" + strings.Repeat("<a href=b>", n/20)
	},
	"html data uris": func(n int) string {
		return top + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<img src=\"data:a;base64,QUJD\">", n/30)
	},
	"text links":  func(n int) string { return top + "\r\n" + strings.Repeat("http://a.example/ ", n/18) },
	"text w":      func(n int) string { return top + "\r\n" + strings.Repeat("w", n) },
	"text www":    func(n int) string { return top + "\r\n" + strings.Repeat("www.", n/4) },
	"text colons": func(n int) string { return top + "\r\n" + strings.Repeat("http://", n/7) },
	"utf-7": func(n int) string {
		return top + "Content-Type: text/plain; charset=utf-7\r\n\r\n" + strings.Repeat("+AGE-", n/5)
	},
	"iso-2022-kr": func(n int) string {
		return top + "Content-Type: text/plain; charset=iso-2022-kr\r\n\r\n" + strings.Repeat("\x0eAA\x0f", n/4)
	},
	"unknown charset": func(n int) string {
		return top + "Content-Type: text/plain; charset=nonsense\r\n\r\n" + strings.Repeat("\xe4\xf6", n/2)
	},
	"rtf groups": func(n int) string { return top + "Content-Type: text/rtf\r\n\r\n{\\rtf1" + strings.Repeat("{", n) },
	"rtf words": func(n int) string {
		return top + "Content-Type: text/rtf\r\n\r\n{\\rtf1" + strings.Repeat("\\u65 ", n/5)
	},
	"zip members": func(n int) string { return attached(zipMany(n / 100)) },
	"zip headers": func(n int) string {
		return attached([]byte(strings.Repeat("PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", n/34)))
	},
	"gzip": func(n int) string { return attached(gz(bytes.Repeat([]byte("abcdefgh"), n))) },
	"tnef attributes": func(n int) string {
		return attached([]byte("\x78\x9f\x3e\x22\x01\x00" + strings.Repeat("\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00", n/11)))
	},
	"MZ": func(n int) string { return top + plainCT + "\r\n\r\n" + strings.Repeat("MZ", n/2) },
}

func attached(data []byte) string {
	return mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(data)))
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func nestedMultiparts(n int) string {
	return top + numbered("Content-Type: multipart/mixed; boundary=b%[1]d\r\n\r\n--b%[1]d\r\n", n/60)
}

func nestedBase64(n int) string {
	msg := "Subject: innermost\r\n\r\nx\r\n"
	for len(msg) < n {
		msg = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(msg))
	}
	return msg
}

func zipMany(n int) []byte {
	var parts []byte
	for range n {
		parts = append(parts, zipOf("a", nil)[:31]...)
	}
	return parts
}

// TestTimeGrowsWithSize doubles every generator; the time may grow by 2.3 (safety P11).
func TestTimeGrowsWithSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, name := range slices.Sorted(maps.Keys(generators)) {
		t.Run(name, func(t *testing.T) {
			large := lineartest.Check(t, 2<<20, func(n int) func() {
				octets := []byte(generators[name](n))
				return func() { Parse(octets, Limits{Deadline: time.Now().Add(time.Minute)}) }
			})
			if large > 2*time.Second {
				t.Errorf("%v for 4 MiB", large)
			}
		})
	}
}
