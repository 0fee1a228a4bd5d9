package transfer

import (
	"bytes"
	"encoding/base64"
	"slices"
	"testing"
)

func TestBase64(t *testing.T) {
	for _, tt := range []struct {
		name, src, want string
		regular         bool
	}{
		{"whole", "SGVsbG8=", "Hello", true},
		{"lines", "SGVs\r\nbG8=\r\n", "Hello", true},
		{"spaces", "SGVs bG8 =", "Hello", true},
		{"nothing", "", "", true},
		{"foreign octets", "SG!Vs-bG8=", "Hello", false},
		{"data after the padding", "SGVsbG8=SGVsbG8=", "Hello", false},
		{"no padding", "SGVsbG8", "Hello", false},
		{"one digit left", "SGVsbA", "Hell", false},
	} {
		got, regular := Base64([]byte(tt.src))
		if string(got) != tt.want || regular != tt.regular {
			t.Errorf("%s: got %q %v, want %q %v", tt.name, got, regular, tt.want, tt.regular)
		}
	}
}

func has(list [][]byte, want string) bool {
	return slices.ContainsFunc(list, func(b []byte) bool { return string(b) == want })
}

func TestBase64ReadingsAreThoseOfOtherClients(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"goes on after padding", "SA==ZQ==bGxv", "Hello"},
		{"padding is ignored", "SG=Vs=bG8=", "Hello"},
		{"stops at junk", "SGVsbG8=!x", "Hello"},
		{"begins anew at junk", "x!SGVsbG8=", "Hello"},
		{"leaves odd lines out", "SGVs\r\n--junk\r\nbG8=", "Hello"},
		{"url alphabet", "-_-_", "\xfb\xff\xbf"},
	} {
		if strict, _ := Base64([]byte(tt.src)); string(strict) != tt.want && !has(Base64Readings([]byte(tt.src)), tt.want) {
			t.Errorf("%s: none of %q", tt.name, Base64Readings([]byte(tt.src)))
		}
	}
}

func TestQuotedPrintable(t *testing.T) {
	for _, tt := range []struct {
		name, src, want string
		regular         bool
	}{
		{"plain", "abc", "abc", true},
		{"escape", "a=3Db", "a=b", true},
		{"lower case", "a=3db", "a=b", true},
		{"soft break", "a=\r\nb", "ab", true},
		{"soft break with blanks", "a= \t\r\nb", "ab", true},
		{"trailing blanks", "a \t\r\nb", "a\r\nb", true},
		{"LF", "a=\nb\nc", "ab\nc", true},
		{"last line soft", "a=", "a", true},
		{"illegal", "a=zz", "a=zz", false},
		{"one digit", "a=4\r\n", "a=4\r\n", false},
		{"CR inside", "a\rb=41", "a\rbA", false},
		{"NUL", "a\x00=41", "a\x00A", false},
	} {
		got, regular := QuotedPrintable([]byte(tt.src))
		if string(got) != tt.want || regular != tt.regular {
			t.Errorf("%s: got %q %v, want %q %v", tt.name, got, regular, tt.want, tt.regular)
		}
	}
}

func TestQuotedPrintableReadingsAreThoseOfOtherClients(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"drops the illegal escape", "=41=0x=42", "AB"},
		{"drops the lone digit", "=41=2=\r\n=42", "AB"},
		{"drops the sign", "=41=x=42", "AxB"},
		{"drops blanks before a line", "=41=\r\n\t=42", "AB"},
		{"drops NULs", "=41\x00=42", "AB"},
	} {
		if !has(QuotedPrintableReadings([]byte(tt.src)), tt.want) {
			t.Errorf("%s: none of %q", tt.name, QuotedPrintableReadings([]byte(tt.src)))
		}
	}
}

func TestFilesInText(t *testing.T) {
	for _, tt := range []struct {
		name, src, file, data, rest string
		ok                          bool
	}{
		{"uuencode", "begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\nrest", "a.txt", "abc", "rest", true},
		{"uuencode without end", "begin 644 a.txt\n#86)C\nand then text that goes on and on\n", "a.txt", "abc", "and then text that goes on and on\n", true},
		{"uuencode with lost blanks", "begin 644 a b.txt\n#86)C\n \nend\n", "a b.txt", "abc", "", true},
		{"uuencode in base64", "begin-base64 644 a.txt\nYWJj\n====\n", "a.txt", "abc", "====\n", true},
		{"a sentence", "begin with a sentence here\n", "", "", "begin with a sentence here\n", false},
	} {
		f, rest, ok := UU([]byte(tt.src))
		if ok != tt.ok || f.Name != tt.file || string(f.Data) != tt.data || ok && string(rest) != tt.rest {
			t.Errorf("%s: got %q %q %q %v", tt.name, f.Name, f.Data, rest, ok)
		}
	}
	f, rest, ok := YEnc([]byte("=ybegin line=128 size=3 name=a b.bin\r\n\x8b\x8c=}\r\n=yend size=3\r\nrest"))
	if !ok || f.Name != "a b.bin" || string(f.Data) != "ab\x13" || string(rest) != "rest" {
		t.Errorf("yEnc: %q %q %q %v", f.Name, f.Data, rest, ok)
	}
}

// binhex encodes a file as RFC 1741 appendix A says, without run lengths and sums.
func binhex(name string, data []byte) []byte {
	flat := append([]byte{byte(len(name))}, name...)
	flat = append(flat, 0)
	flat = append(flat, "TEXTttxt\x00\x00"...)
	flat = append(flat, byte(len(data)>>24), byte(len(data)>>16), byte(len(data)>>8), byte(len(data)), 0, 0, 0, 0, 0, 0)
	flat = append(flat, data...)
	flat = append(flat, 0, 0, 0, 0)
	enc := base64.NewEncoding(binhexDigits).WithPadding(base64.NoPadding).EncodeToString(flat)
	return []byte("(This file must be converted with BinHex 4.0)\r\n\r\n:" + enc + ":\r\n")
}

func TestBinHex(t *testing.T) {
	if f, ok := BinHex(binhex("a.txt", []byte("hello"))); !ok || f.Name != "a.txt" || string(f.Data) != "hello" {
		t.Errorf("got %q %q %v", f.Name, f.Data, ok)
	}
	if _, ok := BinHex([]byte(":abc:")); ok {
		t.Errorf("a cut file is a file")
	}
}

func FuzzTransfer(f *testing.F) {
	f.Add([]byte("SGVsbG8="))
	f.Add([]byte("=41=\r\n=zz"))
	f.Add([]byte("begin 644 a\n#86)C\nend\n"))
	f.Add([]byte("=ybegin name=a\nabc\n=yend\n"))
	f.Add(binhex("a", []byte("b")))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		Base64Readings(b)
		QuotedPrintableReadings(b)
		UU(b)
		YEnc(b)
		BinHex(b)
		if !bytes.Equal(in, b) {
			t.Errorf("the input was changed")
		}
	})
}
