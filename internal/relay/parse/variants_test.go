package parse

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/internal/mail"
)

// payloads are files that must not slip through.
var payloads = map[string][]byte{
	"eicar":   []byte(eicar),
	"program": program512(),
	"script":  []byte("var s = new ActiveXObject('WScript.Shell');\r\ns.Run('calc.exe');\r\n// nothing else to see here\r\n"),
	"zip":     zipOf("invoice.js", []byte("WScript.Echo('hello from the archive');")),
}

func program512() []byte {
	b := make([]byte, 512)
	copy(b, "MZ\x90\x00\x03")
	b[60] = 128
	copy(b[128:], "PE\x00\x00L\x01")
	copy(b[78:], "This program cannot be run in DOS mode.")
	for i := 200; i < 512; i++ {
		b[i] = byte(i*7 + i>>3)
	}
	return b
}

func zipOf(name string, data []byte) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, _ := w.Create(name)
	f.Write(data)
	w.Close()
	return buf.Bytes()
}

func b64(data []byte) string { return lines(base64.StdEncoding.EncodeToString(data), 76) }

func lines(s string, n int) string {
	var out strings.Builder
	for len(s) > n {
		out.WriteString(s[:n] + "\r\n")
		s = s[n:]
	}
	return out.String() + s + "\r\n"
}

func qp(data []byte) string {
	var out strings.Builder
	for i, c := range data {
		if i > 0 && i%25 == 0 {
			out.WriteString("=\r\n")
		}
		fmt.Fprintf(&out, "=%02X", c)
	}
	return out.String() + "\r\n"
}

func uu(data []byte) string {
	var out strings.Builder
	out.WriteString("begin 644 report.com\r\n")
	for len(data) > 0 {
		n := min(45, len(data))
		out.WriteByte(byte(n + 32))
		for i := 0; i < n; i += 3 {
			var g [3]byte
			copy(g[:], data[i:n])
			for _, v := range []byte{g[0] >> 2, g[0]<<4&0x30 | g[1]>>4, g[1]<<2&0x3c | g[2]>>6, g[2] & 0x3f} {
				out.WriteByte("`!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"[v])
			}
		}
		out.WriteString("\r\n")
		data = data[n:]
	}
	return out.String() + "`\r\nend\r\n"
}

func yenc(data []byte) string {
	var out strings.Builder
	fmt.Fprintf(&out, "=ybegin line=128 size=%d name=report.com\r\n", len(data))
	for i, c := range data {
		if i > 0 && i%128 == 0 {
			out.WriteString("\r\n")
		}
		switch e := c + 42; e {
		case 0, '\n', '\r', '=':
			out.Write([]byte{'=', e + 64})
		default:
			out.WriteByte(e)
		}
	}
	return out.String() + "\r\n=yend size=1\r\n"
}

const top = "From: Pat <pat@sender.example>\r\nTo: alex.morgan@contoso.example\r\nSubject: report\r\nDate: Mon, 06 Jan 2025 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\n"

const hello = "Content-Type: text/plain\r\n\r\nPlease see the attached file.\r\n"

// file is an attachment in base64 with the given header lines.
func file(header, body string) string { return header + "\r\n" + body }

const fileHead = "Content-Type: application/octet-stream; name=report.com\r\nContent-Disposition: attachment; filename=report.com\r\n"

// mixed is a message of two parts with the boundary foo, under that Content-Type field.
func mixed(ct, part string) string {
	return top + ct + "\r\n\r\n--foo\r\n" + hello + "--foo\r\n" + part + "--foo--\r\n"
}

const plainCT = "Content-Type: multipart/mixed; boundary=foo"

