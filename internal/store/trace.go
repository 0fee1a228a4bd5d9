package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
)

// TraceFilter selects recipients' rows. Zero fields select all.
type TraceFilter struct {
	Tenant    string
	ID        mail.ID
	From      string // part of the reverse-path or of the From field, in any case
	To        string // part of the recipient's address, in any case
	Subject   string // part of it, in any case
	MessageID string // exact, with or without <>
	State     mail.State
	Verdict   mail.Verdict
	Rcpt      string // exactly, as mail.FoldAddress gives it
	HeldAfter time.Time
	HeldUntil time.Time // at or before
	Since     time.Time // received at or after
	Until     time.Time // received before
	Limit     int       // 100 by default
	Before    string    // TraceRow.Cursor of the last row of the page before
}

// A TraceRow is what became of one message for one recipient.
type TraceRow struct {
	Recipient
	ID         mail.ID
	Tenant     string
	Received   time.Time
	Size       int64
	Sender     string // reverse-path
	From       string // of the From field; Sender if there is none
	To         string
	Subject    string
	MessageID  string
	Note       string
	OriginIP   string // where it entered the world we trust; the peer before it is judged
	OriginHELO string
}

// Cursor names the row for TraceFilter.Before, of Trace or of Quarantine.
func (r TraceRow) Cursor(quarantine bool) string {
	at := r.Received
	if quarantine {
		at = r.HeldAt
	}
	return strconv.FormatInt(at.UnixMilli(), 10) + "." + string(r.ID) + "." + strconv.Itoa(r.N)
}

const defaultLimit = 100 // rows

// The two orders of the trace.
const (
	byReceived = "m.received_at"
	byHeld     = "r.held_at"
)

// Trace returns recipients' rows, the last received first.
func (s *Store) Trace(ctx context.Context, f TraceFilter) ([]TraceRow, error) {
	rows, err := s.trace(ctx, f, byReceived)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return rows, nil
}

// Quarantine returns the held recipients' rows, the last held first.
func (s *Store) Quarantine(ctx context.Context, f TraceFilter) ([]TraceRow, error) {
	f.State = mail.Held
	rows, err := s.trace(ctx, f, byHeld)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	return rows, nil
}

func (s *Store) trace(ctx context.Context, f TraceFilter, by string) ([]TraceRow, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	tenants := []string{f.Tenant}
	if f.Tenant == "" {
		rows, err := s.query(ctx, mailTenants)
		if tenants, err = collect(rows, err, func(r *sql.Rows) (t string, err error) { return t, r.Scan(&t) }); err != nil {
			return nil, err
		}
	}
	q, args, err := s.traceQuery(f, by)
	if err != nil {
		return nil, err
	}
	var all []TraceRow
	for _, tenant := range tenants { // each by its own index, then merged
		args[0], args[1] = tenant, tenant
		rows, err := s.query(ctx, q, args...)
		page, err := collect(rows, err, scanTrace)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	if len(tenants) > 1 {
		slices.SortFunc(all, func(a, b TraceRow) int { return compareTrace(b, a, by) })
		all = all[:min(len(all), f.Limit)]
	}
	return all, nil
}

// traceQuery is the statement for one tenant, whose id is the first and the second
// parameter.
func (s *Store) traceQuery(f TraceFilter, by string) (q string, args []any, err error) {
	from := "messages m" + s.d.join + "recipients r ON r.tenant = m.tenant AND r.message = m.id"
	if by == byHeld {
		from = "recipients r" + s.d.join + "messages m ON m.tenant = r.tenant AND m.id = r.message"
	}
	where, args, err := f.where(by)
	if err != nil {
		return "", nil, err
	}
	q = "SELECT " + recipientColumns + ", m.id, m.tenant, m.received_at, m.size, m.sender, m.from_addr, m.subject, m.message_id, m.note, m.envelope," +
		" j.origin_ip, j.origin_helo FROM " + from + " LEFT JOIN judgements j ON j.tenant = m.tenant AND j.message = m.id" +
		" WHERE m.tenant = ? AND r.tenant = ? AND " + by + " >= 0" + where + // the range leads SQLite to the index of that order
		" ORDER BY " + by + " DESC, m.id DESC, r.n DESC LIMIT ?"
	return q, append(append([]any{"", ""}, args...), f.Limit), nil
}

func compareTrace(a, b TraceRow, by string) int {
	at, bt := a.Received, b.Received
	if by == byHeld {
		at, bt = a.HeldAt, b.HeldAt
	}
	if c := at.Compare(bt); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.ID), string(b.ID)); c != 0 {
		return c
	}
	return a.N - b.N
}

