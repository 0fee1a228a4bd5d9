package deliver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// gather reads a content as a sender would and returns all chunks in one.
func gather(t *testing.T, prepend string, r io.Reader, size int64) []byte {
	t.Helper()
	var pool bufferPool
	c := newContent([]byte(prepend), r, size, pool.get())
	var all []byte
	for {
		chunk, last, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, chunk...)
		if last {
			return all
		}
	}
}

// rightEnds says the same as content, octet by octet.
func rightEnds(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n':
			i++
			b.WriteString("\r\n")
		case s[i] == '\r' || s[i] == '\n':
			b.WriteString("\r\n")
		default:
			b.WriteByte(s[i])
		}
	}
	if !strings.HasSuffix(b.String(), "\r\n") {
		b.WriteString("\r\n")
	}
	return b.String()
}

func TestLineEndsAreMadeRight(t *testing.T) {
	for in, want := range map[string]string{
		"":               "\r\n",
		"a":              "a\r\n",
		"a\r\n":          "a\r\n",
		"a\n":            "a\r\n",
		"a\r":            "a\r\n",
		"\n":             "\r\n",
		"a\r\r\nb":       "a\r\n\r\nb\r\n",
		"a\n\rb\r\n":     "a\r\n\r\nb\r\n",
		"a\r\n.\nb\r\n":  "a\r\n.\r\nb\r\n",
		"a\x00b\xff\r\n": "a\x00b\xff\r\n",
	} {
		if got := gather(t, "", strings.NewReader(in), int64(len(in))); string(got) != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestChunkBordersDoNotMatter(t *testing.T) {
	for _, tail := range []string{"\r\n", "\r", "\n", "\r\r", "\n\n", "\r\n\r\nz", "\rz", "\nz", "z"} {
		for size := chunkSize - 4; size < chunkSize+4; size++ {
			in := strings.Repeat("x", size) + tail
			if got := gather(t, "", strings.NewReader(in), int64(len(in))); string(got) != rightEnds(in) {
				t.Errorf("%d octets and %q: %d octets, ends in %q", size, tail, len(got), got[len(got)-6:])
			}
		}
	}
}

func TestACleanContentIsNotCopied(t *testing.T) {
	in := strings.Repeat("a clean line of some length\r\n", 1000)
	var pool bufferPool
	buf := pool.get()
	c := newContent(nil, strings.NewReader(in), int64(len(in)), buf)
	chunk, last, err := c.next()
	if err != nil || !last || &chunk[0] != &buf.raw[1] {
		t.Errorf("copied, or not whole: %v %v", last, err)
	}
}

func TestTheContentMustBeAsLongAsAccepted(t *testing.T) {
	for _, size := range []int64{4, 6, chunkSize * 3} {
		var pool bufferPool
		c := newContent(nil, iotest.OneByteReader(strings.NewReader("12345")), size, pool.get())
		if _, _, err := c.next(); !errors.Is(err, errContent) {
			t.Errorf("5 octets pass for %d: %v", size, err)
		}
	}
}

func FuzzContent(f *testing.F) {
	for _, s := range []string{text, "\r\n.\r\n", "a\n.\nb", "\r.\r", ".", "..\r\n.", "\r\r\n\n\r.\n\n.\r\n"} {
		f.Add("", s, 0)
		f.Add("X: y\r\n", s, 3)
	}
	f.Fuzz(func(t *testing.T, prepend, s string, pad int) {
		if pad = pad & 0xf; pad > 0 { // put the interesting octets at a chunk's border
			s = strings.Repeat("p", max(chunkSize-pad-len(prepend), 0)) + s
		}
		got := gather(t, prepend, strings.NewReader(s), int64(len(s)))
		if string(got) != rightEnds(prepend+s) {
			t.Fatalf("%q became %q", clip(prepend+s, 100), clip(string(got), 100))
		}
		// stuffed, it holds no early end, and unstuffed it is itself again
		var b bytes.Buffer
		bw := bufio.NewWriter(&b)
		st := stuffer{w: bw}
		for rest := got; len(rest) > 0; {
			n := min(len(rest), 7)
			st.write(rest[:n])
			rest = rest[n:]
		}
		bw.Flush()
		stuffed := b.Bytes()
		if bytes.Contains(append([]byte("\r\n"), stuffed...), []byte("\r\n.\r\n")) {
			t.Fatalf("%q ends early", stuffed)
		}
		plain := bytes.ReplaceAll(append([]byte("\r\n"), stuffed...), []byte("\r\n."), []byte("\r\n"))[2:]
		if !bytes.Equal(plain, got) {
			t.Fatalf("%q unstuffed is %q", got, plain)
		}
	})
}

func TestEightBitsAreFoundInHeaderOrAll(t *testing.T) {
	for _, tt := range []struct {
		content     string
		header, all bool
	}{
		{"A: b\r\n\r\nplain", false, false},
		{"A: ü\r\n\r\nplain", true, true},
		{"A: b\r\n\r\nü", false, true},
		{"A: b\n\nü", false, true},
		{"A: b\r\rü", false, true},
		{"\r\nü", false, true},
		{"A: b\r\nü: c\r\n", true, true},
		{"", false, false},
	} {
		header, _ := has8bit(strings.NewReader(tt.content), true)
		all, _ := has8bit(strings.NewReader(tt.content), false)
		if header != tt.header || all != tt.all {
			t.Errorf("%q: %v, %v", tt.content, header, all)
		}
	}
}
