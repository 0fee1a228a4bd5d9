package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"postern/internal/mail"
)

// Work is one message with those of its recipients that are due.
type Work struct {
	Message    *Message // without octets; its Recipients is empty
	Recipients []Recipient
}

// dueTenants lists the tenants that have work, one look into the index for each.
const dueTenants = "WITH RECURSIVE t (x) AS (SELECT min(tenant) FROM recipients WHERE next_at IS NOT NULL" +
	" UNION ALL SELECT (SELECT min(r.tenant) FROM recipients r WHERE r.next_at IS NOT NULL AND r.tenant > t.x) FROM t WHERE t.x IS NOT NULL)" +
	" SELECT x FROM t WHERE x IS NOT NULL"

// free is what may be leased: nobody's, or of another process that is gone or silent.
const free = "((r.lease >> 32) <> ? AND (r.lease >> 32) NOT IN (SELECT epoch FROM nodes WHERE beat_at > ?))"

const dueOfTenant = "SELECT r.tenant, r.message, r.n, r.next_at FROM recipients r WHERE r.tenant = ? AND r.next_at <= ? AND " + free + " ORDER BY r.next_at LIMIT ?"

// Claim leases up to limit recipients that are due at now to this process, and
// returns them with their messages. A tenant's oldest come first, and tenants take
// turns, so that one tenant's backlog does not delay the others. What another live
// node holds, and what this process holds already, is left out.
//
// The lease ends with Advance: in a terminal state, or with a NextAt.
func (s *Store) Claim(ctx context.Context, now time.Time, limit int) ([]Work, error) {
	if s.d.single && s.buried.Swap(now.Unix()) != now.Unix() {
		if err := s.bury(ctx); err != nil {
			return nil, err
		}
	}
	dead := s.deadBefore(now)
	due, err := s.due(ctx, now, dead, limit)
	if err != nil {
		return nil, fmt.Errorf("look for due work: %w", err)
	}
	if len(due) == 0 {
		return nil, nil // most calls end here, without a write
	}
	lease := s.newLease()
	err = s.w.do(ctx, func(t *tx) error {
		for i := range due {
			err := t.send(func(rows int64) error { due[i].ours = rows == 1; return nil }, "UPDATE recipients AS r SET lease = ? WHERE r.tenant = ? AND r.message = ? AND r.n = ? AND r.next_at <= ? AND "+free,
				lease, due[i].tenant, string(due[i].id), due[i].n, now.UnixMilli(), s.epoch, dead)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lease due work: %w", err)
	}
	due = slices.DeleteFunc(due, func(d dueRow) bool { return !d.ours })
	return s.fetch(ctx, due, lease)
}

// deadBefore is the heartbeat, in ms, under which a process has lost its leases.
func (s *Store) deadBefore(now time.Time) int64 { return now.Add(-leaseTime).UnixMilli() }

type dueRow struct {
	tenant string
	id     mail.ID
	n      int
	next   int64
	ours   bool
}

// due reads candidates, fairly: an equal share for each tenant, then what is left
// goes to the oldest.
func (s *Store) due(ctx context.Context, now time.Time, dead int64, limit int) ([]dueRow, error) {
	rows, err := s.query(ctx, dueTenants)
	tenants, err := collect(rows, err, func(r *sql.Rows) (t string, err error) { return t, r.Scan(&t) })
	if err != nil || len(tenants) == 0 {
		return nil, err
	}
	var byTenant [][]dueRow
	for _, tenant := range tenants {
		rows, err := s.query(ctx, dueOfTenant, tenant, now.UnixMilli(), s.epoch, dead, limit)
		due, err := collect(rows, err, func(r *sql.Rows) (d dueRow, err error) {
			return d, r.Scan(&d.tenant, &d.id, &d.n, &d.next)
		})
		if err != nil {
			return nil, err
		}
		if len(due) > 0 {
			byTenant = append(byTenant, due)
		}
	}
	// The tenant whose oldest waits longest begins, then each gives one in turn.
	slices.SortFunc(byTenant, func(a, b []dueRow) int { return int(min(1, max(-1, a[0].next-b[0].next))) })
	var turn []dueRow
	for i := 0; len(turn) < limit; i++ {
		before := len(turn)
		for _, due := range byTenant {
			if i < len(due) && len(turn) < limit {
				turn = append(turn, due[i])
			}
		}
		if len(turn) == before {
			break
		}
	}
	return turn, nil
}

// fetch reads the claimed recipients' messages, in the order of due.
func (s *Store) fetch(ctx context.Context, due []dueRow, lease int64) ([]Work, error) {
	var all []Work
	at := make(map[mail.ID]bool)
	for _, d := range due {
		if at[d.id] {
			continue
		}
		at[d.id] = true
		m, err := s.Message(ctx, d.tenant, d.id)
		if err != nil {
			return nil, fmt.Errorf("fetch claimed work: %w", err)
		}
		w := Work{Message: m}
		for _, r := range m.Recipients {
			if r.Fence == lease {
				w.Recipients = append(w.Recipients, r)
			}
		}
		m.Recipients = nil
		all = append(all, w)
	}
	return all, nil
}

// QueueDepth counts the recipients that wait for something, by state: those with
// work to do, and the held ones.
func (s *Store) QueueDepth(ctx context.Context) (map[mail.State]int, error) {
	depth := make(map[mail.State]int)
	rows, err := s.query(ctx, "SELECT state, count(*) FROM recipients WHERE next_at IS NOT NULL GROUP BY state"+
		" UNION ALL SELECT 'held', count(*) FROM recipients WHERE state = 'held'")
	_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		var state mail.State
		var n int
		err = r.Scan(&state, &n)
		if n > 0 {
			depth[state] += n
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the queue: %w", err)
	}
	return depth, nil
}
