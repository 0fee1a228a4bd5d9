// Package postgrestest runs a real PostgreSQL server for tests. Only tests import
// it.
package postgrestest

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // "pgx"

	"postern/internal/freeport"
)

// server is the one of this process, started when first asked for.
var server = sync.OnceValues(start)

// A running server ends when its input is closed, at the latest by the end of the
// process.
type running struct {
	dsn   string
	input io.Closer // held, since an unreachable file is closed
}

// errMissing is a machine on which no server is installed and none can be.
var errMissing = errors.New("PostgreSQL is not installed: apt-get install postgresql")

// Database is the DSN of a new, empty database. The test is skipped where there is
// no server; one that is there and does not start fails it.
func Database(t testing.TB) (dsn string) {
	t.Helper()
	at, err := server()
	if errors.Is(err, errMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal("PostgreSQL does not start: ", err)
	}
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	if err := Exec(at.dsn, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return Beside(at.dsn, name)
}

// Beside is the DSN of another database of the same server.
func Beside(dsn, database string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn
	}
	u.Path = "/" + database
	return u.String()
}

// Exec runs one statement.
func Exec(dsn, statement string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(statement)
	return err
}

// keep runs the server as long as its standard input is open, that is as long as
// the tests' process lives however it ends, and leaves nothing behind.
const keep = `"$@" & read -r _; kill -QUIT $!; wait; rm -rf "$HOME"`

// start makes a server in a new folder, on a loopback port. The programs are
// Debian's; root installs them if they are missing.
func start() (*running, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postern-pg-*")
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the tests; keep sees them end
	if os.Getuid() == 0 {                       // initdb refuses root
		if attr.Credential, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...)
		c.Dir, c.SysProcAttr, c.Env = dir, attr, []string{"LC_ALL=C.UTF-8", "PATH=" + bin + ":/usr/bin:/bin", "HOME=" + dir}
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postern", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	addr, err := freeport.Loopback()
	if err != nil {
		return nil, err
	}
	fsync := "off"
	if v := os.Getenv("POSTERN_PG_FSYNC"); v != "" {
		fsync = v
	}
	c := command("/bin/sh", "-c", keep, "keep", filepath.Join(bin, "postgres"), "-D", data, "-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(int(addr.Port())),
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "fsync="+fsync)
	input, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	dsn := fmt.Sprintf("postgres://postern@%s/postgres?sslmode=disable", addr)
	return &running{dsn, input}, await(dsn)
}

// programs is the folder of the newest installed server.
func programs() (string, error) {
	const where = "/usr/lib/postgresql/*/bin"
	found, _ := filepath.Glob(where)
	if len(found) == 0 && os.Getuid() == 0 {
		if out, err := exec.Command("apt-get", "install", "-y", "-q", "postgresql").CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w; it says: %w: %s", errMissing, err, lastLine(out))
		}
		found, _ = filepath.Glob(where)
	}
	if len(found) == 0 {
		return "", errMissing
	}
	return found[len(found)-1], nil
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
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("user %s has no number: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func await(dsn string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for range 300 {
		if err = db.Ping(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the server does not answer: %w", err)
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
