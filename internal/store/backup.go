package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"postern/internal/mail"
)

// ErrNotSQLite means that the database is one that its own tools copy.
var ErrNotSQLite = errors.New("the database is not SQLite: copy it with its own tools, such as pg_dump")

// Snapshot writes the whole database, as it is at one moment, to a new file at
// path. Mail goes on meanwhile. The error is ErrNotSQLite on PostgreSQL.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	if !s.d.single {
		return ErrNotSQLite
	}
	// A connection of its own: the readers' are query_only, and the writer's must
	// not be busy for so long.
	source, err := filepath.Abs(filepath.Join(s.o.Folder, "postern.db"))
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", sqliteDSN(source, "rw"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("copy the database: %w", explainSQLite(path, err))
	}
	return os.Chmod(path, 0o600)
}

// Alone reports whether no other process had the store open when this one opened
// it. On PostgreSQL that is not known, and false.
func (s *Store) Alone() bool { return s.alone }

// A Content is a message whose octets somebody still needs.
type Content struct {
	Tenant  string
	ID      mail.ID
	Size    int64 // octets before sealing
	Spooled bool
}

const contentPage = 500

// Contents calls fn for every message that has a recipient not delivered, dropped
// or returned, by tenant and id, until fn returns an error, which Contents returns.
func (s *Store) Contents(ctx context.Context, fn func(Content) error) error {
	var last Content
	for {
		rows, err := s.query(ctx, "SELECT m.tenant, m.id, m.size, m.octets FROM messages m WHERE (m.tenant, m.id) > (?, ?) AND EXISTS"+
			" (SELECT 1 FROM recipients r WHERE r.tenant = m.tenant AND r.message = m.id AND r.state NOT IN "+final+")"+
			" ORDER BY m.tenant, m.id LIMIT ?", last.Tenant, string(last.ID), contentPage)
		page, err := collect(rows, err, func(r *sql.Rows) (c Content, err error) {
			var octets int64
			err = r.Scan(&c.Tenant, &c.ID, &c.Size, &octets)
			c.Spooled = octets == 0
			return c, err
		})
		if err != nil {
			return fmt.Errorf("list kept messages: %w", err)
		}
		for _, c := range page {
			if err := fn(c); err != nil {
				return err
			}
			last = c
		}
		if len(page) < contentPage {
			return nil
		}
	}
}

// A Flaw is something in the ledger that cannot have been written by Postern, or
// that a person should see to.
type Flaw struct {
	Object string // id of a message, or of a row
	Text   string // a sentence
}

// flaws finds in one statement each what the ledger's rules forbid. Each selects
// the object's name.
var flaws = []struct{ text, query string }{
	{"The message has another number of recipients than it was accepted with.",
		"SELECT m.id FROM messages m WHERE m.rcpts <> (SELECT count(*) FROM recipients r WHERE r.tenant = m.tenant AND r.message = m.id)"},
	{"A recipient's row has no message.",
		"SELECT r.message FROM recipients r WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.tenant = r.tenant AND m.id = r.message)"},
	{"A recipient is in a state that does not exist.",
		"SELECT r.message FROM recipients r WHERE r.state NOT IN ('accepted', 'judged', 'delivering', 'held', 'delivered', 'dropped', 'returned')"},
	{"A recipient waits for nothing: nobody would take it up. Run postern queue retry with its id, or report this.",
		"SELECT r.message FROM recipients r WHERE r.state IN ('accepted', 'judged', 'delivering') AND r.next_at IS NULL"},
	{"The message is of a tenant that does not exist.",
		"SELECT m.id FROM messages m WHERE NOT EXISTS (SELECT 1 FROM tenants t WHERE t.id = m.tenant)"},
	{"Octets are kept that no recipient needs.",
		"SELECT x.tenant || '/' || CAST(x.id AS TEXT) FROM (SELECT o.tenant, o.id FROM octets o" + // EXCEPT, since no index leads from octets to messages
			" EXCEPT SELECT m.tenant, m.octets FROM messages m WHERE m.octets <> 0 AND EXISTS" +
			" (SELECT 1 FROM recipients r WHERE r.tenant = m.tenant AND r.message = m.id AND r.state NOT IN " + final + ")) x"},
}

