package charset

import (
	"testing"
	"unicode/utf8"
)

func TestDecodeReadsEveryCharsetOfMail(t *testing.T) {
	for _, tt := range []struct {
		label, octets, want string
	}{
		{"utf-8", "Gr\xc3\xbc\xc3\x9fe", "Grüße"},
		{"UTF8", "Gr\xc3\xbc\xc3\x9fe", "Grüße"},
		{"iso-8859-1", "Gr\xfc\xdfe", "Grüße"},
		{"\"ISO-8859-15\"", "\xa4", "€"},
		{"windows-1252", "\x80", "€"},
		{"cp1252", "\x80", "€"},
		{"ansi", "\x93a\x94", "“a”"},
		{"us-ascii", "Gr\xfc\xdfe", "Grüße"},
		{"", "Gr\xfc\xdfe", "Grüße"},
		{"unknown-8bit", "Gr\xfc\xdfe", "Grüße"},
		{"x-nonsense", "Gr\xfc\xdfe", "Grüße"},
		{"koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
		{"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"gb2312", "\xc4\xe3\xba\xc3", "你好"},
		{"cp936", "\xc4\xe3\xba\xc3", "你好"},
		{"hz-gb-2312", "~{Dc:C~}", "你好"},
		{"big5", "\xa7\x41\xa6\x6e", "你好"},
		{"shift_jis", "\x82\xb1\x82\xf1", "こん"},
		{"cp932", "\x82\xb1\x82\xf1", "こん"},
		{"euc-jp", "\xa4\xb3\xa4\xf3", "こん"},
		{"iso-2022-jp", "\x1b$B$3$s\x1b(B", "こん"},
		{"iso-2022-jp-2", "\x1b$B$3$s\x1b(B", "こん"},
		{"euc-kr", "\xbe\xc8", "안"},
		{"cp949", "\xbe\xc8", "안"},
		{"ks_c_5601-1987", "\xbe\xc8", "안"},
		{"iso-2022-kr", "\x1b$)C\x0e>H\x0f", "안"},
		{"utf-7", "Hi Mom -+Jjo--!", "Hi Mom -☺-!"},
		{"utf-7", "+-", "+"},
		{"utf-7", "+2D3eCg-", "😊"},
		{"utf-16", "\xfe\xff\x00H\x00i", "Hi"},
		{"utf-16", "\xff\xfeH\x00i\x00", "Hi"},
		{"utf-16le", "H\x00i\x00", "Hi"},
		{"utf-16", "H\x00i\x00", "Hi"},
		{"utf-32le", "H\x00\x00\x00i\x00\x00\x00", "Hi"},
		{"ibm037", "\xc8\x89", "Hi"},
		{"cp858", "\xd5", "€"},
		{"iso-8859-8-i", "\xf9", "ש"},
		{"utf-8*en", "a", "a"},
	} {
		got, _ := Decode(tt.label, []byte(tt.octets))
		if got != tt.want {
			t.Errorf("Decode(%q, %q) = %q, want %q", tt.label, tt.octets, got, tt.want)
		}
	}
}

func TestGuessKnowsScriptsByTheirLetters(t *testing.T) {
	for _, tt := range []struct{ name, octets, want string }{
		{"Russian in KOI8-R", "\xf0\xd2\xc9\xd7\xc5\xd4 \xcd\xc9\xd2 \xd0\xd2\xc9\xd7\xc5\xd4", "Привет мир привет"},
		{"Russian in windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0 \xef\xf0\xe8\xe2\xe5\xf2", "Привет мир привет"},
		{"German in Latin 1", "Sch\xf6ne Gr\xfc\xdfe aus M\xfcnchen", "Schöne Grüße aus München"},
		{"cut UTF-8", "Gr\xc3\xbc\xc3\x9fe und K\xc3\xbcsse und T\xc3\xa4\xc3", "Grüße und Küsse und Tä�"},
	} {
		if got, sure := Decode("", []byte(tt.octets)); got != tt.want || sure {
			t.Errorf("%s: got %q (sure %v), want %q", tt.name, got, sure, tt.want)
		}
	}
}

func TestHeaderUnderstandsBrokenEncodedWords(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"plain", "Hello", "Hello"},
		{"q", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
		{"b", "=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"},
		{"b without padding", "=?UTF-8?B?R3LDvMOfZQ?=", "Grüße"},
		{"underscore is blank", "=?utf-8?q?a_b?=", "a b"},
		{"blank inside", "=?utf-8?q?a b?=", "a b"},
		{"two words join", "=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"character cut between words", "=?utf-8?b?w7w=?= =?utf-8?q?=C3?==?utf-8?q?=BC?=", "üü"},
		{"glued to text", "a=?utf-8?q?b?=c", "abc"},
		{"raw Latin 1", "Gr\xfc\xdfe", "Grüße"},
		{"raw UTF-8", "Grüße", "Grüße"},
		{"language", "=?utf-8*en?q?a?=", "a"},
		{"unknown charset", "=?nonsense?q?a?=", "a"},
		{"no word", "=?utf-8?x?a?=", "=?utf-8?x?a?="},
		{"open word", "=?utf-8?q?abc", "=?utf-8?q?abc"},
		{"question marks", "=?=?=?", "=?=?=?"},
		{"equals sign first", "=?utf-8?q?=41?=", "A"},
		{"text between words stays", "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"},
	} {
		if got := Header(tt.value); got != tt.want {
			t.Errorf("%s: Header(%q) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestTransparentTellsWhereOctetsAreNotText(t *testing.T) {
	for label, want := range map[string]bool{"utf-8": true, "": true, "gb2312": true, "utf-7": false, "UTF-16LE": false, "utf-32": false, "iso-2022-jp": false, "hz-gb-2312": false, "ibm037": false} {
		if got := Transparent(label); got != want {
			t.Errorf("Transparent(%q) = %v", label, got)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	f.Add([]byte("Hi Mom -+Jjo--!"))
	f.Add([]byte("+2D3eCg-+"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := UTF7(b); !utf8.ValidString(s) || len(s) > 4*len(b)+4 {
			t.Errorf("%d octets of %d, valid %v", len(s), len(b), utf8.ValidString(s))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("utf-8", []byte("a"))
	f.Add("iso-2022-kr", []byte("\x1b$)C\x0e>H\x0f"))
	f.Add("utf-16", []byte("\xff\xfea\x00"))
	f.Add("gb18030", []byte("\x81\x30\x81\x30"))
	f.Fuzz(func(t *testing.T, label string, b []byte) {
		if s, _ := Decode(label, b); !utf8.ValidString(s) {
			t.Errorf("Decode(%q, %q) = %q is no UTF-8", label, b, s)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?x?b?QQ==?=")
	f.Fuzz(func(t *testing.T, s string) {
		if h := Header(s); !utf8.ValidString(h) {
			t.Errorf("Header(%q) = %q is no UTF-8", s, h)
		}
	})
}
