package deliver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

const chunkSize = 64 << 10 // octets read, and sent as one BDAT chunk; a message within one goes out in one piece

var errContent = errors.New("the stored content cannot be read")

// buffers are what one content needs while it is on its way.
type buffers struct{ raw, fixed []byte }

// bufferPool spares allocating them for each message.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *buffers {
	if b, ok := p.pool.Get().(*buffers); ok {
		return b
	}
	return &buffers{raw: make([]byte, 1+chunkSize)}
}

func (p *bufferPool) put(b *buffers) { p.pool.Put(b) }

// content gives a message in chunks whose line ends are all CRLF (RFC 5321
// §2.3.8): a bare CR or a bare LF becomes CRLF, and the last line is ended. So
// nothing that leaves can be read as two messages by one MTA and as one by
// another, and what parse took for a line end is one for every reader. Octets
// that are right already are not copied.
type content struct {
	r     io.Reader
	buf   *buffers
	carry bool  // a CR ended the last chunk: what it is, the next octet says
	last  byte  // last octet given
	size  int64 // octets still expected of r, prepended ones included
}

// newContent reads prepend and then r, which must hold size octets.
func newContent(prepend []byte, r io.Reader, size int64, buf *buffers) *content {
	return &content{r: io.MultiReader(bytes.NewReader(prepend), r), buf: buf, size: int64(len(prepend)) + size}
}

// next gives the following octets, at most about twice chunkSize, valid until the
// next call; last says that they end the message. They may be empty then. The
// error wraps errContent: then the message must not be completed.
func (c *content) next() (chunk []byte, last bool, err error) {
	start := 1
	if c.carry {
		start = 0
		c.buf.raw[0] = '\r'
		c.carry = false
	}
	n, err := io.ReadFull(c.r, c.buf.raw[1:1+chunkSize])
	c.size -= int64(n)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		last = true
	case err != nil:
		return nil, false, fmt.Errorf("%w: %w", errContent, err)
	}
	if c.size < 0 || last && c.size != 0 {
		return nil, false, fmt.Errorf("%w: its length is not what was accepted", errContent)
	}
	chunk = c.buf.raw[start : 1+n]
	if !last && chunk[len(chunk)-1] == '\r' {
		c.carry = true
		chunk = chunk[:len(chunk)-1]
	}
	if !isClean(chunk) {
		c.buf.fixed = appendCRLF(c.buf.fixed[:0], chunk)
		chunk = c.buf.fixed
	}
	if len(chunk) > 0 {
		c.last = chunk[len(chunk)-1]
	}
	if last && c.last != '\n' {
		c.buf.fixed = append(append(c.buf.fixed[:0], chunk...), '\r', '\n')
		chunk = c.buf.fixed
		c.last = '\n'
	}
	return chunk, last, nil
}

// isClean reports whether every CR and every LF in b is part of a CRLF.
func isClean(b []byte) bool {
	pairs := 0
	for rest := b; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i == 0 || rest[i-1] != '\r' {
			return false
		}
		pairs++
		rest = rest[i+1:]
	}
	return bytes.Count(b, []byte{'\r'}) == pairs
}

// appendCRLF appends b to dst with each CRLF, bare CR and bare LF as CRLF.
func appendCRLF(dst, b []byte) []byte {
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\r\n")
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(append(dst, b[:i]...), '\r', '\n')
		if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			i++
		}
		b = b[i+1:]
	}
	return dst
}

// stuffer writes chunks of clean content with a dot added before each dot that
// begins a line (RFC 5321 §4.5.2).
type stuffer struct {
	w      *bufio.Writer
	inLine bool // the last octet written was not a line end
}

func (s *stuffer) write(chunk []byte) error {
	for len(chunk) > 0 {
		if !s.inLine && chunk[0] == '.' {
			if err := s.w.WriteByte('.'); err != nil {
				return err
			}
		}
		// up to the next line that begins with a dot
		n := len(chunk)
		s.inLine = chunk[n-1] != '\n'
		if i := bytes.Index(chunk, []byte("\n.")); i >= 0 {
			n, s.inLine = i+1, false
		}
		if _, err := s.w.Write(chunk[:n]); err != nil {
			return err
		}
		chunk = chunk[n:]
	}
	return nil
}

// has8bit reports whether r holds an octet above 127; header says to look at the
// header only.
func has8bit(r io.Reader, header bool) (bool, error) {
	br := bufio.NewReader(r)
	atStart := true // of a line
	for {
		c, err := br.ReadByte()
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, fmt.Errorf("%w: %w", errContent, err)
		case c > 127:
			return true, nil
		case header && atStart && (c == '\r' || c == '\n'):
			return false, nil
		}
		if c == '\r' { // its LF, if any, belongs to it
			if next, err := br.Peek(1); err == nil && next[0] == '\n' {
				br.Discard(1)
			}
		}
		atStart = c == '\n' || c == '\r'
	}
}
