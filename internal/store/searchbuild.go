package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"postern/internal/mail"
)

// indexing says how blocks are built.
type indexing struct {
	block     int           // most messages of one
	least     int           // fewer wait until there are more
	late      int           // so many late messages of a tenant make blocks be built again
	lateAfter time.Duration // a change longer after receipt is late
	settle    time.Duration // younger mail is left alone: what is written meanwhile need not be late
}

// A change of a message received longer ago than lateAfter is noted as late. settle is
// so much longer that a commit on its way (writeTimeout) and nodes whose clocks
// differ by half a minute make no hole between the two.
var indexingDefault = indexing{block: 32_768, least: 2048, late: 1000, lateAfter: 30 * time.Second, settle: 2 * time.Minute}

// block is one row of search_blocks.
type block struct {
	tenant      string
	from, until int64 // received from, and before
	first       int64 // id of its first page
	messages    int
	pages       int
	directory   []byte
}

// entryPages is how many of its pages have its messages.
func (b block) entryPages() int { return (b.messages + pageEntries - 1) / pageEntries }

// blocks are a tenant's, the oldest first, without their directories.
func (s *Store) blocks(ctx context.Context, tenant string) ([]block, error) {
	rows, err := s.query(ctx, "SELECT from_at, until_at, first, messages, pages FROM search_blocks WHERE tenant = ? ORDER BY until_at", tenant)
	return collect(rows, err, func(r *sql.Rows) (block, error) {
		b := block{tenant: tenant}
		return b, r.Scan(&b.from, &b.until, &b.first, &b.messages, &b.pages)
	})
}

// indexedUntil is up to where a tenant's mail is in blocks, Unix ms; 0 if none is.
func (s *Store) indexedUntil(ctx context.Context, tenant string) (until int64, err error) {
	err = s.row(ctx, "SELECT until_at FROM search_marks WHERE tenant = ?", tenant).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return until, err
}

// noteLate notes that a message's searchable text may have changed after it was
// put into a block. received is 0 where it is not known.
func (s *Store) noteLate(t *tx, tenant string, id mail.ID, received int64) error {
	if received == 0 {
		if f, ok := s.facts.get(id); ok {
			received = f.received
		}
	}
	before := s.o.Now().Add(-s.indexing.lateAfter).UnixMilli()
	const again = " ON CONFLICT (tenant, message) DO UPDATE SET stamp = excluded.stamp"
	switch {
	case received >= before:
		return nil
	case received != 0:
		return t.send(nil, "INSERT INTO search_late (tenant, message, stamp) VALUES (?, ?, ?)"+again, tenant, string(id), s.newLease())
	}
	return t.send(nil, "INSERT INTO search_late (tenant, message, stamp) SELECT tenant, id, CAST(? AS BIGINT) FROM messages WHERE tenant = ? AND id = ? AND received_at < ?"+again,
		s.newLease(), tenant, string(id), before)
}

// lateOf are a tenant's late messages with their stamps.
func (s *Store) lateOf(ctx context.Context, tenant string) (map[mail.ID]int64, error) {
	rows, err := s.query(ctx, "SELECT message, stamp FROM search_late WHERE tenant = ?", tenant)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	late := map[mail.ID]int64{}
	for rows.Next() {
		var id mail.ID
		var stamp int64
		if err := rows.Scan(&id, &stamp); err != nil {
			return nil, err
		}
		late[id] = stamp
	}
	return late, rows.Err()
}

