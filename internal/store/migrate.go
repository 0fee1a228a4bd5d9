package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the tables to this binary's version: numbered files, forward
// only, one transaction each; a number may be missing between them. A database that is ahead is ErrTooNew.
func migrate(ctx context.Context, db *sql.DB, d dialect, now time.Time) error {
	files, err := fs.Glob(migrations, "migrations/"+d.name+"/*.sql") // sorted, and numbered from 1
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)"); err != nil {
		return err
	}
	var have int
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&have); err != nil {
		return err
	}
	newest := 0
	if len(files) > 0 {
		if newest, err = versionOf(files[len(files)-1]); err != nil {
			return err
		}
	}
	if have > newest {
		return fmt.Errorf("%w: its tables have version %d, this binary knows up to %d: install the newer Postern again, or restore a backup made before the upgrade", ErrTooNew, have, newest)
	}
	for _, file := range files {
		if err := migrateTo(ctx, db, d, file, now); err != nil {
			return fmt.Errorf("migration %s: %w", file, err)
		}
	}
	return nil
}

// versionOf is the number that a migration's file begins with.
func versionOf(file string) (int, error) {
	number, _, _ := strings.Cut(file[strings.LastIndexByte(file, '/')+1:], "_")
	return strconv.Atoi(number)
}

// migrateTo does one migration unless it was done before.
func migrateTo(ctx context.Context, db *sql.DB, d dialect, file string, now time.Time) error {
	version, err := versionOf(file)
	if err != nil {
		return err
	}
	script, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// The row comes first: of two nodes that start together, one waits here and
	// then finds the version taken.
	r, err := tx.ExecContext(ctx, d.bind("INSERT INTO schema_version (version, applied_at) VALUES (?, ?) ON CONFLICT DO NOTHING"), version, now.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return err
	}
	return tx.Commit()
}
