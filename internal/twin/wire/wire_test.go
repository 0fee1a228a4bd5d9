package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"
)

// sink takes every recipient except "no@..." and keeps what it gets.
type sink struct {
	mu  sync.Mutex
	got []kept
}

type kept struct {
	env Envelope
	raw []byte
}

func (s *sink) Rcpt(_ context.Context, _ *Envelope, to string) Reply {
	if strings.HasPrefix(to, "no@") {
		return Reply{550, "5.1.1 no"}
	}
	return Reply{250, "2.1.5 Recipient OK"}
}

func (s *sink) Data(_ context.Context, env *Envelope, raw []byte) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, kept{*env, raw})
	return Reply{250, "2.6.0 queued"}
}

func serve(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { l.Close(); s.Close() })
	return l.Addr().String()
}

func TestEveryOctetArrives(t *testing.T) {
	binary := make([]byte, 200<<10)
	rand.Read(binary)
	for name, body := range map[string]string{
		"plain":              "Subject: a\r\n\r\nhello\r\n",
		"dots":               "Subject: a\r\n\r\n.\r\n..\r\n.a\r\n",
		"no final line end":  "Subject: a\r\n\r\nhello",
		"bare line feeds":    "Subject: a\r\n\r\nx\n.\ny\r.\rz\r\n",
		"binary":             "Subject: a\r\n\r\n" + string(binary),
		"end of data inside": "Subject: a\r\n\r\nx\r\n.\r\nQUIT\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			k := &sink{}
			addr := serve(t, &Server{Hostname: "mx.test", Handler: k})
			r, err := Send(t.Context(), Delivery{Addr: addr, HELO: "c.test", From: "a@b.test", To: []string{"x@y.test", "no@y.test"}, Raw: []byte(body)})
			if err != nil || !r.Chunked || r.Refused["no@y.test"].Code != 550 {
				t.Fatal(r, err)
			}
			if !bytes.Equal(k.got[0].raw, []byte(body)) {
				t.Errorf("got %d octets %.60q, want %d %.60q", len(k.got[0].raw), k.got[0].raw, len(body), body)
			}
		})
	}
}

func TestDataEndsOnlyWithCRLFDotCRLF(t *testing.T) {
	for _, body := range []string{"a\r\n", "a\n.\nb\r\n", "a\r\n..b\r\n", "a\r.\rb\r\n", "a\n.\r\nb\r\n", "a\r\r\n", strings.Repeat("x", 32<<10-1) + "\r\n", strings.Repeat("x", 32<<10-1) + "\r\n..\r\n"} {
		r := bufio.NewReaderSize(strings.NewReader(string(stuffed([]byte(body)))+".\r\nNEXT"), 32<<10)
		got, err := readDots(r, 1<<20)
		rest, _ := r.Peek(4)
		if err != nil || string(got) != body || string(rest) != "NEXT" {
			t.Errorf("%.20q: got %.20q, rest %q, %v", body, got, rest, err)
		}
	}
}

func TestAMessageTooLargeIsRefusedAndTheSessionGoesOn(t *testing.T) {
	k := &sink{}
	addr := serve(t, &Server{Hostname: "mx.test", Handler: k, MaxSize: 100})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n" + strings.Repeat("0123456789\r\n", 20) + ".\r\nNOOP\r\nMAIL FROM:<> SIZE=101\r\nQUIT\r\n"))
	var codes []int
	r := bufio.NewReader(c)
	for {
		reply, err := readReply(r)
		if err != nil {
			break
		}
		codes = append(codes, reply.Code)
	}
	want := []int{220, 250, 250, 250, 354, 552, 250, 552, 221}
	if len(codes) != len(want) {
		t.Fatal(codes)
	}
	for i := range want {
		if codes[i] != want[i] {
			t.Fatalf("got %v, want %v", codes, want)
		}
	}
}
