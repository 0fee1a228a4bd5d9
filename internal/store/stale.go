package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"postern/internal/mail"
)

// A Span is how long a stretch of time is that mail is counted over.
type Span string

const (
	Hour Span = "hour"
	Day  Span = "day" // of UTC
)

// Length is how long the span is.
func (s Span) Length() time.Duration {
	if s == Day {
		return 24 * time.Hour
	}
	return time.Hour
}

const (
	hourMS = int64(time.Hour / time.Millisecond)
	dayMS  = 24 * hourMS
)

// A Bucket is one stretch of a tenant's mail, by when it was received.
type Bucket struct {
	Tenant string
	Span   Span
	At     time.Time // when it begins
}

// Stale is a bucket that is to be counted anew, and the marks that say so.
type Stale struct {
	Bucket
	marks []mark
}

// A mark is one process's remark that it changed mail of a bucket.
type mark struct{ epoch, stamp int64 }

// touched is what a transaction marked already.
type touched struct {
	tenant string
	hour   int64
}

const staleColumns = "INSERT INTO rollup_stale (tenant, span, at, epoch, stamp) "
const staleAgain = " ON CONFLICT (tenant, span, at, epoch) DO UPDATE SET stamp = excluded.stamp"

// touch marks the hour of mail received then as changed, once in a transaction.
func (s *Store) touch(t *tx, tenant string, received int64) error {
	if received < 0 {
		return nil // before 1970: a clock that was never set
	}
	k := touched{tenant, received / hourMS}
	if t.touched[k] {
		return nil
	}
	if t.touched == nil {
		t.touched = map[touched]bool{}
	}
	t.touched[k] = true
	return t.send(nil, staleColumns+"VALUES (?, 'hour', ?, ?, ?)"+staleAgain, tenant, k.hour*hourMS, s.epoch, s.newLease())
}

// touchMessage is touch for a message whose time of receipt is not at hand.
func (s *Store) touchMessage(t *tx, tenant string, id mail.ID) error {
	if f, ok := s.facts.get(id); ok && f.received > 0 {
		return s.touch(t, tenant, f.received)
	}
	return t.send(nil, staleColumns+"SELECT m.tenant, 'hour', m.received_at / 3600000 * 3600000, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM messages m WHERE m.tenant = ? AND m.id = ?"+staleAgain,
		s.epoch, s.newLease(), tenant, string(id))
}

// touchAll marks every hour.
func (s *Store) touchAll(t *tx) error {
	return t.send(nil, staleColumns+"SELECT DISTINCT m.tenant, 'hour', m.received_at / 3600000 * 3600000, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM messages m WHERE m.received_at >= 0"+staleAgain,
		s.epoch, s.newLease())
}

// Stale lists what is to be counted anew, the latest first and hours before days.
func (s *Store) Stale(ctx context.Context) ([]Stale, error) {
	type row struct {
		tenant string
		span   Span
		at     int64
		mark   mark
	}
	rows, err := s.query(ctx, "SELECT tenant, span, at, epoch, stamp FROM rollup_stale ORDER BY span DESC, at DESC, tenant")
	all, err := collect(rows, err, func(r *sql.Rows) (x row, err error) {
		return x, r.Scan(&x.tenant, &x.span, &x.at, &x.mark.epoch, &x.mark.stamp)
	})
	if err != nil {
		return nil, fmt.Errorf("what is to be counted: %w", err)
	}
	var list []Stale
	for _, x := range all {
		b := Bucket{x.tenant, x.span, time.UnixMilli(x.at).UTC()}
		if n := len(list); n > 0 && list[n-1].Bucket == b {
			list[n-1].marks = append(list[n-1].marks, x.mark)
			continue
		}
		list = append(list, Stale{b, []mark{x.mark}})
	}
	return list, nil
}

// settle writes what was counted of a bucket, and removes the marks that were seen
// before the counting. When another roller did all of it meanwhile, nothing is
// written: its count is as new.
func (s *Store) settle(ctx context.Context, st Stale, write func(t *tx) error) error {
	return s.w.do(ctx, func(t *tx) error {
		var stamp int64
		err := t.row("SELECT stamp FROM rollup_stale WHERE tenant = ? AND span = ? AND at = ? ORDER BY epoch LIMIT 1"+s.d.lockRow,
			st.Tenant, string(st.Span), st.At.UnixMilli()).Scan(&stamp)
		if err == sql.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		for _, m := range st.marks {
			if err := t.send(nil, "DELETE FROM rollup_stale WHERE tenant = ? AND span = ? AND at = ? AND epoch = ? AND stamp = ?",
				st.Tenant, string(st.Span), st.At.UnixMilli(), m.epoch, m.stamp); err != nil {
				return err
			}
		}
		return write(t)
	})
}

// gone reports whether the trace has forgotten rows of a bucket, or is about to: it
// cannot be counted any more.
func (s *Store) gone(b Bucket, now time.Time) bool {
	return s.o.KeepTrace > 0 && b.At.Before(now.Add(-s.o.KeepTrace+2*time.Hour))
}
