package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrTampered means that the audit log is not as it was written.
var ErrTampered = errors.New("audit log was tampered with")

// An AuditEntry records one thing a person or the system did. Secrets do not
// belong into Before and After.
type AuditEntry struct {
	Seq    int64     // 1, 2, ... without a gap; given by Audit
	At     time.Time // now by default
	Actor  string    // e-mail address, "system", "command line"
	Tenant string
	Action string // "domain.enable"
	Object string // "example.com"
	Before string
	After  string
}

const auditColumns = "SELECT seq, at, actor, tenant, action, object, before, after, mac FROM audit"

// Audit appends an entry. Each is chained to the one before by an HMAC under a
// key that is not in the database, so a changed or removed entry shows.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	if e.At.IsZero() {
		e.At = s.o.Now()
	}
	e.Object, e.Before, e.After = text(e.Object), text(e.Before), text(e.After)
	err := s.w.do(ctx, func(t *tx) error {
		if !s.d.single {
			if _, err := t.exec("LOCK TABLE audit IN EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		var last AuditEntry
		var mac []byte
		if err := t.row("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1").Scan(&last.Seq, &mac); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		e.Seq = last.Seq + 1
		mac = s.chain(mac, e)
		if _, err := t.exec("INSERT INTO audit (seq, at, actor, tenant, action, object, before, after, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			e.Seq, e.At.UnixMilli(), e.Actor, e.Tenant, e.Action, e.Object, e.Before, e.After, mac); err != nil {
			return err
		}
		return putSetting(t, "", auditHead, s.head(e.Seq, mac))
	})
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// chain is the mac of e after the entry whose mac is before.
func (s *Store) chain(before []byte, e AuditEntry) []byte {
	h := hmac.New(sha256.New, s.o.AuditKey[:])
	number := func(n int64) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	number(int64(len(before)))
	h.Write(before)
	number(e.Seq)
	number(e.At.UnixMilli())
	for _, f := range []string{e.Actor, e.Tenant, e.Action, e.Object, e.Before, e.After} {
		number(int64(len(f)))
		h.Write([]byte(f))
	}
	return h.Sum(nil)
}

// auditHead is the setting that names the last entry: without it the newest
// entries could be cut off unseen.
const auditHead = "audit.head"

func (s *Store) head(seq int64, mac []byte) []byte {
	h := hmac.New(sha256.New, s.o.AuditKey[:])
	h.Write([]byte("head\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(seq)))
	h.Write(mac)
	return h.Sum(nil)
}

// AuditVerify reads the whole log and returns how many entries it has. The error
// is ErrTampered and names the first entry that is not as it was written, or not as
// marks say that it was.
func (s *Store) AuditVerify(ctx context.Context, marks ...AuditMark) (n int64, err error) {
	by, newest := map[int64][]AuditMark{}, AuditMark{}
	for _, m := range marks {
		by[m.Seq] = append(by[m.Seq], m)
		if m.Seq > newest.Seq {
			newest = m
		}
	}
	// The head is read first: an entry appended meanwhile is only more than it says.
	head, err := s.Setting(ctx, "", auditHead)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	rows, err := s.query(ctx, auditColumns+" ORDER BY seq")
	if err != nil {
		return 0, fmt.Errorf("verify audit log: %w", err)
	}
	defer rows.Close()
	var before []byte
	reached := head == nil
	for rows.Next() {
		e, mac, err := scanAudit(rows)
		if err != nil {
			return n, fmt.Errorf("verify audit log: %w", err)
		}
		if e.Seq != n+1 || !hmac.Equal(mac, s.chain(before, e)) {
			return n, fmt.Errorf("%w at entry %d", ErrTampered, n+1)
		}
		if err := s.against(by, e.Seq, mac); err != nil {
			return n, err
		}
		n, before = e.Seq, mac
		reached = reached || hmac.Equal(head, s.head(n, mac))
	}
	if err := rows.Err(); err != nil {
		return n, fmt.Errorf("verify audit log: %w", err)
	}
	if newest.Seq > n {
		return n, fmt.Errorf("%w: entry %d was there at %s, and the log ends at %d", ErrTampered, newest.Seq, newest.At.UTC().Format(time.RFC3339), n)
	}
	if !reached || (n > 0 && head == nil) {
		return n, fmt.Errorf("%w: entries after %d are missing", ErrTampered, n)
	}
	return n, nil
}

func scanAudit(rows *sql.Rows) (e AuditEntry, mac []byte, err error) {
	err = rows.Scan(&e.Seq, stamp{&e.At}, &e.Actor, &e.Tenant, &e.Action, &e.Object, &e.Before, &e.After, &mac)
	return e, mac, err
}

// AuditFilter selects entries. Zero fields select all.
type AuditFilter struct {
	Tenant string
	Actor  string
	Action string
	Object string
	Since  time.Time
	Until  time.Time
	Limit  int   // 100 by default
	Before int64 // only entries with a smaller Seq: the next page
}

// AuditLog returns entries, the newest first.
func (s *Store) AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	q, args := auditColumns+" WHERE 1 = 1", []any{}
	and := func(set bool, cond string, a any) {
		if set {
			q, args = q+" AND "+cond, append(args, a)
		}
	}
	and(f.Tenant != "", "tenant = ?", f.Tenant)
	and(f.Actor != "", "actor = ?", f.Actor)
	and(f.Action != "", "action = ?", f.Action)
	and(f.Object != "", "object = ?", f.Object)
	and(!f.Since.IsZero(), "at >= ?", f.Since.UnixMilli())
	and(!f.Until.IsZero(), "at < ?", f.Until.UnixMilli())
	and(f.Before != 0, "seq < ?", f.Before)
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	rows, err := s.query(ctx, q+" ORDER BY seq DESC LIMIT ?", append(args, f.Limit)...)
	return collect(rows, err, func(r *sql.Rows) (AuditEntry, error) {
		e, _, err := scanAudit(r)
		return e, err
	})
}
