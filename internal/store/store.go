package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/mail"
)

// Options say where the store is. Folder or a PostgreSQL DSN is required.
type Options struct {
	DSN      string           // "sqlite" (or "") for the file postern.db in Folder, or a postgres:// address
	Folder   string           // data folder; must exist
	Node     string           // name of this node among those sharing a PostgreSQL; the host's name by default
	Now      func() time.Time // time.Now by default
	Log      *slog.Logger     // silent by default
	AuditKey [32]byte         // of the audit chain's HMAC

	KeepTrace time.Duration // how long ended messages stay in the trace; 90 days by default, negative for ever
}

// Errors that callers branch on.
var (
	ErrNotFound  = errors.New("not in the store")
	ErrExists    = errors.New("is in the store already")
	ErrFenced    = errors.New("no longer ours: another node or a person took this recipient over")
	ErrNotHeld   = errors.New("is not held (any more)")
	ErrFailed    = errors.New("storage failed: the disk did not keep what was written; see to the disk, then restart Postern")
	ErrClosed    = errors.New("store is closed")
	ErrDamaged   = errors.New("store is damaged")
	ErrTooNew    = errors.New("store was written by a newer Postern")
	ErrClockJump = errors.New("the clock jumped")
)

const (
	leaseTime = 2 * time.Minute // a node silent for longer has lost its leases
	beatEvery = 20 * time.Second
	readConns = 4
)

// Store is open to one database. It is safe for concurrent use.
type Store struct {
	o           Options
	d           dialect
	read        *sql.DB // read-only on SQLite
	w           *writer
	epoch       int64 // of this process: names its leases and numbers its octets
	claim       atomic.Int64
	buried      atomic.Int64 // Unix second in which dead processes were last looked for
	rows        atomic.Int64 // octets written by this process
	searchPages atomic.Int64 // pages of the search index written by this process
	indexing    indexing
	facts       facts
	clock       clock
	lock        *os.File // of the data folder; nil on PostgreSQL
	alone       bool     // no other process had the data folder open
	seen        *seen    // nil on PostgreSQL, which has an index for it

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open opens the store, brings its tables to this binary's version, and voids
// the leases that a former run of this node left. The error says what is wrong
// and how to mend it.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.KeepTrace == 0 {
		o.KeepTrace = keepTrace
	}
	if o.Node == "" {
		o.Node, _ = os.Hostname()
		if o.Node == "" {
			o.Node = rand.Text()
		}
	}
	s := &Store{o: o, indexing: indexingDefault}
	s.facts.byID = make(map[mail.ID]fact)
	write, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	s.w = newWriter(write, s.d)
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.shut())
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if s.d.single {
		since := o.Now().Add(-seenFor)
		s.done.Go(func() {
			if err := s.loadSeen(background, since); err != nil && background.Err() == nil {
				o.Log.Warn("recent messages cannot be read: a resend of one may be delivered twice", "err", err)
			}
		})
	} else {
		s.done.Go(func() { s.beat(background) })
	}
	return s, nil
}

// connect opens the database and migrates it; write is for the writer alone.
func (s *Store) connect(ctx context.Context) (write *sql.DB, err error) {
	switch {
	case s.o.DSN == "" || s.o.DSN == "sqlite":
		s.d = sqliteDialect
		write, s.read, err = openSQLite(ctx, s.o)
	case strings.HasPrefix(s.o.DSN, "postgres://") || strings.HasPrefix(s.o.DSN, "postgresql://"):
		s.d = postgresDialect
		write, s.read, err = openPostgres(ctx, s.o)
	default:
		err = errors.New(`database must be "sqlite" or begin with "postgres://"`)
	}
	return write, err
}

// begin makes this process known to the others and reads what it keeps in memory.
func (s *Store) begin(ctx context.Context) error {
	if s.d.single {
		if err := s.enter(); err != nil {
			return err
		}
	}
	err := s.w.do(ctx, func(t *tx) error {
		drop, args := "DELETE FROM nodes WHERE node = ?", []any{s.o.Node}
		if s.d.single {
			drop, args = "DELETE FROM nodes WHERE ? = 1", []any{flag(s.alone)}
		}
		_, err := t.exec(drop, args...)
		return err
	})
	if err == nil && s.alone {
		err = s.share()
	}
	if err == nil {
		err = s.w.do(ctx, func(t *tx) error {
			return t.row("INSERT INTO nodes (node, beat_at) VALUES (?, ?) RETURNING epoch", s.o.Node, s.o.Now().UnixMilli()).Scan(&s.epoch)
		})
	}
	if err == nil && s.d.single {
		err = s.holdEpoch()
	}
	if err != nil {
		return fmt.Errorf("register node %s: %w", s.o.Node, err)
	}
	if s.d.single {
		s.seen = newSeen(s.o.Now())
	}
	return nil
}

// beat keeps this node's leases alive, which others could take on PostgreSQL.
func (s *Store) beat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Renew(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("heartbeat of this node", "node", s.o.Node, "err", err)
		}
	}
}

// Renew tells the other nodes that this one lives. The store calls it by itself.
func (s *Store) Renew(ctx context.Context) error {
	return s.w.do(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE nodes SET beat_at = ? WHERE epoch = ?", s.o.Now().UnixMilli(), s.epoch)
		if err == nil && n == 0 {
			return fmt.Errorf("node %s: %w", s.o.Node, ErrFenced)
		}
		return err
	})
}

// Close waits for what is being written, gives back this process's leases, then
// closes the store. It may be called twice.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	_ = s.w.do(context.Background(), func(t *tx) error { // else they end with the heartbeat
		_, err := t.exec("DELETE FROM nodes WHERE epoch = ?", s.epoch)
		return err
	})
	return s.shut()
}

// shut closes the writer last: the last connection to a SQLite file moves the WAL
// into it, which a reader cannot.
func (s *Store) shut() error {
	err := errors.Join(s.read.Close(), s.w.close())
	if s.lock != nil {
		s.lock.Close() // frees it; a second Close changes nothing
	}
	return err
}

// Failed returns ErrFailed with its cause once the disk refused to keep what was
// written, else nil. It stays failed until Postern is restarted: after a failed
// sync nobody knows what is on the disk.
func (s *Store) Failed() error { return s.w.failure() }

// query reads. Rows must be closed by the caller.
func (s *Store) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return s.read.QueryContext(ctx, s.d.bind(q), args...)
}

func (s *Store) row(ctx context.Context, q string, args ...any) *sql.Row {
	return s.read.QueryRowContext(ctx, s.d.bind(q), args...)
}

// collect reads all rows with scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// unix is t as it is stored; NULL for the zero time.
func unix(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// stamp scans a stored time; NULL is the zero time.
type stamp struct{ to *time.Time }

func (s stamp) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*s.to = time.Time{}
	case int64:
		*s.to = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("a stored time is a %T", v)
	}
	return nil
}

// text makes s fit a text column of either database. It is for what is shown,
// never for addresses, which must stay as they are.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
