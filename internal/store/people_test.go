package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestPasskeysBelongToOneUser(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, ctx, now := d.open(t), t.Context(), time.Now()
		k := store.Passkey{ID: []byte{0, 1, 255}, Email: "ann@example.com", Name: "Blue key", Body: []byte("sealed"), CreatedAt: now}
		must(t, s.AddPasskey(ctx, k))
		want(t, "the same id again", s.AddPasskey(ctx, store.Passkey{ID: k.ID, Email: "eve@example.com", Name: "x", Body: []byte("y"), CreatedAt: now}), store.ErrExists)
		must(t, s.UsePasskey(ctx, k.ID, []byte("counted"), now))
		got, err := s.Passkey(ctx, k.ID)
		must(t, err)
		k.Body, k.UsedAt = []byte("counted"), now
		if diff := cmp.Diff(k, got, ms); diff != "" {
			t.Error(diff)
		}
		want(t, "another user's removal", s.RemovePasskey(ctx, "eve@example.com", k.ID), store.ErrNotFound)
		must(t, s.RemovePasskeys(ctx, "eve@example.com"))
		must(t, s.RemovePasskey(ctx, k.Email, k.ID))
		want(t, "use after removal", s.UsePasskey(ctx, k.ID, nil, now), store.ErrNotFound)
	})
}

func TestWhatCountsOnceIsSpentByOne(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		var won atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				first, err := s.Spend(t.Context(), []byte("challenge"))
				if err != nil {
					t.Error(err)
				}
				if first {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d spent it", won.Load())
		}
	})
}

func TestHistoryKeepsTheNewest(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, ctx, now := d.open(t), t.Context(), time.Now()
		old := store.SignIn{Email: "ann@example.com", At: now.Add(-100 * 24 * time.Hour), How: "password", Good: true, Session: "old"}
		must(t, s.AddSignIn(ctx, old))
		for i := range 510 {
			must(t, s.AddSignIn(ctx, store.SignIn{Email: "ann@example.com", At: now.Add(time.Duration(i) * time.Second), How: "passkey", Good: true, Unknown: i == 0, Session: fmt.Sprint(i)}))
		}
		got, err := s.SignIns(ctx, "ann@example.com", 1000)
		must(t, err)
		if len(got) != 500 || got[0].Session != "509" || got[499].Session != "10" {
			t.Errorf("%d kept, newest %s, oldest %s", len(got), got[0].Session, got[len(got)-1].Session)
		}
	})
}

func TestAnIdentityOpensOneAccount(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, ctx := d.open(t), t.Context()
		x := store.Identity{Issuer: "https://idp.example", Subject: "1", Email: "ann@example.com", CreatedAt: time.Now()}
		must(t, s.AddIdentity(ctx, x))
		y := x
		y.Email = "eve@example.com"
		want(t, "the same account for another", s.AddIdentity(ctx, y), store.ErrExists)
		_, err := s.Identity(ctx, "https://other.example", "1")
		want(t, "the same subject elsewhere", err, store.ErrNotFound)
		must(t, s.RemoveIdentities(ctx, x.Email))
		_, err = s.Identity(ctx, x.Issuer, x.Subject)
		want(t, "after unlinking", err, store.ErrNotFound)
	})
}

func TestAnApprovalCountsOnceAndOnlyInTime(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, ctx, now := d.open(t), t.Context(), time.Now()
		ask := func(id string, until time.Time) store.Approval {
			a := store.Approval{Tenant: "acme", ID: id, Route: "POST /x", Path: "/x", Title: "X", Digest: []byte("digest"), Body: []byte("form"), AskedBy: "ann@example.com", AskedAt: now, Until: until, State: "waiting"}
			must(t, s.AddApproval(ctx, a))
			return a
		}
		a, late := ask("a", now.Add(time.Hour)), ask("b", now.Add(-time.Second))
		want(t, "a decision too late", s.Decide(ctx, late, "waiting", "agreed", "bob@example.com", now), store.ErrNotFound)
		used, err := s.UseApproval(ctx, a.Digest, now)
		if used || err != nil {
			t.Errorf("used before anybody agreed: %v %v", used, err)
		}
		must(t, s.Decide(ctx, a, "waiting", "agreed", "bob@example.com", now))
		want(t, "a second decision", s.Decide(ctx, a, "waiting", "refused", "eve@example.com", now), store.ErrNotFound)
		for i, wanted := range []bool{true, false} {
			if used, err := s.UseApproval(ctx, a.Digest, now); used != wanted || err != nil {
				t.Errorf("use %d: %v %v", i+1, used, err)
			}
		}
	})
}

func TestATenantGoesWithEverythingOfIt(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, ctx, now := d.open(t), t.Context(), time.Now()
		for _, id := range []string{"acme", "beta"} {
			must(t, s.AddTenant(ctx, store.Tenant{Tenant: mail.Tenant{ID: id, Name: id, Token: "t", Limits: mail.Limits{Users: 3}}, WrappedKey: []byte("key")}))
			must(t, s.PutDomain(ctx, mail.Domain{Tenant: id, Name: id + ".example", Architecture: mail.ViaRelay}))
			must(t, s.AddUser(ctx, store.User{Tenant: id, ID: "u" + id, Email: "ann@" + id + ".example", Role: "owner"}))
			must(t, s.AddSession(ctx, store.Session{Hash: []byte(id), ID: id, Email: "ann@" + id + ".example", Stage: "in", CreatedAt: now, SeenAt: now, FreshAt: now}))
			must(t, s.PutSetting(ctx, id, "x", []byte("y")))
			must(t, s.Audit(ctx, store.AuditEntry{Actor: "ann", Tenant: id, Action: "tenant.add", Object: id}))
		}
		got, err := s.Tenant(ctx, "acme")
		must(t, err)
		if got.Limits.Users != 3 {
			t.Errorf("limits %+v", got.Limits)
		}
		must(t, s.RemoveTenant(ctx, "acme"))
		want(t, "again", s.RemoveTenant(ctx, "acme"), store.ErrNotFound)
		if _, err := s.User(ctx, "ann@acme.example"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the user is there: %v", err)
		}
		if _, err := s.Session(ctx, []byte("acme")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session is there: %v", err)
		}
		if _, err := s.Setting(ctx, "acme", "x"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the setting is there: %v", err)
		}
		if _, err := s.Session(ctx, []byte("beta")); err != nil {
			t.Errorf("the other tenant's session: %v", err)
		}
		if domains, err := s.Domains(ctx, ""); err != nil || len(domains) != 1 {
			t.Errorf("%d domains, %v", len(domains), err)
		}
		log, err := s.AuditLog(ctx, store.AuditFilter{Tenant: "acme"})
		if err != nil || len(log) != 1 {
			t.Errorf("%d audit entries, %v", len(log), err)
		}
		_, err = s.AuditVerify(ctx)
		must(t, err)
	})
}
