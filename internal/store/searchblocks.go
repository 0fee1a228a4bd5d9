package store

import (
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"

	"postern/internal/mail"
)

// index is what there is of the tenant's: its blocks in the question's order, up to
// where they go, and what changed since.
func (l *look) index() (mark int64, blocks []block, late map[mail.ID]bool, err error) {
	err = l.tx.QueryRowContext(l.ctx, l.d.bind("SELECT until_at FROM search_marks WHERE tenant = ?"), l.tenant).Scan(&mark)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil, err
	}
	order := " ORDER BY until_at DESC"
	if l.up {
		order = " ORDER BY until_at"
	}
	rows, err := l.query("SELECT from_at, until_at, first, messages FROM search_blocks WHERE tenant = ? AND until_at > ? AND from_at < ?"+order, l.tenant, l.since, l.until)
	blocks, err = collect(rows, err, func(r *sql.Rows) (block, error) {
		b := block{tenant: l.tenant}
		return b, r.Scan(&b.from, &b.until, &b.first, &b.messages)
	})
	if err != nil {
		return 0, nil, nil, err
	}
	rows, err = l.query("SELECT message FROM search_late WHERE tenant = ?", l.tenant)
	list, err := collect(rows, err, func(r *sql.Rows) (id mail.ID, err error) { return id, r.Scan(&id) })
	late = make(map[mail.ID]bool, len(list))
	for _, id := range list {
		late[id] = true
	}
	return mark, blocks, late, err
}

// blocks looks at what blocks propose, in the question's order.
func (l *look) blocks(list []block) iter.Seq2[hit, error] {
	return func(yield func(hit, error) bool) {
		looked := l.stopped != nil && l.stopped.tenant == l.tenant
		for _, b := range list {
			if l.edge != nil && !l.quarantine && l.passed(b) {
				continue
			}
			if looked && l.over() { // one at least, so that it goes on at all
				l.stop(l.border(b))
				return
			}
			looked = true
			for h, err := range l.block(b) {
				if !yield(h, err) {
					return
				}
			}
			if l.stopped != nil && l.stopped.tenant == l.tenant {
				return
			}
		}
	}
}

// passed reports whether the cursor has left a block behind.
func (l *look) passed(b block) bool {
	e := entry{l.edge.at, l.edge.id}
	if l.up {
		return b.until-1 < e.at || b.until-1 == e.at && e.id == "~"
	}
	return b.from > e.at || b.from == e.at && e.id == ""
}

// border is where a block begins, in the question's direction.
func (l *look) border(b block) hit {
	if l.up {
		return hit{tenant: l.tenant, at: b.from - 1, id: "~"}
	}
	return hit{tenant: l.tenant, at: b.until}
}

// block looks at what one block proposes.
func (l *look) block(b block) iter.Seq2[hit, error] {
	return func(yield func(hit, error) bool) {
		err := l.tx.QueryRowContext(l.ctx, l.d.bind("SELECT directory FROM search_blocks WHERE tenant = ? AND until_at = ?"), b.tenant, b.until).Scan(&b.directory)
		if err != nil {
			yield(hit{}, err)
			return
		}
		numbers, err := l.proposed(b)
		if err != nil {
			yield(hit{}, err)
			return
		}
		entries := &entryReader{look: l, block: b, pages: map[int][]byte{}}
		if numbers, err = l.within(entries, numbers); err != nil {
			yield(hit{}, err)
			return
		}
		if !l.up {
			slices.Reverse(numbers)
		}
		var last entry
		for i, part := range slices.Collect(slices.Chunk(numbers, idsAtOnce)) {
			if i > 0 && l.over() {
				l.stop(hit{tenant: l.tenant, at: last.at, id: last.id})
				return
			}
			ids := make([]mail.ID, len(part))
			for i, n := range part {
				if last, err = entries.read(n); err != nil {
					yield(hit{}, err)
					return
				}
				ids[i] = last.id
			}
			hits, err := l.check(ids)
			if err != nil {
				yield(hit{}, err)
				return
			}
			for _, h := range hits {
				if !yield(h, nil) {
					return
				}
			}
		}
	}
}

