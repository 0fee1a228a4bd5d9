package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// An Envelope is what a client said before the content.
type Envelope struct {
	Peer  netip.Addr
	HELO  string
	TLS   *tls.ConnectionState // nil in plaintext
	From  string               // without <>; "" for the null path
	To    []string
	Param map[string]string // of MAIL, by upper-case name
}

// A Handler decides for a Server. Its methods are called from many goroutines.
type Handler interface {
	// Rcpt answers RCPT; env has everything but this recipient.
	Rcpt(ctx context.Context, env *Envelope, to string) Reply
	// Data answers the end of the content. raw is the handler's to keep.
	Data(ctx context.Context, env *Envelope, raw []byte) Reply
}

// A Server is an SMTP server. Its fields are not changed after Serve.
type Server struct {
	Hostname string
	TLS      *tls.Config // offered by STARTTLS
	Handler  Handler
	MaxSize  int                         // octets; 0 means 150 MiB
	Seen     func(netip.Addr) netip.Addr // the address a peer counts as; nil for its own
	Idle     time.Duration               // longest wait for the client; 0 means 5 minutes
	mu       sync.Mutex                  // guards conns
	conns    map[net.Conn]struct{}       // open now
	wg       sync.WaitGroup              // sessions
	stop     context.CancelCauseFunc     // ends them
	base     context.Context
	closed   bool
}

// defaultMaxSize is Exchange's largest message.
const defaultMaxSize int = 150 << 20

// Serve takes connections until l is closed.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.conns == nil {
		s.conns = map[net.Conn]struct{}{}
		s.base, s.stop = context.WithCancelCause(context.Background())
	}
	s.mu.Unlock()
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		if !s.track(c) {
			c.Close()
			return nil
		}
		go func() {
			defer s.untrack(c)
			newSession(s, c).run(s.base)
		}()
	}
}

func (s *Server) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) untrack(c net.Conn) {
	c.Close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.wg.Done()
}

// Close ends every session and waits for them. The caller closes the listener.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	if s.stop != nil {
		s.stop(net.ErrClosed)
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Server) maxSize() int {
	if s.MaxSize > 0 {
		return s.MaxSize
	}
	return defaultMaxSize
}

func peerOf(c net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
