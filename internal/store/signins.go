package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A SignIn is one time somebody signed in to an account, or tried to.
type SignIn struct {
	Email   string
	At      time.Time
	How     string // "password", "passkey", "provider"
	Good    bool
	Unknown bool // from a browser or network that the user had not used before
	Address string
	Agent   string
	Session string // id of the session, "" if it failed
}

const (
	keepSignIns = 90 * 24 * time.Hour
	maxSignIns  = 500 // of one user
)

// AddSignIn adds to a user's history and forgets what is old.
func (s *Store) AddSignIn(ctx context.Context, x SignIn) error {
	err := s.w.do(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM sign_ins WHERE email = ? AND (at < ? OR at <= (SELECT at FROM sign_ins WHERE email = ? ORDER BY at DESC LIMIT 1 OFFSET ?))",
			x.Email, x.At.Add(-keepSignIns).UnixMilli(), x.Email, maxSignIns-1); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO sign_ins (email, at, how, good, unknown, address, agent, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			x.Email, x.At.UnixMilli(), x.How, flag(x.Good), flag(x.Unknown), text(x.Address), text(x.Agent), x.Session)
		return err
	})
	if err != nil {
		return fmt.Errorf("history of %s: %w", x.Email, err)
	}
	return nil
}

// SignIns returns a user's history, the newest first; 100 by default.
func (s *Store) SignIns(ctx context.Context, email string, limit int) ([]SignIn, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	rows, err := s.query(ctx, "SELECT email, at, how, good, unknown, address, agent, session FROM sign_ins WHERE email = ? ORDER BY at DESC, session LIMIT ?", email, limit)
	return collect(rows, err, func(r *sql.Rows) (x SignIn, err error) {
		var good, unknown int64
		err = r.Scan(&x.Email, stamp{&x.At}, &x.How, &good, &unknown, &x.Address, &x.Agent, &x.Session)
		x.Good, x.Unknown = good != 0, unknown != 0
		return x, err
	})
}

// An Identity is an account at a provider that opens an account here.
type Identity struct {
	Issuer, Subject string
	Email           string // of the user here
	CreatedAt       time.Time
}

// AddIdentity links an account elsewhere to a user; ErrExists if it is linked.
func (s *Store) AddIdentity(ctx context.Context, x Identity) error {
	err := s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO identities (issuer, subject, email, created_at) VALUES (?, ?, ?, ?)", x.Issuer, x.Subject, x.Email, x.CreatedAt.UnixMilli())
		return err
	})
	if isDuplicate(err) {
		err = ErrExists
	}
	if err != nil {
		return fmt.Errorf("link %s: %w", x.Email, err)
	}
	return nil
}

const identityColumns = "SELECT issuer, subject, email, created_at FROM identities"

func scanIdentity(scan func(...any) error) (x Identity, err error) {
	return x, scan(&x.Issuer, &x.Subject, &x.Email, stamp{&x.CreatedAt})
}

// Identity returns the user's address that an account elsewhere opens; ErrNotFound
// if it is linked to nobody.
func (s *Store) Identity(ctx context.Context, issuer, subject string) (Identity, error) {
	x, err := scanIdentity(s.row(ctx, identityColumns+" WHERE issuer = ? AND subject = ?", issuer, subject).Scan)
	if err = found(err); err != nil {
		return x, fmt.Errorf("identity: %w", err)
	}
	return x, nil
}

// Identities returns a user's accounts elsewhere.
func (s *Store) Identities(ctx context.Context, email string) ([]Identity, error) {
	rows, err := s.query(ctx, identityColumns+" WHERE email = ? ORDER BY issuer, subject", email)
	return collect(rows, err, func(r *sql.Rows) (Identity, error) { return scanIdentity(r.Scan) })
}

// RemoveIdentities unlinks all accounts elsewhere from a user.
func (s *Store) RemoveIdentities(ctx context.Context, email string) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM identities WHERE email = ?", email)
		return err
	})
}
