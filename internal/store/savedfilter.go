package store

import (
	"context"
	"database/sql"
	"fmt"
)

// A SavedFilter is a search that somebody keeps under a name.
type SavedFilter struct {
	Tenant string
	Owner  string // e-mail address; "" for everybody of the tenant
	Page   string // "trace" or "quarantine"
	Name   string
	Query  string // as in the page's address
}

// SavedFilters returns what owner keeps for a page, and what everybody shares, by name.
func (s *Store) SavedFilters(ctx context.Context, tenant, owner, page string) ([]SavedFilter, error) {
	rows, err := s.query(ctx, "SELECT owner, name, query FROM saved_filters WHERE tenant = ? AND owner IN (?, '') AND page = ? ORDER BY name, owner", tenant, owner, page)
	list, err := collect(rows, err, func(r *sql.Rows) (SavedFilter, error) {
		f := SavedFilter{Tenant: tenant, Page: page}
		return f, r.Scan(&f.Owner, &f.Name, &f.Query)
	})
	if err != nil {
		return nil, fmt.Errorf("saved filters: %w", err)
	}
	return list, nil
}

// PutSavedFilter keeps f; one of the same name of that owner is replaced.
func (s *Store) PutSavedFilter(ctx context.Context, f SavedFilter) error {
	err := s.w.do(ctx, func(t *tx) error {
		return t.send(nil, "INSERT INTO saved_filters (tenant, owner, page, name, query) VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, owner, page, name) DO UPDATE SET query = excluded.query",
			f.Tenant, f.Owner, f.Page, text(f.Name), text(f.Query))
	})
	if err != nil {
		return fmt.Errorf("save filter: %w", err)
	}
	return nil
}

// RemoveSavedFilter removes a filter. The error is ErrNotFound if there is none.
func (s *Store) RemoveSavedFilter(ctx context.Context, f SavedFilter) error {
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM saved_filters WHERE tenant = ? AND owner = ? AND page = ? AND name = ?", f.Tenant, f.Owner, f.Page, text(f.Name))
		if err == nil && n == 0 {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove filter: %w", err)
	}
	return nil
}
