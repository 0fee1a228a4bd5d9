package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
)

// keepRollups is how long numbers are kept, long after the mail they count; names
// go with the trace.
const keepRollups = 400 * 24 * time.Hour

// Count counts a stale bucket anew. It may be repeated, stopped half way, and run
// on several nodes: what it wrote is right as long as nothing marks the bucket.
func (s *Store) Count(ctx context.Context, st Stale) error {
	if s.gone(st.Bucket, s.o.Now()) {
		return s.settle(ctx, st, func(*tx) error { return nil })
	}
	count := s.countHour
	if st.Span == Day {
		count = s.countDay
	}
	if err := count(ctx, st); err != nil {
		return fmt.Errorf("count %s of %s from %s: %w", st.Span, st.Tenant, st.At.Format(time.RFC3339), err)
	}
	return nil
}

func (s *Store) countHour(ctx context.Context, st Stale) error {
	rows, err := s.query(ctx, "SELECT r.verdict, r.state, count(*) FROM messages m"+s.d.join+
		"recipients r ON r.tenant = m.tenant AND r.message = m.id WHERE m.tenant = ? AND m.received_at >= ? AND m.received_at < ? AND "+fromOutside+" GROUP BY r.verdict, r.state",
		st.Tenant, st.At.UnixMilli(), st.At.UnixMilli()+hourMS)
	list, err := collect(rows, err, func(r *sql.Rows) (v Volume, err error) { return v, r.Scan(&v.Verdict, &v.State, &v.N) })
	if err != nil {
		return err
	}
	return s.settle(ctx, st, func(t *tx) error {
		if err := t.send(nil, "DELETE FROM rollup_hours WHERE tenant = ? AND at = ?", st.Tenant, st.At.UnixMilli()); err != nil {
			return err
		}
		for _, v := range list {
			if err := t.send(nil, "INSERT INTO rollup_hours (tenant, at, verdict, state, n) VALUES (?, ?, ?, ?, ?)",
				st.Tenant, st.At.UnixMilli(), string(v.Verdict), string(v.State), v.N); err != nil {
				return err
			}
		}
		return t.send(nil, staleColumns+"VALUES (?, 'day', ?, ?, ?)"+staleAgain, st.Tenant, st.At.UnixMilli()/dayMS*dayMS, s.epoch, s.newLease())
	})
}

// countDay looks at every copy of a day.
func (s *Store) countDay(ctx context.Context, st Stale) error {
	d := newDayCount()
	rows, err := s.query(ctx, "SELECT r.addr, r.verdict, r.state, r.events, m.sender, m.from_addr, m.received_at, coalesce(j.body, '') FROM messages m"+s.d.join+
		"recipients r ON r.tenant = m.tenant AND r.message = m.id"+
		" LEFT JOIN judgements j ON j.tenant = m.tenant AND j.message = m.id AND r.verdict NOT IN ('', 'clean', 'bulk')"+
		" WHERE m.tenant = ? AND m.received_at >= ? AND m.received_at < ? AND "+fromOutside, st.Tenant, st.At.UnixMilli(), st.At.UnixMilli()+dayMS)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c dayRow
		if err := rows.Scan(&c.addr, &c.verdict, &c.state, &c.events, &c.sender, &c.from, &c.received, &c.judgement); err != nil {
			return err
		}
		d.add(c)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	figures, err := json.Marshal(d.figures)
	if err != nil {
		return err
	}
	names, err := json.Marshal(d.names())
	if err != nil {
		return err
	}
	return s.settle(ctx, st, func(t *tx) error {
		return t.send(nil, "INSERT INTO rollup_days (tenant, at, figures, names) VALUES (?, ?, ?, ?)"+
			" ON CONFLICT (tenant, at) DO UPDATE SET figures = excluded.figures, names = excluded.names",
			st.Tenant, st.At.UnixMilli(), text(string(figures)), text(string(names)))
	})
}

