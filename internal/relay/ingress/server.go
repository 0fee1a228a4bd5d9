package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
)

// Server speaks SMTP with clients and hands every complete message to Accept.
// Its exported fields must not change after the first Serve.
type Server struct {
	Hostname   string      // in the greeting, in EHLO and in 421; "" is localhost
	MaxSize    int64       // octets of content; 0 = DefaultMaxSize
	RequireTLS bool        // MAIL before STARTTLS: 530 5.7.0 (RFC 3207 §4)
	TLS        *tls.Config // nil: STARTTLS is not offered. TLS 1.2 at least, session tickets off and asking for a client certificate are set here

	// Accept takes responsibility for one message. It is called while the content
	// streams in: body yields the octets as sent, dots unstuffed, line ends and
	// bare CR or LF as they were, and io.EOF exactly at the content's proper end.
	// Any other error of body (client gone, too slow, over MaxSize, RSET) means
	// that nothing may be accepted. body also implements io.WriterTo and must not
	// be used after Accept has returned. What Accept leaves unread is drained
	// before the client is answered.
	//
	// nil answers 250 with id; a *mail.Reply answers that; every other error is
	// logged and answers 451 4.3.0. env is Accept's to keep. ctx ends only when
	// Shutdown loses patience.
	Accept func(ctx context.Context, env *mail.Envelope, body io.Reader) (id mail.ID, err error)

	ProxyFrom []netip.Prefix // peers that must begin with a PROXY header (v1 or v2), which is believed; nobody else's is
	Limits    Limits
	Log       *slog.Logger // nil: slog.Default()
	Metric    *metric.Set  // may be nil

	once   sync.Once
	limits Limits
	tls    *tls.Config
	hello  [2]string // answer to EHLO without and with STARTTLS
	quiet  quiet

	draining  atomic.Bool
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	peers     map[netip.Addr]int
	running   sync.WaitGroup
}

// DefaultMaxSize is what Exchange Online can be set to send at most, 150 MiB.
const DefaultMaxSize = 150 << 20

// setUp fills in what Serve and Shutdown derive from the exported fields.
func (s *Server) setUp() {
	s.once.Do(func() {
		s.limits = s.Limits.withDefaults()
		def(&s.MaxSize, DefaultMaxSize)
		def(&s.Hostname, "localhost")
		s.Log = orDefault(s.Log)
		if s.RequireTLS && s.TLS == nil {
			s.Log.Error("TLS is required but there is no certificate, so every message is refused")
		}
		s.tls = serverTLS(s.TLS)
		s.hello = [2]string{s.extensions(false), s.extensions(s.tls != nil)}
		s.listeners = make(map[net.Listener]struct{})
		s.sessions = make(map[*session]struct{})
		s.peers = make(map[netip.Addr]int)
	})
}

// Serve accepts connections from l until ctx is done or Shutdown is called, which
// give nil, or l fails, which gives its error. It closes l. Sessions that are open
// then go on; Shutdown ends them. Any number of listeners may be served at once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.setUp()
	s.mu.Lock()
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	if s.draining.Load() {
		return nil
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()

	var pause time.Duration
	for {
		conn, err := l.Accept()
		if err == nil {
			pause = 0
			s.admit(ctx, conn)
			continue
		}
		if ctx.Err() != nil || s.draining.Load() {
			return nil
		}
		// Out of file descriptors and the like passes: refusing new connections for
		// a moment is better than to stop listening.
		if !passing(err) {
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		s.quiet.warn(s.Log, "cannot accept connections", "err", err)
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		time.Sleep(pause)
	}
}

// passing reports whether a failed accept may work again in a moment.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit starts a session for conn unless there are too many.
func (s *Server) admit(ctx context.Context, conn net.Conn) {
	s.mu.Lock()
	full, draining := len(s.sessions) >= s.limits.Sessions, s.draining.Load()
	if full || draining {
		s.mu.Unlock()
		cause := "too many sessions"
		if draining {
			cause = "shutting down"
		}
		s.refuse(conn, "421 4.3.2 "+s.Hostname+" Too busy, try again later\r\n", cause)
		return
	}
	ses := newSession(ctx, s, conn)
	s.sessions[ses] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.running.Done()
		ses.run()
	}()
}

// refuse answers a connection that gets no session. A fresh socket has room for
// one line, so that the write does not wait.
func (s *Server) refuse(conn net.Conn, reply, cause string) {
	s.count(func(m *metric.Set) { m.Connects.WithLabelValues("limit").Inc() })
	s.quiet.warn(s.Log, "connection refused", "cause", cause)
	conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	io.WriteString(conn, reply)
	conn.Close()
}

// Shutdown ends all Serve calls and then every session: at once where it is between
// messages (421 4.3.2), else when its message has been answered. It returns nil
// when none is left. When ctx is done first, the rest is cut off, their Accept calls
// are cancelled, and the error is ctx's.
func (s *Server) Shutdown(ctx context.Context) error {
	s.setUp()
	s.draining.Store(true)
	s.mu.Lock()
	for l := range s.listeners {
		l.Close()
	}
	for ses := range s.sessions {
		ses.wire.kick()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for ses := range s.sessions {
		ses.cancel()
		ses.wire.raw.Close()
	}
	s.mu.Unlock()
	return ctx.Err()
}

// Sessions is how many are open now.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// count lets f count if there is anything to count with.
func (s *Server) count(f func(*metric.Set)) {
	if s.Metric != nil {
		f(s.Metric)
	}
}
