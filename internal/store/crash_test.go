package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// writeUntilKilled is the child of TestNothingAcknowledgedIsLostByKill: it accepts
// messages and prints the id of each that was acknowledged.
func writeUntilKilled(dir string) {
	s, err := store.Open(context.Background(), store.Options{Folder: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		os.Stdout.WriteString(line + "\n")
	}
	for range 16 {
		go func() {
			for {
				m := newMail("acme", 3000, "a@example.com", "b@example.com")
				copy(m.Octets, m.ID)
				if err := s.Accept(context.Background(), m); err != nil {
					say("error " + err.Error())
					return
				}
				say("accepted " + string(m.ID))
				if _, err := s.Advance(context.Background(), delivered(m, 0)); err != nil {
					say("error " + err.Error())
					return
				}
				say("delivered " + string(m.ID))
			}
		}()
	}
	select {}
}

func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	kills := 5
	if testing.Short() {
		kills = 1
	}
	dir := t.TempDir()
	said := make(map[mail.ID]string)
	for range kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "POSTERN_STORE_WRITER="+dir)
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said0, enough := len(said), 20+rand.IntN(200) // messages until it is killed
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, id, ok := strings.Cut(lines.Text(), " ")
			if !ok || what == "error" {
				t.Errorf("child: %s", lines.Text())
			} else if mail.ID(id).Valid() { // the last line may be cut
				if said[mail.ID(id)] = what; len(said) == said0+enough {
					time.AfterFunc(rand.N(50*time.Millisecond), func() { child.Process.Kill() })
					enough = -1
				}
			}
		}
		child.Wait()
	}
	if len(said) < 50 {
		t.Fatalf("only %d messages in all", len(said))
	}
	s, err := store.Open(t.Context(), store.Options{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, what := range said {
		m := message(t, s, id)
		if len(m.Recipients) != 2 || what == "delivered" && m.Recipients[0].State != mail.Delivered {
			t.Errorf("%s was %s: %+v", id, what, m.Recipients)
		}
		if b, _, err := s.Octets(t.Context(), id); err != nil || !bytes.HasPrefix(b, []byte(id)) {
			t.Errorf("octets of %s: %v", id, err)
		}
	}
	rows, err := s.Trace(t.Context(), store.TraceFilter{Limit: 1 << 20})
	if err != nil || len(rows)%2 != 0 || len(rows) < 2*len(said) {
		t.Errorf("%d rows of %d acknowledged messages, %v", len(rows), len(said), err)
	}
	left := make(map[mail.ID]bool)
	for {
		work, err := s.Claim(t.Context(), time.Now(), 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(work) == 0 {
			break
		}
		for _, w := range work {
			left[w.Message.ID] = true
		}
	}
	if len(left)*2 != len(rows) {
		t.Errorf("%d messages to go on with, %d in the ledger", len(left), len(rows)/2)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// swap puts another file under the descriptors that the process has open for
// path, so that the disk seems to fail.
func swap(t *testing.T, path, with string) {
	t.Helper()
	fd, err := syscall.Open(with, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc:", err)
	}
	swapped := 0
	for _, e := range all {
		var n int
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || to != path {
			continue
		}
		fmt.Sscan(e.Name(), &n)
		if err := syscall.Dup3(fd, n, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		swapped++
	}
	if swapped == 0 {
		t.Fatalf("%s is not open", path)
	}
}

func TestAFailedSyncStopsTheStore(t *testing.T) {
	d := sqliteDatabase(t)
	s := d.open(t)
	first := accept(t, s, newMail("acme", 100))
	swap(t, filepath.Join(d.o.Folder, "postern.db-wal"), "/dev/null") // takes every write, refuses to sync
	lost := newMail("acme", 100)
	if err := s.Accept(t.Context(), lost); !errors.Is(err, store.ErrFailed) {
		t.Fatalf("accept without a disk: %v", err)
	}
	for range 3 {
		if err := s.Accept(t.Context(), newMail("acme", 100)); !errors.Is(err, store.ErrFailed) {
			t.Errorf("and again: %v", err)
		}
	}
	if !errors.Is(s.Failed(), store.ErrFailed) {
		t.Errorf("Failed() is %v", s.Failed())
	}
	s.Close()
	s = d.open(t)
	message(t, s, first.ID)
	if _, err := s.Message(t.Context(), "", lost.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was refused is there: %v", err)
	}
	accept(t, s, newMail("acme", 100))
}

// TestDiskFull needs a small file system, so it runs itself in a mount namespace.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv("POSTERN_STORE_FULL"); dir != "" {
		fillDisk(t, dir)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("needs unshare (util-linux)")
	}
	dir := t.TempDir()
	script := `mount -t tmpfs -o size=4m none "$POSTERN_STORE_FULL" || exit 77; exec "$0" -test.run '^TestDiskFull$' -test.v`
	c := exec.Command("unshare", "-m", "sh", "-c", script, os.Args[0])
	c.Env = append(os.Environ(), "POSTERN_STORE_FULL="+dir)
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() == 77 || strings.Contains(string(out), "Operation not permitted") {
		t.Skipf("no tmpfs can be mounted here: %s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fillDisk(t *testing.T, dir string) {
	ctx := t.Context()
	s, err := store.Open(ctx, store.Options{Folder: dir})
	must(t, err)
	defer func() {
		if s != nil { // a full disk may also be too full to open
			s.Close()
		}
	}()
	var kept []*store.Message
	var full *store.Message
	for range 1000 {
		m := newMail("acme", 20_000, "a@example.com", "b@example.com")
		if err = s.Accept(ctx, m); err != nil {
			full = m
			break
		}
		kept = append(kept, m)
	}
	if full == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("%d messages fit, then: %v", len(kept), err)
	}
	if s.Failed() != nil {
		t.Errorf("a full disk is not a broken one: %v", s.Failed())
	}
	rows, err := s.Trace(ctx, store.TraceFilter{Limit: 10_000})
	if err != nil || len(rows) != 2*len(kept) {
		t.Errorf("%d rows of %d accepted messages, %v", len(rows), len(kept), err)
	}
	if _, err := s.Message(ctx, "", full.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of the refused message is there: %v", err)
	}
	s.Close()
	s, err = store.Open(ctx, store.Options{Folder: dir})
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil && !strings.Contains(err.Error(), "full") {
		t.Errorf("opened again: %v", err)
	}
	t.Logf("%d messages fit", len(kept))
}
