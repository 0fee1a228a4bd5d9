package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// Index puts mail that has settled into the search index, and keeps the index small
// and true. It returns the number of messages that it looked at; run it every half
// minute. Of several processes one works; for the others there is nothing to do. It
// may be stopped at any moment, and the next run goes on.
func (s *Store) Index(ctx context.Context) (n int, err error) {
	lease, err := s.Take(ctx, Lease{Name: "search", What: "index"})
	var taken *Taken
	if errors.As(err, &taken) {
		return 0, nil
	}
	if err == nil {
		n, err = s.index(ctx)
		if e := s.Give(context.WithoutCancel(ctx), lease); err == nil {
			err = e
		}
	}
	if err != nil {
		return n, fmt.Errorf("search index: %w", err)
	}
	return n, nil
}

func (s *Store) index(ctx context.Context) (n int, err error) {
	if err := s.dropGarbage(ctx); err != nil {
		return 0, err
	}
	rows, err := s.query(ctx, mailTenants+" UNION SELECT tenant FROM search_marks")
	tenants, err := collect(rows, err, func(r *sql.Rows) (t string, err error) { return t, r.Scan(&t) })
	if err != nil {
		return 0, err
	}
	for _, tenant := range tenants {
		for _, step := range []func(context.Context, string) (int, error){s.extend, s.join, s.renew, s.trim} {
			did, err := step(ctx, tenant)
			if n += did; err != nil && !errors.Is(err, ErrFenced) {
				return n, fmt.Errorf("tenant %s: %w", tenant, err)
			}
		}
	}
	return n, nil
}

// extend builds blocks of mail that is in none yet.
func (s *Store) extend(ctx context.Context, tenant string) (n int, err error) {
	cut := s.o.Now().Add(-s.indexing.settle).UnixMilli()
	for {
		mark, err := s.indexedUntil(ctx, tenant)
		if err != nil {
			return n, err
		}
		var enough int
		err = s.row(ctx, "SELECT 1 FROM messages WHERE tenant = ? AND received_at >= ? AND received_at < ? ORDER BY received_at LIMIT 1 OFFSET ?",
			tenant, mark, cut, s.indexing.least-1).Scan(&enough)
		if errors.Is(err, sql.ErrNoRows) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		b, err := s.buildRange(ctx, tenant, mark, cut, nil)
		if n += b.messages; err != nil {
			return n, err
		}
	}
}

// join makes one block of small ones that follow each other, so that there are few
// to look into. A block is small below half of the largest size.
func (s *Store) join(ctx context.Context, tenant string) (n int, err error) {
	all, err := s.blocks(ctx, tenant)
	if err != nil {
		return 0, err
	}
	var run []block
	size := 0
	for _, b := range append(all, block{messages: s.indexing.block}) { // the last ends a run
		if b.messages < s.indexing.block/2 && size+b.messages <= s.indexing.block {
			run, size = append(run, b), size+b.messages
			continue
		}
		// A run at the end may still grow; it is joined when nothing fits any more.
		if len(run) > 1 && (size >= s.indexing.block/2 && b.until != 0 || len(run) >= 16) {
			did, err := s.replace(ctx, run)
			if n += did; err != nil {
				return n, err
			}
		}
		run, size = nil, 0
		if b.messages < s.indexing.block/2 {
			run, size = []block{b}, b.messages
		}
	}
	return n, nil
}

// renew builds blocks again that have the most late messages, when these are many.
func (s *Store) renew(ctx context.Context, tenant string) (n int, err error) {
	rows, err := s.query(ctx, "SELECT b.until_at, count(*) FROM search_late l JOIN messages m ON m.tenant = l.tenant AND m.id = l.message"+
		" JOIN search_blocks b ON b.tenant = l.tenant AND m.received_at >= b.from_at AND m.received_at < b.until_at WHERE l.tenant = ? GROUP BY b.until_at", tenant)
	type worn struct {
		until int64
		late  int
	}
	list, err := collect(rows, err, func(r *sql.Rows) (w worn, err error) { return w, r.Scan(&w.until, &w.late) })
	if err != nil {
		return 0, err
	}
	total := 0
	for _, w := range list {
		total += w.late
	}
	slices.SortFunc(list, func(a, b worn) int { return cmp.Compare(b.late, a.late) })
	all, err := s.blocks(ctx, tenant)
	for _, w := range list {
		if err != nil || total <= s.indexing.late {
			break
		}
		i := slices.IndexFunc(all, func(b block) bool { return b.until == w.until })
		if i < 0 {
			continue
		}
		var did int
		did, err = s.replace(ctx, all[i:i+1])
		n, total = n+did, total-w.late
	}
	return n, err
}

