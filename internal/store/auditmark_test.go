package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/store"
)

// R40: whichever one of many entries is changed, removed or put elsewhere, it shows.
// 100,000 entries unless the tests are to be short.
func TestAnyOneEntryThatIsTamperedWithShows(t *testing.T) {
	entries := 100_000
	if testing.Short() {
		entries = 2_000
	}
	d := sqliteDatabase(t)
	s := d.open(t, func(o *store.Options) { o.AuditKey = [32]byte{1} })
	ctx := t.Context()
	var all sync.WaitGroup
	for worker := range 500 {
		all.Go(func() {
			for i := range entries / 500 {
				if err := s.Audit(ctx, store.AuditEntry{Actor: "ann", Tenant: "acme", Action: "mail.read", Object: fmt.Sprint(worker, "-", i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	began := time.Now()
	if n, err := s.AuditVerify(ctx); err != nil || n != int64(entries) {
		t.Fatalf("%d %v", n, err)
	}
	t.Logf("verified %d entries in %s", entries, time.Since(began))
	must(t, tryChange(d, "DROP TRIGGER audit_keep; DROP TRIGGER audit_stay"))
	pick := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		at := 1 + pick.IntN(entries-1)
		must(t, tryChange(d, fmt.Sprintf("CREATE TABLE kept AS SELECT * FROM audit WHERE seq IN (%d, %d)", at, at+1)))
		change := []string{
			fmt.Sprintf("UPDATE audit SET object = object || 'x' WHERE seq = %d", at),
			fmt.Sprintf("DELETE FROM audit WHERE seq = %d", at),
			fmt.Sprintf("UPDATE audit SET seq = -1 WHERE seq = %d; UPDATE audit SET seq = %d WHERE seq = %d; UPDATE audit SET seq = %d WHERE seq = -1", at, at, at+1, at+1),
		}[i%3]
		must(t, tryChange(d, change))
		n, err := s.AuditVerify(ctx)
		if want(t, change, err, store.ErrTampered); n != int64(at-1) {
			t.Errorf("%s: said to be whole up to %d", change, n)
		}
		must(t, tryChange(d, fmt.Sprintf("DELETE FROM audit WHERE seq IN (%d, %d); INSERT INTO audit SELECT * FROM kept; DROP TABLE kept", at, at+1)))
	}
	if n, err := s.AuditVerify(ctx); err != nil || n != int64(entries) {
		t.Errorf("put back: %d %v", n, err)
	}
}

// Who has the key and writes the whole log anew is found out by the marks elsewhere.
func TestALogMadeAnewShowsAgainstItsMarks(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t, func(o *store.Options) { o.AuditKey = [32]byte{1} })
		ctx := t.Context()
		if m, err := s.AuditMark(ctx); err != nil || m.Seq != 0 {
			t.Fatalf("an empty log: %+v %v", m, err)
		}
		write := func(actor string, n int) {
			for range n {
				must(t, s.Audit(ctx, store.AuditEntry{Actor: actor, Action: "mail.read"}))
			}
		}
		var file bytes.Buffer
		for range 3 {
			write("eve", 4)
			m, err := s.AuditMark(ctx)
			must(t, err)
			fmt.Fprintln(&file, m)
		}
		marks, err := store.ReadAuditMarks(bytes.NewReader(file.Bytes()))
		if err != nil || len(marks) != 3 || marks[2].Seq != 12 {
			t.Fatalf("%+v %v", marks, err)
		}
		write("eve", 2)
		if n, err := s.AuditVerify(ctx, marks...); err != nil || n != 14 {
			t.Errorf("as it was: %d %v", n, err)
		}
		unlock := map[string]string{"sqlite": "DROP TRIGGER audit_keep; DROP TRIGGER audit_stay", "postgres": "DROP TRIGGER audit_keep ON audit"}
		must(t, tryChange(d, unlock[d.name]))
		must(t, tryChange(d, "DELETE FROM audit"))
		write("ann", 14) // with the right key
		if n, err := s.AuditVerify(ctx); err != nil || n != 14 {
			t.Errorf("by itself: %d %v", n, err)
		}
		_, err = s.AuditVerify(ctx, marks...)
		want(t, "made anew", err, store.ErrTampered)
		must(t, tryChange(d, "DELETE FROM audit"))
		write("ann", 1)
		_, err = s.AuditVerify(ctx, marks[2])
		want(t, "cut", err, store.ErrTampered)
		if _, err := store.ReadAuditMarks(strings.NewReader("yesterday 5 x\n")); err == nil {
			t.Error("a line that is no mark")
		}
	})
}

// R52: who read what, of a million entries, within five seconds.
func TestWhoReadWhatIsFoundInAMillionEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("a million entries take some seconds")
	}
	d := sqliteDatabase(t)
	s := d.open(t)
	must(t, tryChange(d, `INSERT INTO audit (seq, at, actor, tenant, action, object, before, after, mac)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
		SELECT i, 1700000000000 + i * 1000, 'user' || (i % 50) || '@example.com', 't' || (i % 7), CASE WHEN i % 9 THEN 'sender.block' ELSE 'mail.read' END, 'm' || i || '.0', '', 'content: asked for', x'00' FROM n`))
	for _, f := range []store.AuditFilter{
		{Tenant: "t3", Action: "mail.read", Limit: 100},
		{Actor: "user9@example.com", Action: "mail.read", Since: time.UnixMilli(1700000000000), Limit: 100_000},
		{Object: "m9.0"}, // the oldest
		{Object: "nothing"},
	} {
		began := time.Now()
		found, err := s.AuditLog(t.Context(), f)
		must(t, err)
		took := time.Since(began)
		t.Logf("%+v: %d entries in %s", f, len(found), took)
		if took > 5*time.Second || (len(found) == 0) != (f.Object == "nothing") {
			t.Errorf("%+v: %d entries in %s", f, len(found), took)
		}
	}
}
