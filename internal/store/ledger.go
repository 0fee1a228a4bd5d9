package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern/internal/mail"
)

// A Message is one accepted message with its recipients.
type Message struct {
	ID         mail.ID
	Tenant     string
	Envelope   mail.Envelope // without To, which is Recipients
	Received   time.Time     // Envelope.Received by default
	Size       int64         // octets of the content before it was sealed
	Octets     []byte        // sealed content to keep beside the row; nil when Spooled. Only Accept takes it, see Octets
	Spooled    bool          // the octets are in the spool under ID
	Subject    string        // as shown in the trace; a judgement refines these three
	From       string        // of the From field
	MessageID  string        // Message-ID field without <>
	Note       string        // why it must be held whatever judging says; "" normally
	Digest     [32]byte      // what makes a resend equal, see Seen; zero is not remembered
	Recipients []Recipient   // never empty; N is their index
}

// A Recipient is one recipient's row in the ledger.
type Recipient struct {
	N         int
	Addr      string // forward-path, as the client gave it
	Domain    string // as mail.FoldDomain gives it
	Notify    string // see mail.Rcpt
	ORcpt     string
	State     mail.State // Accepted by default
	Verdict   mail.Verdict
	Action    mail.Action
	Score     int
	Reasons   []string
	Attempts  int
	NextAt    time.Time // when there is something to do; zero in a terminal state
	UpdatedAt time.Time
	HeldAt    time.Time // zero if never held
	ExpiresAt time.Time // when a held copy is dropped
	DeletedBy string    // who deleted a held copy, which ExpiresAt ends; "" if nobody did
	MTA       string    // that took it, or answered last
	Reply     string    // of that MTA
	Fence     int64     // number of the lease, to be given back in Change.Fence
	Events    []Event   // oldest first
}

// An Event is one change of a recipient's state.
type Event struct {
	At    time.Time
	State mail.State
	Text  string
}

// facts remembers what never changes of the messages in flight, so that Advance
// need not read it. It forgets at random when it is full.
type facts struct {
	mu   sync.Mutex
	byID map[mail.ID]fact
}

type fact struct {
	tenant   string
	octets   int64 // octets.id; 0 when they are in the spool
	rcpts    int
	received int64 // Unix ms; 0 when not known
}

const maxFacts = 20_000 // messages; about 2 MiB

func (f *facts) put(id mail.ID, v fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.byID) >= maxFacts {
		for old := range f.byID {
			delete(f.byID, old)
			break
		}
	}
	f.byID[id] = v
}

func (f *facts) get(id mail.ID) (fact, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.byID[id]
	return v, ok
}

func (f *facts) drop(id mail.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byID, id)
}

// Accept writes m, its octets and its recipients. After nil all of it is on disk
// and survives a power cut; after an error nothing of it is there. The rows are
// leased to this node; Accept sets each Recipient's N and Fence.
//
// The error is ErrExists when the id is taken and ErrFailed after the disk broke.
func (s *Store) Accept(ctx context.Context, m *Message) error {
	if err := m.check(); err != nil {
		return err
	}
	row, err := s.newMessageRow(m)
	if err != nil {
		return fmt.Errorf("accept %s: %w", m.ID, err)
	}
	if err := s.w.do(ctx, func(t *tx) error {
		if err := row.insert(t); err != nil {
			return err
		}
		if err := s.noteLate(t, m.Tenant, m.ID, m.Received.UnixMilli()); err != nil {
			return err
		}
		return s.touch(t, m.Tenant, m.Received.UnixMilli())
	}); err != nil {
		if isDuplicate(err) {
			return fmt.Errorf("message %s: %w", m.ID, ErrExists)
		}
		return fmt.Errorf("accept %s: %w", m.ID, err)
	}
	s.facts.put(m.ID, fact{m.Tenant, row.octets, len(m.Recipients), m.Received.UnixMilli()})
	if s.seen != nil && row.digest != nil {
		s.seen.add(m.Tenant, row.digest, m.Received)
	}
	return nil
}

func (m *Message) check() error {
	switch {
	case !m.ID.Valid():
		return fmt.Errorf("message id %q is not a ULID", string(m.ID))
	case m.Tenant == "":
		return fmt.Errorf("message %s is of no tenant", m.ID)
	case len(m.Recipients) == 0:
		return fmt.Errorf("message %s has no recipient", m.ID)
	case m.Spooled == (m.Octets != nil):
		return fmt.Errorf("message %s: octets must be either given or spooled", m.ID)
	}
	return nil
}