// trim removes blocks whose mail the trace has forgotten, and late messages too.
func (s *Store) trim(ctx context.Context, tenant string) (int, error) {
	all, err := s.blocks(ctx, tenant)
	if err != nil {
		return 0, err
	}
	for _, b := range all {
		var id string
		err := s.row(ctx, "SELECT id FROM messages WHERE tenant = ? AND received_at < ? LIMIT 1", tenant, b.until).Scan(&id)
		if err == nil {
			break
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		if err := s.w.do(ctx, func(t *tx) error { return dropBlock(t, b) }); err != nil {
			return 0, err
		}
	}
	return 0, s.w.do(ctx, func(t *tx) error {
		return t.send(nil, "DELETE FROM search_late WHERE tenant = ? AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.tenant = search_late.tenant AND m.id = search_late.message)", tenant)
	})
}

// replace builds one block in place of some that follow each other.
func (s *Store) replace(ctx context.Context, old []block) (n int, err error) {
	b, err := s.buildRange(ctx, old[0].tenant, old[0].from, old[len(old)-1].until, old)
	if err != nil {
		return 0, err
	}
	return b.messages, s.dropGarbage(ctx)
}

func dropBlock(t *tx, b block) error {
	n, err := t.exec("DELETE FROM search_blocks WHERE tenant = ? AND until_at = ? AND first = ?", b.tenant, b.until, b.first)
	if err != nil || n == 0 {
		return err
	}
	return discard(t, b)
}

// DropIndex throws the search index away; Index makes it again. Until then searches
// read the ledger itself, which takes long where there is much mail.
func (s *Store) DropIndex(ctx context.Context) error {
	err := s.w.do(ctx, dropIndex)
	if err == nil {
		err = s.dropGarbage(ctx)
	}
	if err != nil {
		return fmt.Errorf("drop the search index: %w", err)
	}
	return nil
}

func dropIndex(t *tx) error {
	for _, q := range []string{
		"INSERT INTO search_garbage (tenant, first, pages) SELECT tenant, first, pages FROM search_blocks",
		"DELETE FROM search_blocks", "DELETE FROM search_marks", "DELETE FROM search_late",
	} {
		if err := t.send(nil, q); err != nil {
			return err
		}
	}
	return nil
}

// IndexState is how far the search index is.
type IndexState struct {
	Blocks   int `json:"blocks"`
	Messages int `json:"messages"` // in blocks; some may be forgotten already
	Pages    int `json:"pages"`    // of at most 4 KiB
	Waiting  int `json:"waiting"`  // in no block yet
	Late     int `json:"late"`     // changed since
}

// IndexState reports how far the search index is, of a tenant or of all.
func (s *Store) IndexState(ctx context.Context, tenant string) (st IndexState, err error) {
	of := " WHERE (? = '' OR tenant = ?)"
	err = s.row(ctx, "SELECT count(*), coalesce(CAST(sum(messages) AS BIGINT), 0), coalesce(CAST(sum(pages) AS BIGINT), 0) FROM search_blocks"+of, tenant, tenant).Scan(&st.Blocks, &st.Messages, &st.Pages)
	if err == nil {
		err = s.row(ctx, "SELECT count(*) FROM search_late"+of, tenant, tenant).Scan(&st.Late)
	}
	if err == nil {
		err = s.row(ctx, "SELECT count(*) FROM messages m WHERE (? = '' OR m.tenant = ?) AND m.received_at >= coalesce((SELECT k.until_at FROM search_marks k WHERE k.tenant = m.tenant), 0)",
			tenant, tenant).Scan(&st.Waiting)
	}
	if err != nil {
		return st, fmt.Errorf("state of the search index: %w", err)
	}
	return st, nil
}