// typeFields announce a multipart with the boundary foo in ways that readers take differently.
var typeFields = map[string]string{
	"boundary quoted":                `Content-Type: multipart/mixed; boundary="foo"`,
	"boundary half quoted":           `Content-Type: multipart/mixed; boundary="foo`,
	"boundary quote after":           `Content-Type: multipart/mixed; boundary=foo"`,
	"boundary single quoted":         `Content-Type: multipart/mixed; boundary='foo'`,
	"boundary escaped":               `Content-Type: multipart/mixed; boundary="f\oo"`,
	"boundary comment before":        `Content-Type: multipart/mixed; boundary=(x)foo`,
	"boundary comment after":         `Content-Type: multipart/mixed; boundary=foo(x)`,
	"boundary comment inside":        `Content-Type: multipart/mixed; boundary=f(x)oo`,
	"boundary commented away":        `Content-Type: multipart/mixed; (boundary=foo)`,
	"boundary open comment":          `Content-Type: multipart/mixed; (boundary=foo`,
	"boundary in type comment":       `Content-Type: multipart/mixed (; boundary=bar); boundary=foo`,
	"boundary twice, first":          `Content-Type: multipart/mixed; boundary=foo; boundary=bar`,
	"boundary twice, last":           `Content-Type: multipart/mixed; boundary=bar; boundary=foo`,
	"boundary rfc2231 charset":       `Content-Type: multipart/mixed; boundary*=us-ascii'en'foo`,
	"boundary rfc2231 percent":       `Content-Type: multipart/mixed; boundary*=us-ascii''f%6Fo`,
	"boundary rfc2231 pieces":        `Content-Type: multipart/mixed; boundary*0=f; boundary*1=oo`,
	"boundary rfc2231 out of order":  `Content-Type: multipart/mixed; boundary*1=oo; boundary*0=f`,
	"boundary rfc2231 and plain":     `Content-Type: multipart/mixed; boundary=bar; boundary*0=f; boundary*1=oo`,
	"boundary rfc2047 b":             `Content-Type: multipart/mixed; boundary="=?us-ascii?B?Zm9v?="`,
	"boundary rfc2047 q bare":        `Content-Type: multipart/mixed; boundary==?us-ascii?Q?f=6Fo?=`,
	"boundary space before =":        `Content-Type: multipart/mixed; boundary =foo`,
	"boundary space after =":         `Content-Type: multipart/mixed; boundary= foo`,
	"boundary tab around =":          "Content-Type: multipart/mixed; boundary\t=\tfoo",
	"boundary two =":                 `Content-Type: multipart/mixed; boundary==foo`,
	"boundary colon":                 `Content-Type: multipart/mixed; boundary:foo`,
	"boundary no semicolon":          `Content-Type: multipart/mixed boundary=foo`,
	"boundary comma":                 `Content-Type: multipart/mixed, boundary=foo`,
	"boundary comma after":           `Content-Type: multipart/mixed; boundary=foo,bar`,
	"boundary newline tab":           "Content-Type: multipart/mixed;\r\n\tboundary=foo",
	"boundary unfolded":              "Content-Type: multipart/mixed;\r\nboundary=foo",
	"boundary folded in name":        "Content-Type: multipart/mixed; bound\r\n ary=foo",
	"boundary folded after =":        "Content-Type: multipart/mixed; boundary=\r\n foo",
	"boundary folded inside":         "Content-Type: multipart/mixed; boundary=f\r\n oo",
	"boundary blank fold":            "Content-Type: multipart/mixed;\r\n \r\n boundary=foo",
	"boundary NUL in name":           "Content-Type: multipart/mixed; bound\x00ary=foo",
	"boundary NUL in value":          "Content-Type: multipart/mixed; boundary=f\x00oo",
	"boundary NUL after":             "Content-Type: multipart/mixed; boundary=foo\x00bar",
	"boundary CR in value":           "Content-Type: multipart/mixed; boundary=foo\r; x=y",
	"boundary missing":               `Content-Type: multipart/mixed`,
	"boundary empty":                 `Content-Type: multipart/mixed; boundary=`,
	"boundary empty quoted":          `Content-Type: multipart/mixed; boundary=""`,
	"boundary wrong":                 `Content-Type: multipart/mixed; boundary=bar`,
	"boundary wrong case":            `Content-Type: multipart/mixed; boundary=FOO`,
	"boundary upper name":            `Content-Type: multipart/mixed; BOUNDARY=foo`,
	"boundary truncated":             `Content-Type: multipart/mixed; boundary=fo`,
	"boundary longer":                `Content-Type: multipart/mixed; boundary=fooo`,
	"boundary trailing space quoted": `Content-Type: multipart/mixed; boundary="foo "`,
	"boundary leading space quoted":  `Content-Type: multipart/mixed; boundary=" foo"`,
	"boundary 8bit after":            "Content-Type: multipart/mixed; boundary=foo\xa0",
	"boundary two semicolons":        `Content-Type: multipart/mixed;; boundary=foo`,
	"boundary first":                 `Content-Type: boundary=foo; multipart/mixed`,
	"boundary in charset":            `Content-Type: multipart/mixed; charset="; boundary=bar"; boundary=foo`,
	"boundary in unclosed quote":     `Content-Type: multipart/mixed; x="; boundary=foo`,
	"type case":                      `CONTENT-TYPE: MULTIPART/MIXED; boundary=foo`,
	"type unknown subtype":           `Content-Type: multipart/nonsense; boundary=foo`,
	"type alternative":               `Content-Type: multipart/alternative; boundary=foo`,
	"type related":                   `Content-Type: multipart/related; boundary=foo; type="text/html"`,
	"type appledouble":               `Content-Type: multipart/appledouble; boundary=foo`,
	"type signed":                    `Content-Type: multipart/signed; boundary=foo; micalg=x; protocol=y`,
	"type digest":                    `Content-Type: multipart/digest; boundary=foo`,
	"type parallel":                  `Content-Type: multipart/parallel; boundary=foo`,
	"type form-data":                 `Content-Type: multipart/form-data; boundary=foo`,
	"type without slash":             `Content-Type: multipart; boundary=foo`,
	"type double slash":              `Content-Type: multipart//mixed; boundary=foo`,
	"type space in slash":            `Content-Type: multipart / mixed; boundary=foo`,
	"type quoted":                    `Content-Type: "multipart/mixed"; boundary=foo`,
	"type comment":                   `Content-Type: (x) multipart/mixed; boundary=foo`,
	"type comment in slash":          `Content-Type: multipart(x)/mixed; boundary=foo`,
	"type nested comment":            `Content-Type: multipart/(a(b)c)mixed; boundary=foo`,
	"type rfc2047":                   `Content-Type: =?us-ascii?Q?multipart/mixed?=; boundary=foo`,
	"type folded":                    "Content-Type:\r\n multipart/mixed;\r\n boundary=foo",
	"type folded in word":            "Content-Type: multi\r\n part/mixed; boundary=foo",
	"type doubled":                   `Content-Type: text/plainmultipart/mixed; boundary=foo`,
	"type then another":              `Content-Type: text/plain multipart/mixed; boundary=foo`,
	"type twice, mixed first":        "Content-Type: multipart/mixed; boundary=foo\r\nContent-Type: text/plain",
	"type twice, mixed last":         "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=foo",
	"type twice, boundaries first":   "Content-Type: multipart/mixed; boundary=foo\r\nContent-Type: multipart/mixed; boundary=bar",
	"type twice, boundaries last":    "Content-Type: multipart/mixed; boundary=bar\r\nContent-Type: multipart/mixed; boundary=foo",
	"type split over two fields":     "Content-Type: multipart/mixed\r\nContent-Type: ; boundary=foo",
	"field space before colon":       `Content-Type : multipart/mixed; boundary=foo`,
	"field tab before colon":         "Content-Type\t: multipart/mixed; boundary=foo",
	"field NUL before colon":         "Content-Type\x00: multipart/mixed; boundary=foo",
	"field NUL in name":              "Content-\x00Type: multipart/mixed; boundary=foo",
	"field 8bit in name":             "Content-Type\xa0: multipart/mixed; boundary=foo",
	"field leading space":            " Content-Type: multipart/mixed; boundary=foo",
	"field without colon":            `Content-Type multipart/mixed; boundary=foo`,
	"field empty name":               `: multipart/mixed; boundary=foo`,
	"field after bare LF":            "X-A: b\nContent-Type: multipart/mixed; boundary=foo",
	"field after bare CR":            "X-A: b\rContent-Type: multipart/mixed; boundary=foo",
	"field after CRCRLF":             "X-A: b\r\r\nContent-Type: multipart/mixed; boundary=foo",
	"field after blank fold":         "X-A: b\r\n \r\nContent-Type: multipart/mixed; boundary=foo",
	"field after text line":          "this is no field\r\nContent-Type: multipart/mixed; boundary=foo",
	"field after long line":          "X-A: " + strings.Repeat("a", 100_000) + "\r\nContent-Type: multipart/mixed; boundary=foo",
	"field after NUL line":           "X-A: \x00\r\nContent-Type: multipart/mixed; boundary=foo",
	"field after empty line":         "X-A: b\r\n\r\nContent-Type: multipart/mixed; boundary=foo",
	"field after LF LF":              "X-A: b\n\nContent-Type: multipart/mixed; boundary=foo",
	"field after CR CR":              "X-A: b\r\rContent-Type: multipart/mixed; boundary=foo",
	"top encoding base64":            plainCT + "\r\nContent-Transfer-Encoding: base64",
	"top encoding qp":                plainCT + "\r\nContent-Transfer-Encoding: quoted-printable",
	"no type at all":                 "X-Nothing: here",
	"text type with boundary":        `Content-Type: text/plain; boundary=foo`,
	"message type with boundary":     `Content-Type: message/rfc822; boundary=foo`,
}

