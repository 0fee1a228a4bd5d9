package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Session is one browser that a user signed in with.
type Session struct {
	Hash      []byte // SHA-256 of the token in the cookie, which is nowhere kept
	ID        string // shown in lists; opens nothing
	Email     string
	Stage     string // "factor": the password was right; "enrol": a second factor must be set up; "in"
	CreatedAt time.Time
	SeenAt    time.Time // to the minute
	FreshAt   time.Time // when a factor was last proved
	Address   string
	Agent     string // the browser's name for itself
	How       string // "password", "passkey" or "provider"
}

// AddSession keeps a session.
func (s *Store) AddSession(ctx context.Context, x Session) error {
	err := s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO sessions (hash, id, email, stage, created_at, seen_at, fresh_at, address, agent, how) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			x.Hash, x.ID, x.Email, x.Stage, x.CreatedAt.UnixMilli(), x.SeenAt.UnixMilli(), x.FreshAt.UnixMilli(), text(x.Address), text(x.Agent), x.How)
		return err
	})
	if err != nil {
		return fmt.Errorf("add session: %w", err)
	}
	return nil
}

const sessionColumns = "SELECT hash, id, email, stage, created_at, seen_at, fresh_at, address, agent, how FROM sessions"

func scanSession(scan func(...any) error) (x Session, err error) {
	err = scan(&x.Hash, &x.ID, &x.Email, &x.Stage, stamp{&x.CreatedAt}, stamp{&x.SeenAt}, stamp{&x.FreshAt}, &x.Address, &x.Agent, &x.How)
	return x, err
}

// Session returns the session with that hash; ErrNotFound if it ended.
func (s *Store) Session(ctx context.Context, hash []byte) (Session, error) {
	x, err := scanSession(s.row(ctx, sessionColumns+" WHERE hash = ?", hash).Scan)
	if err = found(err); err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return x, nil
}

// Sessions returns a user's sessions, the last used first.
func (s *Store) Sessions(ctx context.Context, email string) ([]Session, error) {
	rows, err := s.query(ctx, sessionColumns+" WHERE email = ? ORDER BY seen_at DESC, id", email)
	return collect(rows, err, func(r *sql.Rows) (Session, error) { return scanSession(r.Scan) })
}

// TouchSession notes when a session was used.
func (s *Store) TouchSession(ctx context.Context, hash []byte, at time.Time) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE sessions SET seen_at = ? WHERE hash = ?", at.UnixMilli(), hash)
		return err
	})
}

// EndSession ends one session of a user, by its hash or by its id.
func (s *Store) EndSession(ctx context.Context, email string, hash []byte, id string) error {
	if hash == nil {
		hash = []byte{}
	}
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM sessions WHERE email = ? AND (hash = ? OR id = ?)", email, hash, id)
		return err
	})
}

// EndSessions ends all sessions of a user but the one with the hash keep, and makes
// the user's known browsers strangers.
func (s *Store) EndSessions(ctx context.Context, email string, keep []byte) error {
	if keep == nil {
		keep = []byte{}
	}
	return s.w.do(ctx, func(t *tx) error {
		if _, err := t.exec("UPDATE users SET browsers = browsers + 1 WHERE email = ?", email); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM sessions WHERE email = ? AND hash <> ?", email, keep)
		return err
	})
}

// Unfail takes one that Allow counted at a moment back, for each of who.
func (s *Store) Unfail(ctx context.Context, at time.Time, who ...string) error {
	return s.w.do(ctx, func(t *tx) error {
		for _, w := range who {
			if _, err := t.exec("UPDATE failures SET n = n - 1 WHERE who = ? AND at = ? AND n > 0", text(w), at.UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Failures is how often Allow counted who since a moment, and when first.
func (s *Store) Failures(ctx context.Context, who string, since time.Time) (n int, first time.Time, err error) {
	err = s.row(ctx, "SELECT coalesce(sum(n), 0), min(at) FROM failures WHERE who = ? AND at >= ? AND n > 0", text(who), since.UnixMilli()).Scan(&n, stamp{&first})
	return n, first, err
}
