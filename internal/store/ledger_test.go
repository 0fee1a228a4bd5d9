package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postern/internal/mail"
	"postern/internal/store"
)

func accept(t testing.TB, s *store.Store, m *store.Message) *store.Message {
	t.Helper()
	if err := s.Accept(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

func advance(t testing.TB, s *store.Store, c ...store.Change) []mail.ID {
	t.Helper()
	finished, err := s.Advance(t.Context(), c...)
	if err != nil {
		t.Fatal(err)
	}
	return finished
}

func message(t testing.TB, s *store.Store, id mail.ID) *store.Message {
	t.Helper()
	m, err := s.Message(t.Context(), "", id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hold(m *store.Message, n int) store.Change {
	return store.Change{Message: m.ID, Tenant: m.Tenant, N: n, State: mail.Held, ExpiresAt: time.Now().Add(30 * 24 * time.Hour),
		Decision: &mail.Decision{Verdict: mail.Phish, Action: mail.Hold, Score: 70, Reasons: []string{"looks like paypal.com", "two\nlines \\ here"}}}
}

func TestAcceptedMessageComesBackAsItWas(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		m := newMail("acme", 9000, "Ann@example.com", `"odd name"@example.com`)
		m.Note, m.Recipients[1].Notify, m.Recipients[1].ORcpt = "held: no key", "SUCCESS,FAILURE", "rfc822;ann+2Bx@example.com"
		m.Subject = "caf\xe9 \x00 and tab\t"
		octets := bytes.Clone(m.Octets)
		accept(t, s, m)
		for range 2 { // before and after a restart
			got := message(t, s, m.ID)
			want := *m
			want.Octets, want.Subject = nil, "caf\uFFFD \uFFFD and tab\t"
			want.Received = want.Received.Truncate(time.Millisecond).UTC()
			clear(want.Digest[16:])
			ms := cmpopts.EquateApproxTime(time.Millisecond)
			if diff := cmp.Diff(&want, got, ms, cmp.Comparer(func(a, b mail.Envelope) bool { return a.Client == b.Client && a.From == b.From && a.TLS == b.TLS }),
				cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			back, spooled, err := s.Octets(t.Context(), m.ID)
			if err != nil || spooled || !bytes.Equal(back, octets) {
				t.Errorf("octets: %d, %v, %v", len(back), spooled, err)
			}
			s.Close()
			s = d.open(t)
		}
	})
}

func TestAcceptRefuses(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		m := accept(t, s, newMail("acme", 10))
		if err := s.Accept(t.Context(), m); !errors.Is(err, store.ErrExists) {
			t.Errorf("twice: %v", err)
		}
		for name, spoil := range map[string]func(*store.Message){
			"no id":        func(m *store.Message) { m.ID = "x" },
			"no tenant":    func(m *store.Message) { m.Tenant = "" },
			"no recipient": func(m *store.Message) { m.Recipients = nil },
			"no octets":    func(m *store.Message) { m.Octets = nil },
			"octets twice": func(m *store.Message) { m.Spooled = true },
		} {
			bad := newMail("acme", 10)
			spoil(bad)
			if err := s.Accept(t.Context(), bad); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if _, err := s.Message(t.Context(), "", mail.NewID()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unknown message: %v", err)
		}
		if _, err := s.Message(t.Context(), "other", m.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another tenant's message: %v", err)
		}
	})
}

func TestADuplicateInAGroupDoesNotHarmTheOthers(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		taken := accept(t, s, newMail("acme", 10))
		var all sync.WaitGroup
		var refused atomic.Int32
		for i := range 64 {
			all.Go(func() {
				m := newMail("acme", 10)
				if i%4 == 0 {
					m.ID = taken.ID
				}
				switch err := s.Accept(t.Context(), m); {
				case errors.Is(err, store.ErrExists):
					refused.Add(1)
				case err != nil:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if refused.Load() != 16 {
			t.Errorf("%d refused, want 16", refused.Load())
		}
		if rows, err := s.Trace(t.Context(), store.TraceFilter{Limit: 1000}); err != nil || len(rows) != 49 {
			t.Errorf("%d rows, want 49, %v", len(rows), err)
		}
	})
}

func TestOctetsGoWithTheLastRecipientThatNeedsThem(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		m := accept(t, s, newMail("acme", 500, "a@example.com", "b@example.com", "c@example.com"))
		there := func() bool {
			_, _, err := s.Octets(t.Context(), m.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			needed, err2 := s.Needed(t.Context(), m.ID)
			if err2 != nil || needed != (err == nil) {
				t.Errorf("needed %v, %v; octets %v", needed, err2, err)
			}
			return err == nil
		}
		advance(t, s, delivered(m, 0), hold(m, 1))
		if !there() {
			t.Error("gone while two need them")
		}
		advance(t, s, store.Change{Message: m.ID, N: 2, State: mail.Returned, Reply: "550 5.1.1 no such user"})
		if !there() {
			t.Error("gone while one is held")
		}
		if err := s.Delete(t.Context(), m.ID, 1, "ann"); err != nil {
			t.Fatal(err)
		}
		if there() {
			t.Error("still there")
		}
		got := message(t, s, m.ID).Recipients[1]
		if got.State != mail.Dropped || got.Events[len(got.Events)-1].Text != "deleted by ann" {
			t.Errorf("%+v", got)
		}
		both := accept(t, s, newMail("acme", 500, "a@example.com", "b@example.com"))
		advance(t, s, delivered(both, 0), delivered(both, 1))
		if _, _, err := s.Octets(t.Context(), both.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("both delivered at once: %v", err)
		}
	})
}

func TestAdvanceNamesTheSpooledMessagesThatEnded(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		m := newMail("acme", 0, "a@example.com", "b@example.com")
		m.Spooled, m.Octets, m.Size = true, nil, 1<<20
		accept(t, s, m)
		if _, spooled, err := s.Octets(t.Context(), m.ID); !spooled || err != nil {
			t.Errorf("octets: %v %v", spooled, err)
		}
		if got := advance(t, s, delivered(m, 0)); len(got) > 0 {
			t.Errorf("after one: %v", got)
		}
		if got := advance(t, s, delivered(m, 1)); !slices.Equal(got, []mail.ID{m.ID}) {
			t.Errorf("after both: %v", got)
		}
	})
}

func TestAdvanceIsAllOrNothingAndKeepsWhatIsNotNamed(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		a, b := accept(t, s, newMail("acme", 10)), accept(t, s, newMail("acme", 10))
		advance(t, s, delivered(b, 0))
		if _, err := s.Advance(t.Context(), hold(a, 0), hold(b, 0)); !errors.Is(err, store.ErrFenced) {
			t.Errorf("changing an ended recipient: %v", err)
		}
		if got := message(t, s, a.ID).Recipients[0].State; got != mail.Accepted {
			t.Errorf("half of it was done: %s", got)
		}
		next := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		c := hold(a, 0)
		c.State, c.Judgement, c.NextAt, c.Attempts, c.MTA, c.Reply, c.ExpiresAt = mail.Delivering, judgement, next, 3, "mx:25", "451 4.3.0 later", time.Time{}
		advance(t, s, c)
		s.Close()
		s = d.open(t)
		if _, err := s.Claim(t.Context(), next, 10); err != nil {
			t.Fatal(err)
		}
		advance(t, s, store.Change{Message: a.ID, State: mail.Judged})
		r := message(t, s, a.ID).Recipients[0]
		if r.Attempts != 3 || r.MTA != "mx:25" || r.Reply != "451 4.3.0 later" || r.Score != 70 || !r.NextAt.Equal(next) ||
			!slices.Equal(r.Reasons, []string{"looks like paypal.com", "two\nlines \\ here"}) || r.Verdict != mail.Phish {
			t.Errorf("%+v", r)
		}
		if len(r.Events) != 3 || r.Events[1].Text != "451 4.3.0 later" || r.Events[2].State != mail.Judged {
			t.Errorf("events %+v", r.Events)
		}
		j, err := s.Judgement(t.Context(), a.ID)
		if err != nil || cmp.Diff(judgement, j, cmp.Comparer(func(a, b mail.Origin) bool { return a == b })) != "" {
			t.Errorf("judgement %+v %v", j, err)
		}
		if _, err := s.Judgement(t.Context(), b.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("judgement of an unjudged message: %v", err)
		}
		if err := s.SetJudgement(t.Context(), b.ID, &mail.Judgement{Subject: "decoded"}); err != nil {
			t.Error(err)
		}
		if m := message(t, s, b.ID); m.Subject != "decoded" || m.From != "bob@sender.example" {
			t.Errorf("subject %q from %q", m.Subject, m.From)
		}
	})
}

