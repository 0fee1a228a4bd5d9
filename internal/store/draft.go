package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"postern/internal/mail"
)

// mostMoves is how many differing copies of a draft are kept, the newest.
const mostMoves = 1000

// A DraftDay is what a draft came to on one day, in copies.
type DraftDay struct {
	Day       time.Time // its begin, UTC
	Copies    int       // of recipients in the draft's scope
	Held      int       // by the rules without the draft
	WouldHold int       // by the rules with it
	Freed     int       // held without it, delivered with it
	Caught    int       // the other way
}

// A DraftMove is one copy whose fate is another with the draft.
type DraftMove struct {
	At      time.Time // when it was decided
	Message mail.ID
	N       int
	Caught  bool // it is held with the draft, and delivered without; false: the other way
	Acted   bool // the draft counted for the recipient
	Was, Is mail.Verdict
	Points  int
}

// try counts a trial with the change that notes the decision. A copy that was
// decided before, by a process that crashed then, is not counted again.
func (c *Change) try(t *tx, now time.Time) error {
	var verdict string
	if err := t.row("SELECT verdict FROM recipients WHERE tenant = ? AND message = ? AND n = ?", c.Tenant, string(c.Message), c.N).Scan(&verdict); err != nil || verdict != "" {
		return found(err)
	}
	x := c.Trial
	caught := flag(x.Holds)
	differs := flag(x.Differs())
	if _, err := t.exec("INSERT INTO draft_days (tenant, draft, day, copies, held, would_hold, freed, caught) VALUES (?, ?, ?, 1, ?, ?, ?, ?)"+
		" ON CONFLICT (tenant, draft, day) DO UPDATE SET copies = draft_days.copies + 1, held = draft_days.held + excluded.held, would_hold = draft_days.would_hold + excluded.would_hold,"+
		" freed = draft_days.freed + excluded.freed, caught = draft_days.caught + excluded.caught",
		c.Tenant, x.Draft, now.UTC().Truncate(24*time.Hour).UnixMilli(), flag(x.WasHeld), flag(x.Holds), differs*(1-caught), differs*caught); err != nil || differs == 0 {
		return err
	}
	if _, err := t.exec("INSERT INTO draft_moves (tenant, draft, at, message, n, caught, acted, was, verdict, points) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		c.Tenant, x.Draft, now.UnixMilli(), string(c.Message), c.N, caught, flag(x.Acted), string(x.Was), string(x.Is), x.Points); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM draft_moves WHERE tenant = ? AND draft = ? AND at < (SELECT at FROM draft_moves WHERE tenant = ? AND draft = ? ORDER BY at DESC LIMIT 1 OFFSET ?)",
		c.Tenant, x.Draft, c.Tenant, x.Draft, mostMoves-1)
	return err
}

// DraftDays returns a draft's days, the first first.
func (s *Store) DraftDays(ctx context.Context, tenant, draft string) ([]DraftDay, error) {
	rows, err := s.query(ctx, "SELECT day, copies, held, would_hold, freed, caught FROM draft_days WHERE tenant = ? AND draft = ? ORDER BY day", tenant, draft)
	list, err := collect(rows, err, func(r *sql.Rows) (d DraftDay, err error) {
		return d, r.Scan(stamp{&d.Day}, &d.Copies, &d.Held, &d.WouldHold, &d.Freed, &d.Caught)
	})
	if err != nil {
		return nil, fmt.Errorf("days of draft %s: %w", draft, err)
	}
	return list, nil
}

// DraftMoves returns the copies whose fate a draft changes, the newest first.
func (s *Store) DraftMoves(ctx context.Context, tenant, draft string, limit int) ([]DraftMove, error) {
	rows, err := s.query(ctx, "SELECT at, message, n, caught, acted, was, verdict, points FROM draft_moves WHERE tenant = ? AND draft = ? ORDER BY at DESC, message DESC, n LIMIT ?", tenant, draft, limit)
	list, err := collect(rows, err, func(r *sql.Rows) (m DraftMove, err error) {
		var caught, acted int64
		err = r.Scan(stamp{&m.At}, &m.Message, &m.N, &caught, &acted, &m.Was, &m.Is, &m.Points)
		m.Caught, m.Acted = caught != 0, acted != 0
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("mail of draft %s: %w", draft, err)
	}
	return list, nil
}

// ForgetDrafts removes what drafts of a tenant came to, but that of one.
func (s *Store) ForgetDrafts(ctx context.Context, tenant, but string) error {
	err := s.w.do(ctx, func(t *tx) error {
		for _, table := range []string{"draft_days", "draft_moves"} {
			if _, err := t.exec("DELETE FROM "+table+" WHERE tenant = ? AND draft <> ?", tenant, but); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget drafts of %s: %w", tenant, err)
	}
	return nil
}
