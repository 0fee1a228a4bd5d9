package charset

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// Fold is the form in which a charset name is compared: lower case, without
// quotes, blanks and the RFC 2231 language tail.
func Fold(label string) string {
	label, _, _ = strings.Cut(label, "*")
	return strings.ToLower(strings.Trim(label, " \t\r\n\"'<>;,.\x00"))
}

// Decode returns b as UTF-8. sure is false if label was unknown or did not fit and
// the text is a guess.
func Decode(label string, b []byte) (text string, sure bool) {
	label = Fold(label)
	switch label {
	case "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968", "":
		if utf8.Valid(b) {
			return string(b), label != "" || isASCII(b)
		}
		return guess(b), false
	case "utf-7", "utf7", "unicode-1-1-utf-7", "x-unicode-1-1-utf-7", "unicode-2-0-utf-7", "csunicode11utf7":
		return UTF7(b), true
	case "utf-16", "utf16", "unicode", "csunicode", "ucs-2", "iso-10646-ucs-2", "utf-16be", "utf-16le", "utf16be", "utf16le":
		return utf16Text(b, label), true
	case "iso-2022-kr", "csiso2022kr":
		return shifted(b, korean.EUCKR), true
	case "iso-2022-cn", "iso-2022-cn-ext", "csiso2022cn":
		return shifted(b, simplifiedchinese.GBK), true
	}
	e := find(label)
	if e == nil {
		return guess(b), false
	}
	s := decodeWith(e, b)
	if strings.Count(s, "\uFFFD")*10 > utf8.RuneCountInString(s) && utf8.Valid(b) {
		return string(b), false
	}
	return s, true
}

// Transparent reports whether ASCII octets stand for themselves in label, so that
// a reader of the octets sees what a reader of the text sees.
func Transparent(label string) bool {
	switch l := Fold(label); {
	case strings.HasPrefix(l, "utf-7"), strings.HasPrefix(l, "utf7"), strings.Contains(l, "unicode"),
		strings.HasPrefix(l, "utf-16"), strings.HasPrefix(l, "utf16"), strings.HasPrefix(l, "utf-32"), strings.HasPrefix(l, "utf32"),
		strings.Contains(l, "ucs"), strings.HasPrefix(l, "iso-2022"), strings.HasPrefix(l, "csiso2022"), strings.HasPrefix(l, "hz"),
		strings.Contains(l, "037"), strings.Contains(l, "ebcdic"), strings.Contains(l, "1047"), strings.Contains(l, "1140"):
		return false
	}
	return true
}