// Flaws reads the whole ledger. Each statement sees one moment, so that mail may
// go on meanwhile.
func (s *Store) Flaws(ctx context.Context) ([]Flaw, error) {
	var all []Flaw
	for _, f := range flaws {
		rows, err := s.query(ctx, f.query)
		found, err := collect(rows, err, func(r *sql.Rows) (x Flaw, err error) {
			x.Text = f.text
			return x, r.Scan(&x.Object)
		})
		if err != nil {
			return nil, fmt.Errorf("look for flaws in the ledger: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// Restored is what AfterRestore did to the ledger.
type Restored struct {
	Held  int // copies that were on their way and are held now
	Ended int // copies whose content is not there any more
}

// AfterRestore makes a ledger that came from a backup safe to go on with. Copies on
// their way may have been delivered since the backup was made, so they are held
// with why as the reason, unless resend is true. A copy whose content is missing,
// which present tells for spooled ones, had ended before the backup was complete,
// and is dropped. Held copies are kept for at least keep from now on.
func (s *Store) AfterRestore(ctx context.Context, why string, keep time.Duration, resend bool, present func(Content) bool) (done Restored, err error) {
	err = s.Contents(ctx, func(c Content) error {
		if !c.Spooled || present(c) {
			return nil
		}
		n, err := s.endLost(ctx, c)
		done.Ended += n
		return err
	})
	if err != nil {
		return done, err
	}
	now := s.o.Now()
	until := now.Add(keep).UnixMilli()
	err = s.w.do(ctx, func(t *tx) error {
		if !resend {
			n, err := t.exec("UPDATE recipients SET state = 'held', action = 'hold', forced = 1, verdict = CASE WHEN verdict = '' THEN 'unjudged' ELSE verdict END, next_at = NULL, lease = 0,"+
				" held_at = ?, expires_at = ?, updated_at = ?, reasons = ? || reasons, events = events || ?"+
				" WHERE state IN ('accepted', 'judged', 'delivering') AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.tenant = recipients.tenant AND m.id = recipients.message AND m.note <> '')",
				now.UnixMilli(), until, now.UnixMilli(), joinLines([]string{why}), joinEvents([]Event{{At: now, State: mail.Held, Text: why}}))
			if err != nil {
				return err
			}
			done.Held = int(n)
		}
		if _, err := t.exec("UPDATE recipients SET expires_at = ?, deleted_by = '', kept_until = NULL WHERE state = 'held' AND (expires_at < ? OR deleted_by <> '')", until, until); err != nil {
			return err
		}
		if err := dropIndex(t); err != nil { // made again, with what was changed here
			return err
		}
		return s.touchAll(t)
	})
	if err != nil {
		return done, fmt.Errorf("hold what was on its way: %w", err)
	}
	return done, nil
}

const lostText = "its content is not in the backup: it was delivered or deleted while the backup was made"

func (s *Store) endLost(ctx context.Context, c Content) (n int, err error) {
	now := s.o.Now()
	err = s.w.do(ctx, func(t *tx) error {
		rows, err := t.exec("UPDATE recipients SET state = 'dropped', next_at = NULL, lease = 0, expires_at = NULL, updated_at = ?, events = events || ?"+
			" WHERE tenant = ? AND message = ? AND state NOT IN "+final,
			now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Dropped, Text: lostText}}), c.Tenant, string(c.ID))
		n = int(rows)
		if err != nil {
			return err
		}
		return s.touchMessage(t, c.Tenant, c.ID)
	})
	if err != nil {
		return 0, fmt.Errorf("end %s: %w", c.ID, err)
	}
	return n, nil
}
