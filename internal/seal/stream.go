package seal

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"postern/internal/mail"
)

// A stream is one format octet, a salt, and chunks. Each chunk's nonce counts it
// and says whether it is the last (the STREAM construction of Hoang, Reyhanitabar,
// Rogaway and Vizár 2015), so a chunk cut off, doubled or moved does not verify.
const (
	chunkSize = 64 << 10 // octets of content in every chunk but the last
	saltSize  = 32
	tagSize   = 16
)

// Writer returns a writer that seals what is written to it into w. Only after
// Close returned nil is the stream whole; Close does not close w. Memory use is
// one chunk, whatever the length.
func (k TenantKey) Writer(w io.Writer, id mail.ID, part string) (io.WriteCloser, error) {
	head := make([]byte, 1+saltSize)
	head[0] = formatStream
	if _, err := rand.Read(head[1:]); err != nil {
		return nil, fmt.Errorf("seal %s of %s: %w", part, id, err)
	}
	if _, err := w.Write(head); err != nil {
		return nil, fmt.Errorf("seal %s of %s: %w", part, id, err)
	}
	return &writer{
		chunker: k.chunker(head[1:], id, part),
		w:       w,
		plain:   make([]byte, 0, chunkSize),
		sealed:  make([]byte, 0, chunkSize+tagSize),
	}, nil
}

type writer struct {
	chunker
	w      io.Writer
	plain  []byte
	sealed []byte
	err    error // sticky
}

var errClosed = errors.New("write to a closed stream")

func (w *writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		if len(w.plain) == chunkSize { // more follows, so it is not the last
			w.flush(false)
			continue
		}
		m := min(chunkSize-len(w.plain), len(p))
		w.plain = append(w.plain, p[:m]...)
		p, n = p[m:], n+m
	}
	return n, w.err
}

// Close seals the last chunk.
func (w *writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.flush(true)
	err := w.err
	if err == nil {
		w.err = errClosed
	}
	return err
}

func (w *writer) flush(last bool) {
	w.sealed = w.aead.Seal(w.sealed[:0], w.next(last), w.plain, w.bind)
	w.plain = w.plain[:0]
	if _, err := w.w.Write(w.sealed); err != nil {
		w.err = fmt.Errorf("write sealed stream: %w", err)
	}
}

// Reader returns a reader of what Writer sealed for the same id and part. It
// hands out only verified chunks and io.EOF only after the last one; damage is
// ErrSealed, an error of r comes through wrapped.
func (k TenantKey) Reader(r io.Reader, id mail.ID, part string) (io.Reader, error) {
	head := make([]byte, 1+saltSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", part, id, truncated(err))
	}
	if head[0] != formatStream {
		return nil, fmt.Errorf("open %s of %s: %w", part, id, ErrSealed)
	}
	return &reader{
		chunker: k.chunker(head[1:], id, part),
		r:       bufio.NewReaderSize(r, chunkSize+tagSize),
		sealed:  make([]byte, chunkSize+tagSize),
		what:    fmt.Sprintf("open %s of %s", part, id),
	}, nil
}

type reader struct {
	chunker
	r      *bufio.Reader
	sealed []byte // one chunk, opened in place
	plain  []byte // of it, not yet handed out
	what   string
	err    error // sticky
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if err := r.fill(); err != nil {
			r.err = err
			if err != io.EOF {
				r.err = fmt.Errorf("%s: %w", r.what, err)
			}
		}
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// fill opens the next chunk. io.EOF beside a chunk means that it was the last.
func (r *reader) fill() error {
	n, err := io.ReadFull(r.r, r.sealed)
	if err != nil && err != io.ErrUnexpectedEOF {
		return truncated(err)
	}
	last := err != nil
	if !last {
		_, err := r.r.Peek(1)
		if err != nil && err != io.EOF {
			return err
		}
		last = err != nil
	}
	if last && n == tagSize && r.count > 0 {
		return ErrSealed // only an empty stream ends with an empty chunk
	}
	plain, err := r.aead.Open(r.sealed[:0], r.next(last), r.sealed[:n], r.bind)
	if err != nil {
		return ErrSealed
	}
	r.plain = plain
	if last {
		return io.EOF
	}
	return nil
}

func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrSealed
	}
	return err
}

// chunker is what both ends of a stream agree on.
type chunker struct {
	aead  cipher.AEAD
	bind  []byte
	count uint64 // chunks so far; 2^64 chunks cannot be written
	nonce [12]byte
}

func (k TenantKey) chunker(salt []byte, id mail.ID, part string) chunker {
	block, err := aes.NewCipher(derive(k.message(id), salt, "postern stream"))
	if err != nil {
		panic(err) // the key has 32 octets
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return chunker{aead: aead, bind: binding(formatStream, id, part)}
}

// next is the nonce of the next chunk; the stream's salted key never sees it twice.
func (c *chunker) next(last bool) []byte {
	binary.BigEndian.PutUint64(c.nonce[3:11], c.count)
	c.count++
	c.nonce[11] = 0
	if last {
		c.nonce[11] = 1
	}
	return c.nonce[:]
}
