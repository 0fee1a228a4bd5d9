package store

import (
	"context"
	"fmt"

	"postern/internal/mail"
)

// What the ledger says of copies that left the quarantine; reports read it.
const (
	releasedBy = "released by "
	deletedBy  = "deleted by "
	markedBy   = "marked for deletion by "
	unmarkedBy = "deletion taken back by "
	timeOver   = "its time in quarantine is over"
)

const releaseHeld = "UPDATE recipients SET state = 'delivering', next_at = ?, lease = ?, attempts = 0, expires_at = NULL, deleted_by = '', kept_until = NULL, updated_at = ?, events = events || ?"

// Release makes a held recipient's copy work again: delivering, and leased to this
// process, which is to send it now. Of many calls for one held copy exactly one
// returns nil; the others get ErrNotHeld.
func (s *Store) Release(ctx context.Context, id mail.ID, n int, by string) error {
	now := s.o.Now()
	err := s.unhold(ctx, id, n, false, releaseHeld,
		now.UnixMilli(), s.newLease(), now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Delivering, Text: releasedBy + by}}))
	if err != nil {
		return fmt.Errorf("release %s/%d: %w", id, n, err)
	}
	return nil
}

// Delete drops a held recipient's copy, with by as the reason in the ledger. The
// octets beside the row go when nobody needs them; those in the spool are for the
// caller, who asks Needed. The error is ErrNotHeld when the copy is not held.
func (s *Store) Delete(ctx context.Context, id mail.ID, n int, by string) error {
	now := s.o.Now()
	err := s.unhold(ctx, id, n, true, "UPDATE recipients SET state = 'dropped', next_at = NULL, lease = 0, expires_at = NULL, updated_at = ?, events = events || ?",
		now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Dropped, Text: deletedBy + by}}))
	if err != nil {
		return fmt.Errorf("delete %s/%d: %w", id, n, err)
	}
	return nil
}

// unhold changes one held row, guarded by its state. last says that the row ends
// with it, so that maybe nobody needs the octets any more.
func (s *Store) unhold(ctx context.Context, id mail.ID, n int, last bool, set string, args ...any) error {
	tenant, err := s.tenantOf(ctx, id)
	if err != nil {
		return err
	}
	args = append(args, tenant, string(id), n)
	return s.w.do(ctx, func(t *tx) error {
		rows, err := t.exec(set+" WHERE tenant = ? AND message = ? AND n = ? AND state = 'held'", args...)
		if err != nil {
			return err
		}
		if rows == 0 {
			return ErrNotHeld
		}
		if err := s.touchMessage(t, tenant, id); err != nil {
			return err
		}
		if last {
			if err := s.noteLate(t, tenant, id, 0); err != nil {
				return err
			}
			_, err = s.finish(t, tenant, id)
		}
		return err
	})
}
