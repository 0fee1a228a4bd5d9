package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// A User may sign in to the portal. What proves a user is a hash or sealed; the
// caller does both.
type User struct {
	ID          string
	Email       string // unique in the whole store, lower case
	Tenant      string // "" for an administrator of the whole system
	Role        string
	Password    string // hash; "" until there is one, or when the user signs in elsewhere
	CreatedAt   time.Time
	Factor      []byte    // sealed secret of the second factor; nil until it is set up
	FactorStep  int64     // time step of the last code taken: each counts once (RFC 6238 §5.2)
	FactorFails int       // wrong codes in a row
	Recovery    []string  // hashes of recovery codes not used yet
	Invite      []byte    // hash of the token that sets the first password; nil for none
	InviteUntil time.Time // when that token ends
	DisabledAt  time.Time // zero while the user may sign in
	SignedInAt  time.Time // last time; zero if never
	Browsers    int64     // which of the browsers once known still are: one more each time that all sessions end
}

// AddUser adds a user; ErrExists if the address or id is taken.
func (s *Store) AddUser(ctx context.Context, u User) error {
	if u.CreatedAt.IsZero() {
		u.CreatedAt = s.o.Now()
	}
	return s.configure(ctx, "add user "+u.Email, nil, func(t *tx) (int64, error) {
		return t.exec("INSERT INTO users (tenant, id, email, role, password, created_at, factor, factor_step, recovery, invite, invite_until, disabled_at, signed_in_at)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			u.Tenant, u.ID, u.Email, u.Role, nonEmpty(u.Password), u.CreatedAt.UnixMilli(), octetsOrNull(u.Factor), u.FactorStep, strings.Join(u.Recovery, "\n"),
			octetsOrNull(u.Invite), unix(u.InviteUntil), unix(u.DisabledAt), unix(u.SignedInAt))
	})
}

// octetsOrNull keeps nil from becoming an empty value.
func octetsOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

const userColumns = "SELECT tenant, id, email, role, coalesce(password, ''), created_at, factor, factor_step, factor_failures, recovery, invite, invite_until, disabled_at, signed_in_at, browsers FROM users"

func scanUser(scan func(...any) error) (u User, err error) {
	var recovery string
	err = scan(&u.Tenant, &u.ID, &u.Email, &u.Role, &u.Password, stamp{&u.CreatedAt}, &u.Factor, &u.FactorStep, &u.FactorFails, &recovery,
		&u.Invite, stamp{&u.InviteUntil}, stamp{&u.DisabledAt}, stamp{&u.SignedInAt}, &u.Browsers)
	u.Recovery = splitLines(recovery)
	return u, err
}

// Users returns a tenant's users by address; all if tenant is "".
func (s *Store) Users(ctx context.Context, tenant string) ([]User, error) {
	rows, err := s.query(ctx, userColumns+" WHERE (? = '' OR tenant = ?) ORDER BY email", tenant, tenant)
	return collect(rows, err, func(r *sql.Rows) (User, error) { return scanUser(r.Scan) })
}

// User returns one user by address; ErrNotFound if there is none.
func (s *Store) User(ctx context.Context, email string) (User, error) {
	u, err := scanUser(s.row(ctx, userColumns+" WHERE email = ?", email).Scan)
	if err = found(err); err != nil {
		return User{}, fmt.Errorf("user %s: %w", email, err)
	}
	return u, nil
}

// EditUser changes a user by its address, in one transaction with what edit saw:
// of two that use the same code at once, one sees the other's change. An error of
// edit changes nothing. ErrNotFound if there is no such user.
func (s *Store) EditUser(ctx context.Context, email string, edit func(*User) error) error {
	err := s.w.do(ctx, func(t *tx) error {
		q := userColumns + " WHERE email = ?"
		if !s.d.single {
			q += " FOR UPDATE" // another node may be at the same user
		}
		u, err := scanUser(t.row(q, email).Scan)
		if err = found(err); err != nil {
			return err
		}
		if err := edit(&u); err != nil {
			return err
		}
		_, err = t.exec("UPDATE users SET role = ?, password = ?, factor = ?, factor_step = ?, factor_failures = ?, recovery = ?, invite = ?, invite_until = ?, disabled_at = ?, signed_in_at = ? WHERE email = ?",
			u.Role, nonEmpty(u.Password), octetsOrNull(u.Factor), u.FactorStep, u.FactorFails, strings.Join(u.Recovery, "\n"), octetsOrNull(u.Invite), unix(u.InviteUntil), unix(u.DisabledAt), unix(u.SignedInAt), email)
		return err
	})
	if err != nil {
		return fmt.Errorf("change user %s: %w", email, err)
	}
	return nil
}

// FirstOwner adds u and reports true only if the store has no user with a
// password yet: of two that try at once, one succeeds. An account of the same
// address without a password is taken over.
func (s *Store) FirstOwner(ctx context.Context, u User) (first bool, err error) {
	if u.CreatedAt.IsZero() {
		u.CreatedAt = s.o.Now()
	}
	err = s.w.do(ctx, func(t *tx) error {
		if !s.d.single {
			if _, err := t.exec("LOCK TABLE users IN EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		var n int
		if err := t.row("SELECT count(*) FROM users WHERE password IS NOT NULL").Scan(&n); err != nil || n > 0 {
			return err
		}
		if _, err := t.exec("DELETE FROM users WHERE email = ?", u.Email); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO users (tenant, id, email, role, password, created_at) VALUES (?, ?, ?, ?, ?, ?)",
			u.Tenant, u.ID, u.Email, u.Role, u.Password, u.CreatedAt.UnixMilli())
		first = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("add the first owner: %w", err)
	}
	return first, nil
}
