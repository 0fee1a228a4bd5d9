package spool_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"postern/internal/mail"
	"postern/internal/spool"
)

// each runs test against both places.
func each(t *testing.T, test func(t *testing.T, s *spool.Spool)) {
	t.Run("folder", func(t *testing.T) {
		s, err := spool.Folder(filepath.Join(t.TempDir(), "spool"))
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
	t.Run("bucket", func(t *testing.T) { test(t, newBucket(t)) })
}

func newBucket(t *testing.T) *spool.Spool {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("octets"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(srv.Close)
	s, err := spool.Bucket(t.Context(), spool.BucketOptions{
		Endpoint: strings.TrimPrefix(srv.URL, "http://"), Bucket: "octets", Prefix: "postern/",
		Region: "us-east-1", AccessKey: "k", SecretKey: "s", Plain: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func random(n int, seed uint64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return io.LimitReader(rand.NewChaCha8(key), int64(n))
}

func read(t *testing.T, s *spool.Spool, id mail.ID) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func list(t *testing.T, s *spool.Spool) map[mail.ID]time.Time {
	t.Helper()
	all := make(map[mail.ID]time.Time)
	if err := s.List(t.Context(), func(id mail.ID, at time.Time) error { all[id] = at; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPutGivesBackWhatItTook(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		for i, n := range []int{1, 300 << 10, 5 << 20, 5<<20 + 1, 12 << 20} {
			id := mail.NewID()
			want, _ := io.ReadAll(random(n, uint64(i)))
			size, err := s.Put(t.Context(), id, iotest.HalfReader(bytes.NewReader(want)))
			if err != nil || size != int64(n) {
				t.Fatalf("put %d: %d, %v", n, size, err)
			}
			if got := read(t, s, id); !bytes.Equal(got, want) {
				t.Errorf("%d octets came back as %d", n, len(got))
			}
		}
		if got := list(t, s); len(got) != 5 {
			t.Errorf("%d objects listed, want 5", len(got))
		}
	})
}

func TestAnObjectIsNeverChanged(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		id := mail.NewID()
		if _, err := s.Put(t.Context(), id, strings.NewReader("first")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), id, strings.NewReader("second")); !errors.Is(err, spool.ErrExists) {
			t.Errorf("second put: %v", err)
		}
		if got := read(t, s, id); string(got) != "first" {
			t.Errorf("it is now %q", got)
		}
	})
}

func TestDeleteAndNotFound(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		id, never := mail.NewID(), mail.NewID()
		if _, err := s.Put(t.Context(), id, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []mail.ID{id, never} {
			if _, err := s.Open(t.Context(), id); !errors.Is(err, spool.ErrNotFound) {
				t.Errorf("open: %v", err)
			}
		}
		if got := list(t, s); len(got) != 0 {
			t.Errorf("still listed: %v", got)
		}
	})
}

func TestOnlyIDsAreNames(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		for _, id := range []mail.ID{"", "..", "../../etc/passwd", "/etc/passwd", "01ARZ3NDEKTSV4RRFFQ69G5FA/", "unfinished"} {
			if _, err := s.Put(t.Context(), id, strings.NewReader("x")); err == nil {
				t.Errorf("put %q", id)
			}
			if _, err := s.Open(t.Context(), id); err == nil {
				t.Errorf("open %q", id)
			}
			if err := s.Delete(t.Context(), id); err == nil {
				t.Errorf("delete %q", id)
			}
		}
	})
}

func TestAFailedPutLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		broken := errors.New("client went away")
		for _, before := range []int{0, 1000, 6 << 20} {
			id := mail.NewID()
			_, err := s.Put(t.Context(), id, io.MultiReader(random(before, 1), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("after %d octets: %v", before, err)
			}
			if _, err := s.Open(t.Context(), id); !errors.Is(err, spool.ErrNotFound) {
				t.Errorf("after %d octets something is there: %v", before, err)
			}
			if _, err := s.Put(t.Context(), id, strings.NewReader("again")); err != nil {
				t.Errorf("the next try: %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Put(ctx, mail.NewID(), random(1<<20, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("put with an ended context: %v", err)
		}
		if got := list(t, s); len(got) != 3 {
			t.Errorf("%d objects, want 3", len(got))
		}
	})
}

func TestListTellsTimesAndStopsWhenTold(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		start := time.Now().Add(-2 * time.Second)
		for range 20 {
			if _, err := s.Put(t.Context(), mail.NewID(), strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}
		for id, at := range list(t, s) {
			if at.Before(start) || at.After(time.Now().Add(2*time.Second)) {
				t.Errorf("%s modified at %v", id, at)
			}
		}
		enough, n := errors.New("enough"), 0
		err := s.List(t.Context(), func(mail.ID, time.Time) error { n++; return enough })
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("%d calls, %v", n, err)
		}
		if err := s.List(t.Context(), func(id mail.ID, _ time.Time) error { return s.Delete(t.Context(), id) }); err != nil {
			t.Errorf("deleting while listing: %v", err)
		}
		if free, err := s.Free(t.Context()); err != nil || free == 0 {
			t.Errorf("free: %d, %v", free, err)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *spool.Spool) {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				id := mail.NewID()
				if _, err := s.Put(t.Context(), id, random(200<<10, uint64(i))); err != nil {
					t.Error(err)
					return
				}
				want, _ := io.ReadAll(random(200<<10, uint64(i)))
				if sha256.Sum256(read(t, s, id)) != sha256.Sum256(want) {
					t.Errorf("object %d is another's", i)
				}
			})
		}
		all.Wait()
	})
}

func TestFolderHoldsLittleInMemory(t *testing.T) {
	s, err := spool.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := s.Put(t.Context(), mail.NewID(), random(64<<20, 1)); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("64 MiB took %d octets of memory", used)
	}
}

func TestFolderIgnoresStrangersAndForgottenPieces(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	id := mail.NewID()
	if _, err := s.Put(t.Context(), id, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	write := func(path string) string {
		path = filepath.Join(dir, path)
		if err := os.WriteFile(path, []byte("?"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("README")
	write(string(mail.NewID())) // an id, but not at its place
	young, old := write("unfinished/"+string(mail.NewID())), write("unfinished/"+string(mail.NewID()))
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-7*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s, err = spool.Folder(dir); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s); len(got) != 1 || got[id].IsZero() {
		t.Errorf("listed %v", got)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what may be at work was removed: %v", err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what a crash left is still there")
	}
}

func TestFolderFollowsNoLinkOutside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s, err := spool.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	id := mail.NewID()
	if err := os.Symlink(outside, filepath.Join(dir, string(id[25:]))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), id, strings.NewReader("x")); err == nil {
		t.Error("written through a link")
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("outside there is %v", left)
	}
}

func TestBucketThatIsNotThere(t *testing.T) {
	srv := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	o := spool.BucketOptions{Endpoint: strings.TrimPrefix(srv.URL, "http://"), Bucket: "octets", Region: "us-east-1", AccessKey: "k", SecretKey: "s", Plain: true}
	if _, err := spool.Bucket(t.Context(), o); err == nil || !strings.Contains(err.Error(), "create it") {
		t.Errorf("missing bucket: %v", err)
	}
	srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := spool.Bucket(ctx, o); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("service down: %v", err)
	}
}