// encodingFields announce base64 in such ways.
var encodingFields = map[string]string{
	"upper case":             "Content-Transfer-Encoding: BASE64",
	"comment after":          "Content-Transfer-Encoding: base64 (x)",
	"comment before":         "Content-Transfer-Encoding: (x) base64",
	"comment inside":         "Content-Transfer-Encoding: base(x)64",
	"semicolon":              "Content-Transfer-Encoding: base64;",
	"parameter":              "Content-Transfer-Encoding: base64; x=y",
	"quoted":                 `Content-Transfer-Encoding: "base64"`,
	"half quoted":            `Content-Transfer-Encoding: base64"`,
	"comma":                  "Content-Transfer-Encoding: base64, 7bit",
	"two words":              "Content-Transfer-Encoding: 7bit base64",
	"space inside":           "Content-Transfer-Encoding: base 64",
	"dash":                   "Content-Transfer-Encoding: base-64",
	"prefix x":               "Content-Transfer-Encoding: x-base64",
	"binary first":           "Content-Transfer-Encoding: binary\r\nContent-Transfer-Encoding: base64",
	"binary last":            "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: binary",
	"qp first":               "Content-Transfer-Encoding: quoted-printable\r\nContent-Transfer-Encoding: base64",
	"unknown first":          "Content-Transfer-Encoding: foo\r\nContent-Transfer-Encoding: base64",
	"folded":                 "Content-Transfer-Encoding:\r\n base64",
	"folded inside":          "Content-Transfer-Encoding: base\r\n 64",
	"blank fold":             "Content-Transfer-Encoding:\r\n \r\n base64",
	"unfolded":               "Content-Transfer-Encoding:\r\nbase64",
	"NUL":                    "Content-Transfer-Encoding: base64\x00",
	"NUL inside":             "Content-Transfer-Encoding: bas\x00e64",
	"rfc2047":                "Content-Transfer-Encoding: =?us-ascii?Q?base64?=",
	"space before colon":     "Content-Transfer-Encoding : base64",
	"no colon":               "Content-Transfer-Encoding base64",
	"leading space":          " Content-Transfer-Encoding: base64",
	"in comment of type":     "X-Other: (Content-Transfer-Encoding: base64)",
	"name upper":             "CONTENT-TRANSFER-ENCODING: base64",
	"name without transfer":  "Content-Encoding: base64",
	"name typo":              "Content-Transfer-Encodin: base64",
	"missing":                "X-Nothing: here",
	"after bare CR":          "X-A: b\rContent-Transfer-Encoding: base64",
	"after bare LF":          "X-A: b\nContent-Transfer-Encoding: base64",
	"after text line":        "no field at all\r\nContent-Transfer-Encoding: base64",
	"after empty line":       "\r\nContent-Transfer-Encoding: base64",
	"in the top header only": "X-Nothing: there",
	"8bit space":             "Content-Transfer-Encoding:\xa0base64",
	"vertical tab":           "Content-Transfer-Encoding:\vbase64",
	"declared 7bit":          "Content-Transfer-Encoding: 7bit",
	"declared uuencode":      "Content-Transfer-Encoding: x-uuencode",
	"declared empty":         "Content-Transfer-Encoding:",
}

