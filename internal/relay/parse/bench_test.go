package parse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// typical is a message as people send them: text and HTML, 8 KiB.
func typical() []byte {
	var b strings.Builder
	for i := range 12 {
		fmt.Fprintf(&b, "Received: from host%d.example (host%d.example [192.0.2.%d]) by mx.example with ESMTPS id abc%d; Mon, 06 Jan 2025 10:00:%02d +0000\r\n", i, i, i, i, i)
	}
	b.WriteString(top + "Content-Type: multipart/alternative; boundary=\"=_b1\"\r\n\r\n--=_b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	for i := range 20 {
		fmt.Fprintf(&b, "Dear Ms M=C3=BCller, line %d of what we have to say to each other today =\r\ngoes on here: https://www.example.com/page/%d\r\n", i, i)
	}
	b.WriteString("\r\n--=_b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><body style=3D\"font-family:Arial\"><table>\r\n")
	for i := range 20 {
		fmt.Fprintf(&b, "<tr><td style=3D\"color:#333333;padding:4px\">Line %d of what we have to say</td><td><a href=3D\"https://www.example.com/page/%d\">here</a></td></tr>\r\n", i, i)
	}
	b.WriteString("</table></body></html>\r\n\r\n--=_b1--\r\n")
	return []byte(b.String())
}

// attachment is a message with one file of n octets in base64.
func attachment(n int) []byte {
	data := make([]byte, n)
	x := uint32(1)
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return []byte(mixed(plainCT, file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64(data))))
}

func BenchmarkTypical(b *testing.B) {
	msg := typical()
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(msg, Limits{})
	}
}

func BenchmarkPlain(b *testing.B) {
	msg := []byte(top + "\r\n" + strings.Repeat("Nothing more than a line of plain text, again and again.\r\n", 130))
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(msg, Limits{})
	}
}

func BenchmarkAttachment1MiB(b *testing.B) {
	msg := attachment(1 << 20)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(msg, Limits{})
	}
}

func BenchmarkAttachment20MiB(b *testing.B) {
	msg := attachment(15 << 20)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(msg, Limits{})
	}
}

func BenchmarkAmbiguous(b *testing.B) {
	msg := bytes.Replace(typical(), []byte("boundary=\"=_b1\""), []byte("boundary=\"=_b1\"; boundary=x"), 1)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(msg, Limits{})
	}
}
