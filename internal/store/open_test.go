package store_test

import (
	"bytes"
	"errors"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/postgrestest"
	"postern/internal/store"
)

func openError(t *testing.T, o store.Options, is error, words ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err == nil {
		s.Close()
		t.Fatal("it opened")
	}
	if is != nil {
		want(t, "open", err, is)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not say %q", err, w)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	openError(t, store.Options{DSN: "mysql://x"}, nil, "postgres://")
	openError(t, store.Options{Folder: filepath.Join(t.TempDir(), "none")}, nil, "data folder", "create it")

	t.Run("not a database", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "postern.db"), bytes.Repeat([]byte("no database"), 10000), 0o600))
		openError(t, store.Options{Folder: dir}, store.ErrDamaged, "postern.db", "restore")
	})
	t.Run("damaged", func(t *testing.T) {
		d := sqliteDatabase(t)
		s := d.open(t)
		for range 300 {
			accept(t, s, newMail("acme", 1000))
		}
		s.Close()
		path := filepath.Join(d.o.Folder, "postern.db")
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		info, err := f.Stat()
		must(t, err)
		for at := int64(8192); at < info.Size(); at += 3 * 8192 {
			_, err = f.WriteAt(bytes.Repeat([]byte{0x55}, 4000), at)
			must(t, err)
		}
		must(t, f.Close())
		s, err = store.Open(t.Context(), d.o)
		if err == nil {
			err = s.Check(t.Context())
			s.Close()
		}
		want(t, "damaged file", err, store.ErrDamaged)
		if !strings.Contains(err.Error(), "postern restore") {
			t.Errorf("no mend in %q", err)
		}
	})
	t.Run("unwritable", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "postern.db"), 0o700))
		openError(t, store.Options{Folder: dir}, nil, "postern.db", "user Postern runs as")
	})
	t.Run("no server", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		addr := l.Addr().String()
		l.Close()
		openError(t, store.Options{DSN: "postgres://x:secret@" + addr + "/y"}, nil, "cannot be reached", "start it")
	})
	t.Run("no such database", func(t *testing.T) {
		d := postgresDatabase(t)
		openError(t, store.Options{DSN: strings.Replace(d.dsn, "/t", "/missing", 1)}, nil, "createdb")
	})
}

func TestANewerStoreIsRefused(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		d.open(t).Close()
		must(t, tryChange(d, "INSERT INTO schema_version (version, applied_at) VALUES (999, 0)"))
		openError(t, d.o, store.ErrTooNew, "999", "newer Postern")
	})
}

func TestAClosedStoreSaysSo(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		must(t, s.Close())
		s.Close()
		want(t, "accept", s.Accept(t.Context(), newMail("acme", 10)), store.ErrClosed)
	})
}

func TestALostServerIsAnErrorAndThenWorksAgain(t *testing.T) {
	d := postgresDatabase(t)
	s := d.open(t)
	accept(t, s, newMail("acme", 10))
	u, err := url.Parse(d.dsn)
	must(t, err)
	must(t, tryChange(database{driver: "pgx", dsn: postgrestest.Beside(d.dsn, "postgres")}, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+path.Base(u.Path)+"'"))
	for deadline := time.Now().Add(time.Minute); ; {
		err := s.Accept(t.Context(), newMail("acme", 10))
		if err == nil {
			return
		}
		if errors.Is(err, store.ErrFailed) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestPostgreSQLCompilesNoStatement(t *testing.T) {
	s := postgresDatabase(t).open(t)
	var jit string
	must(t, s.Readers().QueryRow("SHOW jit").Scan(&jit))
	if jit != "off" {
		t.Errorf("jit is %s: what nobody waits for any more goes on in the server", jit)
	}
}