func (f TraceFilter) where(by string) (string, []any, error) {
	var b strings.Builder
	var args []any
	and := func(cond string, a ...any) {
		b.WriteString(" AND ")
		b.WriteString(cond)
		args = append(args, a...)
	}
	if f.ID != "" {
		and("m.id = ?", string(f.ID))
	}
	if f.From != "" {
		and("(lower(m.sender) LIKE ? ESCAPE '!' OR lower(m.from_addr) LIKE ? ESCAPE '!')", like(f.From), like(f.From))
	}
	if f.To != "" {
		and("lower(r.addr) LIKE ? ESCAPE '!'", like(f.To))
	}
	if f.Subject != "" {
		and("lower(m.subject) LIKE ? ESCAPE '!'", like(f.Subject))
	}
	if f.MessageID != "" {
		and("m.message_id = ?", strings.Trim(f.MessageID, "<>"))
	}
	switch f.State {
	case "":
	case mail.Held:
		and("r.state = 'held'") // in words, so that SQLite takes the index of the held
	default:
		and("r.state = ?", string(f.State))
	}
	if f.Verdict != "" {
		and("r.verdict = ?", string(f.Verdict))
	}
	if f.Rcpt != "" {
		forms := mail.AddressForms(f.Rcpt)
		and("lower(r.addr) IN (?, ?) AND r.deleted_by = ''", forms[0], forms[1])
	}
	if !f.HeldAfter.IsZero() {
		and("r.held_at > ?", f.HeldAfter.UnixMilli())
	}
	if !f.HeldUntil.IsZero() {
		and("r.held_at <= ?", f.HeldUntil.UnixMilli())
	}
	if !f.Since.IsZero() {
		and("m.received_at >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		and("m.received_at < ?", f.Until.UnixMilli())
	}
	if f.Before != "" {
		c := strings.Split(f.Before, ".")
		if len(c) != 3 {
			return "", nil, fmt.Errorf("page %q is not one of ours", f.Before)
		}
		at, err1 := strconv.ParseInt(c[0], 10, 64)
		n, err2 := strconv.Atoi(c[2])
		if err1 != nil || err2 != nil {
			return "", nil, fmt.Errorf("page %q is not one of ours", f.Before)
		}
		and("("+by+", m.id, r.n) < (?, ?, ?)", at, c[1], n)
	}
	return b.String(), args, nil
}

var escapeLike = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func like(part string) string { return "%" + escapeLike.Replace(strings.ToLower(part)) + "%" }

func scanTrace(rows *sql.Rows) (t TraceRow, err error) {
	var reasons, events, envelope string
	var ip, helo sql.NullString
	err = rows.Scan(append(t.Recipient.targets(&reasons, &events), &t.ID, &t.Tenant, stamp{&t.Received}, &t.Size, &t.Sender, &t.From,
		&t.Subject, &t.MessageID, &t.Note, &envelope, &ip, &helo)...)
	if err != nil {
		return t, err
	}
	t.Reasons, t.Events = splitLines(reasons), splitEvents(events)
	t.To = t.Addr
	if t.From == "" {
		t.From = t.Sender
	}
	t.OriginIP, t.OriginHELO = ip.String, helo.String
	if !ip.Valid {
		var e mail.Envelope
		if err := json.Unmarshal([]byte(envelope), &e); err != nil {
			return t, fmt.Errorf("envelope of %s: %w", t.ID, err)
		}
		if e.Client.IsValid() {
			t.OriginIP, t.OriginHELO = e.Client.String(), e.HELO
		}
	}
	return t, nil
}
