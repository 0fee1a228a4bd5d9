package store

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Lease is the right of one piece of work to be the only one of its name for a
// tenant, in all processes and on all nodes. It ends when it is given back, or when
// the process that took it has ended (doc/decisions/0007).
type Lease struct {
	Tenant string
	Name   string // of what is leased, "exchange"
	Who    string // the person; "" on the command line
	What   string // is done, "apply"
	Node   string // where
	Since  time.Time

	fence int64
}

// Taken is the error of Take when somebody else has the lease.
type Taken struct{ Lease }

func (t *Taken) Error() string {
	return fmt.Sprintf("%s of tenant %s is taken: %s by %q on node %s since %s", t.Name, t.Tenant, t.What, t.Who, t.Node, t.Since.UTC().Format(time.RFC3339))
}

// Take takes a lease; Since and Node are set here. The error is *Taken when it is
// somebody's who lives.
func (s *Store) Take(ctx context.Context, l Lease) (Lease, error) {
	dead := int64(math.MinInt64) // a process of this folder that ended is buried, so whoever is listed lives
	now := s.o.Now()
	if s.d.single {
		if err := s.bury(ctx); err != nil {
			return l, err
		}
	} else {
		dead = s.deadBefore(now)
	}
	l.Since, l.Node, l.fence = now.UTC().Truncate(time.Millisecond), s.o.Node, s.newLease()
	ours := false
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("INSERT INTO leases AS r (tenant, name, lease, who, what, node, since) VALUES (?, ?, ?, ?, ?, ?, ?)"+
			" ON CONFLICT (tenant, name) DO UPDATE SET lease = excluded.lease, who = excluded.who, what = excluded.what, node = excluded.node, since = excluded.since WHERE "+free,
			l.Tenant, l.Name, l.fence, text(l.Who), text(l.What), text(l.Node), l.Since.UnixMilli(), s.epoch, dead)
		ours = n == 1
		return err
	})
	if err != nil {
		return l, fmt.Errorf("take %s of tenant %s: %w", l.Name, l.Tenant, err)
	}
	if ours {
		return l, nil
	}
	holder, err := s.Holder(ctx, l.Tenant, l.Name)
	if err != nil {
		return l, err // given back this moment: the caller tries again
	}
	return l, &Taken{holder}
}

// Holder is who has a lease, or had it and ended without giving it back.
// ErrNotFound if it is free.
func (s *Store) Holder(ctx context.Context, tenant, name string) (Lease, error) {
	l := Lease{Tenant: tenant, Name: name}
	err := found(s.row(ctx, "SELECT lease, who, what, node, since FROM leases WHERE tenant = ? AND name = ?", tenant, name).Scan(&l.fence, &l.Who, &l.What, &l.Node, stamp{&l.Since}))
	if err != nil {
		return l, fmt.Errorf("holder of %s of tenant %s: %w", name, tenant, err)
	}
	return l, nil
}

// Living reports whether the process that holds a lease still lives.
func (s *Store) Living(ctx context.Context, l Lease) (bool, error) {
	epoch := l.fence >> 32
	if epoch == s.epoch {
		return true, nil
	}
	dead := int64(math.MinInt64)
	if s.d.single {
		if err := s.bury(ctx); err != nil {
			return false, err
		}
	} else {
		dead = s.deadBefore(s.o.Now())
	}
	n := 0
	err := s.row(ctx, "SELECT count(*) FROM nodes WHERE epoch = ? AND beat_at > ?", epoch, dead).Scan(&n)
	return n > 0, err
}

// Give gives a lease back. It is no error if it was lost meanwhile.
func (s *Store) Give(ctx context.Context, l Lease) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM leases WHERE tenant = ? AND name = ? AND lease = ?", l.Tenant, l.Name, l.fence)
		return err
	})
}

// PutSettingUnder keeps a setting of the lease's tenant, but only while the lease
// is still held: ErrFenced otherwise, with nothing changed.
func (s *Store) PutSettingUnder(ctx context.Context, l Lease, name string, value []byte) error {
	ours := false
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE leases SET what = what WHERE tenant = ? AND name = ? AND lease = ?", l.Tenant, l.Name, l.fence) // and keeps others from taking it now
		if ours = err == nil && n == 1; !ours {
			return err
		}
		return putSetting(t, l.Tenant, name, value)
	})
	if err != nil {
		return fmt.Errorf("setting %s: %w", name, err)
	}
	if !ours {
		return fmt.Errorf("setting %s under the lease of %s: %w", name, l.Name, ErrFenced)
	}
	return nil
}
