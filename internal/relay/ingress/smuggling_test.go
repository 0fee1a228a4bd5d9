package ingress

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// pipes is a listener whose connections keep the segments that the client writes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func servePipes(t testing.TB, srv *Server) *pipes {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	srv.Hostname = "mx.test"
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(context.Background(), p)
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		<-ended
	})
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

// dial opens a connection whose replies are gathered.
func (p *pipes) dial() (net.Conn, *bytes.Buffer, chan struct{}) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	var said bytes.Buffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(&said, ours)
	}()
	return ours, &said, ended
}

// session writes the segments, waits for the server to hang up (they must end with
// QUIT) and returns what it said.
func (p *pipes) session(t testing.TB, segments ...string) string {
	t.Helper()
	conn, said, ended := p.dial()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	for _, s := range segments {
		if _, err := io.WriteString(conn, s); err != nil {
			t.Fatalf("write %.60q: %v", s, err)
		}
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("server did not hang up after %q", segments)
	}
	return said.String()
}

// unstuffed is what the content of DATA means, written the slow and plain way, and
// what is left behind its end. ok is false if it does not end.
func unstuffed(octets string) (content, rest string, ok bool) {
	var lines []string
	for {
		line, after, found := strings.Cut(octets, "\r\n")
		if !found {
			return "", "", false
		}
		octets = after
		if line == "." {
			return strings.Join(append(lines, ""), "\r\n"), octets, true
		}
		lines = append(lines, strings.TrimPrefix(line, "."))
	}
}

// ends are what somebody, somewhere, takes for the end of a line.
var ends = []string{
	"\r\n", "\n", "\r", "\n\r", "\r\r", "\n\n", "\r\r\n", "\r\n\r", "\r\n\n", "\x00\r\n", "\r\x00\n", "\r\n\x00", "\x85", "\u2028", "\v", "\f", " \r\n", "\t\r\n", "\r \n",
}

