package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
)

// A Person is a recipient: an address in one of a tenant's domains.
type Person struct {
	Tenant string
	Addr   string // as mail.FoldAddress gives it
	PersonSettings
	DigestAt time.Time // digests cover what was held before; zero before the first
}

// PersonSettings are what a person chose. Zero fields follow the tenant.
type PersonSettings struct {
	Lang   string         `json:"lang,omitempty"`
	Zone   string         `json:"zone,omitempty"`   // IANA name
	Digest *mail.Schedule `json:"digest,omitempty"` // nil: the tenant's
	Since  time.Time      `json:"since,omitzero"`   // when Digest was chosen
}

// Person returns what is kept of a recipient; only the address if that is nothing.
func (s *Store) Person(ctx context.Context, tenant, addr string) (Person, error) {
	p := Person{Tenant: tenant, Addr: addr}
	var settings string
	var at int64
	err := s.row(ctx, "SELECT settings, digest_at FROM persons WHERE tenant = ? AND addr = ?", tenant, addr).Scan(&settings, &at)
	if errors.Is(found(err), ErrNotFound) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(settings), &p.PersonSettings)
	}
	if err != nil {
		return p, fmt.Errorf("recipient %s: %w", addr, err)
	}
	if at > 0 {
		p.DigestAt = time.UnixMilli(at).UTC()
	}
	return p, nil
}

// PutPerson keeps what a person chose.
func (s *Store) PutPerson(ctx context.Context, p Person) error {
	settings, err := json.Marshal(p.PersonSettings)
	if err != nil {
		return fmt.Errorf("recipient %s: %w", p.Addr, err)
	}
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO persons (tenant, addr, settings) VALUES (?, ?, ?) ON CONFLICT (tenant, addr) DO UPDATE SET settings = excluded.settings", p.Tenant, p.Addr, string(settings))
		return err
	})
}

// KnowsRecipient reports whether mail for an address has ever come here and is
// remembered. It may read much while the search index is being made; give it a
// deadline.
func (s *Store) KnowsRecipient(ctx context.Context, tenant, addr string) (bool, error) {
	forms := mail.AddressForms(addr)
	for _, q := range []string{
		"SELECT count(*) FROM persons WHERE tenant = ? AND addr IN (?, ?)",
		"SELECT count(*) FROM recipients r WHERE r.tenant = ? AND lower(r.addr) IN (?, ?) AND r.state = 'held'",
	} {
		var n int
		if err := s.row(ctx, q, tenant, forms[0], forms[1]).Scan(&n); err != nil || n > 0 {
			return n > 0, err
		}
	}
	for _, form := range forms {
		rows, err := s.Trace(ctx, TraceFilter{Tenant: tenant, To: form, Rcpt: addr, Limit: 1})
		if err != nil || len(rows) > 0 {
			return len(rows) > 0, err
		}
	}
	return false, nil
}

// Allow counts more for each of limits, unless one of them would come above its
// number since a moment: then it counts nothing and returns false. Of many at once, on
// all nodes together, no more than the number are let through.
func (s *Store) Allow(ctx context.Context, at, since time.Time, limits map[string]int, more int) (ok bool, err error) {
	err = s.w.do(ctx, func(t *tx) error {
		ok = false
		if !s.d.single {
			if _, err := t.exec("LOCK TABLE failures IN EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		if _, err := t.exec("DELETE FROM failures WHERE at < ?", since.Add(since.Sub(at)).UnixMilli()); err != nil { // older than two windows
			return err
		}
		for who, most := range limits {
			var n int
			if err := t.row("SELECT coalesce(sum(n), 0) FROM failures WHERE who = ? AND at >= ?", text(who), since.UnixMilli()).Scan(&n); err != nil || n+more > most {
				return err
			}
		}
		for who := range limits {
			if _, err := t.exec("INSERT INTO failures (who, at, n) VALUES (?, ?, ?) ON CONFLICT (who, at) DO UPDATE SET n = failures.n + excluded.n", text(who), at.UnixMilli(), more); err != nil {
				return err
			}
		}
		ok = true
		return nil
	})
	return ok, err
}

// A PersonSession is one browser in which a recipient is signed in.
type PersonSession struct {
	Hash      []byte // of the token in the cookie
	ID        string
	Tenant    string
	Addr      string
	CreatedAt time.Time
	SeenAt    time.Time
	Address   string
	Agent     string
}

// AddPersonLink keeps the hash of a sign-in token for a recipient.
func (s *Store) AddPersonLink(ctx context.Context, hash []byte, tenant, addr string, until time.Time) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO person_links (hash, tenant, addr, until) VALUES (?, ?, ?, ?)", hash, tenant, addr, until.UnixMilli())
		return err
	})
}

// EnterPerson uses a sign-in token up and begins the session x of whom it was
// made for, both or neither. ErrNotFound if it is unknown, used or over.
func (s *Store) EnterPerson(ctx context.Context, link []byte, x *PersonSession) error {
	now := x.CreatedAt.UnixMilli()
	err := s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE person_links SET used_at = ? WHERE hash = ? AND used_at IS NULL AND until > ?", now, link, now)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		if err := t.row("SELECT tenant, addr FROM person_links WHERE hash = ?", link).Scan(&x.Tenant, &x.Addr); err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO person_sessions (hash, id, tenant, addr, created_at, seen_at, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			x.Hash, x.ID, x.Tenant, x.Addr, now, now, text(x.Address), text(x.Agent))
		return err
	})
	if err != nil {
		return fmt.Errorf("sign-in link: %w", err)
	}
	return nil
}

// PersonSession returns the session with that hash; ErrNotFound if it ended.
func (s *Store) PersonSession(ctx context.Context, hash []byte) (x PersonSession, err error) {
	err = found(s.row(ctx, "SELECT hash, id, tenant, addr, created_at, seen_at, address, agent FROM person_sessions WHERE hash = ?", hash).
		Scan(&x.Hash, &x.ID, &x.Tenant, &x.Addr, stamp{&x.CreatedAt}, stamp{&x.SeenAt}, &x.Address, &x.Agent))
	if err != nil {
		return x, fmt.Errorf("session: %w", err)
	}
	return x, nil
}

// TouchPersonSession notes when a session was used.
func (s *Store) TouchPersonSession(ctx context.Context, hash []byte, at time.Time) error {
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE person_sessions SET seen_at = ? WHERE hash = ?", at.UnixMilli(), hash)
		return err
	})
}

// EndPersonSessions ends one session of a recipient, or all if hash is nil.
func (s *Store) EndPersonSessions(ctx context.Context, tenant, addr string, hash []byte) error {
	all := flag(hash == nil)
	if hash == nil {
		hash = []byte{}
	}
	return s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM person_sessions WHERE tenant = ? AND addr = ? AND (? = 1 OR hash = ?)", tenant, addr, all, hash)
		return err
	})
}
