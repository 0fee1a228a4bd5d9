package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"postern/internal/mail"
)

// recipientsSetting is where a tenant's rules for its recipients are kept.
const recipientsSetting = "recipients"

// Recipients returns what a tenant lets its recipients do; the zero value if it
// decided nothing.
func (s *Store) Recipients(ctx context.Context, tenant string) (r mail.Recipients, err error) {
	body, err := s.Setting(ctx, tenant, recipientsSetting)
	if errors.Is(err, ErrNotFound) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	return r, err
}

// PutRecipients replaces what a tenant lets its recipients do.
func (s *Store) PutRecipients(ctx context.Context, tenant string, r mail.Recipients) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recipients of %s: %w", tenant, err)
	}
	return s.configure(ctx, "recipients of "+tenant, nil, func(t *tx) (int64, error) {
		return 1, putSetting(t, tenant, recipientsSetting, body)
	})
}

const entryColumns = "SELECT id, allow, address, domain, network, any_auth, note, created_at, expires_at, recipient FROM list_entries"

// personal reads the entries of all of a tenant's recipients, by address.
func (s *Store) personal(ctx context.Context, tenant string) (map[string][]mail.ListEntry, error) {
	rows, err := s.query(ctx, entryColumns+" WHERE tenant = ? AND recipient <> '' ORDER BY created_at, id", tenant)
	all, err := collect(rows, err, scanEntry)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	own := map[string][]mail.ListEntry{}
	for _, e := range all {
		own[e.Recipient] = append(own[e.Recipient], e)
	}
	return own, nil
}

// Entries returns a recipient's own list entries, the oldest first.
func (s *Store) Entries(ctx context.Context, tenant, recipient string) ([]mail.ListEntry, error) {
	rows, err := s.query(ctx, entryColumns+" WHERE tenant = ? AND recipient = ? ORDER BY created_at, id", tenant, recipient)
	return collect(rows, err, scanEntry)
}

// RemoveOwnEntry removes an entry of a recipient's own; ErrNotFound if that one has
// none of that id.
func (s *Store) RemoveOwnEntry(ctx context.Context, tenant, recipient, id string) error {
	return s.configure(ctx, "list entry "+id, ErrNotFound, func(t *tx) (int64, error) {
		return t.exec("DELETE FROM list_entries WHERE tenant = ? AND id = ? AND recipient = ?", tenant, id, recipient)
	})
}

// HeldAddresses returns the folded addresses in a tenant that have mail held before
// until, of the classes given, that no digest of theirs covers, each with the time
// at which the first of it was held, in Unix ms.
func (s *Store) HeldAddresses(ctx context.Context, tenant string, classes []mail.Verdict, until int64) (map[string]int64, error) {
	if len(classes) == 0 {
		return nil, nil
	}
	args := []any{tenant, until}
	marks := ""
	for _, c := range classes {
		marks += ", ?"
		args = append(args, string(c))
	}
	rows, err := s.query(ctx, "SELECT lower(r.addr), min(r.held_at) FROM recipients r LEFT JOIN persons p ON p.tenant = r.tenant AND p.addr = lower(r.addr)"+
		" WHERE r.tenant = ? AND r.state = 'held' AND r.deleted_by = '' AND r.held_at < ? AND r.held_at >= coalesce(p.digest_at, 0) AND r.verdict IN ("+marks[2:]+") GROUP BY lower(r.addr)", args...)
	all := map[string]int64{}
	_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		var addr string
		var first int64
		if err = r.Scan(&addr, &first); err != nil {
			return
		}
		addr = mail.FoldAddress(addr)
		if was, ok := all[addr]; addr != "" && (!ok || first < was) {
			all[addr] = first
		}
		return
	})
	if err != nil {
		return nil, fmt.Errorf("held mail of %s by recipient: %w", tenant, err)
	}
	return all, nil
}
