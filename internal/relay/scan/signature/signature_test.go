package signature

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf16"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

func part(data string) mail.Part {
	return mail.Part{Path: "1", Reading: mail.Strict, Type: "application/octet-stream", Size: int64(len(data)), Data: []byte(data), SHA256: sha256.Sum256([]byte(data))}
}

func wide(s string) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func TestScan(t *testing.T) {
	e := string(eicar)
	text := part(strings.Repeat("People write about ", 50) + e)
	text.Type = "text/plain"
	carved := text
	carved.Reading = mail.Carved
	for _, tt := range []struct {
		name string
		msg  mail.Message
		want string
	}{
		{"nothing", mail.Message{Text: "hello"}, ""},
		{"the test file", mail.Message{Parts: []mail.Part{part(e)}}, "signature.eicar malware"},
		{"with white space behind it", mail.Message{Parts: []mail.Part{part(e + "\r\n \x1a")}}, "signature.eicar malware"},
		{"within a part", mail.Message{Parts: []mail.Part{part("PK\x03\x04" + e + "xx")}}, "signature.eicar.within malware"},
		{"as UTF-16", mail.Message{Parts: []mail.Part{part(wide(e))}}, "signature.eicar.within malware"},
		{"quoted in a long text", mail.Message{Parts: []mail.Part{text}}, "signature.eicar.text suspicious"},
		{"in a carved text", mail.Message{Parts: []mail.Part{carved}}, "signature.eicar.within malware"},
		{"only the beginning", mail.Message{Parts: []mail.Part{part(e[:60])}}, ""},
		{"GTUBE", mail.Message{Text: "x\nX" + string(gtube) + "\n"}, "signature.gtube spam"},
		{"ours", mail.Message{Subject: "POSTERN*TEST*PHISH*8RV2"}, "signature.test.phish phish"},
		{"a link", mail.Message{Links: []mail.Link{{URL: "https://testsafebrowsing.appspot.com/s/phishing.html"}}}, "signature.link.phish phish"},
		{"another link", mail.Message{Links: []mail.Link{{URL: "https://www.eicar.org/"}}}, ""},
		{"a hash", mail.Message{Parts: []mail.Part{part("bad")}}, "signature.hash malware"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sum := sha256.Sum256([]byte("bad"))
			found, err := new(Scanner).Scan(context.Background(), &tt.msg, scan.About{Hashes: []string{hex.EncodeToString(sum[:])}})
			var got []string
			for _, f := range found {
				got = append(got, f.Rule+" "+string(f.Class))
			}
			if err != nil || strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	msg := mail.Message{Text: strings.Repeat("some text ", 800), Parts: []mail.Part{part(strings.Repeat("some text ", 800))}}
	b.SetBytes(8000)
	for b.Loop() {
		new(Scanner).Scan(b.Context(), &msg, scan.About{})
	}
}
