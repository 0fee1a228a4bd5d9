package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A Token opens the API to a program in the name of a user.
type Token struct {
	Hash      []byte // SHA-256 of the token, which is nowhere kept
	ID        string // part of the token; opens nothing by itself
	Tenant    string // "" for the whole system
	Name      string // as people call it
	Email     string // of the user whose token it is
	Scopes    []string
	Networks  []netip.Prefix // that it counts from; none: from everywhere
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero while it counts
	UsedAt    time.Time // to the minute; zero if never
	UsedFrom  string    // address of the last use
}

// AddToken keeps a token, unless its tenant has most that have not ended at now;
// then added is false. Tokens that ended before forget are dropped.
func (s *Store) AddToken(ctx context.Context, x Token, most int, now, forget time.Time) (added bool, err error) {
	err = s.w.do(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM api_tokens WHERE expires_at < ?", forget.UnixMilli()); err != nil {
			return err
		}
		var live int
		if err := t.row("SELECT count(*) FROM api_tokens WHERE tenant = ? AND revoked_at IS NULL AND expires_at > ?", x.Tenant, now.UnixMilli()).Scan(&live); err != nil || live >= most {
			return err
		}
		added = true
		_, err := t.exec("INSERT INTO api_tokens (tenant, id, hash, name, email, scopes, networks, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			x.Tenant, x.ID, x.Hash, text(x.Name), x.Email, strings.Join(x.Scopes, "\n"), networkLines(x.Networks), x.CreatedAt.UnixMilli(), x.ExpiresAt.UnixMilli())
		return err
	})
	if err != nil {
		return false, fmt.Errorf("add token %s: %w", x.ID, err)
	}
	return added, nil
}

const tokenColumns = "SELECT hash, id, tenant, name, email, scopes, networks, created_at, expires_at, revoked_at, used_at, used_from FROM api_tokens"

func scanToken(scan func(...any) error) (x Token, err error) {
	var scopes, networks string
	err = scan(&x.Hash, &x.ID, &x.Tenant, &x.Name, &x.Email, &scopes, &networks, stamp{&x.CreatedAt}, stamp{&x.ExpiresAt}, stamp{&x.RevokedAt}, stamp{&x.UsedAt}, &x.UsedFrom)
	x.Scopes = splitLines(scopes)
	for _, line := range splitLines(networks) {
		p, perr := netip.ParsePrefix(line)
		if perr != nil {
			return x, errors.Join(err, fmt.Errorf("networks of token %s: %w", x.ID, perr)) // a bound that cannot be read is not none
		}
		x.Networks = append(x.Networks, p)
	}
	return x, err
}

func networkLines(list []netip.Prefix) string {
	var lines []string
	for _, p := range list {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Token returns the token with that hash, ended or not; ErrNotFound if there is none.
func (s *Store) Token(ctx context.Context, hash []byte) (Token, error) {
	x, err := scanToken(s.row(ctx, tokenColumns+" WHERE hash = ?", hash).Scan)
	if err = found(err); err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	return x, nil
}

// Tokens returns a tenant's tokens, the newest first; those of all tenants and of
// the whole system if tenant is "".
func (s *Store) Tokens(ctx context.Context, tenant string) ([]Token, error) {
	rows, err := s.query(ctx, tokenColumns+" WHERE (? = '' OR tenant = ?) ORDER BY created_at DESC, id LIMIT ?", tenant, tenant, maxTokens)
	return collect(rows, err, func(r *sql.Rows) (Token, error) { return scanToken(r.Scan) })
}

const maxTokens = 1000 // that a list has

// RevokeToken ends a token for good. ErrNotFound if the tenant has none of that id
// that is not revoked yet.
func (s *Store) RevokeToken(ctx context.Context, tenant, id string, at time.Time) error {
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE api_tokens SET revoked_at = ? WHERE tenant = ? AND id = ? AND revoked_at IS NULL", at.UnixMilli(), tenant, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}

// RevokeTokensOf ends all tokens of a user.
func (s *Store) RevokeTokensOf(ctx context.Context, email string, at time.Time) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE api_tokens SET revoked_at = ? WHERE email = ? AND revoked_at IS NULL", at.UnixMilli(), email)
		return err
	})
}

// TouchToken notes when and from where a token was used.
func (s *Store) TouchToken(ctx context.Context, tenant, id string, at time.Time, from string) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE api_tokens SET used_at = ?, used_from = ? WHERE tenant = ? AND id = ?", at.UnixMilli(), text(from), tenant, id)
		return err
	})
}