// aliases are names seen in mail that neither index of x/text knows.
var aliases = map[string]encoding.Encoding{
	"cp932": japanese.ShiftJIS, "ms932": japanese.ShiftJIS, "x-sjis": japanese.ShiftJIS, "windows-31j": japanese.ShiftJIS,
	"shift-jis": japanese.ShiftJIS, "sjis": japanese.ShiftJIS, "shift_jisx0213": japanese.ShiftJIS,
	"iso-2022-jp-1": japanese.ISO2022JP, "iso-2022-jp-2": japanese.ISO2022JP, "iso-2022-jp-3": japanese.ISO2022JP,
	"iso-2022-jp-ms": japanese.ISO2022JP, "cp50220": japanese.ISO2022JP, "cp50221": japanese.ISO2022JP, "cp50222": japanese.ISO2022JP,
	"jis": japanese.ISO2022JP, "iso-2022-jp": japanese.ISO2022JP, "csiso2022jp": japanese.ISO2022JP, "cp51932": japanese.EUCJP, "x-euc-jp": japanese.EUCJP,
	"cp949": korean.EUCKR, "ms949": korean.EUCKR, "uhc": korean.EUCKR, "x-windows-949": korean.EUCKR, "ks_c_5601-1987": korean.EUCKR,
	"johab": korean.EUCKR, "cp1361": korean.EUCKR, "5601": korean.EUCKR,
	"cp936": simplifiedchinese.GBK, "ms936": simplifiedchinese.GBK, "gb_2312-80": simplifiedchinese.GBK, "gb-2312": simplifiedchinese.GBK,
	"gb2312_charset": simplifiedchinese.GBK, "x-gbk": simplifiedchinese.GBK, "chinesebig5": traditionalchinese.Big5, "chinesegb": simplifiedchinese.GBK,
	"hz": simplifiedchinese.HZGB2312, "hz-gb-2312": simplifiedchinese.HZGB2312,
	"cp950": traditionalchinese.Big5, "ms950": traditionalchinese.Big5, "big-5": traditionalchinese.Big5, "euc-tw": traditionalchinese.Big5,
	"ansi": charmap.Windows1252, "cp1252": charmap.Windows1252, "windows1252": charmap.Windows1252, "win-1252": charmap.Windows1252,
	"x-ansi": charmap.Windows1252, "latin1": charmap.Windows1252, "iso8859-1": charmap.Windows1252, "iso-8859-1": charmap.Windows1252,
	"iso_8859_1": charmap.Windows1252, "iso-latin-1": charmap.Windows1252, "iso-8859-8-i": charmap.ISO8859_8, "iso-8859-8-e": charmap.ISO8859_8,
	"cp1250": charmap.Windows1250, "cp1251": charmap.Windows1251, "win-1251": charmap.Windows1251, "cp1253": charmap.Windows1253,
	"cp1254": charmap.Windows1254, "cp1255": charmap.Windows1255, "cp1256": charmap.Windows1256, "cp1257": charmap.Windows1257,
	"cp1258": charmap.Windows1258, "cp850": charmap.CodePage850, "cp858": charmap.CodePage858, "ibm858": charmap.CodePage858, "cp437": charmap.CodePage437,
	"cp852": charmap.CodePage852, "cp855": charmap.CodePage855, "cp866": charmap.CodePage866, "cp874": charmap.Windows874,
	"tis-620": charmap.Windows874, "tis620": charmap.Windows874, "viscii": charmap.Windows1258, "koi8": charmap.KOI8R, "koi8r": charmap.KOI8R,
	"x-mac-roman": charmap.Macintosh, "macroman": charmap.Macintosh, "mac": charmap.Macintosh, "cp65001": unicode.UTF8, "utf-8n": unicode.UTF8,
	"unicode-1-1-utf-8": unicode.UTF8, "utf8mb4": unicode.UTF8, "x-utf-8": unicode.UTF8, "utf 8": unicode.UTF8, "utf_8": unicode.UTF8,
	"utf-32": utf32.UTF32(utf32.BigEndian, utf32.UseBOM), "utf32": utf32.UTF32(utf32.BigEndian, utf32.UseBOM), "ucs-4": utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	"utf-32be": utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "utf-32le": utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM),
	"cp037": charmap.CodePage037, "ibm037": charmap.CodePage037, "ebcdic-us": charmap.CodePage037, "ibm1047": charmap.CodePage1047, "ibm1140": charmap.CodePage1140,
}

// find is the encoding called label, nil for the ones that name none
// ("unknown-8bit", "x-user-defined", "8bit") and for unknown names.
func find(label string) encoding.Encoding {
	if e, ok := aliases[label]; ok {
		return e
	}
	if label == "x-user-defined" || strings.HasPrefix(label, "unknown") || strings.HasPrefix(label, "x-unknown") || len(label) > 64 {
		return nil
	}
	if e, err := htmlindex.Get(label); err == nil && e != encoding.Replacement {
		return e
	}
	if e, err := ianaindex.MIME.Encoding(label); err == nil && e != nil && e != encoding.Replacement {
		return e
	}
	if e, err := ianaindex.IANA.Encoding(label); err == nil && e != nil && e != encoding.Replacement {
		return e
	}
	if rest, ok := strings.CutPrefix(label, "x-"); ok {
		return find(rest)
	}
	return nil
}

