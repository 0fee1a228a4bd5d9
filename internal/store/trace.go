package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"postern/internal/mail"
)

// TraceFilter selects recipients' rows. Zero fields select all. Parts are found in
// any case, with or without accents.
type TraceFilter struct {
	Tenant     string
	ID         mail.ID
	From       string // part of the reverse-path or of the From field
	To         string // part of the recipient's address
	Subject    string // part of it
	Reason     string // part of a sentence that says why
	Attachment string // part of the name of a file, also of one in an archive
	Link       string // part of the host that a link leads to
	Text       string // part of any of these
	Terms      []Term // and more of the kind; all must occur
	MessageID  string // exact, with or without <>
	State      mail.State
	Verdict    mail.Verdict
	Rcpt       string    // exactly, as mail.FoldAddress gives it; what is marked for deletion is not that person's any more
	HeldSince  time.Time // held at or after
	HeldUntil  time.Time // held before
	Since      time.Time // received at or after
	Until      time.Time // received before
	Limit      int       // 100 by default
	Before     string    // TraceRow.Cursor of the last row of the page before
	After      string    // of the first row of the page after; the rows next to it, newest first too

	Count  int           // matches to count from the newest on, those of the page included; none by default
	Budget time.Duration // after which a search tells how far it came; without end by default
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
	return newCursor(at.UnixMilli(), r.ID, r.N)
}

func newCursor(at int64, id mail.ID, n int) string {
	return strconv.FormatInt(at, 10) + "." + string(id) + "." + strconv.Itoa(n)
}

const defaultLimit = 100 // rows

// Trace returns recipients' rows, the last received first.
func (s *Store) Trace(ctx context.Context, f TraceFilter) ([]TraceRow, error) {
	found, err := s.Search(ctx, f, false)
	return found.Rows, err
}

// Quarantine returns the held recipients' rows, the last held first.
func (s *Store) Quarantine(ctx context.Context, f TraceFilter) ([]TraceRow, error) {
	found, err := s.Search(ctx, f, true)
	return found.Rows, err
}

const traceColumns = recipientColumns + ", m.id, m.tenant, m.received_at, m.size, m.sender, m.from_addr, m.subject, m.message_id, m.note, m.envelope, j.origin_ip, j.origin_helo"

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
