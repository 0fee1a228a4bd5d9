package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/internal/mail"
)

// A Change moves one recipient on. Zero fields leave what the ledger has.
type Change struct {
	Message   mail.ID
	Tenant    string // may be "" for a message in flight on this node
	N         int
	State     mail.State      // required
	Decision  *mail.Decision  // verdict, action, score and reasons
	Trial     *mail.Trial     // counted with the first decision; nil: no draft is tried
	Judgement *mail.Judgement // of the whole message; once is enough
	NextAt    time.Time       // not before this time; ends the lease, so that Claim finds it then
	Attempts  int
	MTA       string
	Reply     string
	HeldAt    time.Time // now by default when State is Held
	ExpiresAt time.Time
	Events    []Event // appended; one made of State and Reply by default
	Fence     int64   // of the lease; 0: whichever lease of this process
}

// Advance makes all changes, or none if one fails, and returns when they are on
// disk. A recipient whose lease is lost, or which is in its last state already,
// is ErrFenced.
//
// When no recipient of a message needs its octets any more, those beside the row
// are gone in the same transaction; finished lists the messages whose octets are
// in the spool and may be deleted there.
func (s *Store) Advance(ctx context.Context, changes ...Change) (finished []mail.ID, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	rows := make([]changeRow, len(changes))
	for i, c := range changes {
		if rows[i], err = s.newChangeRow(ctx, c); err != nil {
			return nil, fmt.Errorf("advance %s/%d: %w", c.Message, c.N, err)
		}
	}
	err = s.w.do(ctx, func(t *tx) error {
		finished = finished[:0]
		for i := range rows {
			if c := &rows[i].c; c.Trial != nil && c.Decision != nil {
				if err := c.try(t, s.o.Now()); err != nil {
					return err
				}
			}
			if err := rows[i].apply(t, s.epoch); err != nil {
				return err
			}
			if c := rows[i].c; c.Decision != nil || c.Judgement != nil || c.State == mail.Held || c.State == mail.Dropped || c.State == mail.Returned {
				if err := s.noteLate(t, c.Tenant, c.Message, 0); err != nil {
					return err
				}
			}
			if err := s.touchMessage(t, rows[i].c.Tenant, rows[i].c.Message); err != nil {
				return err
			}
		}
		for i := range rows {
			c := &rows[i].c
			if !needless(c.State) || slices.ContainsFunc(rows[:i], func(r changeRow) bool { return r.c.Message == c.Message && needless(r.c.State) }) {
				continue
			}
			spooled, err := s.finish(t, c.Tenant, c.Message)
			if err != nil {
				return err
			}
			if spooled {
				finished = append(finished, c.Message)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("advance %s/%d: %w", changes[0].Message, changes[0].N, err)
	}
	for i := range rows {
		if needless(rows[i].c.State) { // most messages have one recipient, and are not asked for again
			s.facts.drop(rows[i].c.Message)
		}
	}
	return finished, nil
}

// needless reports whether a copy in this state will never be sent or shown again.
func needless(s mail.State) bool {
	return s == mail.Delivered || s == mail.Dropped || s == mail.Returned
}

// final is the same for SQL.
const final = "('delivered', 'dropped', 'returned')"

// changeRow is a change made ready outside the writer's transaction.
type changeRow struct {
	c         Change
	events    string
	verdict   any
	action    any
	score     any
	reasons   any
	judgement []byte
}

func (s *Store) newChangeRow(ctx context.Context, c Change) (row changeRow, err error) {
	if c.State == "" {
		return row, errors.New("no state given")
	}
	if c.Tenant == "" {
		if c.Tenant, err = s.tenantOf(ctx, c.Message); err != nil {
			return row, err
		}
	}
	now := s.o.Now()
	if c.State == mail.Held && c.HeldAt.IsZero() {
		c.HeldAt = now
	}
	if len(c.Events) == 0 {
		c.Events = []Event{{At: now, State: c.State, Text: c.Reply}}
	}
	row = changeRow{c: c, events: joinEvents(c.Events)}
	if d := c.Decision; d != nil {
		row.verdict, row.action, row.score, row.reasons = string(d.Verdict), string(d.Action), d.Score, joinLines(d.Reasons)
	}
	if c.Judgement != nil {
		if row.judgement, err = json.Marshal(c.Judgement); err != nil {
			return row, err
		}
	}
	return row, nil
}

// apply leaves no lease when the recipient waits or has ended.
func (row *changeRow) apply(t *tx, epoch int64) error {
	c := &row.c
	keep := c.NextAt.IsZero() && !c.State.Terminal()
	next := c.NextAt
	if c.State.Terminal() {
		next = time.Time{}
	}
	updated := c.Events[len(c.Events)-1].At
	err := t.send(ours, "UPDATE recipients SET state = ?, verdict = coalesce(?, verdict), action = coalesce(?, action), score = coalesce(?, score),"+
		" reasons = coalesce(?, reasons), attempts = coalesce(?, attempts), mta = coalesce(?, mta), reply = coalesce(?, reply),"+
		" held_at = coalesce(?, held_at), expires_at = coalesce(?, expires_at), updated_at = ?, events = events || ?,"+
		" next_at = CASE WHEN ? = 1 THEN next_at ELSE CAST(? AS BIGINT) END, lease = CASE WHEN ? = 1 THEN lease ELSE 0 END"+
		" WHERE tenant = ? AND message = ? AND n = ? AND (lease = ? OR (CAST(? AS BIGINT) = 0 AND (lease >> 32) = ?)) AND state NOT IN "+final,
		string(c.State), row.verdict, row.action, row.score,
		row.reasons, nonZero(c.Attempts), nonEmpty(c.MTA), nonEmpty(text(c.Reply)),
		unix(c.HeldAt), unix(c.ExpiresAt), updated.UnixMilli(), row.events,
		flag(keep), unix(next), flag(keep),
		c.Tenant, string(c.Message), c.N, c.Fence, c.Fence, epoch)
	if err == nil && c.Judgement != nil {
		err = putJudgement(t, c.Tenant, c.Message, c.Judgement, row.judgement)
	}
	return err
}

// ours turns the absence of the row that an update is guarded by into ErrFenced.
func ours(rows int64) error {
	if rows == 0 {
		return ErrFenced
	}
	return nil
}

func nonZero(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func nonEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// finish removes the octets of a message that no recipient needs, and reports
// whether they are in the spool.
func (s *Store) finish(t *tx, tenant string, id mail.ID) (spooled bool, err error) {
	f, ok := s.facts.get(id)
	if !ok {
		f.tenant = tenant
		err := t.row("SELECT octets, rcpts FROM messages WHERE tenant = ? AND id = ?", tenant, string(id)).Scan(&f.octets, &f.rcpts)
		if err != nil {
			return false, err
		}
	}
	if f.rcpts > 1 {
		if s.d.lockRow != "" { // others may finish the other recipients at the same time
			var n int
			if err := t.row("SELECT rcpts FROM messages WHERE tenant = ? AND id = ?"+s.d.lockRow, tenant, string(id)).Scan(&n); err != nil {
				return false, err
			}
		}
		var open int
		if err := t.row("SELECT count(*) FROM recipients WHERE tenant = ? AND message = ? AND state NOT IN "+final, tenant, string(id)).Scan(&open); err != nil || open > 0 {
			return false, err
		}
	}
	if f.octets != 0 {
		err = t.send(nil, "DELETE FROM octets WHERE tenant = ? AND id = ?", tenant, f.octets)
	}
	return f.octets == 0, err
}

// SetJudgement keeps j with the message. Change.Judgement does the same without a
// commit of its own.
func (s *Store) SetJudgement(ctx context.Context, id mail.ID, j *mail.Judgement) error {
	tenant, err := s.tenantOf(ctx, id)
	if err != nil {
		return fmt.Errorf("judgement of %s: %w", id, err)
	}
	body, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("judgement of %s: %w", id, err)
	}
	return s.w.do(ctx, func(t *tx) error {
		if err := s.noteLate(t, tenant, id, 0); err != nil {
			return err
		}
		return putJudgement(t, tenant, id, j, body)
	})
}

func putJudgement(t *tx, tenant string, id mail.ID, j *mail.Judgement, body []byte) error {
	ip := ""
	if j.Auth.Origin.IP.IsValid() {
		ip = j.Auth.Origin.IP.String()
	}
	if err := t.send(nil, "INSERT INTO judgements (tenant, message, origin_ip, origin_helo, body) VALUES (?, ?, ?, ?, ?)"+
		" ON CONFLICT (tenant, message) DO UPDATE SET origin_ip = excluded.origin_ip, origin_helo = excluded.origin_helo, body = excluded.body",
		tenant, string(id), ip, text(j.Auth.Origin.HELO), text(string(body))); err != nil {
		return err
	}
	subject, from, messageID := nonEmpty(text(j.Subject)), nonEmpty(text(j.From)), nonEmpty(text(j.MessageID))
	return t.send(nil, "UPDATE messages SET subject = coalesce(?, subject), from_addr = coalesce(?, from_addr), message_id = coalesce(?, message_id)"+
		" WHERE tenant = ? AND id = ? AND (subject <> ? OR from_addr <> ? OR message_id <> ?)", // a NULL differs from nothing
		subject, from, messageID, tenant, string(id), subject, from, messageID)
}

// Judgement returns what judging learned of a message; ErrNotFound before that.
func (s *Store) Judgement(ctx context.Context, id mail.ID) (*mail.Judgement, error) {
	tenant, err := s.tenantOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("judgement of %s: %w", id, err)
	}
	var body string
	err = s.row(ctx, "SELECT body FROM judgements WHERE tenant = ? AND message = ?", tenant, string(id)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	var j mail.Judgement
	if err == nil {
		err = json.Unmarshal([]byte(body), &j)
	}
	if err != nil {
		return nil, fmt.Errorf("judgement of %s: %w", id, err)
	}
	return &j, nil
}
