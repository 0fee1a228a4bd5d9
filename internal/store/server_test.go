package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"postern/internal/postgrestest"
	"postern/internal/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("POSTERN_STORE_WRITER"); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// database is where one test's stores are: opened again, they find their rows.
type database struct {
	name   string
	o      store.Options
	driver string // with dsn: the way behind the store's back
	dsn    string
}

func (d database) open(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	o := d.o
	for _, c := range change {
		c(&o)
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// each runs test against SQLite and, where a server can be had, PostgreSQL.
func each(t *testing.T, test func(t *testing.T, d database)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteDatabase(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresDatabase(t)) })
}

func sqliteDatabase(t testing.TB) database {
	dir := t.TempDir()
	return database{name: "sqlite", o: store.Options{Folder: dir}, driver: "sqlite", dsn: filepath.Join(dir, "postern.db")}
}

// tryChange runs a statement behind the store's back.
func tryChange(d database, query string) error {
	db, err := sql.Open(d.driver, d.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(query)
	return err
}

func postgresDatabase(t testing.TB) database {
	t.Helper()
	dsn := postgrestest.Database(t)
	return database{name: "postgres", o: store.Options{DSN: dsn, Node: "one"}, driver: "pgx", dsn: dsn}
}
