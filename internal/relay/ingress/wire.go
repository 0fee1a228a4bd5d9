package ingress

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	maxLine   = 4096      // octets of a command with CRLF: 512 (RFC 5321 §4.5.3.1.4) and what SMTPUTF8, DSN and SIZE add; longer: 500 5.5.2
	maxSkip   = 1 << 20   // octets of one overlong command line that are skipped before we hang up
	smallSize = maxLine   // read buffer between messages
	largeSize = 64 << 10  // read buffer within content
	maxOut    = 4096      // octets of replies gathered before they are written
	maxLinger = 256 << 10 // octets thrown away so that a last reply is not lost to a TCP reset
)

// What reading from the client can end with, besides io errors.
var (
	errLong   = errors.New("command line too long")
	errFlood  = errors.New("endless command line")
	errGone   = errors.New("client vanished")
	errSlow   = errors.New("client too slow")
	errKicked = errors.New("server is shutting down")
)

// wire is one connection as lines and octets: what was read and not yet used,
// and what was said and not yet written. Replies are written when nothing is left
// to read, so that a pipelined batch is answered with one write (RFC 2920 §3.2).
// Slices it returns are valid until the next call.
type wire struct {
	conn net.Conn // raw, or TLS over it
	raw  net.Conn
	lim  *Limits

	buf   []byte // buf[r:w] is unread
	r, w  int
	start int // of the line that line returned last

	out   []byte
	fault error // the first error of a write

	inContent bool
	got       int64 // octets since the span of Limits.Data began

	mu     sync.Mutex // guards what kick touches
	idle   bool       // waiting for a command between messages
	kicked bool
}

var (
	smallBufs = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largeBufs = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

func (c *wire) init(conn net.Conn, lim *Limits) {
	c.conn, c.raw, c.lim = conn, conn, lim
	c.buf = smallBufs.Get().(*[smallSize]byte)[:]
}

// release gives the buffers back; the wire is dead then.
func (c *wire) release() {
	c.putBuf()
	c.buf, c.r, c.w = nil, 0, 0
}

func (c *wire) putBuf() {
	switch len(c.buf) {
	case smallSize:
		smallBufs.Put((*[smallSize]byte)(c.buf))
	case largeSize:
		largeBufs.Put((*[largeSize]byte)(c.buf))
	}
}

// resize moves the unread octets to a buffer of the size that content or commands
// want. A large one is kept while a small one would not hold them.
func (c *wire) resize(large bool) {
	if large == (len(c.buf) == largeSize) || (!large && c.w-c.r > smallSize) {
		return
	}
	var to []byte
	if large {
		to = largeBufs.Get().(*[largeSize]byte)[:]
	} else {
		to = smallBufs.Get().(*[smallSize]byte)[:]
	}
	n := copy(to, c.buf[c.r:c.w])
	c.putBuf()
	c.buf, c.r, c.w = to, 0, n
}

// discard forgets what was read ahead, as STARTTLS demands (RFC 3207 §4.2).
func (c *wire) discard() { c.r, c.w = 0, 0 }

// line returns the next command without its CRLF. Only CRLF ends it, and all of it
// must come within Limits.Command and before latest, if that is set. errLong means
// that the line was over maxLine and has been skipped; what is returned with it are
// its first four octets. wait says that the session is between messages, so that
// kick may end it.
func (c *wire) line(latest time.Time, wait bool) ([]byte, error) {
	var (
		deadline         time.Time
		scanned, skipped int
		verb             [4]byte
	)
	for {
		unread := c.buf[c.r:c.w]
		if i := bytes.Index(unread[scanned:], crlf); i >= 0 {
			line := unread[:scanned+i]
			c.start = c.r
			c.r += len(line) + 2
			if skipped > 0 {
				return verb[:], errLong
			}
			if len(line)+2 > maxLine {
				copy(verb[:], line)
				return verb[:], errLong
			}
			return line, nil
		}
		if len(unread) >= maxLine {
			if skipped == 0 {
				copy(verb[:], unread)
			}
			skipped += len(unread)
			if skipped > maxSkip {
				return nil, errFlood
			}
			c.r = c.w
			if unread[len(unread)-1] == '\r' {
				c.r--
			}
		}
		c.resize(false)
		scanned = max(0, c.w-c.r-1)
		if deadline.IsZero() {
			deadline = time.Now().Add(c.lim.Command)
			if !latest.IsZero() && latest.Before(deadline) {
				deadline = latest
			}
		}
		if err := c.arm(deadline, wait); err != nil {
			return nil, err
		}
		err := c.fill()
		if c.disarm() {
			return nil, errKicked
		}
		if err != nil {
			return nil, err
		}
	}
}

var (
	crlf    = []byte("\r\n")
	crlfDot = []byte("\r\n.")
)

// arm sets the deadline for a command. With wait the session counts as idle until
// disarm, and errKicked comes if kick was there before.
func (c *wire) arm(deadline time.Time, wait bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait && c.kicked {
		return errKicked
	}
	c.idle = wait
	return c.conn.SetReadDeadline(deadline)
}

// disarm ends idleness and reports whether the session was kicked meanwhile.
func (c *wire) disarm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.idle && c.kicked
	c.idle = false
	return was
}

