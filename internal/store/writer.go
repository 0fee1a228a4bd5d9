package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // registers "pgx" with database/sql too
)

const (
	maxGroup     = 256              // changes in one transaction
	writeTimeout = 60 * time.Second // for one transaction on PostgreSQL; a stuck network must not hold all mail
)

// writer owns the only connection that writes. Its goroutine takes whatever
// waits, runs it in one transaction, commits, and answers.
type writer struct {
	db     *sql.DB
	d      dialect
	queue  chan *change
	quit   chan struct{}
	ended  chan struct{}
	once   sync.Once
	failed atomic.Pointer[error]

	conn  *sql.Conn // nil until needed, and after it broke
	stmts map[string]driver.Stmt
}

type change struct {
	run  func(*tx) error
	err  error
	done chan struct{}
}

func newWriter(db *sql.DB, d dialect) *writer {
	w := &writer{db: db, d: d, queue: make(chan *change, maxGroup), quit: make(chan struct{}), ended: make(chan struct{})}
	go w.loop()
	return w
}

// do runs fn in a transaction, together with other callers' changes, and returns
// nil when it is committed and on disk. fn may be run again after its effects
// were undone, and must not keep t. Once handed over, a change is not abandoned:
// ctx ends only the waiting before that.
func (w *writer) do(ctx context.Context, fn func(t *tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{run: fn, done: make(chan struct{})}
	select {
	case w.queue <- c:
	case <-w.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.done:
		return c.err
	case <-w.ended:
		select {
		case <-c.done:
			return c.err
		default:
			return ErrClosed
		}
	}
}

// close lets what waits finish, then closes the connection.
func (w *writer) close() error {
	w.once.Do(func() { close(w.quit) })
	<-w.ended
	return w.db.Close()
}

func (w *writer) failure() error {
	if p := w.failed.Load(); p != nil {
		return *p
	}
	return nil
}

func (w *writer) loop() {
	defer close(w.ended)
	defer w.drop()
	group := make([]*change, 0, maxGroup)
	for {
		select {
		case c := <-w.queue:
			group = append(group[:0], c)
		case <-w.quit:
			select {
			case c := <-w.queue:
				group = append(group[:0], c)
			default:
				return
			}
		}
		group = w.gather(group)
		w.commit(group)
		for _, c := range group {
			close(c.done)
		}
		clear(group)
	}
}

func (w *writer) gather(group []*change) []*change {
	for len(group) < maxGroup {
		select {
		case c := <-w.queue:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// commit runs the group in one transaction. If one change fails, none stays, and
// each is tried in a transaction of its own: the others must not suffer.
func (w *writer) commit(group []*change) {
	err := w.transaction(group)
	if err == nil {
		return
	}
	for _, c := range group {
		switch {
		case w.failure() != nil:
			c.err = w.failure()
		case len(group) == 1:
			c.err = err
		default:
			c.err = w.transaction([]*change{c})
		}
	}
}

// transaction returns nil when all of the group is committed.
func (w *writer) transaction(group []*change) (err error) {
	if err := w.failure(); err != nil {
		return err
	}
	ctx := context.Background() // without an end, so that SQLite needs no watcher for each statement
	if !w.d.single {
		c, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		ctx = c
	}
	defer func() { w.judge(err) }()
	if err := w.connect(ctx); err != nil {
		return err
	}
	t := &tx{w: w, ctx: ctx}
	begin := "BEGIN"
	if w.d.single {
		begin = "BEGIN IMMEDIATE"
	}
	if _, err := t.exec(begin); err != nil {
		w.drop()
		return err
	}
	for _, c := range group {
		if err := c.run(t); err != nil {
			w.undo(t)
			return err
		}
	}
	if err := t.flush(); err != nil {
		w.undo(t)
		return err
	}
	if _, err := t.exec("COMMIT"); err != nil {
		w.undo(t)
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// undo rolls back; a connection that cannot is thrown away, which does the same.
func (w *writer) undo(t *tx) {
	t.batch, t.checks = nil, nil
	if _, err := t.exec("ROLLBACK"); err != nil {
		w.drop()
	}
}

// judge makes a lost disk stick.
func (w *writer) judge(err error) {
	if err != nil && w.d.single && lost(err) {
		failed := fmt.Errorf("%w: %w", ErrFailed, err)
		w.failed.CompareAndSwap(nil, &failed)
	}
}

func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		if !w.d.single {
			return explainPostgres(err)
		}
		return err
	}
	w.conn, w.stmts = conn, make(map[string]driver.Stmt)
	return nil
}

// drop closes the connection for good, so that nothing half done lives on in it.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	for _, s := range w.stmts {
		s.Close()
	}
	w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn.Close()
	w.conn, w.stmts = nil, nil
}

// tx is a transaction of the writer.
type tx struct {
	w    *writer
	ctx  context.Context
	args []driver.NamedValue

	batch  *pgx.Batch // what was sent to PostgreSQL but not yet flushed
	checks []func(rows int64) error

	touched map[touched]bool // hours that were marked as changed
}

// send runs one statement whose answer nobody needs at once; check, if not nil,
// is called with the number of rows it changed. On PostgreSQL what is sent goes
// out together: a round trip for each statement would cost more than the work.
func (t *tx) send(check func(rows int64) error, q string, args ...any) error {
	if t.w.d.single {
		n, err := t.exec(q, args...)
		if err == nil && check != nil {
			err = check(n)
		}
		return err
	}
	if t.batch == nil {
		t.batch = new(pgx.Batch)
	}
	t.batch.Queue(t.w.d.bind(q), args...)
	t.checks = append(t.checks, check)
	return nil
}

// flush waits for what was sent, and checks it.
func (t *tx) flush() error {
	if t.batch == nil {
		return nil
	}
	batch, checks := t.batch, t.checks
	t.batch, t.checks = nil, nil
	return t.w.conn.Raw(func(c any) error {
		results := c.(*stdlib.Conn).Conn().SendBatch(t.ctx, batch)
		var err error
		for _, check := range checks {
			tag, e := results.Exec()
			if e == nil && check != nil {
				e = check(tag.RowsAffected())
			}
			if e != nil {
				err = e
				break
			}
		}
		if e := results.Close(); err == nil {
			err = e
		}
		return err
	})
}

// exec runs one statement and returns how many rows it changed. On SQLite it
// prepares each text once and goes past database/sql, which would cost as much
// again as the statement.
func (t *tx) exec(q string, args ...any) (rows int64, err error) {
	if !t.w.d.single {
		if err := t.flush(); err != nil {
			return 0, err
		}
		r, err := t.w.conn.ExecContext(t.ctx, t.w.d.bind(q), args...)
		if err != nil {
			return 0, err
		}
		return r.RowsAffected()
	}
	t.args = t.args[:0]
	for i, a := range args {
		v, err := plain(a)
		if err != nil {
			return 0, err
		}
		t.args = append(t.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	err = t.w.conn.Raw(func(c any) error {
		s := t.w.stmts[q]
		if s == nil {
			if s, err = c.(driver.ConnPrepareContext).PrepareContext(t.ctx, q); err != nil {
				return err
			}
			t.w.stmts[q] = s
		}
		r, err := s.(driver.StmtExecContext).ExecContext(t.ctx, t.args)
		if err != nil {
			return err
		}
		rows, err = r.RowsAffected()
		return err
	})
	return rows, err
}

// row reads one row inside the transaction.
func (t *tx) row(q string, args ...any) interface{ Scan(...any) error } {
	if err := t.flush(); err != nil {
		return failedRow{err}
	}
	return t.w.conn.QueryRowContext(t.ctx, t.w.d.bind(q), args...)
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

var errType = errors.New("a value of a type the store does not write")

// plain is a as drivers take it.
func plain(a any) (driver.Value, error) {
	switch a := a.(type) {
	case nil, string, int64, []byte:
		return a, nil
	case int:
		return int64(a), nil
	}
	return nil, fmt.Errorf("%w: %T", errType, a)
}

// flag is b as it is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
