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

// A RulesChange is one change of a tenant's rules. The rules in it are without
// list entries, which are rows of their own.
type RulesChange struct {
	Seq      int64 // 1, 2, ... of the tenant
	At       time.Time
	Actor    string
	What     string // in words
	Before   mail.Rules
	After    mail.Rules
	UndoneAt time.Time // zero while it stands
	UndoneBy string
}

const keepHistory = 200 // changes of a tenant that can be looked at

// ErrMoved means that the rules were changed by somebody else meanwhile.
var ErrMoved = errors.New("the rules were changed meanwhile")

// ChangeRules lets change make new rules of a tenant's present ones, and keeps
// both. Without what, the change is made but is not one that can be undone. Of changes at the same moment each sees the one before. change may be
// called again, and its error is returned as it is.
func (s *Store) ChangeRules(ctx context.Context, tenant, actor, what string, change func(*mail.Rules) error) (c RulesChange, err error) {
	err = s.configure(ctx, "rules of "+tenant, nil, func(t *tx) (int64, error) {
		c = RulesChange{At: s.o.Now(), Actor: actor, What: what}
		before, err := s.lockRules(t, tenant)
		if err != nil {
			return 0, err
		}
		if c.Before, err = readRules(before); err != nil {
			return 0, err
		}
		if c.After, err = readRules(before); err != nil { // its own copy
			return 0, err
		}
		if err := change(&c.After); err != nil {
			return 0, err
		}
		after, err := s.writeRules(t, tenant, c.Before, c.After)
		if err != nil {
			return 0, err
		}
		if what == "" {
			return 1, nil
		}
		if err := t.row("SELECT coalesce(max(seq), 0) + 1 FROM rules_history WHERE tenant = ?", tenant).Scan(&c.Seq); err != nil {
			return 0, err
		}
		if _, err := t.exec("INSERT INTO rules_history (tenant, seq, at, actor, what, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)",
			tenant, c.Seq, c.At.UnixMilli(), actor, text(what), before, after); err != nil {
			return 0, err
		}
		return t.exec("DELETE FROM rules_history WHERE tenant = ? AND seq <= ?", tenant, c.Seq-keepHistory)
	})
	return c, err
}

// UndoRules puts the rules before the newest change back that is not undone yet.
// What undo leaves alone is told by keep, which gets the rules put back and the
// present ones. A seq other than 0 says which change it must be. The errors are
// ErrNotFound when there is nothing to undo, and ErrMoved.
func (s *Store) UndoRules(ctx context.Context, tenant, actor string, seq int64, keep func(back *mail.Rules, now mail.Rules)) (c RulesChange, err error) {
	err = s.configure(ctx, "undo rules of "+tenant, nil, func(t *tx) (int64, error) {
		present, err := s.lockRules(t, tenant)
		if err != nil {
			return 0, err
		}
		var before string
		c = RulesChange{UndoneAt: s.o.Now(), UndoneBy: actor}
		err = found(t.row("SELECT seq, at, actor, what, before FROM rules_history WHERE tenant = ? AND undone_at IS NULL ORDER BY seq DESC LIMIT 1", tenant).
			Scan(&c.Seq, stamp{&c.At}, &c.Actor, &c.What, &before))
		switch {
		case err != nil:
			return 0, err
		case seq != 0 && seq != c.Seq:
			return 0, ErrMoved
		}
		if c.After, err = readRules(present); err != nil {
			return 0, err
		}
		if c.Before, err = readRules(before); err != nil {
			return 0, err
		}
		keep(&c.Before, c.After)
		if _, err := s.writeRules(t, tenant, c.After, c.Before); err != nil {
			return 0, err
		}
		return t.exec("UPDATE rules_history SET undone_at = ?, undone_by = ? WHERE tenant = ? AND seq = ?", c.UndoneAt.UnixMilli(), actor, tenant, c.Seq)
	})
	return c, err
}