func claim(t testing.TB, s *store.Store, now time.Time, limit int) []store.Work {
	t.Helper()
	w, err := s.Claim(t.Context(), now, limit)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestClaimTakesWhatIsDueOnceOldestFirst(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		start := time.Now()
		var want []mail.ID
		for i := range 5 {
			m := accept(t, s, newMail("acme", 10, "a@example.com", "b@example.com"))
			advance(t, s, store.Change{Message: m.ID, State: mail.Delivering, NextAt: start.Add(time.Duration(5-i) * time.Minute)})
			want = append([]mail.ID{m.ID}, want...)
		}
		if got := claim(t, s, start.Add(30*time.Second), 10); len(got) > 0 {
			t.Errorf("before its time: %+v", got)
		}
		got := claim(t, s, start.Add(4*time.Minute+time.Second), 3)
		got = append(got, claim(t, s, start.Add(4*time.Minute+time.Second), 3)...)
		var ids []mail.ID
		for _, w := range got {
			ids = append(ids, w.Message.ID)
			if len(w.Recipients) != 1 || w.Recipients[0].N != 0 || w.Recipients[0].Fence == 0 {
				t.Errorf("claimed %+v; the other recipient is with who accepted it", w.Recipients)
			}
		}
		if !slices.Equal(ids, want[:4]) {
			t.Errorf("got %v, want %v", ids, want[:4])
		}
		if got, err := s.QueueDepth(t.Context()); err != nil || got[mail.Delivering] != 5 || got[mail.Accepted] != 5 {
			t.Errorf("depth %v %v", got, err)
		}
	})
}

