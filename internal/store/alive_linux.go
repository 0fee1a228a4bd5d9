package store

import (
	"context"
	"database/sql"
	"fmt"

	sys "golang.org/x/sys/unix"
)

// A process that works on a SQLite folder holds a lock on one octet of
// postern.lock, at the offset of its epoch, until it ends however it ends. So who
// is dead is known at once and for sure, without a heartbeat.

// holdEpoch takes the lock of this process's epoch.
func (s *Store) holdEpoch() error {
	l := sys.Flock_t{Type: sys.F_WRLCK, Whence: 0, Start: s.epoch, Len: 1}
	if err := sys.FcntlFlock(s.lock.Fd(), sys.F_OFD_SETLK, &l); err != nil {
		return fmt.Errorf("lock epoch %d of the data folder: %w", s.epoch, err)
	}
	return nil
}

// held reports whether the process of an epoch still lives.
func (s *Store) held(epoch int64) bool {
	l := sys.Flock_t{Type: sys.F_WRLCK, Whence: 0, Start: epoch, Len: 1}
	if err := sys.FcntlFlock(s.lock.Fd(), sys.F_OFD_GETLK, &l); err != nil {
		return true // not to be known: its lease ends with the heartbeat
	}
	return l.Type != sys.F_UNLCK
}

// bury voids the leases of processes that ended without giving them back.
func (s *Store) bury(ctx context.Context) error {
	rows, err := s.query(ctx, "SELECT epoch FROM nodes WHERE epoch <> ?", s.epoch)
	epochs, err := collect(rows, err, func(r *sql.Rows) (e int64, err error) { return e, r.Scan(&e) })
	if err != nil {
		return fmt.Errorf("look for processes that ended: %w", err)
	}
	for _, epoch := range epochs {
		if s.held(epoch) {
			continue
		}
		err := s.w.do(ctx, func(t *tx) error {
			_, err := t.exec("DELETE FROM nodes WHERE epoch = ?", epoch)
			return err
		})
		if err != nil {
			return fmt.Errorf("void the leases of process %d: %w", epoch, err)
		}
	}
	return nil
}