// buildRange builds one block of a tenant's mail received from..until (Unix ms), of
// at most s.indexing.block messages unless a single millisecond has more, and
// returns where it ends. Then it is there in place of old, all of which lie in it.
// n is how many messages it has. The error is ErrFenced when another process was
// faster.
func (s *Store) buildRange(ctx context.Context, tenant string, from, until int64, old []block) (b block, err error) {
	late, err := s.lateOf(ctx, tenant) // before the rows are read: what changes later stays late
	if err != nil {
		return b, err
	}
	if len(old) == 0 {
		if until, err = s.cutAt(ctx, tenant, from, until); err != nil {
			return b, err
		}
	}
	p := newPages()
	if err := s.gather(ctx, tenant, from, until, p); err != nil {
		return b, err
	}
	list, directory, err := p.encode()
	if err != nil {
		return b, err
	}
	b = block{tenant: tenant, from: from, until: until, messages: len(p.entries), pages: len(list), directory: directory, first: s.newPageIDs(len(list))}
	for _, e := range p.entries {
		if _, ok := late[e.id]; !ok {
			continue
		}
		late[e.id] = -late[e.id] // it is in this block as it is now
	}
	maps.DeleteFunc(late, func(_ mail.ID, stamp int64) bool { return stamp > 0 })
	if err := s.writePages(ctx, b, list); err != nil {
		return b, err
	}
	return b, s.publish(ctx, b, old, late)
}

// cutAt is where a new block that begins at from ends, so that it is not too large.
func (s *Store) cutAt(ctx context.Context, tenant string, from, until int64) (int64, error) {
	var at int64
	err := s.row(ctx, "SELECT received_at FROM messages WHERE tenant = ? AND received_at >= ? AND received_at < ? ORDER BY received_at LIMIT 1 OFFSET ?",
		tenant, from, until, s.indexing.block).Scan(&at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return until, nil
	case err != nil:
		return 0, err
	case at == from:
		return at + 1, nil
	}
	var first int64
	if err := s.row(ctx, "SELECT min(received_at) FROM messages WHERE tenant = ? AND received_at >= ?", tenant, from).Scan(&first); err != nil {
		return 0, err
	}
	if at == first { // all of one moment
		at++
	}
	return at, nil
}

// newPageIDs reserves n page numbers that no other process has, and returns the first.
func (s *Store) newPageIDs(n int) int64 {
	return s.epoch<<40 | (s.searchPages.Add(int64(n)) - int64(n) + 1)
}

// gather reads the messages received from..until, in the trace's order turned round.
func (s *Store) gather(ctx context.Context, tenant string, from, until int64, p *pages) error {
	rows, err := s.query(ctx, s.gathering(), tenant, tenant, from, until)
	if err != nil {
		return err
	}
	defer rows.Close()
	var r gathered
	for rows.Next() {
		if err := rows.Scan(&r.at, &r.id, &r.from[0], &r.from[1], &r.subject, &r.messageID, &r.to, &r.verdict, &r.state, &r.held, &r.reasons, &r.body); err != nil {
			return err
		}
		r.into(p)
	}
	return rows.Err()
}

func (s *Store) gathering() string {
	return "SELECT m.received_at, m.id, m.sender, m.from_addr, m.subject, m.message_id, r.addr, r.verdict, r.state, r.held_at IS NOT NULL, r.reasons, j.body" +
		" FROM messages m" + s.d.join + "recipients r ON r.tenant = m.tenant AND r.message = m.id LEFT JOIN judgements j ON j.tenant = m.tenant AND j.message = m.id" +
		" WHERE m.tenant = ? AND r.tenant = ? AND m.received_at >= ? AND m.received_at < ? ORDER BY m.received_at, m.id"
}

// gathered is one row of gather.
type gathered struct {
	entry
	searched
	messageID string
	verdict   string
	state     mail.State
	held      bool
	body      sql.RawBytes
}

// into adds the row to a block. The message's own fields are added with its first
// recipient.
func (r *gathered) into(p *pages) {
	if n := len(p.entries); n == 0 || p.entries[n-1].id != r.id {
		p.entries = append(p.entries, r.entry)
		r.files, r.links = nil, nil
		if len(r.body) > 0 {
			var k kept
			_ = json.Unmarshal(r.body, &k) // what is damaged cannot be searched; verify-data tells
			r.files, r.links = k.names()
		}
		if r.from[1] == r.from[0] {
			r.from[1] = ""
		}
		p.add(idGram(r.messageID))
		for _, f := range []Field{FromField, SubjectField, FileField, LinkField} {
			for _, text := range r.in(f) {
				grams(gramOf[f], fold(text), p.add)
			}
		}
	}
	grams(gramTo, fold(r.to), p.add)
	for _, line := range splitLines(r.reasons) {
		grams(gramReason, fold(line), p.add)
	}
	p.add(wordGram(gramVerdict, r.verdict))
	p.add(stateGram(r.state))
	if r.held {
		p.add(wordGram(gramHeld, ""))
	}
}

