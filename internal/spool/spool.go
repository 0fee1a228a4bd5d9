package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("not in the spool")
	ErrExists   = errors.New("is in the spool already")
	ErrFailed   = errors.New("spool failed: the disk did not keep what was written; see to the disk, then restart Postern")
)

// Spool keeps objects. It is safe for concurrent use; memory use does not grow
// with an object's length.
type Spool struct {
	at place
}

// place is where objects are: a folder or a bucket. Ids are valid.
type place interface {
	put(ctx context.Context, id mail.ID, r io.Reader) (int64, error)
	open(ctx context.Context, id mail.ID) (io.ReadCloser, error)
	size(ctx context.Context, id mail.ID) (int64, error)
	delete(ctx context.Context, id mail.ID) error
	list(ctx context.Context, fn func(id mail.ID, modified time.Time) error) error
	free(ctx context.Context) (uint64, error)
}

// Put stores all of r, at least one octet as sealed content always has, under id
// and returns its size in octets. When Put returns
// nil the octets are kept and survive a crash, as accepting responsibility with
// 250 demands (RFC 5321 §6.1). On error nothing is left under id; the error is
// ErrExists, ErrFailed, or comes from r or the place.
func (s *Spool) Put(ctx context.Context, id mail.ID, r io.Reader) (size int64, err error) {
	if err := check(id); err != nil {
		return 0, err
	}
	size, err = s.at.put(ctx, id, r)
	if err != nil {
		return 0, fmt.Errorf("spool %s: %w", id, err)
	}
	return size, nil
}

// Open reads what Put stored; the caller closes it. The error is ErrNotFound when
// there is no such object. Reading ends with ctx.
func (s *Spool) Open(ctx context.Context, id mail.ID) (io.ReadCloser, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	r, err := s.at.open(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("open %s in the spool: %w", id, err)
	}
	return r, nil
}

// Size is how many octets an object has. The error is ErrNotFound when there is
// none.
func (s *Spool) Size(ctx context.Context, id mail.ID) (int64, error) {
	if err := check(id); err != nil {
		return 0, err
	}
	n, err := s.at.size(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("size of %s in the spool: %w", id, err)
	}
	return n, nil
}

// Delete removes an object. It is no error if there is none.
func (s *Spool) Delete(ctx context.Context, id mail.ID) error {
	if err := check(id); err != nil {
		return err
	}
	if err := s.at.delete(ctx, id); err != nil {
		return fmt.Errorf("delete %s from the spool: %w", id, err)
	}
	return nil
}

// List calls fn for every object, in no order, until fn returns an error, which
// List returns. fn may delete the object.
func (s *Spool) List(ctx context.Context, fn func(id mail.ID, modified time.Time) error) error {
	if err := s.at.list(ctx, fn); err != nil {
		return fmt.Errorf("list the spool: %w", err)
	}
	return nil
}

// Free is how many octets the disk under the folder still takes. A bucket knows no
// limit and says math.MaxUint64.
func (s *Spool) Free(ctx context.Context) (octets uint64, err error) {
	octets, err = s.at.free(ctx)
	if err != nil {
		return 0, fmt.Errorf("room in the spool: %w", err)
	}
	return octets, nil
}

func check(id mail.ID) error {
	if !id.Valid() {
		return fmt.Errorf("spool: %q is not a message id", string(id))
	}
	return nil
}

// while ends reading when ctx does: a client that went away must not keep the disk
// busy.
type while struct {
	ctx context.Context
	r   io.Reader
}

func (w while) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
