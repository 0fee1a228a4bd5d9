package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/internal/mail"
	"postern/internal/metric"
)

func TestWhatAcceptSaysIsWhatTheClientHears(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"a reply", &mail.Reply{Code: 550, Enhanced: "5.7.1", Text: "No relay key"}, "550 5.7.1 No relay key"},
		{"a wrapped reply", fmt.Errorf("admit: %w", &mail.Reply{Code: 452, Enhanced: "4.3.1", Text: "Disk full"}), "452 4.3.1 Disk full"},
		{"any other error", errors.New("secret path /var/lib"), "451 4.3.0 Temporary failure, try again later"},
		{"a reply of several lines", &mail.Reply{Code: 550, Enhanced: "5.7.1", Text: "a\r\n250 Ok\r\né"}, "550 5.7.1 a??250 Ok????"},
		{"a reply with an impossible code", &mail.Reply{Code: 7, Text: "x"}, "451 4.3.0"},
	} {
		for _, early := range []bool{false, true} { // Accept reads all, or one octet
			for _, send := range []string{
				"DATA\r\n|354|one\r\ntwo\r\n.\r\n",
				"BDAT 10 LAST\r\none\r\ntwo\r\n",
			} {
				t.Run(fmt.Sprintf("%s, early %v, %.4s", tt.name, early, send), func(t *testing.T) {
					accept := func(_ context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
						if early {
							io.ReadFull(body, make([]byte, 1))
						} else {
							io.Copy(io.Discard, body)
						}
						return "", tt.err
					}
					c := dial(t, serve(t, &Server{Accept: accept})).hello()
					c.do("MAIL FROM:<>", "250")
					c.do("RCPT TO:<a@b.c>", "250")
					if data, rest, ok := strings.Cut(send, "|354|"); ok {
						c.send(data)
						c.want("354")
						c.send(rest)
					} else {
						c.send(send)
					}
					if got := c.want(tt.want); tt.name == "any other error" && strings.Contains(got, "secret") {
						t.Errorf("tells our secrets: %q", got)
					}
					c.do("NOOP", "250") // the session is in step
				})
			}
		}
	}
}

func TestMessageRefusedEarlyByChunks(t *testing.T) {
	refuse := func(_ context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
		io.ReadFull(body, make([]byte, 1))
		return "", &mail.Reply{Code: 550, Enhanced: "5.7.1", Text: "No"}
	}
	c := dial(t, serve(t, &Server{Accept: refuse})).hello()
	c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 6\r\nQUIT\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nDATA\r\nMAIL FROM:<>\r\n")
	for _, want := range []string{"250", "250", "550 5.7.1 No", "550 5.7.1 No", "550 5.7.1 No", "503", "250 2.1.0"} {
		c.want(want)
	}
}

func TestAcceptThatReadsNothingMayStillAccept(t *testing.T) {
	trust := func(context.Context, *mail.Envelope, io.Reader) (mail.ID, error) { return "ID", nil }
	c := dial(t, serve(t, &Server{Accept: trust})).hello()
	c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
	for _, want := range []string{"250", "250", "250 2.0.0 Chunk", "250 2.0.0 Ok: queued as ID", "250"} {
		c.want(want)
	}
}

func TestBodyIsDeadAfterAccept(t *testing.T) {
	var kept io.Reader
	keep := func(_ context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
		kept = body
		return "ID", nil
	}
	c := dial(t, serve(t, &Server{Accept: keep})).hello()
	c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
	for range 4 {
		c.want("250")
	}
	if n, err := kept.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestClientThatVanishesHasNothingAccepted(t *testing.T) {
	for _, send := range []string{
		"DATA\r\nhalf", "DATA\r\nhalf\r\n", "DATA\r\nhalf\r\n.", "DATA\r\nhalf\r\n.\r", "BDAT 5\r\nhalf", "BDAT 4\r\nhalf", "BDAT 5 LAST\r\nhalf", "BDAT 4\r\nhalfBDAT 0 LAST\r",
	} {
		t.Run(fmt.Sprintf("%q", send), func(t *testing.T) {
			ended := make(chan error, 1)
			accept := func(_ context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
				_, err := io.ReadAll(body)
				ended <- err
				return "ID", nil // wrong, and yet nothing may be said to be accepted
			}
			c := dial(t, serve(t, &Server{Accept: accept})).hello()
			c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n" + send)
			c.conn.(*net.TCPConn).CloseWrite()
			select {
			case err := <-ended:
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("body ended with %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("Accept was left waiting")
			}
			if said := c.everything(); strings.Contains(said, "queued") {
				t.Errorf("server said %q", said)
			}
		})
	}
}

func TestPanicEndsOneSessionOnly(t *testing.T) {
	m := metric.New(prometheus.NewRegistry())
	accept := func(_ context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
		if env.From == "bomb@b.c" {
			panic("boom")
		}
		_, err := io.Copy(io.Discard, body)
		return "ID", err
	}
	addr := serve(t, &Server{Accept: accept, Metric: m})
	other := dial(t, addr).hello()
	c := dial(t, addr).hello()
	c.send("MAIL FROM:<bomb@b.c>\r\nRCPT TO:<a@b.c>\r\nBDAT 1 LAST\r\nx")
	c.want("250")
	c.want("250")
	c.want("421 4.3.0 mx.test")
	c.closed()
	other.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nBDAT 1 LAST\r\nx")
	for range 3 {
		other.want("250")
	}
	if got := testutil.ToFloat64(m.Alarms.WithLabelValues("ingress-panic")); got != 1 {
		t.Errorf("counted %v panics", got)
	}
	if got := testutil.ToFloat64(m.Replies.WithLabelValues("250")); got != 1 {
		t.Errorf("counted %v messages", got)
	}
	eventually(t, func() bool { return testutil.ToFloat64(m.Sessions) == 1 })
}