func TestClaimIsFairToTenants(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		past := time.Now().Add(-time.Hour)
		for i := range 43 {
			m := newMail("big", 10)
			if i >= 40 {
				m.Tenant = fmt.Sprintf("small%d", i)
			}
			m.Received = past.Add(time.Duration(i) * time.Second)
			accept(t, s, m)
		}
		s.Close()
		s = d.open(t)
		var tenants []string
		for _, w := range claim(t, s, time.Now(), 8) {
			tenants = append(tenants, w.Message.Tenant)
		}
		slices.Sort(tenants)
		if want := []string{"big", "big", "big", "big", "big", "small40", "small41", "small42"}; !slices.Equal(tenants, want) {
			t.Errorf("got %v", tenants)
		}
	})
}

func TestWhatACrashLeftIsClaimedAgain(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		m := accept(t, s, newMail("acme", 10))
		if got := claim(t, s, time.Now().Add(time.Hour), 10); len(got) > 0 {
			t.Errorf("what is in flight was claimed: %+v", got)
		}
		s.Close()
		s = d.open(t)
		got := claim(t, s, time.Now(), 10)
		if len(got) != 1 || got[0].Message.ID != m.ID {
			t.Fatalf("got %+v", got)
		}
		old := delivered(m, 0)
		old.Fence = m.Recipients[0].Fence
		if _, err := s.Advance(t.Context(), old); !errors.Is(err, store.ErrFenced) {
			t.Errorf("the lease from before the crash: %v", err)
		}
		now := delivered(m, 0)
		now.Fence = got[0].Recipients[0].Fence
		advance(t, s, now)
	})
}

