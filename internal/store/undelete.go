package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"postern/internal/mail"
)

// DeleteAt marks a held recipient's copy as deleted by somebody. It stays held, and
// can be taken back, until the time at, or its own expiry if that is sooner; then
// Expire drops it. The error is ErrNotHeld when the copy is not held or is marked
// already.
func (s *Store) DeleteAt(ctx context.Context, tenant string, id mail.ID, n int, by string, at time.Time) error {
	now := s.o.Now()
	return s.mark(ctx, "delete", tenant, id, n, "UPDATE recipients SET deleted_by = ?, kept_until = expires_at,"+
		" expires_at = CASE WHEN expires_at < CAST(? AS BIGINT) THEN expires_at ELSE CAST(? AS BIGINT) END, updated_at = ?, events = events || ?",
		"deleted_by = ''", by, at.UnixMilli(), at.UnixMilli(), now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Held, Text: markedBy + by}}))
}

// Undelete takes DeleteAt back. The error is ErrNotHeld when the copy is not
// marked, or gone.
func (s *Store) Undelete(ctx context.Context, tenant string, id mail.ID, n int, by string) error {
	now := s.o.Now()
	return s.mark(ctx, "undelete", tenant, id, n, "UPDATE recipients SET deleted_by = '', expires_at = kept_until, kept_until = NULL, updated_at = ?, events = events || ?",
		"deleted_by <> ''", now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Held, Text: unmarkedBy + by}}))
}

// Rejudged writes down what judging a held copy again came to. The error is
// ErrNotHeld when the copy is not held.
func (s *Store) Rejudged(ctx context.Context, tenant string, id mail.ID, n int, d mail.Decision, j *mail.Judgement, text string) error {
	now := s.o.Now()
	if err := s.SetJudgement(ctx, id, j); err != nil {
		return err
	}
	return s.mark(ctx, "judge again", tenant, id, n, "UPDATE recipients SET verdict = ?, score = ?, reasons = ?, updated_at = ?, events = events || ?", "1 = 1",
		string(d.Verdict), d.Score, joinLines(d.Reasons), now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Held, Text: text}}))
}

// mark changes one held row that also fulfils a condition, and leaves it held.
func (s *Store) mark(ctx context.Context, what, tenant string, id mail.ID, n int, set, condition string, args ...any) error {
	args = append(args, tenant, string(id), n)
	err := s.w.do(ctx, func(t *tx) error {
		rows, err := t.exec(set+" WHERE tenant = ? AND message = ? AND n = ? AND state = 'held' AND "+condition, args...)
		if err == nil && rows == 0 {
			return ErrNotHeld
		}
		if err != nil {
			return err
		}
		if err := s.noteLate(t, tenant, id, 0); err != nil {
			return err
		}
		return s.touchMessage(t, tenant, id) // the verdict may be another one
	})
	if err != nil {
		return fmt.Errorf("%s %s/%d: %w", what, id, n, err)
	}
	return nil
}

const heldPastTime = "SELECT tenant, message, n, deleted_by FROM recipients WHERE state = 'held' AND expires_at <= ? ORDER BY expires_at LIMIT ?"

// expireHeld drops held copies whose time is over, or that were deleted long
// enough ago.
func (s *Store) expireHeld(ctx context.Context, now time.Time) (n int, err error) {
	type expired struct {
		dueRow
		by string
	}
	rows, err := s.query(ctx, heldPastTime, now.UnixMilli(), expireBatch)
	due, err := collect(rows, err, func(r *sql.Rows) (d expired, err error) {
		return d, r.Scan(&d.tenant, &d.id, &d.n, &d.by)
	})
	if err != nil || len(due) == 0 {
		return 0, err
	}
	err = s.w.do(ctx, func(t *tx) error {
		n = 0
		for _, d := range due {
			text := timeOver
			if d.by != "" {
				text = deletedBy + d.by
			}
			changed, err := t.exec("UPDATE recipients SET state = 'dropped', next_at = NULL, lease = 0, updated_at = ?, events = events || ?"+
				" WHERE tenant = ? AND message = ? AND n = ? AND state = 'held' AND expires_at <= ? AND deleted_by = ?",
				now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Dropped, Text: text}}), d.tenant, string(d.id), d.n, now.UnixMilli(), d.by)
			if err != nil {
				return err
			}
			if changed == 0 { // released or taken back meanwhile
				continue
			}
			n++
			if err := s.noteLate(t, d.tenant, d.id, 0); err != nil {
				return err
			}
			if err := s.touchMessage(t, d.tenant, d.id); err != nil {
				return err
			}
			if _, err := s.finish(t, d.tenant, d.id); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}