// lockRules reads a tenant's rules and keeps others from changing them until the
// transaction ends.
func (s *Store) lockRules(t *tx, tenant string) (body string, err error) {
	if _, err := t.exec("INSERT INTO rules (tenant, body) VALUES (?, '{}') ON CONFLICT (tenant) DO NOTHING", tenant); err != nil {
		return "", err
	}
	return body, t.row("SELECT body FROM rules WHERE tenant = ?"+s.d.lockRow, tenant).Scan(&body)
}

// writeRules keeps new rules, and moves the end of held mail where they keep it for
// another time than the old ones.
func (s *Store) writeRules(t *tx, tenant string, before, after mail.Rules) (string, error) {
	after.Lists = nil
	b, err := json.Marshal(after)
	if err != nil {
		return "", err
	}
	if _, err := t.exec("UPDATE rules SET body = ? WHERE tenant = ?", string(b), tenant); err != nil {
		return "", err
	}
	return string(b), s.moveExpiry(t, tenant, before.Keep, after.Keep)
}

func readRules(body string) (r mail.Rules, err error) {
	return r, json.Unmarshal([]byte(body), &r)
}

// RulesHistory returns a tenant's changes of its rules, the newest first.
func (s *Store) RulesHistory(ctx context.Context, tenant string, limit int) ([]RulesChange, error) {
	rows, err := s.query(ctx, "SELECT seq, at, actor, what, before, after, undone_at, undone_by FROM rules_history WHERE tenant = ? ORDER BY seq DESC LIMIT ?", tenant, limit)
	list, err := collect(rows, err, scanRulesChange)
	if err != nil {
		return nil, fmt.Errorf("history of the rules of %s: %w", tenant, err)
	}
	return list, nil
}

// RecentRules returns the changes of all tenants since a moment that stand, by
// tenant.
func (s *Store) RecentRules(ctx context.Context, since time.Time) (map[string][]RulesChange, error) {
	rows, err := s.query(ctx, "SELECT tenant, seq, at, actor, what, before, after, undone_at, undone_by FROM rules_history WHERE at >= ? AND undone_at IS NULL ORDER BY tenant, seq DESC", since.UnixMilli())
	all := map[string][]RulesChange{}
	_, err = collect(rows, err, func(r *sql.Rows) (c RulesChange, err error) {
		var tenant, before, after string
		if err = r.Scan(&tenant, &c.Seq, stamp{&c.At}, &c.Actor, &c.What, &before, &after, stamp{&c.UndoneAt}, &c.UndoneBy); err != nil {
			return c, err
		}
		if err = c.read(before, after); err == nil {
			all[tenant] = append(all[tenant], c)
		}
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("recent changes of rules: %w", err)
	}
	return all, nil
}

// RecentBlocks returns the ids of the block entries of all tenants since a moment,
// by tenant; recipients' own are not among them.
func (s *Store) RecentBlocks(ctx context.Context, since time.Time) (map[string][]string, error) {
	rows, err := s.query(ctx, "SELECT tenant, id FROM list_entries WHERE created_at >= ? AND allow = 0 AND recipient = ''", since.UnixMilli())
	all := map[string][]string{}
	_, err = collect(rows, err, func(r *sql.Rows) (id string, err error) {
		var tenant string
		if err = r.Scan(&tenant, &id); err == nil {
			all[tenant] = append(all[tenant], id)
		}
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("recent block entries: %w", err)
	}
	return all, nil
}

func scanRulesChange(r *sql.Rows) (c RulesChange, err error) {
	var before, after string
	if err = r.Scan(&c.Seq, stamp{&c.At}, &c.Actor, &c.What, &before, &after, stamp{&c.UndoneAt}, &c.UndoneBy); err != nil {
		return c, err
	}
	return c, c.read(before, after)
}

func (c *RulesChange) read(before, after string) (err error) {
	if c.Before, err = readRules(before); err == nil {
		c.After, err = readRules(after)
	}
	return err
}
