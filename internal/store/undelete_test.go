package store_test

import (
	"errors"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestADeletionCanBeTakenBackUntilItsTime(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Now().Truncate(time.Millisecond)
		s := d.open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		ctx := t.Context()
		m := holdUntil(t, s, now.Add(time.Hour))
		soon := now.Add(10 * time.Minute)
		if err := s.DeleteAt(ctx, "acme", m.ID, 0, "ann", soon); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteAt(ctx, "acme", m.ID, 0, "ann", soon); !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("deleted twice: %v", err)
		}
		if err := s.Undelete(ctx, "beta", m.ID, 0, "ben"); !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("taken back by another tenant: %v", err)
		}
		if r := one(t, s, m); r.State != mail.Held || r.DeletedBy != "ann" || !r.ExpiresAt.Equal(soon) {
			t.Errorf("%+v", r)
		}
		if err := s.Undelete(ctx, "acme", m.ID, 0, "ben"); err != nil {
			t.Fatal(err)
		}
		if r := one(t, s, m); r.State != mail.Held || r.DeletedBy != "" || !r.ExpiresAt.Equal(now.Add(time.Hour)) {
			t.Errorf("%+v", r)
		}
		if n, err := s.Expire(ctx, now.Add(11*time.Minute)); n != 0 || err != nil {
			t.Errorf("%d dropped although it was taken back, %v", n, err)
		}
		if err := s.DeleteAt(ctx, "acme", m.ID, 0, "ann", soon); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Expire(ctx, now.Add(9*time.Minute)); n != 0 || err != nil {
			t.Errorf("%d dropped before their time, %v", n, err)
		}
		if n, err := s.Expire(ctx, now.Add(11*time.Minute)); n != 1 || err != nil {
			t.Errorf("%d dropped, %v", n, err)
		}
		r := one(t, s, m)
		if r.State != mail.Dropped || r.Events[len(r.Events)-1].Text != "deleted by ann" {
			t.Errorf("%+v", r)
		}
		if _, _, err := s.Octets(ctx, m.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("its octets are still there: %v", err)
		}
		if err := s.Undelete(ctx, "acme", m.ID, 0, "ben"); !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("taken back too late: %v", err)
		}
	})
}

func TestADeletionNeverKeepsMailLonger(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Now().Truncate(time.Millisecond)
		s := d.open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		m := holdUntil(t, s, now.Add(time.Minute))
		if err := s.DeleteAt(t.Context(), "acme", m.ID, 0, "ann", now.Add(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if r := one(t, s, m); !r.ExpiresAt.Equal(now.Add(time.Minute)) {
			t.Errorf("kept until %v", r.ExpiresAt)
		}
		if err := s.Release(t.Context(), m.ID, 0, "ben"); err != nil { // a release is the later wish
			t.Fatal(err)
		}
		if r := one(t, s, m); r.DeletedBy != "" || r.State != mail.Delivering {
			t.Errorf("%+v", r)
		}
	})
}

func TestVerdictReportsAreCountedByDay(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
		s := d.open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		ctx := t.Context()
		m := holdUntil(t, s, now.Add(time.Hour))
		put := func(n int, days int, was, should mail.Verdict) {
			t.Helper()
			r := store.VerdictReport{Message: m.ID, N: n, At: now.Add(time.Duration(-days) * 24 * time.Hour), Actor: "ann", Verdict: was, Should: should, Comment: "why"}
			if err := s.PutVerdictReport(ctx, "acme", r); err != nil {
				t.Fatal(err)
			}
		}
		put(0, 0, mail.Spam, mail.Phish)
		put(0, 0, mail.Spam, mail.Clean) // the later word counts
		put(1, 0, mail.Phish, mail.Clean)
		put(2, 1, mail.Clean, mail.Phish)
		put(3, 1, mail.Spam, mail.Phish)
		put(4, 40, mail.Spam, mail.Clean)
		got, err := s.VerdictAccuracy(ctx, "acme", now.Add(-30*24*time.Hour))
		day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
		if err != nil || len(got) != 2 || got[1] != (store.Accuracy{Day: day, FalsePositives: 2}) || got[0] != (store.Accuracy{Day: day.Add(-24 * time.Hour), FalseNegatives: 1, OtherClass: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
		all, err := s.VerdictReports(ctx, "acme", now.Add(time.Minute), 10)
		if err != nil || len(all) != 5 || all[len(all)-1].N != 4 {
			t.Errorf("%+v, %v", all, err)
		}
		first, err := s.VerdictReport(ctx, "acme", m.ID, 0)
		if err != nil || first.Subject != m.Subject || first.To != "ann@example.com" {
			t.Errorf("%+v, %v", first, err)
		}
		if _, err := s.VerdictReport(ctx, "beta", m.ID, 0); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("seen by another tenant: %v", err)
		}
	})
}

func TestAReasonCountsForItsSessionOnly(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Now()
		s := d.open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		ctx, id := t.Context(), mail.NewID()
		read := func(session, want string) {
			t.Helper()
			if got, err := s.Reading(ctx, "acme", id, 0, session); got != want || err != nil {
				t.Errorf("%s may read %q, %v", session, got, err)
			}
		}
		read("one", "")
		if err := s.PutReading(ctx, "acme", id, 0, "one", "header"); err != nil {
			t.Fatal(err)
		}
		read("one", "header")
		if err := s.PutReading(ctx, "acme", id, 0, "one", "content"); err != nil {
			t.Fatal(err)
		}
		read("one", "content")
		read("two", "")
		now = now.Add(25 * time.Hour)
		read("one", "")
	})
}

// holdUntil accepts a message and holds it until then.
func holdUntil(t *testing.T, s *store.Store, until time.Time) *store.Message {
	t.Helper()
	m := newMail("acme", 10)
	if err := s.Accept(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Advance(t.Context(), store.Change{Message: m.ID, Tenant: "acme", State: mail.Held, ExpiresAt: until}); err != nil {
		t.Fatal(err)
	}
	return m
}

func one(t *testing.T, s *store.Store, m *store.Message) store.Recipient {
	t.Helper()
	got, err := s.Message(t.Context(), "acme", m.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got.Recipients[0]
}
