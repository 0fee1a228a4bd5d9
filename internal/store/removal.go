package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"postern/internal/mail"
)

// SetTenant changes a tenant's name and limits; ErrNotFound if there is none.
func (s *Store) SetTenant(ctx context.Context, t mail.Tenant) error {
	limits, err := json.Marshal(t.Limits)
	if err != nil {
		return err
	}
	return s.configure(ctx, "tenant "+t.ID, ErrNotFound, func(x *tx) (int64, error) {
		return x.exec("UPDATE tenants SET name = ?, limits = ? WHERE id = ?", t.Name, string(limits), t.ID)
	})
}

// HeldOctets is how much mail of a tenant is held, in octets.
func (s *Store) HeldOctets(ctx context.Context, tenant string) (n int64, err error) {
	held := "(SELECT DISTINCT message FROM recipients WHERE tenant = ? AND state = 'held') h" // it leads: of the mail of years few are held
	err = s.row(ctx, "SELECT coalesce(sum(m.size), 0) FROM "+held+s.d.join+"messages m ON m.tenant = ? AND m.id = h.message", tenant, tenant).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("held mail of %s: %w", tenant, err)
	}
	return n, nil
}

// OnTheWay counts a tenant's copies that have not ended and are not held.
func (s *Store) OnTheWay(ctx context.Context, tenant string) (n int, err error) {
	err = s.row(ctx, "SELECT count(*) FROM recipients WHERE tenant = ? AND state IN ('accepted', 'judged', 'delivering')", tenant).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("mail of %s on its way: %w", tenant, err)
	}
	return n, nil
}

// removeBatch is how many messages one transaction forgets, so that others' mail
// does not wait.
const removeBatch = 500

// RemoveTenant forgets everything that bears a tenant's id but the audit log, its
// key first: whatever a crash leaves is unreadable, and calling again goes on.
// Octets in the spool are the caller's. ErrNotFound if there is no such tenant.
func (s *Store) RemoveTenant(ctx context.Context, id string) error {
	if err := s.SetTenantKey(ctx, id, nil); err != nil {
		return err
	}
	for more := true; more; {
		err := s.w.do(ctx, func(t *tx) (err error) {
			more, err = removeMessages(t, id)
			return err
		})
		if err != nil {
			return fmt.Errorf("remove mail of %s: %w", id, err)
		}
	}
	tables, err := s.tenantTables(ctx)
	if err != nil {
		return err
	}
	return s.configure(ctx, "remove tenant "+id, ErrNotFound, func(t *tx) (int64, error) {
		for _, table := range []string{"sessions", "passkeys", "identities", "sign_ins"} { // of its users
			if _, err := t.exec("DELETE FROM "+table+" WHERE email IN (SELECT email FROM users WHERE tenant = ?)", id); err != nil {
				return 0, err
			}
		}
		for _, table := range tables {
			if _, err := t.exec("DELETE FROM "+table+" WHERE tenant = ?", id); err != nil {
				return 0, fmt.Errorf("%s: %w", table, err)
			}
		}
		return t.exec("DELETE FROM tenants WHERE id = ?", id)
	})
}

// removeMessages forgets a tenant's oldest messages and reports whether there were
// any.
func removeMessages(t *tx, tenant string) (more bool, err error) {
	var last sql.NullString
	if err := t.row("SELECT max(id) FROM (SELECT id FROM messages WHERE tenant = ? ORDER BY id LIMIT ?) AS oldest", tenant, removeBatch).Scan(&last); err != nil || !last.Valid {
		return false, err
	}
	for _, q := range []string{
		"DELETE FROM octets WHERE id IN (SELECT octets FROM messages WHERE tenant = ? AND id <= ?)",
		"DELETE FROM judgements WHERE tenant = ? AND message <= ?",
		"DELETE FROM recipients WHERE tenant = ? AND message <= ?",
		"DELETE FROM messages WHERE tenant = ? AND id <= ?",
	} {
		if _, err := t.exec(q, tenant, last.String); err != nil {
			return false, err
		}
	}
	return true, nil
}

// tenantTables are the tables with a tenant column whose rows go with the tenant:
// found, not listed, so that none that is added later is forgotten.
func (s *Store) tenantTables(ctx context.Context) ([]string, error) {
	q := "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'tenant' ORDER BY m.name"
	if !s.d.single {
		q = "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name" +
			" WHERE c.column_name = 'tenant' AND c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name"
	}
	rows, err := s.query(ctx, q)
	all, err := collect(rows, err, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return nil, fmt.Errorf("tables of tenants: %w", err)
	}
	kept := all[:0]
	for _, name := range all {
		if name != "audit" { // who did what stays known
			kept = append(kept, name)
		}
	}
	return kept, nil
}
