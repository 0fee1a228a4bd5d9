package judge

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

type kind byte

const (
	kindSetup  kind = 's'
	kindHello  kind = 'h'
	kindTenant kind = 't'
	kindJob    kind = 'j'
	kindOctets kind = 'o'
	kindAsk    kind = 'q'
	kindAnswer kind = 'a'
	kindResult kind = 'r'
)

// maxFrame bounds every frame but the message itself.
const maxFrame = 8 << 20

// errFrame means that the other side does not keep to the protocol.
var errFrame = errors.New("malformed frame")

// frameWriter writes whole frames; it may be used by several goroutines.
type frameWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// send writes v as JSON.
func (f *frameWriter) send(k kind, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	frame := make([]byte, 5, 5+len(body))
	putHeader(frame, k, len(body))
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err = f.w.Write(append(frame, body...))
	return err
}

// sendAll writes v as JSON and size octets of r as the frame behind it. A source
// that fails or is of another size is a *sourceError.
func (f *frameWriter) sendAll(k kind, v any, size int64, r io.Reader) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	head := make([]byte, 5, 10+len(body))
	putHeader(head, k, len(body))
	head = append(head, body...)
	head = append(head, 0, 0, 0, 0, 0)
	putHeader(head[len(head)-5:], kindOctets, int(size))
	f.mu.Lock()
	defer f.mu.Unlock()
	if size <= smallMessage {
		return f.writeSmall(head, size, r)
	}
	if _, err := f.w.Write(head); err != nil {
		return err
	}
	src := &source{r: io.LimitReader(r, size)}
	n, err := io.Copy(f.w, src)
	if src.err != nil || err == nil && n < size {
		return &sourceError{src.err}
	}
	return err
}

// smallMessage is what goes through the pipe in one write.
const smallMessage = 48 << 10

func (f *frameWriter) writeSmall(head []byte, size int64, r io.Reader) error {
	all := make([]byte, len(head)+int(size))
	copy(all, head)
	if _, err := io.ReadFull(r, all[len(head):]); err != nil {
		return &sourceError{err}
	}
	_, err := f.w.Write(all)
	return err
}

// source remembers whether reading failed, so that it is not taken for a fault
// of the child.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// sourceError says that the octets to judge could not be read.
type sourceError struct{ err error }

func (e *sourceError) Error() string {
	if e.err == nil {
		return "message is shorter than its stated size"
	}
	return fmt.Sprintf("read message: %v", e.err)
}
func (e *sourceError) Unwrap() error { return e.err }

func putHeader(b []byte, k kind, n int) {
	b[0] = byte(k)
	binary.BigEndian.PutUint32(b[1:], uint32(n))
}

// readFrame reads one frame of at most limit octets. io.EOF means the other side
// is gone between frames.
func readFrame(r *bufio.Reader, limit int) (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if int64(n) > int64(limit) {
		return 0, nil, fmt.Errorf("%w: kind %q with %d octets", errFrame, head[0], n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, fmt.Errorf("%w: cut short: %w", errFrame, err)
	}
	return kind(head[0]), body, nil
}
