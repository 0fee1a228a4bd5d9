package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

const (
	pageSize = 8192 // octets; sealed content takes few overflow pages, a row still fits many times
	// checkAtOnce is the file size up to which Open checks the file after an unclean
	// end. A larger one would keep mail waiting; SQLite recovers it by itself, and
	// Check looks on demand.
	checkAtOnce = 32 << 20
)

// openSQLite opens the file twice: one connection for the writer, a few for
// readers that cannot write.
func openSQLite(ctx context.Context, o Options) (write, read *sql.DB, err error) {
	if info, err := os.Stat(o.Folder); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("data folder %s: not a folder that can be opened: create it and give it to the user Postern runs as", o.Folder)
	}
	path, err := filepath.Abs(filepath.Join(o.Folder, "postern.db"))
	if err != nil {
		return nil, nil, err
	}
	write, err = sql.Open("sqlite", sqliteDSN(path, "rwc"))
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if err := readySQLite(ctx, write, path, o); err != nil {
		write.Close()
		return nil, nil, err
	}
	read, err = sql.Open("sqlite", sqliteDSN(path, "ro"))
	if err != nil {
		write.Close()
		return nil, nil, err
	}
	read.SetMaxOpenConns(readConns)
	read.SetMaxIdleConns(readConns)
	return write, read, nil
}

// readySQLite takes the file for this process, checks it if the last run ended
// uncleanly, and migrates it.
func readySQLite(ctx context.Context, write *sql.DB, path string, o Options) error {
	wal, err := os.Stat(path + "-wal")
	unclean := err == nil && wal.Size() > 0 // a clean end leaves none
	if err := write.PingContext(ctx); err != nil {
		return explainSQLite(path, err)
	}
	if err := migrate(ctx, write, sqliteDialect, o.Now()); err != nil {
		return explainSQLite(path, err)
	}
	file, err := os.Stat(path)
	if !unclean || err != nil || file.Size() > checkAtOnce {
		return err
	}
	if err := quickCheck(ctx, write); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// enter locks the data folder, shared with other processes of ours (the command
// line beside the relay). alone is true when there is none: then whatever leases
// stand in the file are of processes that ended.
func (s *Store) enter() error {
	path := filepath.Join(s.o.Folder, "postern.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("lock data folder: %w", err)
	}
	s.lock = f
	s.alone = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	if s.alone {
		return nil // share follows when the leases are void
	}
	return s.share()
}

func (s *Store) share() error {
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_SH); err != nil {
		return fmt.Errorf("lock data folder: %w", err)
	}
	return nil
}

// sqliteDSN puts every setting into the address, so that each connection has it.
func sqliteDSN(path, mode string) string {
	v := url.Values{"mode": {mode}}
	if mode == "ro" {
		v["_pragma"] = []string{"busy_timeout(10000)", "query_only(1)", "cache_size(-4000)"}
	} else {
		v.Set("_journal_mode", "WAL") // apart, for the driver sorts pragmas by name, and WAL before page_size fixes the size
		v["_pragma"] = []string{
			"busy_timeout(10000)",
			fmt.Sprintf("page_size(%d)", pageSize),
			"synchronous(FULL)", // the WAL is synced in every commit
			"foreign_keys(1)",
			"cache_size(-16000)", // KiB
			"wal_autocheckpoint(4000)",
			"journal_size_limit(67108864)",
			"temp_store(MEMORY)",
		}
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}).String()
}

// quickCheck reads the whole file and returns ErrDamaged with what it found.
func quickCheck(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "PRAGMA quick_check(5)")
	found, err := collect(rows, err, func(r *sql.Rows) (s string, err error) {
		return s, r.Scan(&s)
	})
	if err != nil {
		return fmt.Errorf("%w: %w: %s", ErrDamaged, err, mendSQLite)
	}
	if len(found) != 1 || found[0] != "ok" {
		return fmt.Errorf("%w: %s: %s", ErrDamaged, strings.Join(found, "; "), mendSQLite)
	}
	return nil
}

const mendSQLite = "stop Postern, keep a copy of the data folder, and run postern restore with the last backup"

// explainSQLite says in plain words what SQLite's codes mean for who runs us.
func explainSQLite(path string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w (%w): %s", path, ErrDamaged, err, mendSQLite)
	case lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_READONLY:
		return fmt.Errorf("%s cannot be opened for writing: give the file and its folder to the user Postern runs as: %w", path, err)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("%s is in use by another process: stop the other Postern: %w", path, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf("%s: the disk is full: make room: %w", path, err)
	case lib.SQLITE_IOERR:
		return fmt.Errorf("%s: the disk reports an error: %w", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// lost reports whether err means that the disk did not keep what was written, or
// that the file cannot be trusted. A full disk is not that: the transaction was
// undone, and there may be room again.
func lost(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case lib.SQLITE_IOERR, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
			return true
		}
	}
	return false
}

// Check reads the whole database and returns ErrDamaged with what is wrong.
func (s *Store) Check(ctx context.Context) error {
	if s.d.single {
		return quickCheck(ctx, s.read)
	}
	var n int
	if err := s.row(ctx, "SELECT count(*) FROM counters").Scan(&n); err != nil {
		return explainPostgres(err)
	}
	return nil
}
