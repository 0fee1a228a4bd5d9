package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// openPostgres opens two pools: one connection for the writer, a few for readers.
func openPostgres(ctx context.Context, o Options) (write, read *sql.DB, err error) {
	conf, err := pgx.ParseConfig(o.DSN)
	if err != nil {
		return nil, nil, fmt.Errorf("database address: %w", err)
	}
	write = stdlib.OpenDB(*conf, stdlib.OptionAfterConnect(withoutJIT))
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, nil, explainPostgres(err)
	}
	if err := migrate(ctx, write, postgresDialect, o.Now()); err != nil {
		write.Close()
		return nil, nil, explainPostgres(err)
	}
	read = stdlib.OpenDB(*conf, stdlib.OptionAfterConnect(withoutJIT))
	read.SetMaxOpenConns(readConns)
	read.SetMaxIdleConns(readConns)
	return write, read, nil
}

// withoutJIT has PostgreSQL compile no statement. It takes longer than most of ours
// run, and while it compiles nobody can end it: at ten million rows a page that had
// been left after 60 ms kept three processes busy for a minute.
func withoutJIT(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SET jit = off")
	return err
}

// explainPostgres says in plain words what kept the database from us.
func explainPostgres(err error) error {
	var refused *pgconn.PgError
	var unreachable *pgconn.ConnectError
	switch {
	case errors.Is(err, ErrTooNew):
		return err
	case errors.As(err, &refused) && (refused.Code == "28P01" || refused.Code == "28000"):
		return fmt.Errorf("PostgreSQL refuses the user or password in the database address: %w", err)
	case errors.As(err, &refused) && refused.Code == "3D000":
		return fmt.Errorf("PostgreSQL has no such database: create it with createdb: %w", err)
	case errors.As(err, &refused) && (refused.Code == "XX001" || refused.Code == "XX002"):
		return fmt.Errorf("PostgreSQL: %w: restore the last backup: %w", ErrDamaged, err)
	case errors.As(err, &unreachable):
		return fmt.Errorf("PostgreSQL cannot be reached: start it, or mend the database address: %w", err)
	}
	return fmt.Errorf("PostgreSQL: %w", err)
}

// isDuplicate reports whether err is of a key that is taken.
func isDuplicate(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code == "23505"
	}
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE)
}

// isOrphan reports whether err is of a row whose tenant does not exist.
func isOrphan(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code == "23503"
	}
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == lib.SQLITE_CONSTRAINT_FOREIGNKEY
}
