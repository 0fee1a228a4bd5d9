package ingress

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

// script is a connection that brings octets in segments of a size and gathers what
// is said.
type script struct {
	octets  []byte
	segment int
	said    bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.octets) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.segment)], s.octets)
	s.octets = s.octets[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)    { return s.said.Write(p) }
func (*script) Close() error                     { return nil }
func (*script) LocalAddr() net.Addr              { return tcp("192.0.2.1") }
func (*script) RemoteAddr() net.Addr             { return tcp("192.0.2.2") }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// converse runs a session over octets and returns what it said and accepted.
func converse(octets []byte, segment int, maxSize int64) (said string, accepted []received) {
	in := &inbox{}
	srv := &Server{Hostname: "mx.test", MaxSize: maxSize, Log: slog.New(slog.DiscardHandler)}
	srv.Accept = func(ctx context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
		return in.accept(ctx, env, body)
	}
	srv.setUp()
	conn := &script{octets: octets, segment: segment}
	ses := newSession(context.Background(), srv, conn)
	ses.run()
	return conn.said.String(), in.all()
}

// FuzzSession plays random octets as a whole session. No panic, replies that are
// replies, the same outcome however the octets are cut into segments, and no
// message that did not end.
func FuzzSession(f *testing.F) {
	const envelope = "EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n"
	for _, seed := range []string{
		envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n",
		envelope + "DATA\r\n..x\r\n.\n.\r\n\r\r\n.\r\nMAIL FROM:<>\r\n",
		envelope + "BDAT 3\r\nabcBDAT 0 LAST\r\nQUIT\r\n",
		envelope + "BDAT 3\r\nabcRSET\r\nBDAT 6 FIRST\r\nQUIT\r\n",
		envelope + "BDAT 300\r\nabc",
		"EHLO x\r\nMAIL FROM:<\"a b\"@[192.0.2.1]> SIZE=3 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x+2B\r\nRCPT TO:<@a,@b:c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x\r\n",
		"HELO x\r\nSTARTTLS\r\nAUTH\r\nVRFY\r\nEXPN\r\nHELP\r\nNOOP\r\nRSET\r\nGET / HTTP/1.1\r\n",
		strings.Repeat("x", 5000) + "\r\nNOOP\r\n",
	} {
		f.Add([]byte(seed), uint16(7))
	}
	f.Fuzz(func(t *testing.T, octets []byte, segment uint16) {
		const maxSize = 1000
		said, accepted := converse(bytes.Clone(octets), 1<<20, maxSize)
		cut, acceptedCut := converse(bytes.Clone(octets), int(segment%64)+1, maxSize)
		if said != cut {
			t.Fatalf("in one segment:\n%s\nin small ones:\n%s", said, cut)
		}
		if strings.Contains(said, "421 4.3.0") {
			t.Fatalf("panic:\n%s", said)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(said, "\r\n"), "\r\n") {
			if len(line) < 4 || line[0] < '2' || line[0] > '5' || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("reply line %q", line)
			}
		}
		if n := strings.Count(said, "250 2.0.0 Ok: queued"); n != len(accepted) || n != len(acceptedCut) {
			t.Fatalf("%d messages accepted, %d when cut, %d acknowledged", len(accepted), len(acceptedCut), n)
		}
		for i, r := range accepted {
			switch {
			case r.body != acceptedCut[i].body:
				t.Fatalf("%q, but %q when cut", r.body, acceptedCut[i].body)
			case len(r.body) > maxSize:
				t.Fatalf("%d octets accepted", len(r.body))
			case len(r.env.To) == 0:
				t.Fatal("no recipient")
			case !bytes.Contains(octets, []byte("\r\n.\r\n")) && !bytes.Contains(bytes.ToUpper(octets), []byte("LAST")):
				t.Fatalf("%q did not end", r.body)
			}
			for _, addr := range append([]mail.Rcpt{{Addr: r.env.From}}, r.env.To...) {
				if strings.ContainsAny(addr.Addr, "\r\n\x00<") && !strings.HasPrefix(addr.Addr, `"`) || strings.ContainsAny(addr.ORcpt+addr.Notify, "\r\n\x00 ") {
					t.Fatalf("recipient %+v", addr)
				}
			}
		}
	})
}

// FuzzDots compares the reader of DATA with the plain way, for every octets and cut.
func FuzzDots(f *testing.F) {
	f.Add("a\r\n.b\r\n..\r\n.\r\nrest", uint16(3))
	f.Add(".\r\n", uint16(1))
	f.Add(".\r.\r\n\r\r\n.\r\n", uint16(2))
	f.Fuzz(func(t *testing.T, octets string, segment uint16) {
		want, rest, ok := unstuffed(octets)
		var segments []string
		for s, n := octets, int(segment%100)+1; s != ""; {
			segments = append(segments, s[:min(n, len(s))])
			s = s[min(n, len(s)):]
		}
		got, left, err := readDots(t, segments...)
		if ok != (err == nil) {
			t.Fatalf("ends: %v, but %v", ok, err)
		}
		if ok && (got != want || left != rest) {
			t.Fatalf("%q left %q, want %q left %q", got, left, want, rest)
		}
	})
}

// FuzzPath looks for paths that are let through and are not what they seem.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"<a@b.c>", `<"a\"b"@c.d> SIZE=1`, "<@a,@b:c@[IPv6:::1]>", "<>", "<Postmaster>", "<é@é.example>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		path, params, fault := cutPath(octets)
		if fault != "" {
			return
		}
		if !bytes.HasPrefix(octets, []byte("<")) || !bytes.HasSuffix(octets, append(append(bytes.Clone(path), '>'), params...)) {
			t.Fatalf("%q: path %q and parameters %q", octets, path, params)
		}
		fault, needsUTF8 := checkMailbox(path)
		if fault != "" {
			return
		}
		local, domain := mail.SplitAddress(string(path))
		switch {
		case local == "" || domain == "" || len(local) > maxLocal || len(domain) > maxDomain:
			t.Fatalf("%q is cut into %q and %q", path, local, domain)
		case strings.ContainsAny(string(path), "\r\n\x00"), local[0] != '"' && strings.ContainsAny(local, `@<>"\ ,:;()[]`), strings.ContainsAny(domain, `@<>"\ ,;()`):
			t.Fatalf("%q was let through", path)
		case needsUTF8 == ascii(path):
			t.Fatalf("%q: needs UTF-8: %v", path, needsUTF8)
		}
	})
}
