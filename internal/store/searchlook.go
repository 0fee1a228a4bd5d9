package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// look is one question asked of one tenant, at one moment.
type look struct {
	question
	ctx     context.Context
	tx      *sql.Tx
	d       dialect
	tenant  string
	stopped *hit // how far it came when the time was over; nil if it came to the end
}

func (l *look) query(q string, args ...any) (*sql.Rows, error) {
	return l.tx.QueryContext(l.ctx, l.d.bind(q), args...)
}

// over reports whether the time is over.
func (l *look) over() bool { return !l.deadline.IsZero() && time.Now().After(l.deadline) }

// hits are enough of a tenant's matches, in the question's order.
func (l *look) hits() ([]hit, error) {
	switch {
	case l.f.ID != "":
		return l.check([]mail.ID{l.f.ID})
	case !l.quarantine && l.f.State != "" && !l.f.State.Terminal():
		return l.due()
	case l.quarantine:
		return l.held()
	case len(l.plan) == 0:
		return l.take(l.ledger(0, 1<<62), nil)
	}
	mark, blocks, late, err := l.index()
	if err != nil {
		return nil, err
	}
	known, err := l.check(slices.Collect(keys(late)))
	if err != nil {
		return nil, err
	}
	tail := l.ledger(mark, 1<<62)
	if l.up {
		return l.take(chain(l.blocks(blocks), tail), known, late)
	}
	return l.take(chain(tail, l.blocks(blocks)), known, late)
}

func keys(late map[mail.ID]bool) iter.Seq[mail.ID] {
	return func(yield func(mail.ID) bool) {
		for id := range late {
			if !yield(id) {
				return
			}
		}
	}
}

func chain(all ...iter.Seq2[hit, error]) iter.Seq2[hit, error] {
	return func(yield func(hit, error) bool) {
		for _, one := range all {
			for h, err := range one {
				if !yield(h, err) {
					return
				}
			}
		}
	}
}

// take gathers hits in order from a stream, and from those that are known already:
// of the late messages, which the stream may have as they were before.
func (l *look) take(stream iter.Seq2[hit, error], known []hit, late ...map[mail.ID]bool) (all []hit, err error) {
	l.sort(known)
	want := l.want()
	for h, err := range stream {
		if err != nil {
			return nil, err
		}
		if len(late) > 0 && late[0][h.id] {
			continue
		}
		for len(known) > 0 && l.order(known[0], h) < 0 {
			all, known = append(all, known[0]), known[1:]
		}
		if all = append(all, h); len(all) >= want {
			return all[:want], nil
		}
	}
	for _, h := range known {
		if l.stopped == nil || l.order(h, *l.stopped) < 0 {
			all = append(all, h)
		}
	}
	return all[:min(len(all), want)], nil
}

const lightColumns = "m.received_at, m.id, r.n, coalesce(r.held_at, 0), m.sender, m.from_addr, m.subject, m.message_id, r.addr, r.verdict, r.state, r.reasons, r.deleted_by"

// light is the statement that reads rows to look at. from names messages as m and
// recipients as r, in SQLite's order of joining.
func (l *look) light(from, where string) string {
	if l.body {
		return "SELECT " + lightColumns + ", j.body FROM " + from + " LEFT JOIN judgements j ON j.tenant = m.tenant AND j.message = m.id WHERE " + where
	}
	return "SELECT " + lightColumns + ", NULL FROM " + from + " WHERE " + where
}

// matching reads rows of light and keeps those that match, in the question's order.
// read is how many rows there were and last the last of them.
func (l *look) matching(rows *sql.Rows, err error) (hits []hit, read int, last hit, err2 error) {
	if err != nil {
		return nil, 0, last, err
	}
	defer rows.Close()
	var c candidate
	for rows.Next() {
		if err := rows.Scan(&c.at, &c.id, &c.n, &c.held, &c.from[0], &c.from[1], &c.subject, &c.messageID, &c.to, &c.verdict, &c.state, &c.reasons, &c.deletedBy, &c.body); err != nil {
			return nil, read, last, err
		}
		c.tenant, c.named = l.tenant, false
		read, last = read+1, c.hit
		if l.match(&c) {
			hits = append(hits, c.hit)
		}
	}
	l.sort(hits)
	return hits, read, last, rows.Err()
}

// candidate is one row that is looked at.
type candidate struct {
	hit
	searched
	messageID string
	verdict   mail.Verdict
	state     mail.State
	deletedBy string
	body      sql.RawBytes
	named     bool // files and links were read from body
}

// match decides.
func (l *look) match(c *candidate) bool {
	f := &l.f
	switch {
	case c.at < l.since, c.at >= l.until, !l.beyond(c.hit):
		return false
	case f.ID != "" && c.id != f.ID, f.Verdict != "" && c.verdict != f.Verdict, f.State != "" && c.state != f.State:
		return false
	case f.Rcpt != "" && (c.deletedBy != "" || !slices.Contains(l.forms[:], strings.ToLower(c.to))):
		return false
	case !f.HeldSince.IsZero() && c.held < f.HeldSince.UnixMilli(), !f.HeldUntil.IsZero() && c.held >= f.HeldUntil.UnixMilli():
		return false
	case f.MessageID != "" && c.messageID != bareID(f.MessageID):
		return false
	}
	for _, t := range l.terms {
		if l.body && !c.named && t.Field != FromField && t.Field != ToField && t.Field != SubjectField && t.Field != ReasonField {
			c.name()
		}
		if !c.has(t) {
			return false
		}
	}
	return true
}

