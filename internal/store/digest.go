package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
)

// A Digest is one digest mail that is to be made once, for mail held since Since
// and before Slot.
type Digest struct {
	Tenant, Addr string
	Since, Slot  time.Time
	Message      mail.ID // of the mail, given before it is made: the ledger takes an id once
	Tries        int     // from 1
}

const (
	digestLease = 5 * time.Minute // that making one may take
	DigestTries = 5               // then it is given up: the next one says the same
	keepDigests = 30 * 24 * time.Hour
	keepTickets = 8 * 24 * time.Hour // longer than any link lives
	keepAsked   = 120 * 24 * time.Hour
)

// PlanDigest moves the moment until which digests of d's recipient cover from
// Since to Slot, and plans d. Of all nodes that try, one gets true.
func (s *Store) PlanDigest(ctx context.Context, d Digest) (ours bool, err error) {
	since, slot := int64(0), d.Slot.UnixMilli()
	if !d.Since.IsZero() {
		since = d.Since.UnixMilli()
	}
	err = s.w.do(ctx, func(t *tx) error {
		ours = false
		if _, err := t.exec("INSERT INTO persons (tenant, addr, settings) VALUES (?, ?, '{}') ON CONFLICT (tenant, addr) DO NOTHING", d.Tenant, d.Addr); err != nil {
			return err
		}
		n, err := t.exec("UPDATE persons SET digest_at = ? WHERE tenant = ? AND addr = ? AND digest_at = ? AND digest_at < ?", slot, d.Tenant, d.Addr, since, slot)
		if err != nil || n == 0 {
			return err
		}
		ours = true
		_, err = t.exec("INSERT INTO digests (tenant, addr, slot, since, message, lease, tries) VALUES (?, ?, ?, ?, ?, ?, 1)",
			d.Tenant, d.Addr, slot, since, string(d.Message), s.o.Now().Add(digestLease).UnixMilli())
		return err
	})
	if err != nil {
		return false, fmt.Errorf("plan the digest of %s: %w", d.Addr, err)
	}
	return ours, nil
}

// DigestMade notes that a planned digest is in the ledger, or was not needed.
func (s *Store) DigestMade(ctx context.Context, d Digest) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE digests SET made_at = ? WHERE tenant = ? AND addr = ? AND slot = ?", s.o.Now().UnixMilli(), d.Tenant, d.Addr, d.Slot.UnixMilli())
		return err
	})
}

// LeftDigests leases to this node the planned digests that nobody made in time.
func (s *Store) LeftDigests(ctx context.Context) ([]Digest, error) {
	now := s.o.Now()
	rows, err := s.query(ctx, "SELECT tenant, addr, since, slot, message, tries FROM digests WHERE made_at IS NULL AND lease < ? AND tries < ? ORDER BY lease LIMIT 200", now.UnixMilli(), DigestTries)
	left, err := collect(rows, err, func(r *sql.Rows) (d Digest, err error) {
		err = r.Scan(&d.Tenant, &d.Addr, stamp{&d.Since}, stamp{&d.Slot}, &d.Message, &d.Tries)
		if d.Since.UnixMilli() == 0 {
			d.Since = time.Time{}
		}
		return d, err
	})
	if err != nil || len(left) == 0 {
		return nil, err
	}
	var ours []Digest
	err = s.w.do(ctx, func(t *tx) error {
		ours = ours[:0]
		for _, d := range left {
			n, err := t.exec("UPDATE digests SET lease = ?, tries = tries + 1 WHERE tenant = ? AND addr = ? AND slot = ? AND made_at IS NULL AND lease < ?",
				now.Add(digestLease).UnixMilli(), d.Tenant, d.Addr, d.Slot.UnixMilli(), now.UnixMilli())
			if err != nil {
				return err
			}
			if n == 1 {
				d.Tries++
				ours = append(ours, d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take over planned digests: %w", err)
	}
	return ours, nil
}

// TidyRecipients forgets what recipients did too long ago to matter.
func (s *Store) TidyRecipients(ctx context.Context, sessionLife time.Duration) error {
	now := s.o.Now()
	return s.w.do(ctx, func(t *tx) error {
		var errs []error
		for q, before := range map[string]time.Time{
			"DELETE FROM digests WHERE slot < ?":               now.Add(-keepDigests),
			"DELETE FROM tickets WHERE used_at < ?":            now.Add(-keepTickets),
			"DELETE FROM requests WHERE asked_at < ?":          now.Add(-keepAsked),
			"DELETE FROM person_links WHERE until < ?":         now.Add(-24 * time.Hour),
			"DELETE FROM person_sessions WHERE created_at < ?": now.Add(-sessionLife),
		} {
			_, err := t.exec(q, before.UnixMilli())
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}