// within leaves away what lies outside of the question's time or before its cursor,
// without looking at each.
func (l *look) within(entries *entryReader, numbers []int) (_ []int, err error) {
	from := entry{at: l.since}
	until := entry{at: l.until}
	if e := l.edge; e != nil && !l.quarantine {
		switch {
		case l.up && e.at >= from.at:
			from = entry{e.at, e.id}
		case !l.up && e.at < until.at:
			until = entry{e.at, e.id + "~"} // that message's other recipients too
		}
	}
	bound := func(at entry) int {
		return sort.Search(len(numbers), func(i int) bool {
			e, failed := entries.read(numbers[i])
			if failed != nil {
				err = failed
			}
			return e.at > at.at || e.at == at.at && e.id >= at.id
		})
	}
	low, high := 0, len(numbers)
	if from.at > entries.from {
		low = bound(from)
	}
	if until.at < entries.until {
		high = bound(until)
	}
	return numbers[low:max(low, high)], err
}

// proposed are the numbers of a block's messages that the plan does not exclude.
func (l *look) proposed(b block) ([]int, error) {
	found, err := l.sets(b)
	if err != nil {
		return nil, err
	}
	result := newBitmap(b.messages)
	result.all(b.messages)
	for _, any := range l.plan {
		some := newBitmap(b.messages)
		for _, every := range any {
			one := newBitmap(b.messages)
			one.all(b.messages)
			for _, g := range every {
				if one.and(found[g]); one.empty() {
					break
				}
			}
			some.or(one)
		}
		if result.and(some); result.empty() {
			break
		}
	}
	return result.numbers(), nil
}

// sets reads who has a gram of each span of the plan.
func (l *look) sets(b block) (map[span]bitmap, error) {
	wanted := map[int64][]span{} // by page
	found := map[span]bitmap{}
	for _, any := range l.plan {
		for _, every := range any {
			for _, g := range every {
				if found[g] != nil {
					continue
				}
				found[g] = newBitmap(b.messages)
				for n := pageOf(b.directory, g.low); n <= pageOf(b.directory, g.high) && len(b.directory) > 0; n++ {
					id := b.first + int64(b.entryPages()+n)
					wanted[id] = append(wanted[id], g)
				}
			}
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), mostPages) {
		if err := l.readPages(b, part, func(id int64, body []byte) error {
			for _, g := range wanted[id] {
				if err := found[g].readSets(body, g); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

const mostPages = 200 // in one statement

func (l *look) readPages(b block, ids []int64, each func(id int64, body []byte) error) error {
	args := []any{b.tenant}
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := l.query("SELECT id, body FROM search_pages WHERE tenant = ? AND id IN ("+places(len(ids))+")", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	read := 0
	for ; rows.Next(); read++ {
		var id int64
		var body sql.RawBytes
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		if err := each(id, body); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if read < len(ids) {
		return fmt.Errorf("%d of %d pages are missing: %w", len(ids)-read, len(ids), errPage)
	}
	return nil
}

// entryReader reads a block's messages by their numbers.
type entryReader struct {
	*look
	block
	pages map[int][]byte
}

func (e *entryReader) read(n int) (entry, error) {
	page, ok := e.pages[n/pageEntries]
	if !ok {
		err := e.tx.QueryRowContext(e.ctx, e.d.bind("SELECT body FROM search_pages WHERE tenant = ? AND id = ?"), e.block.tenant, e.first+int64(n/pageEntries)).Scan(&page)
		if errors.Is(err, sql.ErrNoRows) {
			err = errPage
		}
		if err != nil {
			return entry{}, err
		}
		e.pages[n/pageEntries] = page
	}
	return readEntry(page, n%pageEntries)
}