func TestASecondProcessOnTheSameFolderTakesNoLease(t *testing.T) {
	d := sqliteDatabase(t)
	s := d.open(t)
	m := accept(t, s, newMail("acme", 10))
	for range 2 { // the command line, twice
		other := d.open(t)
		if got := claim(t, other, time.Now(), 10); len(got) > 0 {
			t.Errorf("it claimed %+v", got)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
	advance(t, s, delivered(m, 0))
}

func TestASilentNodeLosesItsLeases(t *testing.T) {
	d := postgresDatabase(t)
	a := d.open(t)
	b := d.open(t, func(o *store.Options) { o.Node = "two" })
	m := accept(t, a, newMail("acme", 10, "a@example.com", "b@example.com"))
	if got := claim(t, b, time.Now(), 10); len(got) > 0 {
		t.Fatalf("claimed from a live node: %+v", got)
	}
	got := claim(t, b, time.Now().Add(3*time.Minute), 1) // nothing was heard of a
	if len(got) != 1 {
		t.Fatalf("got %+v", got)
	}
	if _, err := a.Advance(t.Context(), delivered(m, got[0].Recipients[0].N)); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the silent node still advances: %v", err)
	}
	advance(t, a, delivered(m, 1-got[0].Recipients[0].N)) // this one nobody took
	if err := a.Renew(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestManyNodesShareTheWorkWithoutOverlap(t *testing.T) {
	d := postgresDatabase(t)
	first := d.open(t)
	const messages = 200
	for range messages {
		m := accept(t, first, newMail("acme", 10))
		advance(t, first, store.Change{Message: m.ID, State: mail.Delivering, NextAt: time.Now()})
	}
	var mu sync.Mutex
	taken := make(map[mail.ID]int)
	var all sync.WaitGroup
	for i := range 4 {
		s := d.open(t, func(o *store.Options) { o.Node = fmt.Sprint("node", i) })
		all.Go(func() {
			for {
				work, err := s.Claim(context.Background(), time.Now(), 7)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, w := range work {
					taken[w.Message.ID]++
				}
				done := len(taken) == messages
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	all.Wait()
	for id, n := range taken {
		if n != 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
}

func TestAHeldCopyIsReleasedExactlyOnce(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		m := accept(t, s, newMail("acme", 10))
		if err := s.Release(t.Context(), m.ID, 0, "ann"); !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("not held yet: %v", err)
		}
		advance(t, s, hold(m, 0))
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				switch err := s.Release(context.Background(), m.ID, 0, "ann"); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, store.ErrNotHeld):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 99 {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
		if err := s.Delete(t.Context(), m.ID, 0, "bob"); !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("deleting what was released: %v", err)
		}
		if _, _, err := s.Octets(t.Context(), m.ID); err != nil {
			t.Errorf("octets of a released copy: %v", err)
		}
		if w := claim(t, s, time.Now(), 10); len(w) != 0 {
			t.Errorf("claimed what the releasing process is to send: %+v", w)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = d.open(t)
		if w := claim(t, s, time.Now(), 10); len(w) != 1 || w[0].Recipients[0].State != mail.Delivering {
			t.Errorf("after the releasing process ended, claimed %+v", w)
		}
		if err := s.Release(t.Context(), mail.NewID(), 0, "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unknown message: %v", err)
		}
	})
}

func TestResendIsRecognized(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		clock := time.Now()
		at := func(o *store.Options) { o.Now = func() time.Time { return clock } }
		s := d.open(t, at)
		m := accept(t, s, newMail("acme", 10))
		advance(t, s, delivered(m, 0))
		other := m.Digest
		other[3] ^= 1
		for range 2 { // before and after a restart
			for _, tt := range []struct {
				name   string
				tenant string
				digest [32]byte
				later  time.Duration
				want   mail.ID
			}{
				{"the same", "acme", m.Digest, time.Hour, m.ID},
				{"another digest", "acme", other, time.Hour, ""},
				{"another tenant", "beta", m.Digest, time.Hour, ""},
				{"after 47 hours", "acme", m.Digest, 47 * time.Hour, m.ID},
				{"after 49 hours", "acme", m.Digest, 49 * time.Hour, ""},
				{"no digest", "acme", [32]byte{}, time.Hour, ""},
			} {
				clock = m.Received.Add(tt.later)
				if got, err := s.Seen(t.Context(), tt.tenant, tt.digest, 48*time.Hour); got != tt.want || err != nil {
					t.Errorf("%s: %q %v", tt.name, got, err)
				}
			}
			clock = m.Received.Add(time.Minute)
			s.Close()
			s = d.open(t, at)
		}
	})
}