// kick ends an idle session, and any other as soon as it is idle.
func (c *wire) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kicked = true
	if c.idle {
		c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// unread puts the line that line returned last back, if nothing was read since.
func (c *wire) unread() { c.r = c.start }

// content begins to read octets that are not commands: from here on the client
// must keep up Limits.MinRate.
func (c *wire) content() {
	c.inContent = true
	c.newSpan()
	c.resize(true)
}

// commands ends content.
func (c *wire) commands() { c.inContent = false }

func (c *wire) newSpan() {
	c.got = 0
	c.conn.SetReadDeadline(time.Now().Add(c.lim.Data))
}

// fill reads more after writing what is owed. There must be room in the buffer
// once what was used is gone.
func (c *wire) fill() error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	for {
		n, err := c.conn.Read(c.buf[c.w:])
		if n > 0 {
			c.w += n
			c.got += int64(n)
			return nil // an error that came with octets comes again
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded) && c.inContent && c.got >= c.lim.MinRate*int64(c.lim.Data/time.Millisecond)/1000:
			c.newSpan() // fast enough, only this span is over
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errSlow
		case err == io.EOF:
			return errGone // io.EOF is kept for content that ended as it should
		default:
			return err
		}
	}
}

// say queues a reply that ends with CRLF.
func (c *wire) say(reply string) {
	c.out = append(c.out, reply...)
	if len(c.out) > maxOut {
		c.flush()
	}
}

// flush writes what was said. Its error is the first that any write had.
func (c *wire) flush() error {
	if len(c.out) == 0 || c.fault != nil {
		return c.fault
	}
	c.conn.SetWriteDeadline(time.Now().Add(c.lim.Command))
	_, c.fault = c.conn.Write(c.out)
	if cap(c.out) > 2*maxOut {
		c.out = nil
	}
	c.out = c.out[:0]
	return c.fault
}

// hangUp closes the connection after what was said has been written. With linger
// it first waits a moment for what the client is still sending, because closing
// with octets unread makes TCP drop our last words.
func (c *wire) hangUp(linger bool) {
	defer c.raw.Close()
	if c.flush() != nil || !linger {
		if c.conn != c.raw {
			c.conn.SetWriteDeadline(time.Now().Add(time.Second))
			c.conn.Close()
		}
		return
	}
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		c.conn.SetWriteDeadline(time.Now().Add(time.Second))
		half.CloseWrite()
	}
	c.conn.SetReadDeadline(time.Now().Add(time.Second))
	io.CopyN(io.Discard, c.conn, maxLinger)
}
