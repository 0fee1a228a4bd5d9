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

// Configuration is what people change at run time. Each change counts up the
// generation in the same transaction, so that every node can keep a copy in
// memory and see cheaply when it is old.

// Generation counts the changes of tenants, domains, keys, rules and list entries
// by all nodes.
func (s *Store) Generation(ctx context.Context) (int64, error) {
	var n int64
	if err := s.row(ctx, "SELECT value FROM counters WHERE name = 'generation'").Scan(&n); err != nil {
		return 0, fmt.Errorf("read the configuration's generation: %w", err)
	}
	return n, nil
}

// configure makes a change of configuration. If want is given, a change of no row
// is that error.
func (s *Store) configure(ctx context.Context, what string, want error, fn func(t *tx) (int64, error)) error {
	err := s.w.do(ctx, func(t *tx) error {
		n, err := fn(t)
		if err != nil {
			return err
		}
		if n == 0 && want != nil {
			return want
		}
		_, err = t.exec("UPDATE counters SET value = value + 1 WHERE name = 'generation'")
		return err
	})
	if isDuplicate(err) {
		err = ErrExists
	}
	if isOrphan(err) {
		err = fmt.Errorf("its tenant: %w", ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// A Tenant is a tenant with its wrapped key.
type Tenant struct {
	mail.Tenant
	WrappedKey []byte // see seal.Root.NewTenantKey
	CreatedAt  time.Time
}

// AddTenant adds a tenant; ErrExists if its id is taken.
func (s *Store) AddTenant(ctx context.Context, t Tenant) error {
	if t.CreatedAt.IsZero() {
		t.CreatedAt = s.o.Now()
	}
	if t.WrappedKey == nil {
		t.WrappedKey = []byte{}
	}
	limits, err := json.Marshal(t.Limits)
	if err != nil {
		return fmt.Errorf("add tenant %s: %w", t.ID, err)
	}
	return s.configure(ctx, "add tenant "+t.ID, nil, func(x *tx) (int64, error) {
		return x.exec("INSERT INTO tenants (id, name, token, wrapped_key, created_at, limits) VALUES (?, ?, ?, ?, ?, ?)",
			t.ID, t.Name, t.Token, t.WrappedKey, t.CreatedAt.UnixMilli(), string(limits))
	})
}

// SetToken replaces what is kept of a tenant's processed token.
func (s *Store) SetToken(ctx context.Context, id, token string) error {
	return s.configure(ctx, "token of tenant "+id, ErrNotFound, func(x *tx) (int64, error) {
		return x.exec("UPDATE tenants SET token = ? WHERE id = ?", token, id)
	})
}

const tenantColumns = "SELECT id, name, token, wrapped_key, created_at, limits FROM tenants"

func scanTenant(scan func(...any) error) (t Tenant, err error) {
	var limits string
	err = scan(&t.ID, &t.Name, &t.Token, &t.WrappedKey, stamp{&t.CreatedAt}, &limits)
	if err == nil && limits != "" {
		err = json.Unmarshal([]byte(limits), &t.Limits)
	}
	return t, err
}

// Tenants returns all tenants by id.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) {
	rows, err := s.query(ctx, tenantColumns+" ORDER BY id")
	return collect(rows, err, func(r *sql.Rows) (Tenant, error) { return scanTenant(r.Scan) })
}

// Tenant returns one tenant; ErrNotFound if there is none of that id.
func (s *Store) Tenant(ctx context.Context, id string) (Tenant, error) {
	t, err := scanTenant(s.row(ctx, tenantColumns+" WHERE id = ?", id).Scan)
	if err = found(err); err != nil {
		return Tenant{}, fmt.Errorf("tenant %s: %w", id, err)
	}
	return t, nil
}

// SetTenantKey replaces a tenant's wrapped key, to wrap it anew under another root.
// An empty key erases it: the tenant's sealed content can never be opened again.
func (s *Store) SetTenantKey(ctx context.Context, id string, wrapped []byte) error {
	if wrapped == nil {
		wrapped = []byte{}
	}
	return s.configure(ctx, "key of tenant "+id, ErrNotFound, func(t *tx) (int64, error) {
		return t.exec("UPDATE tenants SET wrapped_key = ? WHERE id = ?", wrapped, id)
	})
}

// PutDomain adds a domain or changes it. ErrExists means that it is another
// tenant's; ErrNotFound that there is no such tenant.
func (s *Store) PutDomain(ctx context.Context, d mail.Domain) error {
	mtas, err := json.Marshal(d.MTAs)
	if err != nil {
		return fmt.Errorf("domain %s: %w", d.Name, err)
	}
	return s.configure(ctx, "domain "+d.Name, ErrExists, func(t *tx) (int64, error) {
		return t.exec("INSERT INTO domains (tenant, name, architecture, enabled, disabled, mtas) VALUES (?, ?, ?, ?, ?, ?)"+
			" ON CONFLICT (name) DO UPDATE SET architecture = excluded.architecture, enabled = excluded.enabled, disabled = excluded.disabled, mtas = excluded.mtas"+
			" WHERE domains.tenant = excluded.tenant",
			d.Tenant, d.Name, string(d.Architecture), flag(d.Enabled), flag(d.Disabled), string(mtas))
	})
}

const domainColumns = "SELECT tenant, name, architecture, enabled, disabled, mtas FROM domains"

func scanDomain(scan func(...any) error) (d mail.Domain, err error) {
	var enabled, disabled int64
	var mtas string
	if err := scan(&d.Tenant, &d.Name, &d.Architecture, &enabled, &disabled, &mtas); err != nil {
		return d, err
	}
	d.Enabled, d.Disabled = enabled != 0, disabled != 0
	return d, json.Unmarshal([]byte(mtas), &d.MTAs)
}

// Domains returns a tenant's domains by name; of all tenants if tenant is "".
func (s *Store) Domains(ctx context.Context, tenant string) ([]mail.Domain, error) {
	rows, err := s.query(ctx, domainColumns+" WHERE (? = '' OR tenant = ?) ORDER BY name", tenant, tenant)
	return collect(rows, err, func(r *sql.Rows) (mail.Domain, error) { return scanDomain(r.Scan) })
}

// Domain returns one domain, whosever it is; ErrNotFound if it is unknown.
func (s *Store) Domain(ctx context.Context, name string) (mail.Domain, error) {
	d, err := scanDomain(s.row(ctx, domainColumns+" WHERE name = ?", name).Scan)
	if err = found(err); err != nil {
		return mail.Domain{}, fmt.Errorf("domain %s: %w", name, err)
	}
	return d, nil
}

// RemoveDomain forgets a domain; ErrNotFound if the tenant has none of that name.
func (s *Store) RemoveDomain(ctx context.Context, tenant, name string) error {
	return s.configure(ctx, "remove domain "+name, ErrNotFound, func(t *tx) (int64, error) {
		return t.exec("DELETE FROM domains WHERE tenant = ? AND name = ?", tenant, name)
	})
}

// AddKey adds a relay key; ErrExists if its hash or id is taken.
func (s *Store) AddKey(ctx context.Context, k mail.Key) error {
	if k.CreatedAt.IsZero() {
		k.CreatedAt = s.o.Now()
	}
	return s.configure(ctx, "add key "+k.ID, nil, func(t *tx) (int64, error) {
		return t.exec("INSERT INTO keys (tenant, id, hash, created_at, retired_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
			k.Tenant, k.ID, k.Hash[:], k.CreatedAt.UnixMilli(), unix(k.RetiredAt), unix(k.SeenAt))
	})
}

const keyColumns = "SELECT tenant, id, hash, created_at, retired_at, seen_at FROM keys"

func scanKey(scan func(...any) error) (k mail.Key, err error) {
	var hash []byte
	err = scan(&k.Tenant, &k.ID, &hash, stamp{&k.CreatedAt}, stamp{&k.RetiredAt}, stamp{&k.SeenAt})
	if err == nil && copy(k.Hash[:], hash) != len(k.Hash) {
		err = fmt.Errorf("key %s: %w: its hash is cut", k.ID, ErrDamaged)
	}
	return k, err
}

// Keys returns a tenant's keys, retired ones too, the oldest first; of all
// tenants if tenant is "".
func (s *Store) Keys(ctx context.Context, tenant string) ([]mail.Key, error) {
	rows, err := s.query(ctx, keyColumns+" WHERE (? = '' OR tenant = ?) ORDER BY created_at, id", tenant, tenant)
	return collect(rows, err, func(r *sql.Rows) (mail.Key, error) { return scanKey(r.Scan) })
}

// KeyByHash returns the key with that hash, retired or not; ErrNotFound if there
// is none.
func (s *Store) KeyByHash(ctx context.Context, hash [32]byte) (mail.Key, error) {
	k, err := scanKey(s.row(ctx, keyColumns+" WHERE hash = ?", hash[:]).Scan)
	if err = found(err); err != nil {
		return mail.Key{}, fmt.Errorf("relay key: %w", err)
	}
	return k, nil
}

// RetireKey ends a key's validity now; ErrNotFound if it is unknown or retired.
func (s *Store) RetireKey(ctx context.Context, tenant, id string) error {
	now := s.o.Now().UnixMilli()
	return s.configure(ctx, "retire key "+id, ErrNotFound, func(t *tx) (int64, error) {
		return t.exec("UPDATE keys SET retired_at = ? WHERE tenant = ? AND id = ? AND retired_at IS NULL", now, tenant, id)
	})
}

// TouchKey notes that a key was used at that time. It does not count up the
// generation; call it now and then, not for every message.
func (s *Store) TouchKey(ctx context.Context, tenant, id string, at time.Time) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE keys SET seen_at = ? WHERE tenant = ? AND id = ? AND (seen_at IS NULL OR seen_at < ?)", at.UnixMilli(), tenant, id, at.UnixMilli())
		return err
	})
}

// found turns the absence of a row into ErrNotFound.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
