package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"postern/internal/mail"
)

const (
	maxJump     = time.Hour      // the wall clock may move so far against the monotonic one between two runs
	steadyFor   = 24 * time.Hour // after a jump nothing is removed until the clock went evenly for so long
	expireBatch = 200            // rows in one transaction, so that mail does not wait for the sweep
	keepTrace   = 90 * 24 * time.Hour
)

// clock notices when the wall clock jumped ahead, for that would remove mail
// before its time.
type clock struct {
	mu       sync.Mutex
	last     time.Time // of the last run
	lastWall time.Time
	ahead    time.Duration // by how much the wall clock went ahead of the monotonic one
	jumped   time.Time     // when that was seen; zero while all is well
}

// check compares the reading now, whose wall clock says wall, with the last one. It
// needs the monotonic part: without it (a time that was computed) it cannot tell,
// and trusts.
func (c *clock) check(now, wall time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, lastWall := c.last, c.lastWall
	c.last, c.lastWall = now, wall
	if last.IsZero() {
		return nil
	}
	moved := wall.Sub(lastWall) - now.Sub(last)
	c.ahead += moved
	switch {
	case c.ahead < maxJump && c.ahead > -maxJump:
		if moved > maxJump || moved < -maxJump { // it came back
			c.jumped = time.Time{}
		}
		if c.jumped.IsZero() {
			c.ahead = 0 // what crept in is the ordinary correction of a clock
			return nil
		}
	case c.jumped.IsZero() || moved > maxJump || moved < -maxJump:
		c.jumped = now
	}
	if now.Sub(c.jumped) >= steadyFor {
		c.jumped, c.ahead = time.Time{}, 0
		return nil
	}
	return fmt.Errorf("%w by %v: nothing is removed until it is set right, or has gone evenly for %v", ErrClockJump, c.ahead.Round(time.Second), steadyFor)
}

// Expire drops held copies whose time is over, and forgets the trace of messages
// that ended longer ago than the tenant's rules or Options.KeepTrace say. n is the copies dropped. Run it
// every few minutes with time.Now.
//
// The error is ErrClockJump when the wall clock moved by more than an hour against
// the time that really passed since the last run; nothing is removed then. Octets
// in the spool are for its sweeper, which asks Needed.
func (s *Store) Expire(ctx context.Context, now time.Time) (n int, err error) {
	if err := s.clock.check(now, now.Round(0)); err != nil {
		return 0, fmt.Errorf("expire: %w", err)
	}
	for {
		dropped, err := s.expireHeld(ctx, now)
		n += dropped
		if err != nil {
			return n, fmt.Errorf("expire held mail: %w", err)
		}
		if dropped == 0 {
			break
		}
	}
	if err := s.forget(ctx, now); err != nil {
		return n, fmt.Errorf("expire the trace: %w", err)
	}
	if err := s.forgetRollups(ctx, now); err != nil {
		return n, fmt.Errorf("expire counts: %w", err)
	}
	return n, s.expireEntries(ctx, now)
}

// forget removes the rows of messages whose time in the trace is over, when every
// recipient has ended and none is held.
func (s *Store) forget(ctx context.Context, now time.Time) error {
	rows, err := s.query(ctx, mailTenants)
	tenants, err := collect(rows, err, func(r *sql.Rows) (t string, err error) { return t, r.Scan(&t) })
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		cut, err := s.traceCut(ctx, tenant, now)
		if err != nil {
			return err
		}
		for !cut.IsZero() {
			n, err := s.forgetSome(ctx, tenant, cut)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return nil
}

func (s *Store) forgetSome(ctx context.Context, tenant string, cut time.Time) (int, error) {
	rows, err := s.query(ctx, "SELECT m.id FROM messages m WHERE m.tenant = ? AND m.received_at < ? AND NOT EXISTS"+
		" (SELECT 1 FROM recipients r WHERE r.tenant = m.tenant AND r.message = m.id AND r.state NOT IN "+final+")"+
		" ORDER BY m.received_at LIMIT ?", tenant, cut.UnixMilli(), expireBatch)
	ended, err := collect(rows, err, func(r *sql.Rows) (id mail.ID, err error) { return id, r.Scan(&id) })
	if err != nil || len(ended) == 0 {
		return 0, err
	}
	err = s.w.do(ctx, func(t *tx) error {
		for _, id := range ended {
			for _, q := range []string{
				"DELETE FROM recipients WHERE tenant = ? AND message = ?",
				"DELETE FROM judgements WHERE tenant = ? AND message = ?",
				"DELETE FROM messages WHERE tenant = ? AND id = ?",
			} {
				if _, err := t.exec(q, tenant, string(id)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, id := range ended {
		s.facts.drop(id)
	}
	return len(ended), err
}

// Needed reports whether some recipient still needs the octets of a message. An
// unknown message needs nothing: whoever sweeps the spool must leave young objects
// alone, for their rows may not be written yet.
func (s *Store) Needed(ctx context.Context, id mail.ID) (bool, error) {
	tenant, err := s.tenantOf(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	var open int
	if err == nil {
		err = s.row(ctx, "SELECT count(*) FROM recipients WHERE tenant = ? AND message = ? AND state NOT IN "+final, tenant, string(id)).Scan(&open)
	}
	if err != nil {
		return false, fmt.Errorf("who needs %s: %w", id, err)
	}
	return open > 0, nil
}
