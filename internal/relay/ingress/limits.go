package ingress

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what clients can take from us. A zero field is its default.
// There is no limit of memory for a message because none is held in memory.
type Limits struct {
	Sessions   int           // open at a time, 2000; more: 421 4.3.2
	PerAddress int           // sessions of one IPv4 address or IPv6 /64, 50; more: 421 4.7.0
	Recipients int           // of one message, 1000; more: 452 4.5.3 (RFC 5321 §4.5.3.1.8 asks for 100)
	Errors     int           // 5xx answers to commands since the last message, 20; more: 421 4.7.0
	MinRate    int64         // octets a second of content, measured over every span of Data, 500; slower: 421 4.4.2
	Command    time.Duration // for one whole command line and for a write, 5 min (RFC 5321 §4.5.3.2.7)
	Data       time.Duration // span over which MinRate is measured, and so the longest silence in content, 3 min
	Idle       time.Duration // since the last message or the greeting, whatever is said in between, 10 min
	Greet      time.Duration // wait before the greeting, 0; a client that has spoken by then is refused
	Handshake  time.Duration // TLS, and the PROXY header, 30 s
}

func (l Limits) withDefaults() Limits {
	def(&l.Sessions, 2000)
	def(&l.PerAddress, 50)
	def(&l.Recipients, 1000)
	def(&l.Errors, 20)
	def(&l.MinRate, 500)
	def(&l.Command, 5*time.Minute)
	def(&l.Data, 3*time.Minute)
	def(&l.Idle, 10*time.Minute)
	def(&l.Handshake, 30*time.Second)
	return l
}

func orDefault(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.Default()
	}
	return log
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// forget is the end of a session's book-keeping.
func (s *Server) forget(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, ses)
	if ses.peer.IsValid() {
		if s.peers[ses.peer]--; s.peers[ses.peer] <= 0 {
			delete(s.peers, ses.peer)
		}
	}
}

// enter counts a session for its address and reports whether there is room.
func (s *Server) enter(ses *session, addr netip.Addr) bool {
	key := peerKey(addr)
	if !key.IsValid() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers[key] >= s.limits.PerAddress {
		return false
	}
	s.peers[key]++
	ses.peer = key
	return true
}

// peerKey is what sessions are counted by: an IPv6 client has its whole /64.
func peerKey(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		p, err := addr.WithZone("").Prefix(64)
		if err == nil {
			return p.Addr()
		}
	}
	return addr
}

// addrOf is the IP address in a, invalid if there is none.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// quiet says each thing at most once a minute and how often it was left out.
type quiet struct {
	mu   sync.Mutex
	said map[string]*saying
}

type saying struct {
	at      time.Time
	omitted int
}

func (q *quiet) warn(log *slog.Logger, msg, key string, value any) {
	cause := msg
	if text, ok := value.(string); ok {
		cause += text
	}
	q.mu.Lock()
	if q.said == nil {
		q.said = make(map[string]*saying)
	}
	last := q.said[cause]
	if last == nil {
		last = &saying{}
		q.said[cause] = last
	}
	now := time.Now()
	if !last.at.IsZero() && now.Sub(last.at) < time.Minute {
		last.omitted++
		q.mu.Unlock()
		return
	}
	omitted := last.omitted
	last.at, last.omitted = now, 0
	q.mu.Unlock()
	log.Warn(msg, key, value, "omitted", omitted)
}
