package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
)

// Found is one page of what was searched.
type Found struct {
	Rows  []TraceRow
	Count int  // matches that were counted, see TraceFilter.Count
	More  bool // there are more matches than Count
	Newer bool // there is a page of newer matches, see TraceFilter.After
	Older bool // there is a page of older ones, see TraceFilter.Before

	// When the time was over before everything was looked at: where to go on, as
	// TraceFilter.Before or After, and up to when all mail was looked at.
	Reached   string
	ReachedAt time.Time
}

// Search returns one page of recipients' rows, the last received first; of the
// quarantine the held ones, the last held first. What matches is decided on the rows
// themselves, at one moment; the search index only tells which ones to look at.
func (s *Store) Search(ctx context.Context, f TraceFilter, quarantine bool) (found Found, err error) {
	what := "trace"
	if quarantine {
		what, f.State = "quarantine", mail.Held
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	q, err := newQuestion(f, quarantine)
	if err != nil {
		return found, fmt.Errorf("%s: %w", what, err)
	}
	opts := &sql.TxOptions{ReadOnly: true}
	if !s.d.single {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, opts) // one moment, or blocks could be replaced under our eyes
	if err != nil {
		return found, fmt.Errorf("%s: %w", what, err)
	}
	defer tx.Rollback()
	l := &look{ctx: ctx, tx: tx, d: s.d, question: q}
	tenants := []string{f.Tenant}
	if f.Tenant == "" {
		rows, err := l.query(mailTenants)
		if tenants, err = collect(rows, err, func(r *sql.Rows) (t string, err error) { return t, r.Scan(&t) }); err != nil {
			return found, fmt.Errorf("%s: %w", what, err)
		}
	}
	var all []hit
	for _, l.tenant = range tenants {
		hits, err := l.hits()
		if err != nil {
			return found, fmt.Errorf("%s: %w", what, err)
		}
		all = append(all, hits...)
	}
	if err := l.page(all, &found); err != nil {
		return found, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}

// page makes the answer of everything that was found, newest first.
func (l *look) page(all []hit, found *Found) error {
	l.sort(all)
	if l.stopped != nil {
		at := l.at(*l.stopped)
		found.Reached, found.ReachedAt = newCursor(at, l.stopped.id, l.stopped.n), time.UnixMilli(at).UTC()
		all = slices.DeleteFunc(all, func(h hit) bool { return l.order(h, *l.stopped) > 0 }) // another tenant got further
	}
	if l.f.Before == "" && l.f.After == "" {
		found.Count = min(len(all), max(l.f.Count, l.f.Limit))
		found.More = len(all) > found.Count || l.stopped != nil
	}
	more := len(all) > l.f.Limit
	all = all[:min(len(all), l.f.Limit)]
	found.Older, found.Newer = more, l.f.Before != ""
	if l.up {
		found.Older, found.Newer = true, more
		slices.Reverse(all)
	}
	var err error
	found.Rows, err = l.rows(all)
	return err
}

// A hit is one row that matches.
type hit struct {
	tenant   string
	at, held int64 // received, and held or 0; Unix ms
	id       mail.ID
	n        int
}

// question is a filter made ready.
type question struct {
	f          TraceFilter
	terms      []Term
	plan       plan
	quarantine bool
	up         bool      // from old to new, because of After
	edge       *hit      // of the cursor: only what lies beyond it
	body       bool      // judgements are needed
	forms      [2]string // of f.Rcpt
	since      int64     // Unix ms
	until      int64     // 1<<62 without
	deadline   time.Time // zero without
}

func newQuestion(f TraceFilter, quarantine bool) (q question, err error) {
	q = question{f: f, terms: f.terms(), quarantine: quarantine, up: f.After != "" && f.Before == "", until: 1 << 62}
	if c := cmp.Or(f.Before, f.After); c != "" {
		if q.edge, err = readCursor(c); err != nil {
			return q, err
		}
	}
	if f.Rcpt != "" {
		q.forms = mail.AddressForms(f.Rcpt)
	}
	q.plan = newPlan(f, q.terms)
	q.body = slices.ContainsFunc(q.terms, func(t Term) bool { return t.Field == Anywhere || t.Field == FileField || t.Field == LinkField })
	if !f.Since.IsZero() {
		q.since = f.Since.UnixMilli()
	}
	if !f.Until.IsZero() {
		q.until = f.Until.UnixMilli()
	}
	if f.Budget > 0 {
		q.deadline = time.Now().Add(f.Budget)
	}
	return q, nil
}

// want is how many hits are enough: one more than the page, or than what is counted.
func (q *question) want() int {
	if q.edge != nil {
		return q.f.Limit + 1
	}
	return max(q.f.Limit, q.f.Count) + 1
}

// at is by what rows are ordered.
func (q *question) at(h hit) int64 {
	if q.quarantine {
		return h.held
	}
	return h.at
}

// order compares two hits as they are to be shown, or the other way round when the
// question looks up.
func (q *question) order(a, b hit) int {
	c := cmp.Or(cmp.Compare(q.at(b), q.at(a)), strings.Compare(string(b.id), string(a.id)), cmp.Compare(b.n, a.n))
	if q.up {
		return -c
	}
	return c
}

func (q *question) sort(list []hit) { slices.SortFunc(list, q.order) }

// beyond reports whether a hit lies beyond the cursor.
func (q *question) beyond(h hit) bool { return q.edge == nil || q.order(h, *q.edge) > 0 }

func readCursor(text string) (*hit, error) {
	c := strings.Split(text, ".")
	if len(c) == 3 {
		at, err1 := strconv.ParseInt(c[0], 10, 64)
		n, err2 := strconv.Atoi(c[2])
		if err1 == nil && err2 == nil {
			return &hit{at: at, held: at, id: mail.ID(c[1]), n: n}, nil
		}
	}
	return nil, fmt.Errorf("page %q is not one of ours", text)
}

// plan is what blocks are asked: all of its conditions, of each one alternative, of
// it every span. Without conditions blocks are of no use.
type plan [][][]span

func newPlan(f TraceFilter, terms []Term) (p plan) {
	for _, t := range terms {
		fields := []Field{t.Field}
		if t.Field == Anywhere {
			fields = everyField
		}
		var any [][]span
		for _, field := range fields {
			any = append(any, termGrams(gramOf[field], t.Part))
		}
		p = append(p, any)
	}
	one := func(g gram) [][]span { return [][]span{{{g, g}}} }
	if f.Verdict != "" {
		p = append(p, one(wordGram(gramVerdict, string(f.Verdict))))
	}
	if f.MessageID != "" {
		p = append(p, one(idGram(bareID(f.MessageID))))
	}
	switch f.State {
	case mail.Held:
		p = append(p, one(wordGram(gramHeld, "")))
	case mail.Dropped, mail.Returned: // copies that come to this later are late
		p = append(p, one(stateGram(f.State)))
	}
	return p
}

func bareID(messageID string) string { return strings.Trim(messageID, "<>") }
