package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/dns"
	"postern/internal/mail"
	"postern/internal/relay/ingress"
)

// sink is the tenant's MTA. It writes down all that it takes.
type sink struct {
	addr string // as --mta takes it: host:port
	dns  string // of a zone that knows the host
	zone *dns.Zone

	stream bool // sums bodies instead of keeping messages

	mu    sync.Mutex
	take  func(delivered)                        // what is done with a message that was taken
	fault func(env *mail.Envelope) (error, bool) // answered instead of taking, or cut: the connection breaks without an answer
	cuts  atomic.Int64                           // connections that broke by our doing
	open  atomic.Int64                           // connections now
	taken atomic.Int64
}

// delivered is one message that the sink has answered with 250.
type delivered struct {
	env mail.Envelope
	raw []byte
	sum [32]byte // of the body, where the sink streams
}

const sinkHost = "mx.contoso.test"

// newSink starts an MTA with a certificate and a DNS zone that names it.
func newSink(t *testing.T) *sink {
	t.Helper()
	return newSinkAt(t, freePort(t))
}

// newSinkAt is newSink at an address of the caller's.
func newSinkAt(t *testing.T, addr string) *sink {
	t.Helper()
	zone, err := dns.NewZone(sinkHost + ". A 127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{dns: zone.Addr(), zone: zone, take: func(delivered) {}}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	s.addr = sinkHost + ":" + port
	srv := &ingress.Server{Hostname: sinkHost, TLS: serverTLS(t, sinkHost), RequireTLS: true, Accept: s.accept, MaxSize: 300 << 20,
		Limits: ingress.Limits{PerAddress: 1000}, Log: slog.New(slog.DiscardHandler)}
	go srv.Serve(context.Background(), &cuttable{l, s})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		zone.Close()
	})
	return s
}

// collect makes the sink keep everything and returns a function that lists it.
func (s *sink) collect() func() []delivered {
	var mu sync.Mutex
	var all []delivered
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take = func(d delivered) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, d)
	}
	return func() []delivered {
		mu.Lock()
		defer mu.Unlock()
		return append([]delivered(nil), all...)
	}
}

func (s *sink) set(fault func(*mail.Envelope) (error, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

var errCut = errors.New("cut")

func (s *sink) accept(_ context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
	d := delivered{env: *env}
	var err error
	if s.stream {
		b := &bodySum{h: sha256.New()}
		_, err = io.Copy(b, body)
		d.sum = [32]byte(b.h.Sum(nil))
	} else {
		d.raw, err = io.ReadAll(body)
	}
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	take, fault := s.take, s.fault
	s.mu.Unlock()
	if fault != nil {
		if err, _ := fault(env); err != nil {
			return "", err
		}
	}
	take(d)
	s.taken.Add(1)
	return mail.NewID(), nil
}

// cuttable gives connections that break now and then in the middle of what they
// read, as long as the sink has a fault function that says so.
type cuttable struct {
	net.Listener
	s *sink
}

func (l *cuttable) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.s.open.Add(1)
	return &cutConn{Conn: c, s: l.s}, nil
}

type cutConn struct {
	net.Conn
	s    *sink
	once sync.Once
}

func (c *cutConn) Close() error {
	c.once.Do(func() { c.s.open.Add(-1) })
	return c.Conn.Close()
}

func (c *cutConn) Read(p []byte) (int, error) {
	c.s.mu.Lock()
	fault := c.s.fault
	c.s.mu.Unlock()
	n, err := c.Conn.Read(p)
	if fault != nil && n > 0 {
		if _, cut := fault(nil); cut {
			c.s.cuts.Add(1)
			c.Conn.Close()
			return 0, errCut
		}
	}
	return n, err
}

// troubles are the faults of a bad day: temporary refusals, cut connections, and
// slow answers.
func troubles(env *mail.Envelope) (error, bool) {
	if env == nil {
		return nil, rand.IntN(2000) == 0
	}
	switch n := rand.IntN(200); {
	case n < 3:
		return &mail.Reply{Code: 451, Enhanced: "4.3.0", Text: "Temporary trouble"}, false
	case n < 4:
		return &mail.Reply{Code: 452, Enhanced: "4.3.1", Text: "Insufficient system storage"}, false
	case n < 8:
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
	}
	return nil, false
}

// refuseAll refuses for good.
func refuseAll(env *mail.Envelope) (error, bool) {
	if env == nil {
		return nil, false
	}
	return &mail.Reply{Code: 550, Enhanced: "5.1.10", Text: "No such recipient"}, false
}

// body is what follows the header.
func body(raw []byte) []byte {
	_, after, _ := strings.Cut(string(raw), "\r\n\r\n")
	return []byte(after)
}

func headerOf(raw []byte) mail.Header {
	h, _ := mail.SplitHeader(raw)
	return h
}

func (d delivered) String() string {
	return fmt.Sprintf("<%s> %v %d octets", d.env.From, d.env.To, len(d.raw))
}