// base64Bodies are base64 that readers decode differently.
func base64Bodies(data []byte) map[string]string {
	enc := b64(data)
	flat := base64.StdEncoding.EncodeToString(data)
	return map[string]string{
		"one line":             flat + "\r\n",
		"lines of 4":           lines(flat, 4),
		"lines of 5":           lines(flat, 5),
		"lines of 1":           lines(flat, 1),
		"bare LF":              strings.ReplaceAll(enc, "\r\n", "\n"),
		"bare CR":              strings.ReplaceAll(enc, "\r\n", "\r"),
		"CRCRLF":               strings.ReplaceAll(enc, "\r\n", "\r\r\n"),
		"blank lines":          strings.ReplaceAll(lines(flat, 40), "\r\n", "\r\n\r\n"),
		"spaces":               strings.Join(strings.Split(flat, ""), " ") + "\r\n",
		"dots":                 interleave(flat, 4, "."),
		"junk octets":          interleave(flat, 7, "\x80!"),
		"NUL octets":           interleave(flat, 5, "\x00"),
		"equals signs":         interleave(flat, 8, "="),
		"dashes":               interleave(flat, 8, "-"),
		"comments":             interleave(flat, 12, "(*)"),
		"padded pieces":        pieces(data, 1),
		"padded pieces of 2":   pieces(data, 2),
		"padded pieces of 4":   pieces(data, 4),
		"padded lines":         strings.ReplaceAll(pieces(data, 10), "==", "==\r\n"),
		"padding first":        "====" + enc,
		"padding missing":      strings.TrimRight(flat, "=") + "\r\n",
		"padding too much":     flat + "======\r\n",
		"junk line first":      "!!!!\r\n" + enc,
		"junk line inside":     flat[:40] + "\r\n%%%%%\r\n" + flat[40:] + "\r\n",
		"text after":           enc + "\r\nThis text stands behind the data.\r\n",
		"boundary-like inside": flat[:40] + "\r\n--fo\r\n" + flat[40:] + "\r\n",
		"dash line inside":     flat[:40] + "\r\n--\r\n" + flat[40:] + "\r\n",
		"early end":            "AA==\r\n" + enc,
		"url alphabet":         strings.NewReplacer("+", "-", "/", "_").Replace(enc),
		"html around":          "<pre>" + flat + "</pre>\r\n",
		"tabs":                 interleave(flat, 10, "\t"),
		"form feeds":           interleave(flat, 10, "\f"),
	}
}

