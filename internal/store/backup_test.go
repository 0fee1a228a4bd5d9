package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestASnapshotIsOneMomentOfARunningStore(t *testing.T) {
	s := sqliteDatabase(t).open(t)
	first := accept(t, s, newMail("acme", 9000, "ann@example.com"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = s.Accept(context.Background(), newMail("acme", 9000, "ann@example.com"))
		}
	}()
	folder := t.TempDir()
	err := s.Snapshot(t.Context(), filepath.Join(folder, "postern.db"))
	stop()
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	copied, err := store.Open(t.Context(), store.Options{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if err := copied.Check(t.Context()); err != nil {
		t.Error(err)
	}
	message(t, copied, first.ID)
	if err := copied.Contents(t.Context(), func(c store.Content) error {
		_, _, err := copied.Octets(t.Context(), c.ID)
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestPostgreSQLIsCopiedByItsOwnTools(t *testing.T) {
	s := postgresDatabase(t).open(t)
	if err := s.Snapshot(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNotSQLite) {
		t.Errorf("got %v", err)
	}
}

func TestContentsAreThoseSomebodyNeeds(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		want := map[mail.ID]bool{}
		for i := range 1203 { // more than two pages
			tenant := []string{"acme", "beta", "c"}[i%3]
			m := newMail(tenant, 100, "ann@example.com")
			if i%4 == 0 {
				m.Octets, m.Spooled = nil, true
			}
			accept(t, s, m)
			if i%2 == 0 {
				advance(t, s, delivered(m, 0))
				continue
			}
			want[m.ID] = m.Spooled
		}
		err := s.Contents(t.Context(), func(c store.Content) error {
			spooled, ok := want[c.ID]
			if !ok || spooled != c.Spooled {
				t.Errorf("%+v: wanted %v, spooled %v", c, ok, spooled)
			}
			delete(want, c.ID)
			return nil
		})
		if err != nil || len(want) != 0 {
			t.Errorf("%d were not named, %v", len(want), err)
		}
	})
}

func TestAfterARestoreNothingIsSentByItself(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		for _, resend := range []bool{false, true} {
			s := d.open(t)
			waiting := accept(t, s, newMail("acme", 100, "ann@example.com", "bob@example.com"))
			advance(t, s, delivered(waiting, 1))
			held := accept(t, s, newMail("acme", 100, "ann@example.com"))
			change := hold(held, 0)
			change.ExpiresAt = time.Now().Add(-time.Hour)
			advance(t, s, change)
			lost := newMail("acme", 100, "ann@example.com")
			lost.Octets, lost.Spooled = nil, true
			accept(t, s, lost)
			done, err := s.AfterRestore(t.Context(), "Restored.", 24*time.Hour, resend, func(store.Content) bool { return false })
			if err != nil {
				t.Fatal(err)
			}
			if want := (store.Restored{Held: 1, Ended: 1}); !resend && done != want {
				t.Errorf("did %+v, want %+v", done, want)
			}
			got := message(t, s, waiting.ID).Recipients
			if state := map[bool]mail.State{false: mail.Held, true: mail.Accepted}[resend]; got[0].State != state || got[1].State != mail.Delivered {
				t.Errorf("resend %v: states are %s, %s", resend, got[0].State, got[1].State)
			}
			if !resend && (got[0].Reasons[0] != "Restored." || got[0].Verdict != mail.Unjudged || !got[0].ExpiresAt.After(time.Now()) || len(got[0].Events) != 2) {
				t.Errorf("held as %+v", got[0])
			}
			if !resend {
				if err := s.Release(t.Context(), waiting.ID, 0, "test"); err != nil {
					t.Errorf("a restored copy cannot be released: %v", err)
				}
			}
			if kept := message(t, s, held.ID).Recipients[0]; kept.State != mail.Held || !kept.ExpiresAt.After(time.Now().Add(23*time.Hour)) {
				t.Errorf("what was held ends at %v in state %s", kept.ExpiresAt, kept.State)
			}
			if got := message(t, s, lost.ID).Recipients[0]; got.State != mail.Dropped || !strings.Contains(got.Events[len(got.Events)-1].Text, "not in the backup") {
				t.Errorf("without content: %+v", got)
			}
		}
	})
}

func TestFlawsOfTheLedgerAreNamed(t *testing.T) {
	for _, tt := range []struct{ name, damage, text string }{
		{"none", "SELECT 1", ""},
		{"a recipient is gone", "DELETE FROM recipients WHERE n = 1", "number of recipients"},
		{"a message is gone", "DELETE FROM messages", "has no message"},
		{"a state nobody knows", "UPDATE recipients SET state = 'lost'", "does not exist"},
		{"nothing to wait for", "UPDATE recipients SET next_at = NULL", "nobody would take it up"},
		{"octets of nobody", "UPDATE messages SET octets = 77", "no recipient needs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := sqliteDatabase(t)
			s := d.open(t)
			must(t, s.AddTenant(t.Context(), store.Tenant{Tenant: mail.Tenant{ID: "acme"}}))
			m := accept(t, s, newMail("acme", 100, "ann@example.com", "bob@example.com"))
			must(t, tryChange(d, tt.damage))
			found, err := s.Flaws(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.text == "" {
				if len(found) != 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			for _, f := range found {
				if strings.Contains(f.Text, tt.text) && f.Object != "" {
					return
				}
			}
			t.Errorf("%s: found %+v", m.ID, found)
		})
	}
}

func TestFlawsAreFoundInTimeThatGrowsWithTheMail(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		must(t, s.AddTenant(t.Context(), store.Tenant{Tenant: mail.Tenant{ID: "acme"}}))
		look := func() time.Duration {
			best := time.Hour
			for range 3 { // the best of three, because others use the machine too
				began := time.Now()
				if found, err := s.Flaws(t.Context()); err != nil || len(found) != 0 {
					t.Errorf("%+v, %v", found, err)
				}
				best = min(best, time.Since(began))
			}
			return best
		}
		acceptMany(t, s, 1000)
		few := look()
		acceptMany(t, s, 7000)
		many := look()
		for try := 1; many > 24*few+100*time.Millisecond; try++ { // eight times as much mail; a quadratic statement takes 64 times as long
			if try == 10 {
				t.Fatalf("1,000 messages took %v, 8,000 took %v", few, many)
			}
			time.Sleep(time.Duration(try) * 100 * time.Millisecond) // a neighbour's work comes and goes
			many = min(many, look())
		}
	})
}

// acceptMany takes n messages in, 32 at a time.
func acceptMany(t *testing.T, s *store.Store, n int) {
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range (n + i) / 32 {
				if err := s.Accept(context.Background(), newMail("acme", 100)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
