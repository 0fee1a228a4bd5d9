package main

import (
	"bufio"
	"bytes"
	"hash/crc32"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sink is the next hop of every relay: it takes each message, knows it again by
// its id, and checks its body.
type sink struct {
	listener net.Listener

	mu      sync.Mutex
	seen    map[string]bool
	twice   int
	changed int // bodies that are not as they were sent
	last    time.Time
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{listener: l}
	s.reset()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

func (s *sink) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *sink) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.twice, s.changed, s.last = make(map[string]bool), 0, 0, time.Time{}
}

// count is how many different messages came, how many of them again, how many with
// another body, and when the last one did.
func (s *sink) count() (n, twice, changed int, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen), s.twice, s.changed, s.last
}

// serve speaks as much SMTP as relays need.
func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	r, w := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriter(conn)
	say := func(line string) { w.WriteString(line + "\r\n") }
	say("220 sink.rcpt.test ESMTP")
	var m arrival
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-sink.rcpt.test\r\n250-PIPELINING\r\n250-SIZE 209715200\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8")
		case "DATA":
			say("354 go")
			if w.Flush() != nil || m.data(r) != nil {
				return
			}
			s.take(&m)
			m = arrival{}
			say("250 2.0.0 taken")
		case "BDAT":
			size, last, _ := strings.Cut(arg, " ")
			n, err := strconv.Atoi(size)
			if err != nil || m.chunk(r, n) != nil {
				return
			}
			if last != "" {
				s.take(&m)
				m = arrival{}
			}
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 2.0.0 bye")
			w.Flush()
			return
		default: // MAIL, RCPT, RSET, NOOP
			say("250 2.0.0 ok")
		}
	}
}

func (s *sink) take(m *arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[m.id] {
		s.twice++
	}
	s.seen[m.id] = true
	if m.want != bodySum(m.crc, m.size) {
		s.changed++
	}
	s.last = time.Now()
}

// arrival is a message as it comes in; nothing of it is kept.
type arrival struct {
	id, want string
	part     []byte // beginning of a header line of which the rest is yet to come
	body     bool
	crc      uint32
	size     int
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// bodySum is a body's checksum as bodyField has it.
func bodySum(crc uint32, size int) string {
	return strconv.FormatUint(uint64(crc), 16) + ":" + strconv.Itoa(size)
}

// data reads to the final dot.
func (m *arrival) data(r *bufio.Reader) error {
	for whole := true; ; {
		line, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		if whole && line[0] == '.' {
			if string(line) == ".\r\n" {
				return nil
			}
			line = line[1:]
		}
		m.add(line)
		whole = err == nil
	}
}

func (m *arrival) chunk(r *bufio.Reader, n int) error {
	for n > 0 {
		p, err := r.Peek(min(n, 32<<10))
		if err != nil && len(p) == 0 {
			return io.ErrUnexpectedEOF
		}
		m.add(p)
		n -= len(p)
		r.Discard(len(p))
	}
	return nil
}

func (m *arrival) add(p []byte) {
	for !m.body && len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			m.part = append(m.part, p...)
			return
		}
		line := append(m.part, p[:end]...)
		m.part, p = m.part[:0], p[end:]
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		switch {
		case name == idField:
			m.id = value
		case name == bodyField:
			m.want = value
		case name == "":
			m.body = true
		}
	}
	m.crc = crc32.Update(m.crc, castagnoli, p)
	m.size += len(p)
}