func (c *candidate) name() {
	c.files, c.links, c.named = nil, nil, true
	if len(c.body) > 0 {
		var k kept
		_ = json.Unmarshal(c.body, &k) // as in gathered.into
		c.files, c.links = k.names()
	}
}

const idsAtOnce = 128 // in one statement

// check looks at messages by their ids.
func (l *look) check(ids []mail.ID) (all []hit, err error) {
	for part := range slices.Chunk(ids, idsAtOnce) {
		hits, _, _, err := l.matching(l.query(l.byID(), l.with(part)...))
		if err != nil {
			return nil, err
		}
		all = append(all, hits...)
	}
	l.sort(all)
	return all, nil
}

func (l *look) byID() string {
	return l.light("messages m"+l.d.join+"recipients r ON r.tenant = m.tenant AND r.message = m.id", "m.tenant = ? AND r.tenant = ? AND m.id IN ("+places(idsAtOnce)+")")
}

// with are the parameters of check: always as many, so that the statement is the same.
func (l *look) with(ids []mail.ID) []any {
	args := []any{l.tenant, l.tenant}
	for i := range idsAtOnce {
		args = append(args, string(ids[min(i, len(ids)-1)]))
	}
	return args
}

func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

const readAtOnce = 400 // messages

// ledger looks at all messages received from..until, in the question's order.
func (l *look) ledger(from, until int64) iter.Seq2[hit, error] {
	from, until = max(from, l.since), min(until, l.until)
	compare, sort, at := "<", "DESC", hit{at: until, id: ""}
	if l.up {
		compare, sort, at = ">", "ASC", hit{at: from - 1, id: "~"}
	}
	if l.edge != nil && !l.quarantine {
		at = hit{at: l.edge.at, id: l.edge.id + "~"} // that message's other recipients too
		if l.up {
			at.id = l.edge.id[:max(0, len(l.edge.id)-1)]
		}
	}
	q := l.light("("+messagesFrom(compare, sort)+") m"+l.d.join+"recipients r ON r.tenant = m.tenant AND r.message = m.id", "r.tenant = ?") + " ORDER BY m.received_at " + sort + ", m.id " + sort
	return func(yield func(hit, error) bool) {
		for n := 64; ; n = readAtOnce {
			hits, read, last, err := l.matching(l.query(q, l.tenant, from, until, at.at, string(at.id), n, l.tenant))
			if err != nil {
				yield(hit{}, err)
				return
			}
			for _, h := range hits {
				if !yield(h, nil) {
					return
				}
			}
			if read < n { // a message has at least one recipient
				return
			}
			at = last
			if l.over() {
				l.stop(last)
				return
			}
		}
	}
}

// messagesFrom is the statement for the next messages by time of receipt.
func messagesFrom(compare, sort string) string {
	return "SELECT * FROM messages WHERE tenant = ? AND received_at >= ? AND received_at < ? AND (received_at, id) " + compare + " (?, ?) ORDER BY received_at " + sort + ", id " + sort + " LIMIT ?"
}

// stop notes how far the look came. Of the tenants the one that came least far counts.
func (l *look) stop(at hit) {
	if l.up {
		at.n = 1 << 30
	} else {
		at.n = -1
	}
	if l.stopped == nil || l.order(at, *l.stopped) < 0 {
		l.stopped = &at
	}
}

// due looks at what waits, which is little even where there is much mail.
func (l *look) due() ([]hit, error) {
	hits, _, _, err := l.matching(l.query(l.dueRows(), l.tenant, l.tenant))
	return hits[:min(len(hits), l.want())], err
}

func (l *look) dueRows() string {
	return l.light("recipients r"+l.d.join+"messages m ON m.tenant = r.tenant AND m.id = r.message", "r.tenant = ? AND m.tenant = ? AND r.next_at >= 0") // a range, so that SQLite takes the index of what is due
}

// rows reads all that is shown of hits, in their order.
func (l *look) rows(hits []hit) ([]TraceRow, error) {
	byCopy := map[hit]TraceRow{}
	byTenant := map[string][]mail.ID{}
	for _, h := range hits {
		byTenant[h.tenant] = append(byTenant[h.tenant], h.id)
	}
	for tenant, ids := range byTenant {
		l.tenant = tenant
		for part := range slices.Chunk(ids, idsAtOnce) {
			rows, err := l.query("SELECT "+traceColumns+" FROM messages m"+l.d.join+"recipients r ON r.tenant = m.tenant AND r.message = m.id"+
				" LEFT JOIN judgements j ON j.tenant = m.tenant AND j.message = m.id WHERE m.tenant = ? AND r.tenant = ? AND m.id IN ("+places(idsAtOnce)+")", l.with(part)...)
			list, err := collect(rows, err, scanTrace)
			if err != nil {
				return nil, err
			}
			for _, r := range list {
				byCopy[hit{tenant: tenant, id: r.ID, n: r.N}] = r
			}
		}
	}
	var out []TraceRow
	for _, h := range hits {
		out = append(out, byCopy[hit{tenant: h.tenant, id: h.id, n: h.n}])
	}
	return out, nil
}
