package ingress

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// What body ends with when the content does not, besides io.ErrUnexpectedEOF and
// errors of the connection.
var (
	errTooBig  = errors.New("message exceeds the maximum size")
	errAborted = errors.New("client abandoned the message")
	errClosed  = errors.New("session is closed")
)

// A source yields content in pieces that are valid until the next call. io.EOF
// comes at the content's proper end and nowhere else.
type source interface {
	next() ([]byte, error)
}

// body is the content as Accept reads it.
type body struct {
	src    source
	piece  []byte // of what src gave, not yet read
	size   int64  // octets src gave
	max    int64
	err    error     // how it ended; nil before
	closed bool      // Accept has returned
	ended  time.Time // when err became io.EOF
}

// more makes piece non-empty or returns how the content ended.
func (b *body) more() error {
	if b.closed {
		return errClosed
	}
	for len(b.piece) == 0 {
		if b.err != nil {
			return b.err
		}
		var piece []byte
		piece, b.err = b.src.next()
		b.size += int64(len(piece))
		switch {
		case b.err == io.EOF:
			b.ended = time.Now()
		case b.size > b.max:
			b.err = errTooBig
		case b.err == nil || b.err == errTooBig || b.err == errAborted:
			b.piece = piece
		default:
			b.err = truncated{b.err}
		}
	}
	return nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := b.more(); err != nil {
		return 0, err
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
	return n, nil
}

// WriteTo implements io.WriterTo without copying.
func (b *body) WriteTo(w io.Writer) (written int64, err error) {
	for {
		switch err := b.more(); {
		case err == io.EOF:
			return written, nil
		case err != nil:
			return written, err
		}
		n, err := w.Write(b.piece)
		written += int64(n)
		b.piece = b.piece[n:]
		if err != nil {
			return written, err
		}
	}
}

// finish reads and forgets what Accept left, and returns how the content ended.
func (b *body) finish() error {
	for b.err == nil {
		b.piece, b.closed = nil, false
		b.more()
	}
	b.piece, b.closed = nil, true
	return b.err
}

// truncated says that the connection failed within content. It is also
// io.ErrUnexpectedEOF.
type truncated struct{ cause error }

func (t truncated) Error() string   { return "message cut off: " + t.cause.Error() }
func (t truncated) Unwrap() []error { return []error{io.ErrUnexpectedEOF, t.cause} }

// dots is the content of DATA: it ends with CRLF.CRLF and nothing else, and a dot
// that begins a line of more than the dot is taken off (RFC 5321 §4.1.1.4, §4.5.2).
type dots struct {
	wire *wire
	bol  bool // the next octet begins a line; true at the start, since DATA's own CRLF counts
	done bool
}

func (d *dots) next() ([]byte, error) {
	if d.done {
		return nil, io.EOF
	}
	c := d.wire
	for {
		b := c.buf[c.r:c.w]
		if d.bol {
			switch dot := bytes.HasPrefix(b, crlfDot[2:]); {
			case len(b) == 0, dot && len(b) == 1, dot && len(b) == 2 && b[1] == '\r':
				if err := c.fill(); err != nil {
					return nil, err
				}
				continue
			case dot && b[1] == '\r' && b[2] == '\n':
				c.r += 3
				d.done = true
				return nil, io.EOF
			case dot:
				c.r++
			}
			d.bol = false
			continue
		}
		if i := bytes.Index(b, crlfDot); i >= 0 {
			c.r += i + 2
			d.bol = true
			return b[:i+2], nil
		}
		// A CRLF or CR at the buffer's end waits for what follows it.
		n := len(bytes.TrimSuffix(b, crlf))
		if n == len(b) {
			n = len(bytes.TrimSuffix(b, crlf[:1]))
		}
		if n == 0 {
			if err := c.fill(); err != nil {
				return nil, err
			}
			continue
		}
		c.r += n
		return b[:n], nil
	}
}

// swallow reads on to the content's end because the client listens to nothing
// before. errTooBig comes after so many octets more.
func (d *dots) swallow(octets int64) error {
	for octets > 0 {
		piece, err := d.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		octets -= int64(len(piece))
	}
	return errTooBig
}

// chunks is the content of a row of BDAT commands (RFC 3030 §2). Between chunks it
// answers the client and reads its next command.
type chunks struct {
	ses  *session
	left int64 // octets of the chunk not yet read
	last bool
	size int64 // octets of all chunks announced
}

func (c *chunks) next() ([]byte, error) {
	for c.left == 0 {
		if c.last {
			return nil, io.EOF
		}
		if err := c.ses.nextChunk(c); err != nil {
			return nil, err
		}
	}
	if c.size > c.ses.srv.MaxSize {
		return nil, errTooBig // before the octets come
	}
	return c.take()
}

// take is what is there of the chunk, at least one octet.
func (c *chunks) take() ([]byte, error) {
	w := &c.ses.wire
	if w.r == w.w {
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
	n := min(int64(w.w-w.r), c.left)
	b := w.buf[w.r : w.r+int(n)]
	w.r += int(n)
	c.left -= n
	return b, nil
}

// skip consumes the rest of the chunk.
func (c *chunks) skip() error {
	for c.left > 0 {
		if _, err := c.take(); err != nil {
			return err
		}
	}
	return nil
}