// variants are messages that hide the payload behind one ambiguity each.
func variants(data []byte) map[string]string {
	v := map[string]string{}
	enc := b64(data)
	part := file(fileHead+"Content-Transfer-Encoding: base64\r\n", enc)
	for name, ct := range typeFields {
		v["ct "+name] = mixed(ct, part)
	}
	for name, cte := range encodingFields {
		v["cte "+name] = mixed(plainCT, file(fileHead+cte+"\r\n", enc))
	}
	for name, body := range base64Bodies(data) {
		v["b64 "+name] = mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", body))
	}
	q := qp(data)
	for name, body := range map[string]string{
		"plain":             q,
		"lower case":        strings.ToLower(q),
		"bare LF":           strings.ReplaceAll(q, "\r\n", "\n"),
		"bare CR":           strings.ReplaceAll(q, "\r\n", "\r"),
		"CRCRLF":            strings.ReplaceAll(q, "\r\n", "\r\r\n"),
		"space after soft":  strings.ReplaceAll(q, "=\r\n", "= \t\r\n"),
		"space before line": strings.ReplaceAll(q, "\r\n", "\r\n  "),
		"illegal escapes":   strings.ReplaceAll(q, "=\r\n", "=zz=\r\n"),
		"illegal one digit": strings.ReplaceAll(q, "=\r\n", "=2=\r\n"),
		"double equals":     strings.ReplaceAll(q, "=\r\n", "==\r\n"),
		"NULs":              strings.ReplaceAll(q, "=\r\n", "\x00=\r\n"),
		"no line ends":      strings.ReplaceAll(q, "=\r\n", ""),
	} {
		v["qp "+name] = mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: quoted-printable\r\n", body))
	}
	structures(v, part, enc, data)
	return v
}

