package deliver

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func reading(s string) *bufio.Reader { return bufio.NewReaderSize(strings.NewReader(s), maxReplyLine) }

func TestRepliesAreRead(t *testing.T) {
	for in, want := range map[string]string{
		"250 2.1.0 Ok\r\n": "250 2.1.0 Ok",
		"250\r\n":          "250",
		"250 \r\n":         "250",
		"354 go\n":         "354 go",
		"550-5.1.1 no such user\r\n550 5.1.1 ask\r\n": "550 5.1.1 no such user ask",
		"250-a\r\n250-\r\n250 b\r\n":                  "250 a b",
		"421 4.3.2 bell\x07 esc\x1b[1m \xff\x00\r\n":  "421 4.3.2 bell? esc?[1m ??",
		"550 grüße \u202e rtl\r\n":                    "550 grüße ? rtl",
		"550 " + strings.Repeat("x", 4000) + "\r\n":   "550 " + strings.Repeat("x", 1021) + "…",
	} {
		for _, br := range []*bufio.Reader{reading(in), bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(in)), maxReplyLine)} {
			r, err := readReply(br)
			if err != nil || r.String() != want {
				t.Errorf("%q: %v, %v; want %q", clip(in, 60), r, err, want)
			}
		}
	}
}

func TestWhatIsNoReplyIsRefused(t *testing.T) {
	for _, in := range []string{
		"hello\r\n", "25\r\n", "2500 x\r\n", "150 x\r\n", "600 x\r\n", "250_x\r\n", "\r\n", "-250 x\r\n", "2x0 a\r\n",
		"250-a\r\n550 b\r\n", // changes its mind
		strings.Repeat("250-a\r\n", 129),
		"250 " + strings.Repeat("x", 5000) + "\r\n",
	} {
		if r, err := readReply(reading(in)); !errors.Is(err, errReply) {
			t.Errorf("%q: %v, %v", clip(in, 60), r, err)
		}
	}
	for in, want := range map[string]error{"": io.EOF, "250 Ok": io.ErrUnexpectedEOF, "250-a\r\n": io.ErrUnexpectedEOF} {
		if _, err := readReply(reading(in)); err != want {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func TestEnhancedCodesAreFound(t *testing.T) {
	for in, want := range map[string]string{"250 2.1.0 Ok": "2.1.0", "451 4.7.500 busy": "4.7.500", "250 Ok": "", "250 1.2": "", "250 a.b.c": "", "250 10.0.0.1 hi": "", "250 2..0 x": "", "250": ""} {
		r, err := readReply(reading(in + "\r\n"))
		if err != nil || r.enhanced() != want {
			t.Errorf("%q: %q, %v", in, r.enhanced(), err)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 Ok\r\n", "250-a\r\n250 b\r\n", "421 4.3.2 \xff\r\n", "999 x\n", "250-", "\x00\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		br := reading(s)
		for {
			r, err := readReply(br)
			if err != nil {
				return
			}
			text := r.String()
			if r.code < 200 || r.code > 599 || len(r.lines) > maxReplyLines || len(text) > maxReplyText+10 || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00\x1b") {
				t.Fatalf("%q was read as %q", s, text)
			}
			r.enhanced()
			parseExtensions(r.lines)
		}
	})
}