const pagesAtOnce = 64 // in one transaction, so that mail does not wait

// writePages writes pages that nobody sees yet, as garbage until they are published.
func (s *Store) writePages(ctx context.Context, b block, list [][]byte) error {
	if err := s.w.do(ctx, func(t *tx) error { return discard(t, b) }); err != nil {
		return err
	}
	id := b.first
	for part := range slices.Chunk(list, pagesAtOnce) {
		if err := s.w.do(ctx, func(t *tx) error {
			for i, page := range part {
				if err := t.send(nil, "INSERT INTO search_pages (id, tenant, body) VALUES (?, ?, ?)", id+int64(i), b.tenant, page); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		id += int64(len(part))
	}
	return nil
}

// discard notes that a block's pages are garbage.
func discard(t *tx, b block) error {
	return t.send(nil, "INSERT INTO search_garbage (tenant, first, pages) VALUES (?, ?, ?)", b.tenant, b.first, b.pages)
}

// publish makes a block seen in place of the old ones, moves the mark, and forgets
// the late messages that it has. Its pages must still be there.
func (s *Store) publish(ctx context.Context, b block, old []block, late map[mail.ID]int64) error {
	return s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM search_garbage WHERE tenant = ? AND first = ?", b.tenant, b.first)
		if err != nil || n == 0 {
			return errors.Join(err, ours(n))
		}
		for _, o := range old {
			n, err := t.exec("DELETE FROM search_blocks WHERE tenant = ? AND until_at = ? AND first = ?", o.tenant, o.until, o.first)
			if err != nil || n == 0 {
				return errors.Join(err, ours(n))
			}
			if err := discard(t, o); err != nil {
				return err
			}
		}
		if len(old) == 0 {
			if _, err := t.exec("INSERT INTO search_marks (tenant, until_at) VALUES (?, 0) ON CONFLICT DO NOTHING", b.tenant); err != nil {
				return err
			}
			n, err := t.exec("UPDATE search_marks SET until_at = ? WHERE tenant = ? AND until_at = ?", b.until, b.tenant, b.from)
			if err != nil || n == 0 {
				return errors.Join(err, ours(n))
			}
		}
		for id, stamp := range late {
			if err := t.send(nil, "DELETE FROM search_late WHERE tenant = ? AND message = ? AND stamp = ?", b.tenant, string(id), -stamp); err != nil {
				return err
			}
		}
		return t.send(nil, "INSERT INTO search_blocks (tenant, until_at, from_at, first, messages, pages, directory) VALUES (?, ?, ?, ?, ?, ?, ?)",
			b.tenant, b.until, b.from, b.first, b.messages, b.pages, b.directory)
	})
}

// dropGarbage removes pages of no block: of one that was replaced, or whose building
// was interrupted.
func (s *Store) dropGarbage(ctx context.Context) error {
	rows, err := s.query(ctx, "SELECT tenant, first, pages FROM search_garbage")
	list, err := collect(rows, err, func(r *sql.Rows) (b block, err error) { return b, r.Scan(&b.tenant, &b.first, &b.pages) })
	if err != nil {
		return err
	}
	for _, b := range list {
		for done := 0; done < b.pages; done += pagesAtOnce {
			if err := s.w.do(ctx, func(t *tx) error {
				return t.send(nil, "DELETE FROM search_pages WHERE tenant = ? AND id >= ? AND id < ?", b.tenant, b.first+int64(done), b.first+int64(min(done+pagesAtOnce, b.pages)))
			}); err != nil {
				return err
			}
		}
		if err := s.w.do(ctx, func(t *tx) error {
			return t.send(nil, "DELETE FROM search_garbage WHERE tenant = ? AND first = ?", b.tenant, b.first)
		}); err != nil {
			return err
		}
	}
	return nil
}
