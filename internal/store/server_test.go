package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/internal/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("POSTERN_STORE_WRITER"); dir != "" {
		writeUntilKilled(dir)
	}
	runtime.LockOSThread() // the server dies with this thread, see startPostgres
	private.request, private.ready = make(chan struct{}), make(chan struct{})
	go func() { os.Exit(finish(m.Run())) }()
	<-private.request
	private.dsn, private.why = startPostgres()
	close(private.ready)
	select {}
}

// private is the PostgreSQL server of this test run, started when first asked for.
var private struct {
	once    sync.Once
	request chan struct{} // closed to start it
	ready   chan struct{} // closed when it runs, or cannot
	dsn     func(database string) string
	why     string // there is none; "" if there is
	dir     string
	cmd     *exec.Cmd
}

func finish(code int) int {
	if private.cmd != nil {
		private.cmd.Process.Signal(syscall.SIGQUIT)
		private.cmd.Wait()
	}
	if private.dir != "" {
		os.RemoveAll(private.dir)
	}
	return code
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
	private.once.Do(func() { close(private.request) })
	<-private.ready
	if private.why != "" {
		t.Skip("no PostgreSQL: " + private.why)
	}
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	if err := tryChange(database{driver: "pgx", dsn: private.dsn("postgres")}, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	dsn := private.dsn(name)
	return database{name: "postgres", o: store.Options{DSN: dsn, Node: "one"}, driver: "pgx", dsn: dsn}
}

// startPostgres starts a server of its own in a new folder on a loopback port. The
// programs are Debian's; if they are missing, root installs them. why says in
// words what makes it impossible.
func startPostgres() (dsn func(string) string, why string) {
	bin := programs()
	if bin == "" && os.Getuid() == 0 {
		out, err := exec.Command("apt-get", "install", "-y", "-q", "postgresql").CombinedOutput()
		if err != nil {
			return nil, fmt.Sprintf("it is not installed, and apt-get install postgresql says: %v: %s", err, lastLine(out))
		}
		bin = programs()
	}
	if bin == "" {
		return nil, "it is not installed: apt-get install postgresql"
	}
	dir, err := os.MkdirTemp("", "postern-pg-*")
	if err != nil {
		return nil, err.Error()
	}
	private.dir = dir
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 { // initdb refuses root
		if attr.Credential, err = unprivileged(); err != nil {
			return nil, err.Error()
		}
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return nil, err.Error()
		}
	}
	run := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...)
		c.Dir, c.SysProcAttr, c.Env = dir, attr, []string{"LC_ALL=C.UTF-8", "PATH=" + bin + ":/usr/bin:/bin", "HOME=" + dir}
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "postern", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Sprintf("initdb: %v: %s", err, lastLine(out))
	}
	port := freePort()
	private.cmd = run("postgres", "-D", data, "-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "fsync="+env("POSTERN_PG_FSYNC", "off"))
	if err := private.cmd.Start(); err != nil {
		private.cmd = nil
		return nil, err.Error()
	}
	dsn = func(database string) string {
		return fmt.Sprintf("postgres://postern@127.0.0.1:%d/%s?sslmode=disable", port, database)
	}
	return dsn, waitFor(dsn("postgres"))
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func programs() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

func unprivileged() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("user %s has no number", u.Username)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 54329
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func waitFor(dsn string) (why string) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	for range 300 {
		if err = db.Ping(); err == nil {
			return ""
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "the server does not answer: " + err.Error()
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
