package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"postern/internal/mail"
)

// tenants lists the tenants that have messages, one look into the index for each.
const mailTenants = "WITH RECURSIVE t (x) AS (SELECT min(tenant) FROM messages" +
	" UNION ALL SELECT (SELECT min(m.tenant) FROM messages m WHERE m.tenant > t.x) FROM t WHERE t.x IS NOT NULL)" +
	" SELECT x FROM t WHERE x IS NOT NULL"

// tenantOf finds whose a message is; ErrNotFound if it is unknown.
func (s *Store) tenantOf(ctx context.Context, id mail.ID) (string, error) {
	if f, ok := s.facts.get(id); ok {
		return f.tenant, nil
	}
	var tenant string
	err := s.row(ctx, "SELECT tenant FROM messages WHERE tenant IN ("+mailTenants+") AND id = ?", string(id)).Scan(&tenant)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	return tenant, err
}

const messageColumns = "m.tenant, m.id, m.received_at, m.size, m.octets, m.subject, m.from_addr, m.message_id, m.note, m.digest, m.envelope"

func scanMessage(scan func(...any) error) (*Message, error) {
	var m Message
	var octets int64
	var digest []byte
	var envelope string
	err := scan(&m.Tenant, &m.ID, stamp{&m.Received}, &m.Size, &octets, &m.Subject, &m.From, &m.MessageID, &m.Note, &digest, &envelope)
	if err != nil {
		return nil, err
	}
	m.Spooled = octets == 0
	copy(m.Digest[:], digest)
	if err := json.Unmarshal([]byte(envelope), &m.Envelope); err != nil {
		return nil, fmt.Errorf("envelope of %s: %w", m.ID, err)
	}
	return &m, nil
}

const recipientColumns = "r.n, r.addr, r.domain, r.notify, r.orcpt, r.state, r.verdict, r.action, r.score, r.attempts," +
	" r.next_at, r.lease, r.updated_at, r.held_at, r.expires_at, r.mta, r.reply, r.reasons, r.events, r.deleted_by"

// recipientTargets are where the columns go; call split after the scan.
func (r *Recipient) targets(reasons, events *string) []any {
	return []any{&r.N, &r.Addr, &r.Domain, &r.Notify, &r.ORcpt, &r.State, &r.Verdict, &r.Action, &r.Score, &r.Attempts,
		stamp{&r.NextAt}, &r.Fence, stamp{&r.UpdatedAt}, stamp{&r.HeldAt}, stamp{&r.ExpiresAt}, &r.MTA, &r.Reply, reasons, events, &r.DeletedBy}
}

func scanRecipient(rows *sql.Rows) (r Recipient, err error) {
	var reasons, events string
	err = rows.Scan(r.targets(&reasons, &events)...)
	r.Reasons, r.Events = splitLines(reasons), splitEvents(events)
	return r, err
}

// Message returns one message with its recipients, without octets. tenant is whose
// it must be; "" looks at all. The error is ErrNotFound.
func (s *Store) Message(ctx context.Context, tenant string, id mail.ID) (*Message, error) {
	if tenant == "" {
		t, err := s.tenantOf(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("message %s: %w", id, err)
		}
		tenant = t
	}
	m, err := scanMessage(s.row(ctx, "SELECT "+messageColumns+" FROM messages m WHERE m.tenant = ? AND m.id = ?", tenant, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	rows, err := s.query(ctx, "SELECT "+recipientColumns+" FROM recipients r WHERE r.tenant = ? AND r.message = ? ORDER BY r.n", tenant, string(id))
	if m.Recipients, err = collect(rows, err, scanRecipient); err != nil {
		return nil, fmt.Errorf("recipients of %s: %w", id, err)
	}
	return m, nil
}

// Octets returns a message's sealed octets, or spooled if they are in the spool.
// The error is ErrNotFound when nobody needed them any more.
func (s *Store) Octets(ctx context.Context, id mail.ID) (octets []byte, spooled bool, err error) {
	f, ok := s.facts.get(id)
	if !ok {
		if f.tenant, err = s.tenantOf(ctx, id); err == nil {
			err = s.row(ctx, "SELECT octets, rcpts FROM messages WHERE tenant = ? AND id = ?", f.tenant, string(id)).Scan(&f.octets, &f.rcpts)
		}
		if err != nil {
			return nil, false, fmt.Errorf("octets of %s: %w", id, err)
		}
		s.facts.put(id, f)
	}
	if f.octets == 0 {
		return nil, true, nil
	}
	err = s.row(ctx, "SELECT body FROM octets WHERE tenant = ? AND id = ?", f.tenant, f.octets).Scan(&octets)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, false, fmt.Errorf("octets of %s: %w", id, err)
	}
	return octets, false, nil
}