// TestOnlyCRLFDotCRLFEndsTheMessage tries to smuggle a second message in behind
// every wrong end of data (CVE-2023-51764 and its kin).
func TestOnlyCRLFDotCRLFEndsTheMessage(t *testing.T) {
	in := &inbox{}
	p := servePipes(t, &Server{Accept: in.accept})
	const (
		envelope = "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n"
		second   = "MAIL FROM:<smuggled@b.c>\r\nRCPT TO:<victim@e.f>\r\nDATA\r\nevil"
	)
	tried := 0
	for _, before := range ends {
		for _, after := range ends {
			for _, dot := range []string{".", "..", ".\x00", "\x00.", ". "} {
				end := before + dot + after
				octets := "one" + end + second + "\r\n.\r\n"
				if strings.Contains(end, "\r\n.\r\n") {
					continue // it really is the end
				}
				want, rest, ok := unstuffed(octets)
				if !ok || rest != "" {
					t.Fatalf("%q: the case ends with %q", end, rest)
				}
				tried++
				script := "EHLO x\r\n" + envelope + octets + "QUIT\r\n"
				for _, segments := range [][]string{{script}, strings.Split(script, "")} {
					n := len(in.all())
					said := p.session(t, segments...)
					got := in.all()[n:]
					if len(got) != 1 || got[0].body != want || got[0].env.From != "a@b.c" {
						t.Fatalf("%q in %d segments: got %d messages %+v, want %q; server said %q", end, len(segments), len(got), got, want, said)
					}
					if !strings.HasSuffix(said, "221 2.0.0 mx.test Bye\r\n") {
						t.Fatalf("%q: lost count of commands: %q", end, said)
					}
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d variants", tried)
	}
	t.Logf("%d ends of data that are none, each in one segment and octet by octet", tried)
}

// TestTheRealEndMayBeCutAnywhere cuts DATA with every awkward content at every two
// places.
func TestTheRealEndMayBeCutAnywhere(t *testing.T) {
	for _, content := range []string{
		"", ".", "..", "\r\n", ".\r\n", "..\r\n", "\r", "\n", ".\r", ".\rX\r\n", "a\r\r\n", "a\r\n.b\r\n", "a\r\n..\r\nb\r\n", ".\n.\n", "\r\n\r\n", "x\r\n.\r\r\n",
	} {
		octets := content + "\r\n.\r\nNEXT"
		if content == "" || strings.HasSuffix(content, "\r\n") {
			octets = content + ".\r\nNEXT"
		}
		want, rest, ok := unstuffed(octets)
		if !ok {
			t.Fatalf("%q: bad case", content)
		}
		for i := range len(octets) {
			for j := i; j < len(octets); j++ {
				got, left, err := readDots(t, octets[:i], octets[i:j], octets[j:])
				if got != want || err != nil || left != rest {
					t.Fatalf("%q cut at %d and %d: %q, %v, left %q; want %q", octets, i, j, got, err, left, want)
				}
			}
		}
	}
}

// readDots reads DATA's content from a connection that brings these segments. left
// is what it did not use.
func readDots(t testing.TB, segments ...string) (content, left string, err error) {
	t.Helper()
	segments = slices.DeleteFunc(slices.Clone(segments), func(s string) bool { return s == "" })
	lim := Limits{}.withDefaults()
	w := &wire{}
	w.init(&segmented{segments: segments}, &lim)
	defer w.release()
	w.content()
	b := &body{src: &dots{wire: w, bol: true}, max: 1 << 40}
	octets, err := io.ReadAll(b)
	return string(octets), string(w.buf[w.r:w.w]) + strings.Join(w.conn.(*segmented).segments, ""), err
}

// segmented is a connection that gives one segment for each Read.
type segmented struct {
	net.Conn
	segments []string
}

func (s *segmented) Read(p []byte) (int, error) {
	if len(s.segments) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.segments[0])
	if s.segments[0] = s.segments[0][n:]; s.segments[0] == "" {
		s.segments = s.segments[1:]
	}
	return n, nil
}

func (*segmented) SetReadDeadline(time.Time) error { return nil }

// TestChunksMayBeCutAnywhere sends one message in every row of chunk sizes, with
// content that looks like commands and ends.
func TestChunksMayBeCutAnywhere(t *testing.T) {
	in := &inbox{}
	p := servePipes(t, &Server{Accept: in.accept})
	const content = ".\r\nRSET\r\n\r\n.\r\nBDAT 5 LAST\r\nQUIT\r\n\n.\n\r.\r\x00"
	for first := 0; first <= len(content); first++ {
		for _, cut := range []int{first, (first + len(content)) / 2, len(content)} {
			script := "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<d@e.f>\r\n" +
				fmt.Sprintf("BDAT %d\r\n%s", first, content[:first]) +
				fmt.Sprintf("BDAT %d\r\n%s", cut-first, content[first:cut]) +
				fmt.Sprintf("BDAT %d LAST\r\n%s", len(content)-cut, content[cut:]) + "QUIT\r\n"
			for _, segments := range [][]string{{script}, strings.Split(script, "")} {
				n := len(in.all())
				said := p.session(t, segments...)
				if got := in.bodies()[n:]; len(got) != 1 || got[0] != content {
					t.Fatalf("cut at %d and %d: %q; server said %q", first, cut, got, said)
				}
				if strings.Count(said, "250 2.0.0 Chunk") != 2 || !strings.HasSuffix(said, "Bye\r\n") {
					t.Fatalf("cut at %d and %d: server said %q", first, cut, said)
				}
			}
		}
	}
}

// TestUnknownChunkSizeEndsTheSession: what follows cannot be told from commands.
func TestUnknownChunkSizeEndsTheSession(t *testing.T) {
	for _, line := range []string{
		"BDAT", "BDAT ", "BDAT LAST", "BDAT x", "BDAT -1", "BDAT +6 LAST", "BDAT 6.0", "BDAT 0x6 LAST", "BDAT 6,LAST", "BDAT 6\tLAST", "BDAT 6\x00", "BDAT 99999999999999999999 LAST",
		"BDAT 9223372036854775807 LAST", "BDAT 6\nNOOP", "BDAT " + strings.Repeat("0", 5000) + "6 LAST", "bdat ６ LAST",
	} {
		t.Run(fmt.Sprintf("%.20q", line), func(t *testing.T) {
			for _, before := range []string{"", "BDAT 1\r\nx"} { // as the first chunk, and as a later one
				in := &inbox{}
				c := dial(t, serve(t, &Server{Accept: in.accept})).hello()
				c.send("MAIL FROM:<>\r\nRCPT TO:<d@e.f>\r\n" + before + line + "\r\nRSET\r\nMAIL FROM:<smuggled@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 0 LAST\r\nQUIT\r\n")
				said := c.everything()
				if !strings.HasSuffix(said, "closing connection\r\n") || strings.Contains(said, "221") || strings.Contains(said, "250 2.0.0 Ok") {
					t.Errorf("after %q: server said %q", before, said)
				}
				if got := in.bodies(); len(got) != 0 {
					t.Errorf("accepted %q", got)
				}
			}
		})
	}
}
