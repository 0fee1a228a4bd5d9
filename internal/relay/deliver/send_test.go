package deliver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

// impatient are timeouts for tests: long enough for a busy machine. A test that
// waits for one sets its own.
var impatient = Timeouts{Connect: time.Minute, Handover: time.Minute, Greeting: time.Minute, Hello: time.Minute, Mail: time.Minute,
	Rcpt: time.Minute, DataInit: time.Minute, DataBlock: time.Minute, DataEnd: time.Minute, Quit: 200 * time.Millisecond}

func newSender(t testing.TB) *Sender {
	s := &Sender{Hostname: "relay.test", AllowLoopback: true, Timeouts: impatient}
	t.Cleanup(s.Close)
	return s
}

const text = "From: a@sender.test\r\nSubject: hello\r\n\r\nHello.\r\n.dot\r\n..dots\r\n.\r\nBye\r\n"

func jobFor(content string, mtas ...mail.MTA) Job {
	return Job{ID: mail.NewID(), Tenant: "acme", From: "a@sender.test", Rcpts: []mail.Rcpt{{Addr: "ann@example.com"}}, MTAs: mtas,
		Prepend: []byte("Received: by relay.test\r\n"), Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func kinds(out []Outcome) string {
	var b strings.Builder
	for _, o := range out {
		fmt.Fprintf(&b, "%s ", o.Kind)
	}
	return strings.TrimSpace(b.String())
}

func TestAMessageArrivesOctetForOctetWhateverTheHopOffers(t *testing.T) {
	large := "Subject: large\r\n\r\n" + strings.Repeat(".a line of text that begins with a dot\r\n", 20_000)
	for _, offer := range [][]string{
		everything,
		{"PIPELINING", "8BITMIME"},
		{"CHUNKING", "8BITMIME"},
		{"8BITMIME"},
		{"PIPELINING", "CHUNKING"},
		{},
	} {
		for _, content := range []string{text, large, "", "x"} {
			h := newHop(t, func(h *hop) { h.offer = offer })
			s := newSender(t)
			for n := 1; n <= 3; n++ { // the second and third over the same connection
				out := s.Send(t.Context(), jobFor(content, h.mta))
				if kinds(out) != "delivered" || out[0].Reply != fmt.Sprintf("250 2.0.0 Ok: queued as %d", n) || out[0].MTA != h.mta.Address() {
					t.Fatalf("%v: %+v", offer, out)
				}
			}
			want := "Received: by relay.test\r\n" + content
			if content == "x" {
				want += "\r\n"
			}
			for _, m := range h.messages() {
				if string(m.content) != want {
					t.Errorf("%v: %d octets arrived, want %d", offer, len(m.content), len(want))
				}
			}
			if len(h.messages()) != 3 || h.connections() != 1 {
				t.Errorf("%v: %d messages over %d connections", offer, len(h.messages()), h.connections())
			}
		}
	}
}

func TestBareLineEndsDoNotLeave(t *testing.T) {
	ends := []string{"\r\n", "\n", "\r", "\r\r\n", "\n\r", "\n\n"}
	for _, offer := range [][]string{everything, {"PIPELINING", "8BITMIME"}} {
		h := newHop(t, func(h *hop) { h.offer = offer })
		s := newSender(t)
		sent := 0
		for _, a := range ends {
			for _, b := range ends {
				for _, pad := range []int{0, chunkSize - len(text) - 5, chunkSize - len(text) - 3, chunkSize - len(text) - 1} {
					smuggled := text + strings.Repeat("p", max(pad, 0)) + a + "." + b + "MAIL FROM:<evil@x.test>" + b
					if out := s.Send(t.Context(), jobFor(smuggled, h.mta)); kinds(out) != "delivered" {
						t.Fatalf("%q.%q: %+v", a, b, out)
					}
					sent++
				}
			}
		}
		got := h.messages()
		if len(got) != sent {
			t.Fatalf("%d messages went in, %d came out", sent, len(got))
		}
		for _, m := range got {
			rest := bytes.ReplaceAll(m.content, []byte("\r\n"), nil)
			if bytes.ContainsAny(rest, "\r\n") || !bytes.HasSuffix(m.content, []byte("\r\n")) || !bytes.Contains(m.content, []byte("evil")) {
				t.Fatalf("left with a bare line end: %q", m.content[max(0, len(m.content)-60):])
			}
		}
	}
}

func TestSendEndsWhenItsContextDoes(t *testing.T) {
	h := newHop(t, func(h *hop) { h.says = map[string]string{"MAIL": "hang"} })
	s := newSender(t)
	s.Timeouts = Timeouts{}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	out := s.Send(ctx, jobFor(text, h.mta))
	if kinds(out) != "deferred" || time.Since(began) > 30*time.Second {
		t.Errorf("after %v: %+v", time.Since(began), out)
	}
}
