package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"postern/internal/mail"
)

// Rules returns a tenant's rules with its list entries, oldest first. A tenant
// that decided nothing has the zero value.
func (s *Store) Rules(ctx context.Context, tenant string) (mail.Rules, error) {
	var rules mail.Rules
	var body string
	err := s.row(ctx, "SELECT body FROM rules WHERE tenant = ?", tenant).Scan(&body)
	if err == nil {
		err = json.Unmarshal([]byte(body), &rules)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return mail.Rules{}, fmt.Errorf("rules of %s: %w", tenant, err)
	}
	if rules.Recipients, err = s.Recipients(ctx, tenant); err != nil {
		return mail.Rules{}, fmt.Errorf("recipients of %s: %w", tenant, err)
	}
	if rules.Personal, err = s.personal(ctx, tenant); err != nil {
		return mail.Rules{}, fmt.Errorf("recipients' lists of %s: %w", tenant, err)
	}
	rows, err := s.query(ctx, entryColumns+" WHERE tenant = ? AND recipient = '' ORDER BY created_at, id", tenant)
	if rules.Lists, err = collect(rows, err, scanEntry); err != nil {
		return mail.Rules{}, fmt.Errorf("lists of %s: %w", tenant, err)
	}
	return rules, nil
}

func scanEntry(rows *sql.Rows) (e mail.ListEntry, err error) {
	var allow, any int64
	var network string
	if err := rows.Scan(&e.ID, &allow, &e.Address, &e.Domain, &network, &any, &e.Note, stamp{&e.CreatedAt}, stamp{&e.ExpiresAt}, &e.Recipient); err != nil {
		return e, err
	}
	e.Allow, e.AnyAuth = allow != 0, any != 0
	if network != "" {
		e.Network, err = netip.ParsePrefix(network)
	}
	return e, err
}

// PutRules replaces a tenant's rules, but not its list entries, which have
// AddEntry and RemoveEntry.
func (s *Store) PutRules(ctx context.Context, tenant string, rules mail.Rules) error {
	rules.Lists = nil
	body, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("rules of %s: %w", tenant, err)
	}
	return s.configure(ctx, "rules of "+tenant, nil, func(t *tx) (int64, error) {
		return t.exec("INSERT INTO rules (tenant, body) VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET body = excluded.body", tenant, string(body))
	})
}

// AddEntry adds an entry to a tenant's lists. The caller gives it an id.
func (s *Store) AddEntry(ctx context.Context, tenant string, e mail.ListEntry) error {
	if e.CreatedAt.IsZero() {
		e.CreatedAt = s.o.Now()
	}
	network := ""
	if e.Network.IsValid() {
		network = e.Network.String()
	}
	return s.configure(ctx, "list entry "+e.ID, nil, func(t *tx) (int64, error) {
		return t.exec("INSERT INTO list_entries (tenant, id, allow, address, domain, network, any_auth, note, created_at, expires_at, recipient) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			tenant, e.ID, flag(e.Allow), e.Address, e.Domain, network, flag(e.AnyAuth), e.Note, e.CreatedAt.UnixMilli(), unix(e.ExpiresAt), e.Recipient)
	})
}

// RemoveEntry removes an entry of a tenant's lists; ErrNotFound if it has none of
// that id.
func (s *Store) RemoveEntry(ctx context.Context, tenant, id string) error {
	return s.configure(ctx, "list entry "+id, ErrNotFound, func(t *tx) (int64, error) {
		return t.exec("DELETE FROM list_entries WHERE tenant = ? AND id = ?", tenant, id)
	})
}

// expireEntries removes list entries whose time is over.
func (s *Store) expireEntries(ctx context.Context, now time.Time) error {
	var n int
	if err := s.row(ctx, "SELECT count(*) FROM list_entries WHERE expires_at <= ?", now.UnixMilli()).Scan(&n); err != nil || n == 0 {
		return err
	}
	return s.configure(ctx, "list entries past their time", nil, func(t *tx) (int64, error) {
		return t.exec("DELETE FROM list_entries WHERE expires_at <= ?", now.UnixMilli())
	})
}
