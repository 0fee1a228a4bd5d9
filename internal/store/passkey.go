package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Passkey is a credential of a user on a phone, a computer or a security key.
type Passkey struct {
	ID        []byte // chosen by the authenticator, unique in the whole store
	Email     string
	Name      string // as the user calls it
	Body      []byte // the credential record, sealed by the caller
	CreatedAt time.Time
	UsedAt    time.Time // zero if never
}

// AddPasskey keeps a passkey; ErrExists if its id is taken.
func (s *Store) AddPasskey(ctx context.Context, p Passkey) error {
	err := s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO passkeys (id, email, name, body, created_at, used_at) VALUES (?, ?, ?, ?, ?, ?)",
			p.ID, p.Email, text(p.Name), p.Body, p.CreatedAt.UnixMilli(), unix(p.UsedAt))
		return err
	})
	if isDuplicate(err) {
		err = ErrExists
	}
	if err != nil {
		return fmt.Errorf("add passkey of %s: %w", p.Email, err)
	}
	return nil
}

const passkeyColumns = "SELECT id, email, name, body, created_at, used_at FROM passkeys"

func scanPasskey(scan func(...any) error) (p Passkey, err error) {
	return p, scan(&p.ID, &p.Email, &p.Name, &p.Body, stamp{&p.CreatedAt}, stamp{&p.UsedAt})
}

// Passkeys returns a user's passkeys, the oldest first.
func (s *Store) Passkeys(ctx context.Context, email string) ([]Passkey, error) {
	rows, err := s.query(ctx, passkeyColumns+" WHERE email = ? ORDER BY created_at, id", email)
	return collect(rows, err, func(r *sql.Rows) (Passkey, error) { return scanPasskey(r.Scan) })
}

// Passkey returns one passkey by its id; ErrNotFound if it was removed.
func (s *Store) Passkey(ctx context.Context, id []byte) (Passkey, error) {
	p, err := scanPasskey(s.row(ctx, passkeyColumns+" WHERE id = ?", id).Scan)
	if err = found(err); err != nil {
		return p, fmt.Errorf("passkey: %w", err)
	}
	return p, nil
}

// UsePasskey keeps the record after a use, with its new counter; ErrNotFound if it
// was removed meanwhile.
func (s *Store) UsePasskey(ctx context.Context, id, body []byte, at time.Time) error {
	return s.change(ctx, "use passkey", "UPDATE passkeys SET body = ?, used_at = ? WHERE id = ?", body, at.UnixMilli(), id)
}

// RemovePasskey forgets one passkey of a user; ErrNotFound if there is none.
func (s *Store) RemovePasskey(ctx context.Context, email string, id []byte) error {
	return s.change(ctx, "remove passkey", "DELETE FROM passkeys WHERE email = ? AND id = ?", email, id)
}

// RemovePasskeys forgets all passkeys of a user.
func (s *Store) RemovePasskeys(ctx context.Context, email string) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM passkeys WHERE email = ?", email)
		return err
	})
}

// change makes one statement that must change a row, else ErrNotFound.
func (s *Store) change(ctx context.Context, what, q string, args ...any) error {
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec(q, args...)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// spentFor is how long something that counts once is remembered: longer than
// anything of that kind is good for.
const spentFor = time.Hour

// Spend remembers that what was used and reports whether this was the first time.
func (s *Store) Spend(ctx context.Context, what []byte) (first bool, err error) {
	now := s.o.Now()
	err = s.w.do(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM spent WHERE at < ?", now.Add(-spentFor).UnixMilli()); err != nil {
			return err
		}
		n, err := t.exec("INSERT INTO spent (what, at) VALUES (?, ?) ON CONFLICT DO NOTHING", what, now.UnixMilli())
		first = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("spend: %w", err)
	}
	return first, nil
}