// messageRow is a message made ready outside the writer's transaction.
type messageRow struct {
	m        *Message
	envelope string
	octets   int64
	digest   []byte
	events   []string // of each recipient
}

func (s *Store) newMessageRow(m *Message) (*messageRow, error) {
	if m.Received.IsZero() {
		m.Received = m.Envelope.Received
	}
	if m.Received.IsZero() {
		m.Received = s.o.Now()
	}
	env := m.Envelope
	env.To = nil
	body, err := json.Marshal(env)
	if err != nil {
		return nil, err
	}
	row := &messageRow{m: m, envelope: string(body), events: make([]string, len(m.Recipients))}
	if m.Digest != [32]byte{} {
		row.digest = m.Digest[:digestKept]
	}
	if !m.Spooled {
		row.octets = s.epoch<<40 | s.rows.Add(1)
	}
	lease := s.newLease()
	for i := range m.Recipients {
		r := &m.Recipients[i]
		r.N = i
		if r.State == "" {
			r.State = mail.Accepted
		}
		if r.UpdatedAt.IsZero() {
			r.UpdatedAt = m.Received
		}
		if len(r.Events) == 0 {
			r.Events = []Event{{At: m.Received, State: r.State, Text: m.Note}}
		}
		if r.State.Terminal() {
			r.NextAt, r.Fence = time.Time{}, 0
		} else {
			r.Fence = lease
			if r.NextAt.IsZero() {
				r.NextAt = m.Received
			}
		}
		row.events[i] = joinEvents(r.Events)
	}
	return row, nil
}

func (row *messageRow) insert(t *tx) error {
	m := row.m
	if err := t.send(nil, "INSERT INTO messages (tenant, id, received_at, size, rcpts, octets, sender, from_addr, subject, message_id, note, digest, envelope)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		m.Tenant, string(m.ID), m.Received.UnixMilli(), m.Size, len(m.Recipients), row.octets,
		text(m.Envelope.From), text(m.From), text(m.Subject), text(m.MessageID), text(m.Note), row.digest, row.envelope); err != nil {
		return err
	}
	if row.octets != 0 {
		if err := t.send(nil, "INSERT INTO octets (id, tenant, body) VALUES (?, ?, ?)", row.octets, m.Tenant, m.Octets); err != nil {
			return err
		}
	}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		if err := t.send(nil, "INSERT INTO recipients (tenant, message, n, addr, domain, notify, orcpt, state, verdict, action, score, attempts,"+
			" next_at, lease, updated_at, held_at, expires_at, mta, reply, reasons, events, forced)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			m.Tenant, string(m.ID), r.N, r.Addr, r.Domain, r.Notify, r.ORcpt, string(r.State), string(r.Verdict), string(r.Action), r.Score, r.Attempts,
			unix(r.NextAt), r.Fence, r.UpdatedAt.UnixMilli(), unix(r.HeldAt), unix(r.ExpiresAt), r.MTA, text(r.Reply), joinLines(r.Reasons), row.events[i], flag(r.Action == mail.Hold && r.State == mail.Accepted)); err != nil {
			return err
		}
	}
	return nil
}

// newLease is a number that no other claim of any process has.
func (s *Store) newLease() int64 { return s.epoch<<32 | s.claim.Add(1)&0xffffffff }

var escapeLine = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
var unescapeLine = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")

func joinLines(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(escapeLine.Replace(text(l)))
		b.WriteByte('\n')
	}
	return b.String()
}

func splitLines(s string) []string {
	var lines []string
	for l := range strings.Lines(s) {
		lines = append(lines, unescapeLine.Replace(strings.TrimSuffix(l, "\n")))
	}
	return lines
}

func joinEvents(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(strconv.FormatInt(e.At.UnixMilli(), 10))
		b.WriteByte('\t')
		b.WriteString(string(e.State))
		b.WriteByte('\t')
		b.WriteString(escapeLine.Replace(text(e.Text)))
		b.WriteByte('\n')
	}
	return b.String()
}

func splitEvents(s string) []Event {
	var events []Event
	for _, l := range splitLines(s) {
		at, rest, _ := strings.Cut(l, "\t")
		state, what, _ := strings.Cut(rest, "\t")
		ms, _ := strconv.ParseInt(at, 10, 64)
		events = append(events, Event{At: time.UnixMilli(ms).UTC(), State: mail.State(state), Text: what})
	}
	return events
}
