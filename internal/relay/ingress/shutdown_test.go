package ingress

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

func TestShutdownFinishesMessagesAndSendsIdleClientsAway(t *testing.T) {
	in := &inbox{}
	srv := &Server{Accept: in.accept}
	addr := serve(t, srv)
	idle, busy, begun := dial(t, addr).hello(), dial(t, addr).hello(), dial(t, addr).hello()
	busy.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\nhalf")
	busy.want("250")
	busy.want("250")
	busy.want("354")
	begun.do("MAIL FROM:<>", "250")

	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(context.Background()) }()
	idle.want("421 4.3.2 mx.test Shutting down")
	idle.closed()
	if conn, err := net.Dial("tcp", addr); err == nil {
		c := newClient(t, conn) // the socket may still have been in the backlog
		if got, err := c.reply(); err == nil && got[:3] != "421" {
			t.Errorf("a new client is greeted with %q", got)
		}
	}
	busy.send("\r\n.\r\n")
	busy.want("250 2.0.0 Ok: queued")
	busy.want("421 4.3.2")
	begun.do("RCPT TO:<a@b.c>", "250")
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned %v within a transaction", err)
	case <-time.After(20 * time.Millisecond):
	}
	begun.do("BDAT 0 LAST", "250")
	begun.want("421 4.3.2")
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if got := in.bodies(); len(got) != 2 || got[0] != "half\r\n" {
		t.Errorf("accepted %q", got)
	}
}

func TestShutdownLosesPatience(t *testing.T) {
	cancelled := make(chan struct{})
	accept := func(ctx context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
		io.Copy(io.Discard, body)
		<-ctx.Done()
		close(cancelled)
		return "", ctx.Err()
	}
	srv := &Server{Accept: accept, Hostname: "mx.test", Log: slog.New(slog.DiscardHandler)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), l) }()
	c := dial(t, l.Addr().String()).hello()
	c.do("MAIL FROM:<>", "250")
	c.do("RCPT TO:<a@b.c>", "250")
	c.send("BDAT 0 LAST\r\n")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if got, err := c.reply(); err == nil { // the cancelled message may still hear of it
		if !strings.HasPrefix(got, "451 ") {
			t.Errorf("the cancelled message got %q", got)
		}
		c.closed()
	}
	<-cancelled
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeEndsWithItsContextOrItsListener(t *testing.T) {
	srv := &Server{Accept: (&inbox{}).accept, Hostname: "mx.test", Log: slog.New(slog.DiscardHandler)}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ctx, cancel := context.WithCancel(context.Background())
	first, second := listen(), listen()
	served := make(chan error, 2)
	go func() { served <- srv.Serve(ctx, first) }()
	go func() { served <- srv.Serve(context.Background(), second) }()
	a, b := dial(t, first.Addr().String()).hello(), dial(t, second.Addr().String()).hello()
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve with its context done: %v", err)
	}
	a.do("NOOP", "250") // an open session goes on
	b.do("NOOP", "250")
	second.Close()
	if err := <-served; err == nil {
		t.Error("Serve with its listener broken: nil")
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	a.want("421")
	b.want("421")
}
