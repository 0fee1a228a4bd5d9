package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"postern/internal/mail"
)

const msDay = int64(24 * time.Hour / time.Millisecond)

// moveExpiry sets the end of a tenant's held mail anew, for verdicts whose time
// changed. Without a time of the tenant's own mail keeps the end it has.
func (s *Store) moveExpiry(t *tx, tenant string, before, after mail.Keep) error {
	for v, days := range after.Held {
		if days <= 0 || before.Held[v] == days {
			continue
		}
		if _, err := t.exec("UPDATE recipients SET expires_at = CASE WHEN deleted_by = '' THEN held_at + ? ELSE expires_at END,"+
			" kept_until = CASE WHEN deleted_by = '' THEN NULL ELSE held_at + ? END"+ // what is deleted stays so, unless it is taken back
			" WHERE tenant = ? AND state = 'held' AND verdict = ?", int64(days)*msDay, int64(days)*msDay, tenant, string(v)); err != nil {
			return err
		}
	}
	return nil
}

// A Kept is how much of a tenant's held mail has a verdict, and since when.
type Kept struct {
	Verdict mail.Verdict
	N       int
	Going   int // of them, that would be over their time if it were so many days
	Oldest  time.Time
}

// HeldOlder counts a tenant's held copies by verdict, and of each verdict those held
// longer than days says.
func (s *Store) HeldOlder(ctx context.Context, tenant string, days map[mail.Verdict]int, now time.Time) ([]Kept, error) {
	rows, err := s.query(ctx, "SELECT verdict, count(*), min(held_at) FROM recipients WHERE tenant = ? AND state = 'held' GROUP BY verdict ORDER BY verdict", tenant)
	list, err := collect(rows, err, func(r *sql.Rows) (k Kept, err error) { return k, r.Scan(&k.Verdict, &k.N, stamp{&k.Oldest}) })
	for i := range list {
		k := &list[i]
		if err != nil || days[k.Verdict] <= 0 {
			continue
		}
		err = s.row(ctx, "SELECT count(*) FROM recipients WHERE tenant = ? AND state = 'held' AND verdict = ? AND held_at <= ?",
			tenant, string(k.Verdict), now.UnixMilli()-int64(days[k.Verdict])*msDay).Scan(&k.Going)
	}
	if err != nil {
		return nil, fmt.Errorf("count held mail: %w", err)
	}
	return list, nil
}

// EndedBefore counts a tenant's messages received before a moment whose copies have
// all ended: what forgetting from then on would remove of the trace.
func (s *Store) EndedBefore(ctx context.Context, tenant string, cut time.Time) (n int, err error) {
	err = s.row(ctx, "SELECT count(*) FROM messages m WHERE m.tenant = ? AND m.received_at < ? AND NOT EXISTS"+
		" (SELECT 1 FROM recipients r WHERE r.tenant = m.tenant AND r.message = m.id AND r.state NOT IN "+final+")", tenant, cut.UnixMilli()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count old messages: %w", err)
	}
	return n, nil
}

// traceCut is the moment before which a tenant's trace is forgotten; zero for
// never.
func (s *Store) traceCut(ctx context.Context, tenant string, now time.Time) (time.Time, error) {
	keep := s.o.KeepTrace
	var body sql.NullString
	if err := found(s.row(ctx, "SELECT body FROM rules WHERE tenant = ?", tenant).Scan(&body)); err == nil && body.Valid {
		rules, err := readRules(body.String)
		if err != nil {
			return time.Time{}, fmt.Errorf("rules of %s: %w", tenant, err)
		}
		if rules.Keep.Trace > 0 {
			keep = time.Duration(rules.Keep.Trace) * 24 * time.Hour
		}
	}
	if keep <= 0 {
		return time.Time{}, nil
	}
	return now.Add(-keep), nil
}

// KeepsTrace is how long the trace is kept where a tenant says nothing; negative for
// ever.
func (s *Store) KeepsTrace() time.Duration { return s.o.KeepTrace }