func interleave(s string, n int, junk string) string {
	var out strings.Builder
	for i := 0; i < len(s); i += n {
		out.WriteString(s[i:min(i+n, len(s))] + junk)
		if i%(n*12) == 0 {
			out.WriteString("\r\n")
		}
	}
	return out.String() + "\r\n"
}

func pieces(data []byte, n int) string {
	var out strings.Builder
	for i := 0; i < len(data); i += n {
		out.WriteString(base64.StdEncoding.EncodeToString(data[i:min(i+n, len(data))]))
	}
	return lines(out.String(), 76)
}

// shows reports that some part's Data holds data; line ends may differ in text.
func shows(m *mail.Message, data []byte) bool {
	want := bytes.TrimSpace(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))
	for _, p := range m.Parts {
		if bytes.Contains(p.Data, data) || bytes.Contains(bytes.ReplaceAll(p.Data, []byte("\r\n"), []byte("\n")), want) {
			return true
		}
	}
	return false
}

// TestNoPairHidesAFile hides a file behind two ambiguities at a time.
func TestNoPairHidesAFile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	types, encs := keys(typeFields), keys(encodingFields)
	n, seen, held := 0, 0, 0
	for kind, data := range payloads {
		bodies := base64Bodies(data)
		names := keys(bodies)
		for range 2000 {
			ct, cte, body := types[rnd.IntN(len(types))], encs[rnd.IntN(len(encs))], names[rnd.IntN(len(names))]
			if cte == "missing" || cte == "name typo" {
				continue // no reader decodes what nothing says is encoded
			}
			msg := mixed(typeFields[ct], file(fileHead+encodingFields[cte]+"\r\n", bodies[body]))
			n++
			m := Parse([]byte(msg), Limits{})
			switch {
			case shows(m, data):
				seen++
			case weight(m) >= 50:
				held++
			default:
				t.Errorf("missed: %s, ct %s, cte %s, b64 %s: %v", kind, ct, cte, body, m.Anomalies)
			}
		}
	}
	t.Logf("%d messages: %d seen, %d only held", n, seen, held)
}

func keys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func TestNoVariantHidesAFile(t *testing.T) {
	n, seen, held := 0, 0, 0
	for kind, data := range payloads {
		for name, msg := range variants(data) {
			n++
			m := Parse([]byte(msg), Limits{})
			switch {
			case shows(m, data):
				seen++
			case weight(m) >= 50:
				held++
				t.Logf("only held: %s, %s", kind, name)
			default:
				t.Errorf("missed: %s, %s: %v", kind, name, m.Anomalies)
			}
		}
	}
	t.Logf("%d messages: %d seen, %d only held", n, seen, held)
}
