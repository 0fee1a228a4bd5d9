package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
)

// ErrUsed means that a link or a request was used before.
var ErrUsed = errors.New("was used before")

// States of a request.
const (
	Asked    = "asked"
	Approved = "approved"
	Declined = "declined"
)

// A Request is a recipient's wish for a held copy.
type Request struct {
	Message    mail.ID
	N          int
	Addr       string
	State      string // Asked, Approved or Declined
	AskedAt    time.Time
	Answer     string // a sentence to the recipient
	AnsweredBy string
	AnsweredAt time.Time
}

// useTicket writes down the use of a link; ErrUsed if it was used before. No ticket
// is no link.
func (s *Store) useTicket(t *tx, tenant string, ticket []byte) error {
	if ticket == nil {
		return nil
	}
	n, err := t.exec("INSERT INTO tickets (tenant, hash, used_at) VALUES (?, ?, ?) ON CONFLICT (tenant, hash) DO NOTHING", tenant, ticket, s.o.Now().UnixMilli())
	if err == nil && n == 0 {
		err = ErrUsed
	}
	return err
}

// TicketUsed reports whether a link was used.
func (s *Store) TicketUsed(ctx context.Context, tenant string, ticket []byte) (bool, error) {
	var n int
	err := s.row(ctx, "SELECT count(*) FROM tickets WHERE tenant = ? AND hash = ?", tenant, ticket).Scan(&n)
	return n > 0, err
}

// ReleaseByTicket is Release by somebody with a link: the link's use and the
// release are one. The error is ErrUsed, then nothing is changed, or ErrNotHeld.
func (s *Store) ReleaseByTicket(ctx context.Context, tenant string, id mail.ID, n int, by string, ticket []byte) error {
	now := s.o.Now()
	err := s.w.do(ctx, func(t *tx) error {
		if err := s.useTicket(t, tenant, ticket); err != nil {
			return err
		}
		rows, err := t.exec(releaseHeld+" WHERE tenant = ? AND message = ? AND n = ? AND state = 'held'",
			now.UnixMilli(), s.newLease(), now.UnixMilli(), joinEvents([]Event{{At: now, State: mail.Delivering, Text: "released by " + by}}), tenant, string(id), n)
		if err == nil && rows == 0 {
			err = ErrNotHeld
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("release %s/%d: %w", id, n, err)
	}
	return nil
}

// Ask keeps a recipient's wish for a held copy, by a link if ticket is not nil.
// The error is ErrUsed when it was asked for before, or the link used.
func (s *Store) Ask(ctx context.Context, tenant string, q Request, ticket []byte) error {
	err := s.w.do(ctx, func(t *tx) error {
		if err := s.useTicket(t, tenant, ticket); err != nil {
			return err
		}
		n, err := t.exec("INSERT INTO requests (tenant, message, n, addr, state, asked_at, answer, answered_by) VALUES (?, ?, ?, ?, 'asked', ?, '', '') ON CONFLICT (tenant, message, n) DO NOTHING",
			tenant, string(q.Message), q.N, q.Addr, s.o.Now().UnixMilli())
		if err == nil && n == 0 {
			err = ErrUsed
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for %s/%d: %w", q.Message, q.N, err)
	}
	return nil
}

// Answer ends an open request; ErrNotFound if there is none.
func (s *Store) Answer(ctx context.Context, tenant string, id mail.ID, n int, state, by, answer string) error {
	err := s.w.do(ctx, func(t *tx) error {
		rows, err := t.exec("UPDATE requests SET state = ?, answered_by = ?, answered_at = ?, answer = ? WHERE tenant = ? AND message = ? AND n = ? AND state = 'asked'",
			state, by, s.o.Now().UnixMilli(), text(answer), tenant, string(id), n)
		if err == nil && rows == 0 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("answer the request for %s/%d: %w", id, n, err)
	}
	return nil
}

const requestColumns = "SELECT q.message, q.n, q.addr, q.state, q.asked_at, q.answer, q.answered_by, q.answered_at FROM requests q"

func scanRequest(scan func(...any) error) (q Request, err error) {
	err = scan(&q.Message, &q.N, &q.Addr, &q.State, stamp{&q.AskedAt}, &q.Answer, &q.AnsweredBy, stamp{&q.AnsweredAt})
	return q, err
}

// Request returns what a recipient asked of a copy; ErrNotFound if nothing.
func (s *Store) Request(ctx context.Context, tenant string, id mail.ID, n int) (Request, error) {
	q, err := scanRequest(s.row(ctx, requestColumns+" WHERE q.tenant = ? AND q.message = ? AND q.n = ?", tenant, string(id), n).Scan)
	return q, found(err)
}

// OpenRequests returns the requests that wait for an answer while their copy is
// held, the oldest first.
func (s *Store) OpenRequests(ctx context.Context, tenant string) ([]Request, error) {
	rows, err := s.query(ctx, requestColumns+" JOIN recipients r ON r.tenant = q.tenant AND r.message = q.message AND r.n = q.n"+
		" WHERE q.tenant = ? AND q.state = 'asked' AND r.state = 'held' ORDER BY q.asked_at LIMIT 500", tenant)
	return collect(rows, err, func(r *sql.Rows) (Request, error) { return scanRequest(r.Scan) })
}

// RequestsOf returns all requests of a recipient, the newest first.
func (s *Store) RequestsOf(ctx context.Context, tenant, addr string) ([]Request, error) {
	rows, err := s.query(ctx, requestColumns+" WHERE q.tenant = ? AND q.addr = ? ORDER BY q.asked_at DESC LIMIT 500", tenant, addr)
	return collect(rows, err, func(r *sql.Rows) (Request, error) { return scanRequest(r.Scan) })
}