// Counted is Volumes from what was counted before: as new as the roller is, and
// fast however much mail there is. step is a multiple of an hour; until zero is
// now. It counts for all tenants if tenant is "".
func (s *Store) Counted(ctx context.Context, tenant string, since, until time.Time, step time.Duration) ([]Volume, error) {
	if until.IsZero() {
		until = s.o.Now().Add(time.Hour)
	}
	ms := step.Milliseconds()
	of, args := "tenant = ?", []any{ms, ms, tenant}
	if tenant == "" {
		of, args = "tenant IN (SELECT id FROM tenants)", args[:2]
	}
	rows, err := s.query(ctx, "SELECT at / ? * ? AS begin_at, verdict, state, CAST(sum(n) AS BIGINT) FROM rollup_hours"+
		" WHERE "+of+" AND at >= ? AND at < ? GROUP BY begin_at, verdict, state ORDER BY begin_at",
		append(args, since.UnixMilli(), until.UnixMilli())...)
	list, err := collect(rows, err, func(r *sql.Rows) (v Volume, err error) {
		return v, r.Scan(stamp{&v.At}, &v.Verdict, &v.State, &v.N)
	})
	if err != nil {
		return nil, fmt.Errorf("counted mail: %w", err)
	}
	return list, nil
}

// A DayCount is what a day's mail of one tenant came to.
type DayCount struct {
	At      time.Time
	Figures DayFigures
	Names   DayNames // empty once the trace has forgotten the day
}

// Days returns a tenant's counted days, the oldest first.
func (s *Store) Days(ctx context.Context, tenant string, since, until time.Time) ([]DayCount, error) {
	rows, err := s.query(ctx, "SELECT at, figures, names FROM rollup_days WHERE tenant = ? AND at >= ? AND at < ? ORDER BY at", tenant, since.UnixMilli(), until.UnixMilli())
	list, err := collect(rows, err, func(r *sql.Rows) (d DayCount, err error) {
		var figures, names string
		if err := r.Scan(stamp{&d.At}, &figures, &names); err != nil {
			return d, err
		}
		err = json.Unmarshal([]byte(figures), &d.Figures)
		if names != "" {
			err = errors.Join(err, json.Unmarshal([]byte(names), &d.Names))
		}
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("counted days of %s: %w", tenant, err)
	}
	return list, nil
}

// forgetRollups empties the names of days that the trace has forgotten, and removes
// numbers that are too old.
func (s *Store) forgetRollups(ctx context.Context, now time.Time) error {
	return s.w.do(ctx, func(t *tx) error {
		if s.o.KeepTrace > 0 {
			if err := t.send(nil, "UPDATE rollup_days SET names = '' WHERE at < ? AND names <> ''", now.Add(-s.o.KeepTrace).UnixMilli()-dayMS); err != nil {
				return err
			}
		}
		old := now.Add(-keepRollups).UnixMilli()
		for _, q := range []string{"DELETE FROM rollup_days WHERE at < ?", "DELETE FROM rollup_hours WHERE at < ?", "DELETE FROM report_slots WHERE slot < ?"} {
			if err := t.send(nil, q, old); err != nil {
				return err
			}
		}
		return nil
	})
}

// OldestWaiting is when a tenant's longest-waiting copy that is not held was
// received; the zero time if none waits.
func (s *Store) OldestWaiting(ctx context.Context, tenant string) (oldest time.Time, err error) {
	err = s.row(ctx, "SELECT min(m.received_at) FROM recipients r"+s.d.join+"messages m ON m.tenant = r.tenant AND m.id = r.message"+
		" WHERE r.next_at IS NOT NULL AND r.tenant = ?", tenant).Scan(stamp{&oldest})
	if err != nil {
		return oldest, fmt.Errorf("age of the queue: %w", err)
	}
	return oldest, nil
}

// LastReceived is when a tenant's latest message came; the zero time if none did.
func (s *Store) LastReceived(ctx context.Context, tenant string) (at time.Time, err error) {
	err = s.row(ctx, "SELECT max(received_at) FROM messages WHERE tenant = ?", tenant).Scan(stamp{&at})
	return at, err
}

// bad reports whether a verdict speaks against a message.
func bad(v mail.Verdict) bool {
	return v == mail.Spam || v == mail.Suspicious || v == mail.Phish || v == mail.Malware
}
