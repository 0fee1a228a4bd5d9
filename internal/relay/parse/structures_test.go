package parse

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// structures are ambiguities of where parts begin and end.
func structures(v map[string]string, part, enc string, data []byte) {
	ct := "Content-Type: multipart/mixed; boundary=foo\r\n\r\n"
	two := "--foo\r\n" + hello + "--foo\r\n"
	v["st unclosed"] = top + ct + two + part
	v["st closed twice"] = top + ct + "--foo\r\n" + hello + "--foo--\r\n--foo\r\n" + part + "--foo--\r\n"
	v["st in the epilogue"] = top + ct + "--foo\r\n" + hello + "--foo--\r\n" + part
	v["st in the epilogue with other boundary"] = top + ct + "--foo\r\n" + hello + "--foo--\r\n--bar\r\n" + part + "--bar--\r\n"
	v["st in the preamble"] = top + ct + part + "--foo\r\n" + hello + "--foo--\r\n"
	v["st in the preamble with boundary"] = top + ct + "--bar\r\n" + part + "--bar--\r\n--foo\r\n" + hello + "--foo--\r\n"
	v["st close without dashes"] = top + ct + two + part + "--foo\r\n"
	v["st close with one dash"] = top + ct + two + part + "--foo-\r\n"
	v["st boundary with space after"] = top + ct + "--foo \t\r\n" + hello + "--foo \r\n" + part + "--foo-- \r\n"
	v["st boundary with text after"] = top + ct + "--foo\r\n" + hello + "--foo bar\r\n" + part + "--foo--\r\n"
	v["st boundary with letters after"] = top + ct + "--foo\r\n" + hello + "--foobar\r\n" + part + "--foo--\r\n"
	v["st boundary with dash after"] = top + ct + "--foo\r\n" + hello + "--foo-\r\n" + part + "--foo--\r\n"
	v["st boundary with close and text"] = top + ct + "--foo\r\n" + hello + "--foo--x\r\n" + part + "--foo--\r\n"
	v["st boundary with space before"] = top + ct + "--foo\r\n" + hello + " --foo\r\n" + part + "--foo--\r\n"
	v["st boundary with space between"] = top + ct + "--foo\r\n" + hello + "-- foo\r\n" + part + "--foo--\r\n"
	v["st boundary with three dashes"] = top + ct + "--foo\r\n" + hello + "---foo\r\n" + part + "--foo--\r\n"
	v["st boundary with one dash"] = top + ct + "--foo\r\n" + hello + "-foo\r\n" + part + "--foo--\r\n"
	v["st boundary without dashes"] = top + ct + "--foo\r\n" + hello + "foo\r\n" + part + "--foo--\r\n"
	v["st boundary in other case"] = top + ct + "--foo\r\n" + hello + "--FOO\r\n" + part + "--foo--\r\n"
	v["st boundary after bare LF"] = top + ct + "--foo\r\nContent-Type: text/plain\r\n\r\nPlease see\n--foo\n" + part + "--foo--\r\n"
	v["st boundary after bare CR"] = top + ct + "--foo\r\nContent-Type: text/plain\r\n\r\nPlease see\r--foo\r" + part + "--foo--\r\n"
	v["st boundary after text"] = top + ct + "--foo\r\nContent-Type: text/plain\r\n\r\nPlease see--foo\r\n" + part + "--foo--\r\n"
	v["st boundary with NUL after"] = top + ct + "--foo\r\n" + hello + "--foo\x00\r\n" + part + "--foo--\r\n"
	v["st boundary with NUL before"] = top + ct + "--foo\r\n" + hello + "\x00--foo\r\n" + part + "--foo--\r\n"
	v["st boundary in the header"] = top + "Content-Type: multipart/mixed; boundary=foo\r\n--foo\r\n" + part + "--foo--\r\n"
	v["st no empty line after header"] = top + ct + "--foo\r\n" + hello + "--foo\r\n" + strings.Replace(part, "\r\n\r\n", "\r\n", 1) + "--foo--\r\n"
	v["st empty line before header"] = top + ct + "--foo\r\n" + hello + "--foo\r\n\r\n" + part + "--foo--\r\n"
	v["st many empty lines before header"] = top + ct + "--foo\r\n" + hello + "--foo\r\n\r\n\r\n\r\n" + part + "--foo--\r\n"
	v["st blank line of spaces after header"] = top + ct + "--foo\r\n" + hello + "--foo\r\n" + strings.Replace(part, "\r\n\r\n", "\r\n  \r\n", 1) + "--foo--\r\n"
	for name, end := range map[string]string{"LF LF": "\n\n", "CR CR": "\r\r", "CRLF LF": "\r\n\n", "LF CRLF": "\n\r\n", "CR CRLF": "\r\r\n", "CRLF CR": "\r\n\r", "CRLF NUL CRLF": "\r\n\x00\r\n", "LF CR LF CR": "\n\r\n\r"} {
		v["st header ends with "+name] = top + ct + "--foo\r\n" + hello + "--foo\r\n" + strings.Replace(part, "\r\n\r\n", end, 1) + "--foo--\r\n"
		v["st top header ends with "+name] = top + strings.Replace(ct, "\r\n\r\n", end, 1) + two + part + "--foo--\r\n"
	}
	all := top + ct + two + part + "--foo--\r\n"
	v["st all bare LF"] = strings.ReplaceAll(all, "\r\n", "\n")
	v["st all bare CR"] = strings.ReplaceAll(all, "\r\n", "\r")
	v["st all CRCRLF"] = strings.ReplaceAll(all, "\r\n", "\r\r\n")
	v["st all LFCR"] = strings.ReplaceAll(all, "\r\n", "\n\r")
	v["st body bare CR"] = top + ct + strings.ReplaceAll(two+part+"--foo--\r\n", "\r\n", "\r")
	v["st leading empty line"] = "\r\n" + all
	v["st leading space line"] = " x\r\n" + all
	v["st mbox line"] = "From pat@sender.example Mon Jan 6 10:00:00 2025\r\n" + all
	v["st byte order mark"] = "\xef\xbb\xbf" + all
	v["st nested same boundary"] = top + ct + "--foo\r\nContent-Type: multipart/mixed; boundary=foo\r\n\r\n--foo\r\n" + hello + "--foo\r\n" + part + "--foo--\r\n--foo--\r\n"
	v["st nested prefix boundary"] = top + ct + "--foo\r\nContent-Type: multipart/mixed; boundary=foobar\r\n\r\n--foobar\r\n" + hello + "--foobar\r\n" + part + "--foobar--\r\n--foo--\r\n"
	v["st nested without boundary"] = top + ct + "--foo\r\nContent-Type: multipart/mixed\r\n\r\n--foo\r\n" + part + "--foo--\r\n"
	v["st nested cut by outer"] = top + ct + "--foo\r\nContent-Type: multipart/mixed; boundary=bar\r\n\r\n--foo\r\n--bar\r\n" + part + "--bar--\r\n--foo--\r\n"
	v["st nested ended by outer close"] = top + ct + "--foo\r\nContent-Type: multipart/mixed; boundary=bar\r\n\r\n--foo--\r\n--bar\r\n" + part + "--bar--\r\n"
	v["st inner boundary of another part"] = top + ct + "--foo\r\nContent-Type: text/plain; boundary=bar\r\n\r\n--bar\r\n" + part + "--bar--\r\n--foo--\r\n"
	v["st boundary line inside header"] = top + ct + "--foo\r\nContent-Type: text/plain\r\n--foo\r\n" + part + "--foo--\r\n"
	v["st message"] = top + ct + "--foo\r\nContent-Type: message/rfc822\r\n\r\n" + top + ct + two + part + "--foo--\r\n--foo--\r\n"
	inner := top + "Content-Type: multipart/mixed; boundary=bar\r\n\r\n--bar\r\n" + part + "--bar--\r\n"
	for _, t := range []string{"message/rfc822", "message/global", "message/news", "message/x-unknown", "MESSAGE/RFC822", "application/octet-stream; name=a.eml", "text/plain; name=a.eml"} {
		v["st message base64 "+t] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: "+t+"\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64([]byte(inner)))
		v["st message qp "+t] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: "+t+"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"+qp([]byte(inner)))
		v["st message plain "+t] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: "+t+"\r\n\r\n"+inner)
	}
	v["st multipart base64"] = top + "Content-Type: multipart/mixed; boundary=foo\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64([]byte(two+part+"--foo--\r\n"))
	v["st multipart qp"] = top + "Content-Type: multipart/mixed; boundary=foo\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + qp([]byte(two+part+"--foo--\r\n"))
	v["st multipart base64 inside"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: multipart/mixed; boundary=bar\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64([]byte("--bar\r\n"+part+"--bar--\r\n")))
	v["st external body"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: message/external-body; access-type=x\r\n\r\n"+part)
	v["st partial"] = top + "Content-Type: message/partial; id=1; number=1; total=1\r\n\r\n" + inner
	v["st partial first of two"] = top + "Content-Type: message/partial; id=1; number=1; total=2\r\n\r\n" + inner[:len(inner)-40]
	v["st single"] = top + fileHead + "Content-Transfer-Encoding: base64\r\n\r\n" + enc
	v["st single as text"] = top + "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + enc
	v["st base64 in plain text"] = top + "Content-Type: text/plain\r\n\r\nHello,\r\n\r\n" + enc + "\r\nBye\r\n"
	v["st uuencode in text"] = top + "Content-Type: text/plain\r\n\r\nHello,\r\n\r\n" + uu(data) + "\r\nBye\r\n"
	v["st uuencode declared"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: x-uuencode\r\n", uu(data)))
	v["st uuencode upper begin"] = top + "\r\n" + strings.Replace(uu(data), "begin", "BEGIN", 1)
	v["st uuencode without end"] = top + "\r\n" + strings.TrimSuffix(uu(data), "`\r\nend\r\n")
	v["st uuencode base64"] = top + "\r\nbegin-base64 644 report.com\r\n" + enc + "====\r\n"
	v["st uuencode in HTML part"] = top + "Content-Type: text/html\r\n\r\n<pre>\r\n" + uu(data)
	v["st uuencode in the preamble"] = top + ct + uu(data) + "--foo\r\n" + hello + "--foo--\r\n"
	v["st uuencode in the epilogue"] = top + ct + "--foo\r\n" + hello + "--foo--\r\n" + uu(data)
	v["st yenc in text"] = top + "Content-Type: text/plain\r\n\r\n" + yenc(data)
	v["st yenc declared"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: yenc\r\n", yenc(data)))
	v["st binary"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: binary\r\n", string(data)+"\r\n"))
	v["st binary in the preamble"] = top + ct + string(data) + "\r\n--foo\r\n" + hello + "--foo--\r\n"
	v["st binary in the epilogue"] = top + ct + "--foo\r\n" + hello + "--foo--\r\n" + string(data) + "\r\n"
	v["st base64 in the preamble"] = top + ct + enc + "\r\n--foo\r\n" + hello + "--foo--\r\n"
	v["st base64 in the epilogue"] = top + ct + "--foo\r\n" + hello + "--foo--\r\n" + enc
	v["st base64 twice"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64([]byte(enc))))
	v["st data uri"] = top + "Content-Type: text/html\r\n\r\n<a download href=\"data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString(data) + "\">x</a>\r\n"
	v["st zip"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(zipOf("a.com", data))))
	v["st zip in zip"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(zipOf("a.zip", zipOf("a.com", data)))))
	v["st zip behind junk"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(append([]byte("GIF89a-junk-in-front-of-it"), zipOf("a.com", data)...))))
	v["st zip without directory"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(zipOf("a.com", data)[:len(zipOf("a.com", data))-40])))
	v["st zip two in one"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(append(zipOf("a.com", data), zipOf("b.txt", []byte("harmless"))...))))
	v["st gzip"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(gz(data))))
	v["st gzip64"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Transfer-Encoding: x-gzip64\r\n", b64(gz(data))))
	v["st gzip as content encoding"] = mixed("Content-Type: multipart/mixed; boundary=foo", file(fileHead+"Content-Encoding: gzip\r\nContent-Transfer-Encoding: base64\r\n", b64(gz(data))))
	if isASCII(data) {
		v["cs utf-16"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: text/plain; charset=utf-16; name=a.js\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64(wide(data, false, true)))
		v["cs utf-16be"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: text/plain; charset=utf-16be; name=a.js\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64(wide(data, true, false)))
		v["cs utf-16le undeclared"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: text/plain; name=a.js\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64(wide(data, false, true)))
		v["cs utf-16 as attachment"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: application/octet-stream; name=a.js\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64(wide(data, false, true)))
		v["cs utf-7"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: text/plain; charset=utf-7; name=a.js\r\n\r\n"+utf7(data)+"\r\n")
		v["cs utf-7 html"] = top + "Content-Type: text/html; charset=\"utf-7\"\r\n\r\n" + utf7(data) + "\r\n"
		v["cs utf-32"] = mixed("Content-Type: multipart/mixed; boundary=foo", "Content-Type: text/plain; charset=utf-32le; name=a.js\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64(wide32(data)))
	}
}

func gz(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(data)
	w.Close()
	return buf.Bytes()
}

func wide(data []byte, big, bom bool) []byte {
	var out []byte
	u := utf16.Encode([]rune(string(data)))
	if bom {
		u = append([]uint16{0xFEFF}, u...)
	}
	for _, c := range u {
		if big {
			out = append(out, byte(c>>8), byte(c))
		} else {
			out = append(out, byte(c), byte(c>>8))
		}
	}
	return out
}

func wide32(data []byte) (out []byte) {
	for _, c := range data {
		out = append(out, c, 0, 0, 0)
	}
	return out
}

func utf7(data []byte) string {
	return "+" + strings.TrimRight(base64.StdEncoding.EncodeToString(wide(data, true, false)), "=") + "-"
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