func decodeWith(e encoding.Encoding, b []byte) string {
	s, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(s), "\uFFFD")
	}
	return string(s)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// utf16Text reads UTF-16 by its byte order mark, else by label, else by where the
// zero octets of Latin text stand.
func utf16Text(b []byte, label string) string {
	big := !strings.HasSuffix(label, "le")
	switch {
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		b, big = b[2:], true
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		b, big = b[2:], false
	case !strings.HasSuffix(label, "e"):
		even, odd := zeros(b)
		big = even >= odd
	}
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		if big {
			u = append(u, uint16(b[0])<<8|uint16(b[1]))
		} else {
			u = append(u, uint16(b[1])<<8|uint16(b[0]))
		}
	}
	return string(utf16.Decode(u))
}

func zeros(b []byte) (even, odd int) {
	for i, c := range b[:min(len(b), 4096)] {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	return even, odd
}

// shifted reads ISO-2022-KR (RFC 1557) and the GB 2312 part of ISO-2022-CN (RFC
// 1922): between SO and SI every octet stands for its eight-bit sister.
func shifted(b []byte, e encoding.Encoding) string {
	out := make([]byte, 0, len(b))
	high := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0x0E:
			high = true
		case c == 0x0F || c == '\n' && high:
			high = false
			if c == '\n' {
				out = append(out, c)
			}
		case c == 0x1B && i+3 < len(b) && b[i+1] == '$':
			i += 3
		case high && c > 0x20 && c < 0x7F:
			out = append(out, c|0x80)
		default:
			out = append(out, c)
		}
	}
	return decodeWith(e, out)
}

// guess reads text of an unknown charset.
func guess(b []byte) string {
	switch {
	case utf8.Valid(b):
		return string(b)
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}), bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return utf16Text(b, "utf-16")
	case nearlyUTF8(b):
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return decodeWith(guess8bit(b), b)
}

func nearlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	if n := len(b) - 3; n >= 0 && bad > 0 && !utf8.FullRune(b[n+2:]) {
		bad-- // the last character is only cut
	}
	return good >= 4*bad && good > 0
}

// guess8bit tells Western text (few octets above ASCII) from Cyrillic and East
// Asian text (most letters above ASCII) by the first 4 KiB.
func guess8bit(b []byte) encoding.Encoding {
	b = b[:min(len(b), 4096)]
	letters, high := 0, 0
	for _, c := range b {
		switch {
		case c >= 0x80:
			high++
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		}
	}
	if high*2 < letters || high < 6 {
		return charmap.Windows1252
	}
	best, least := encoding.Encoding(charmap.Windows1252), len(b)
	for _, e := range []encoding.Encoding{simplifiedchinese.GBK, japanese.ShiftJIS, korean.EUCKR, traditionalchinese.Big5, charmap.KOI8R, charmap.Windows1251, charmap.CodePage866} {
		if n := strangeness(decodeWith(e, b)); n < least {
			best, least = e, n
		}
	}
	return best
}

// strangeness counts what does not belong into running text of one script.
func strangeness(s string) int {
	n := 0
	var last rune
	for _, r := range s {
		switch {
		case r == utf8.RuneError:
			n += 4
		case r >= 0x2500 && r < 0x2600, r >= 0x80 && r < 0xA0, r >= 0xE000 && r < 0xF900, r >= 0xFF61 && r < 0xFFA0:
			n += 2
		case r >= 0x0410 && r < 0x0430 && last >= 0x0430 && last < 0x0450: // capital inside a word
			n += 2
		case r >= 0x0410 && r < 0x0450, r < 0x80:
		case r >= 0x4E00 && r < 0xA000, r >= 0xAC00 && r < 0xD7A4, r >= 0x3040 && r < 0x3100:
		default:
			n++
		}
		last = r
	}
	return n
}
