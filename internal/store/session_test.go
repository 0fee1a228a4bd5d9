package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/store"
)

func TestUsersKeepWhatProvesThem(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		now := time.Now()
		u := store.User{ID: "u1", Email: "ann@example.com", Role: "owner", CreatedAt: now, Invite: []byte{1, 0}, InviteUntil: now.Add(time.Hour)}
		must(t, s.AddUser(ctx, u))
		got, err := s.User(ctx, u.Email)
		must(t, err)
		if diff := cmp.Diff(u, got, ms); diff != "" {
			t.Errorf("as added: %s", diff)
		}
		must(t, s.EditUser(ctx, u.Email, func(x *store.User) error {
			x.Password, x.Factor, x.FactorStep, x.Recovery, x.Invite, x.InviteUntil = "hash", []byte{7}, 42, []string{"a", "b"}, nil, time.Time{}
			x.DisabledAt = now
			return nil
		}))
		refused := errors.New("no")
		want(t, "an edit that ends in an error", s.EditUser(ctx, u.Email, func(x *store.User) error { x.Role = "user"; return refused }), refused)
		got, err = s.User(ctx, u.Email)
		must(t, err)
		u.Password, u.Factor, u.FactorStep, u.Recovery, u.Invite, u.InviteUntil, u.DisabledAt = "hash", []byte{7}, 42, []string{"a", "b"}, nil, time.Time{}, now
		if diff := cmp.Diff(u, got, ms); diff != "" {
			t.Errorf("as edited: %s", diff)
		}
		_, err = s.User(ctx, "bob@example.com")
		want(t, "unknown user", err, store.ErrNotFound)
		want(t, "edit of an unknown user", s.EditUser(ctx, "bob@example.com", func(*store.User) error { return nil }), store.ErrNotFound)
	})
}

func TestOnlyOneBecomesFirstOwner(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		var won atomic.Int32
		var all sync.WaitGroup
		for _, email := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
			all.Go(func() {
				first, err := s.FirstOwner(t.Context(), store.User{ID: email, Email: email, Role: "owner", Password: "hash"})
				if err != nil {
					t.Error(err)
				}
				if first {
					won.Add(1)
				}
			})
		}
		all.Wait()
		users, err := s.Users(t.Context(), "")
		must(t, err)
		if won.Load() != 1 || len(users) != 1 {
			t.Errorf("%d became first owner, %d users", won.Load(), len(users))
		}
	})
}

func TestSessionsBeginAndEnd(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		now := time.Now()
		session := func(n byte, email string) store.Session {
			return store.Session{Hash: []byte{n}, ID: string('a' + rune(n)), Email: email, Stage: "in", CreatedAt: now, SeenAt: now, FreshAt: now, Address: "192.0.2.1", Agent: "x\x00y"}
		}
		for n, email := range []string{"ann@x.example", "ann@x.example", "ann@x.example", "bob@x.example"} {
			must(t, s.AddSession(ctx, session(byte(n), email)))
		}
		must(t, s.TouchSession(ctx, []byte{0}, now.Add(time.Minute)))
		got, err := s.Session(ctx, []byte{0})
		must(t, err)
		wanted := session(0, "ann@x.example")
		wanted.SeenAt, wanted.Agent = now.Add(time.Minute), "x\uFFFDy"
		if diff := cmp.Diff(wanted, got, ms); diff != "" {
			t.Error(diff)
		}
		must(t, s.EndSession(ctx, "bob@x.example", []byte{1}, "")) // not bob's
		must(t, s.EndSession(ctx, "ann@x.example", nil, "c"))
		must(t, s.EndSessions(ctx, "ann@x.example", []byte{1}))
		for n, alive := range []bool{false, true, false, true} {
			_, err := s.Session(ctx, []byte{byte(n)})
			if (err == nil) != alive {
				t.Errorf("session %d: %v", n, err)
			}
		}
	})
}

func TestFailuresAreCountedAndForgotten(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		now := time.Now().Truncate(time.Millisecond)
		count := func(at time.Time) bool {
			ok, err := s.Allow(ctx, at, at.Add(-time.Hour), map[string]int{"ann": 4, "here": 100}, 1)
			must(t, err)
			return ok
		}
		for range 3 {
			count(now)
		}
		if !count(now.Add(time.Minute)) || count(now.Add(time.Minute)) {
			t.Error("not four of four are let through")
		}
		if n, _, err := s.Failures(ctx, "here", now.Add(-time.Minute)); err != nil || n != 4 {
			t.Errorf("what was refused is counted: %d, %v", n, err)
		}
		must(t, s.Unfail(ctx, now, "here"))
		if n, _, err := s.Failures(ctx, "here", now.Add(-time.Minute)); err != nil || n != 3 {
			t.Errorf("taken back: %d, %v", n, err)
		}
		n, first, err := s.Failures(ctx, "ann", now.Add(-time.Minute))
		if err != nil || n != 4 || !first.Equal(now) {
			t.Errorf("%d since %v, %v", n, first, err)
		}
		if n, _, err := s.Failures(ctx, "bob", now.Add(-time.Minute)); err != nil || n != 0 {
			t.Errorf("of somebody else: %d, %v", n, err)
		}
	})
}
