package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// An Approval is something one person asked for and another has to agree to.
type Approval struct {
	Tenant    string // "" for the whole system
	ID        string
	Route     string // "POST /t/{tenant}/inbound/key/rotate"
	Path      string // with its values
	Title     string // what would be done, in English
	Digest    []byte // of who asked for what, with every value
	Body      []byte // the form, sealed by the caller
	AskedBy   string
	AskedAt   time.Time
	Until     time.Time
	State     string // "waiting", "agreed", "refused", "done"
	DecidedBy string
	DecidedAt time.Time
}

// AddApproval keeps a request.
func (s *Store) AddApproval(ctx context.Context, a Approval) error {
	err := s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO approvals (tenant, id, route, path, title, digest, body, asked_by, asked_at, until, state, decided_by, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			a.Tenant, a.ID, a.Route, a.Path, a.Title, a.Digest, a.Body, a.AskedBy, a.AskedAt.UnixMilli(), a.Until.UnixMilli(), a.State, a.DecidedBy, unix(a.DecidedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for approval: %w", err)
	}
	return nil
}

const approvalColumns = "SELECT tenant, id, route, path, title, digest, body, asked_by, asked_at, until, state, decided_by, decided_at FROM approvals"

func scanApproval(scan func(...any) error) (a Approval, err error) {
	return a, scan(&a.Tenant, &a.ID, &a.Route, &a.Path, &a.Title, &a.Digest, &a.Body, &a.AskedBy, stamp{&a.AskedAt}, stamp{&a.Until}, &a.State, &a.DecidedBy, stamp{&a.DecidedAt})
}

// Approvals returns the newest requests of a tenant, of all if it is "".
func (s *Store) Approvals(ctx context.Context, tenant string) ([]Approval, error) {
	rows, err := s.query(ctx, approvalColumns+" WHERE (? = '' OR tenant = ?) ORDER BY asked_at DESC, id LIMIT ?", tenant, tenant, defaultLimit)
	return collect(rows, err, func(r *sql.Rows) (Approval, error) { return scanApproval(r.Scan) })
}

// Approval returns one request by its id, whosever tenant's it is; ErrNotFound if
// there is none.
func (s *Store) Approval(ctx context.Context, id string) (Approval, error) {
	a, err := scanApproval(s.row(ctx, approvalColumns+" WHERE id = ?", id).Scan)
	if err = found(err); err != nil {
		return a, fmt.Errorf("approval: %w", err)
	}
	return a, nil
}

// Decide takes a request from one state to another; of two that try at once one
// succeeds, the other gets ErrNotFound. So does who comes after its end.
func (s *Store) Decide(ctx context.Context, a Approval, from, to, by string, at time.Time) error {
	return s.change(ctx, "decide", "UPDATE approvals SET state = ?, decided_by = ?, decided_at = ? WHERE tenant = ? AND id = ? AND state = ? AND until > ?",
		to, by, at.UnixMilli(), a.Tenant, a.ID, from, at.UnixMilli())
}

// UseApproval marks an agreed request that fits digest as done and reports whether
// there was one: it counts once.
func (s *Store) UseApproval(ctx context.Context, digest []byte, at time.Time) (bool, error) {
	used := false
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE approvals SET state = 'done' WHERE digest = ? AND state = 'agreed' AND until > ? AND id = (SELECT min(id) FROM approvals WHERE digest = ? AND state = 'agreed' AND until > ?)",
			digest, at.UnixMilli(), digest, at.UnixMilli())
		used = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("use approval: %w", err)
	}
	return used, nil
}
