package store

import (
	"database/sql"
	"errors"
	"slices"
	"time"
)

const (
	heldFirst = 2000 // held rows that are looked at before blocks are asked
	tailMost  = 5000 // messages in no block that are looked at for held ones
)

// held looks at what is held, by when it was. Common words are soon found among the
// last held; for rare ones the blocks tell where to look.
func (l *look) held() ([]hit, error) {
	all, last, done, err := l.heldRows(nil, l.want(), heldFirst)
	if err != nil || done {
		return all, err
	}
	if len(all) > l.f.Limit { // only the counting is not done
		more, _, _, err := l.heldRows(&last, l.want()-len(all), 0)
		return append(all, more...), err
	}
	mark, blocks, late, err := l.index()
	if err != nil {
		return nil, err
	}
	small := len(blocks) > 0
	if small {
		var enough int
		err := l.tx.QueryRowContext(l.ctx, l.d.bind("SELECT 1 FROM messages WHERE tenant = ? AND received_at >= ? ORDER BY received_at LIMIT 1 OFFSET ?"), l.tenant, mark, tailMost).Scan(&enough)
		if small = errors.Is(err, sql.ErrNoRows); !small && err != nil {
			return nil, err
		}
	}
	if !small || len(l.plan) < 2 { // only that it is held: the rows themselves say so
		more, _, _, err := l.heldRows(&last, l.want()-len(all), 0)
		return append(all, more...), err
	}
	rest := *l
	rest.deadline = time.Time{} // by time of receipt there is no place to go on from
	rest.question.edge = &last
	hits, err := rest.check(slices.Collect(keys(late)))
	if err != nil {
		return nil, err
	}
	for h, err := range chain(rest.ledger(mark, 1<<62), rest.blocks(blocks)) {
		if err != nil {
			return nil, err
		}
		if !late[h.id] {
			hits = append(hits, h)
		}
	}
	l.sort(hits)
	all = append(all, hits...)
	return all[:min(len(all), l.want())], nil
}

// heldRows looks at held rows beyond last, until it has want hits, has read most rows
// (0: all of them), or the time is over. done says that there is no need to go on.
func (l *look) heldRows(last *hit, want, most int) (all []hit, end hit, done bool, err error) {
	compare, sort := "<", "DESC"
	end = hit{held: 1 << 62}
	if l.up {
		compare, sort, end = ">", "ASC", hit{held: -1}
	}
	if last == nil && l.edge != nil {
		last = l.edge
	}
	if last != nil {
		end = *last
	}
	q, args := l.heldFrom(compare, sort), []any{l.tenant, l.tenant}
	if l.f.Rcpt != "" {
		args = append(args, l.forms[0], l.forms[1])
	}
	for n, seen := 64, 0; ; n = readAtOnce {
		hits, read, at, err := l.matching(l.query(q, append(args, end.held, string(end.id), end.n, n)...))
		if err != nil {
			return nil, end, false, err
		}
		if all = append(all, hits...); len(all) >= want {
			return all[:want], at, true, nil
		}
		if read < n {
			return all, at, true, nil
		}
		seen, end = seen+read, at
		if l.over() {
			if l.stopped == nil || l.order(at, *l.stopped) < 0 {
				l.stopped = &at
			}
			return all, at, true, nil
		}
		if most > 0 && seen >= most {
			return all, at, false, nil
		}
	}
}

// heldFrom is the statement for the next held rows, of one recipient by the index
// that their own page has.
func (l *look) heldFrom(compare, sort string) string {
	own := ""
	if l.f.Rcpt != "" {
		own = " AND lower(r.addr) IN (?, ?) AND r.deleted_by = ''"
	}
	return l.light("recipients r"+l.d.join+"messages m ON m.tenant = r.tenant AND m.id = r.message",
		"r.tenant = ? AND m.tenant = ? AND r.state = 'held'"+own+" AND r.held_at >= 0 AND (r.held_at, r.message, r.n) "+compare+" (?, ?, ?)") + // in words, so that SQLite takes the index of the held
		" ORDER BY r.held_at " + sort + ", r.message " + sort + ", r.n " + sort + " LIMIT ?"
}
