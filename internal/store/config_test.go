package store_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postern/internal/mail"
	"postern/internal/store"
)

var ms = cmp.Options{cmpopts.EquateApproxTime(time.Millisecond), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, what string, err, is error) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%s: %v, want %v", what, err, is)
	}
}

func TestConfigurationIsKeptAndCounted(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		now := time.Now()
		acme := store.Tenant{Tenant: mail.Tenant{ID: "acme", Name: "Acme Ltd", Token: "tok"}, WrappedKey: []byte{1, 0, 2}, CreatedAt: now}
		beta := store.Tenant{Tenant: mail.Tenant{ID: "beta", Name: "Beta", Token: "tik"}}
		dom := mail.Domain{Name: "example.com", Tenant: "acme", Architecture: mail.ViaRelay, MTAs: []mail.MTA{{Host: "mx.example.com", Port: 25, TLS: mail.TLSVerify}}}
		key := mail.Key{ID: "k1", Tenant: "acme", Hash: [32]byte{9, 8}, CreatedAt: now}
		rules := mail.Rules{Thresholds: map[mail.Verdict]int{mail.Spam: 50}, Actions: map[mail.Verdict]mail.Action{mail.Bulk: mail.Hold}, Protected: []string{"paypal.com"}}
		entry := mail.ListEntry{ID: "e1", Allow: true, Network: netip.MustParsePrefix("192.0.2.0/24"), Note: "fax", CreatedAt: now}

		counted := func(what string, change func() error) {
			t.Helper()
			before, err := s.Generation(ctx)
			must(t, err)
			if err := change(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if after, err := s.Generation(ctx); err != nil || after != before+1 {
				t.Errorf("%s: generation %d after %d, %v", what, after, before, err)
			}
		}
		want(t, "domain of nobody", s.PutDomain(ctx, dom), store.ErrNotFound)
		counted("tenant", func() error { return s.AddTenant(ctx, acme) })
		counted("tenant", func() error { return s.AddTenant(ctx, beta) })
		want(t, "tenant twice", s.AddTenant(ctx, acme), store.ErrExists)
		counted("domain", func() error { return s.PutDomain(ctx, dom) })
		dom.Enabled = true
		counted("domain changed", func() error { return s.PutDomain(ctx, dom) })
		stolen := dom
		stolen.Tenant = "beta"
		want(t, "another tenant's domain", s.PutDomain(ctx, stolen), store.ErrExists)
		counted("key", func() error { return s.AddKey(ctx, key) })
		again := key
		again.ID, again.Tenant = "k2", "beta"
		want(t, "hash twice", s.AddKey(ctx, again), store.ErrExists)
		counted("rules", func() error { return s.PutRules(ctx, "acme", rules) })
		counted("rules again", func() error { return s.PutRules(ctx, "acme", rules) })
		counted("entry", func() error { return s.AddEntry(ctx, "acme", entry) })

		s.Close()
		s = d.open(t)
		got, err := s.Tenant(ctx, "acme")
		if diff := cmp.Diff(acme, got, ms); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if all, err := s.Tenants(ctx); err != nil || len(all) != 2 || all[1].ID != "beta" {
			t.Errorf("%+v %v", all, err)
		}
		for _, tenant := range []string{"", "acme"} {
			if all, err := s.Domains(ctx, tenant); err != nil || cmp.Diff([]mail.Domain{dom}, all) != "" {
				t.Errorf("%+v %v", all, err)
			}
			if all, err := s.Keys(ctx, tenant); err != nil || cmp.Diff([]mail.Key{key}, all, ms) != "" {
				t.Errorf("%+v %v", all, err)
			}
		}
		if all, err := s.Domains(ctx, "beta"); err != nil || len(all) > 0 {
			t.Errorf("%+v %v", all, err)
		}
		if one, err := s.Domain(ctx, "example.com"); err != nil || one.Tenant != "acme" {
			t.Errorf("%+v %v", one, err)
		}
		if k, err := s.KeyByHash(ctx, key.Hash); err != nil || k.ID != "k1" {
			t.Errorf("%+v %v", k, err)
		}
		rules.Lists = []mail.ListEntry{entry}
		if r, err := s.Rules(ctx, "acme"); err != nil || cmp.Diff(rules, r, ms) != "" {
			t.Errorf("%s %v", cmp.Diff(rules, r, ms), err)
		}
		if r, err := s.Rules(ctx, "beta"); err != nil || cmp.Diff(mail.Rules{}, r, ms) != "" {
			t.Errorf("%+v %v", r, err)
		}
		must(t, s.TouchKey(ctx, "acme", "k1", now))
		counted("retire", func() error { return s.RetireKey(ctx, "acme", "k1") })
		want(t, "retire twice", s.RetireKey(ctx, "acme", "k1"), store.ErrNotFound)
		if k, err := s.KeyByHash(ctx, key.Hash); err != nil || k.RetiredAt.IsZero() || k.SeenAt.UnixMilli() != now.UnixMilli() {
			t.Errorf("%+v %v", k, err)
		}
		counted("remove entry", func() error { return s.RemoveEntry(ctx, "acme", "e1") })
		counted("remove domain", func() error { return s.RemoveDomain(ctx, "acme", "example.com") })
		counted("erase the key", func() error { return s.SetTenantKey(ctx, "acme", nil) })
		want(t, "remove entry twice", s.RemoveEntry(ctx, "acme", "e1"), store.ErrNotFound)
		want(t, "remove domain twice", s.RemoveDomain(ctx, "acme", "example.com"), store.ErrNotFound)
		_, err = s.Domain(ctx, "example.com")
		want(t, "removed domain", err, store.ErrNotFound)
		_, err = s.Tenant(ctx, "none")
		want(t, "unknown tenant", err, store.ErrNotFound)
		_, err = s.KeyByHash(ctx, [32]byte{7})
		want(t, "unknown key", err, store.ErrNotFound)
		if got, err := s.Tenant(ctx, "acme"); err != nil || len(got.WrappedKey) != 0 {
			t.Errorf("erased key: %+v %v", got, err)
		}
	})
}

func TestSettingsUsersAndAlarms(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		must(t, s.PutSetting(ctx, "acme", "cred", []byte{0, 1}))
		must(t, s.PutSetting(ctx, "acme", "cred", []byte{0, 2}))
		if v, err := s.Setting(ctx, "acme", "cred"); err != nil || string(v) != "\x00\x02" {
			t.Errorf("%v %v", v, err)
		}
		_, err := s.Setting(ctx, "beta", "cred")
		want(t, "another tenant's setting", err, store.ErrNotFound)
		must(t, s.PutSetting(ctx, "acme", "cred", nil))
		_, err = s.Setting(ctx, "acme", "cred")
		want(t, "removed setting", err, store.ErrNotFound)

		ann := store.User{ID: "u1", Email: "ann@example.com", Tenant: "acme", Role: "admin", Password: "hash"}
		must(t, s.AddUser(ctx, ann))
		want(t, "address twice", s.AddUser(ctx, store.User{ID: "u2", Email: ann.Email, Role: "x"}), store.ErrExists)
		must(t, s.AddUser(ctx, store.User{ID: "u3", Email: "root@example.com", Role: "owner"}))
		if all, err := s.Users(ctx, ""); err != nil || len(all) != 2 || all[0].Password != "hash" || all[1].Password != "" {
			t.Errorf("%+v %v", all, err)
		}
		if all, err := s.Users(ctx, "acme"); err != nil || len(all) != 1 {
			t.Errorf("%+v %v", all, err)
		}

		for range 3 {
			must(t, s.Raise(ctx, "key.retired", "acme", mail.Say("key k1 is retired")))
		}
		must(t, s.Raise(ctx, "disk", "", mail.Say("the disk is full")))
		must(t, s.Raise(ctx, "key.retired", "acme", mail.Say("key k2 is retired")))
		if all, err := s.Alarms(ctx, ""); err != nil || len(all) != 3 {
			t.Errorf("%+v %v", all, err)
		}
		all, err := s.Alarms(ctx, "acme")
		if err != nil || len(all) != 2 || all[0].Count+all[1].Count != 4 {
			t.Errorf("%+v %v", all, err)
		}
		must(t, s.Raise(ctx, "late", "acme", mail.Say("%d messages until %s, by %s", 2, time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), mail.Say("someone"))))
		must(t, s.Clear(ctx, "key.retired", "acme"))
		must(t, s.Clear(ctx, "disk", ""))
		if all, err := s.Alarms(ctx, ""); err != nil || len(all) != 1 || all[0].Text.Format != "%d messages until %s, by %s" || all[0].Text.String() != "2 messages until 22 November 2026, 03:04 UTC, by someone" {
			t.Errorf("%+v %v", all, err)
		}
	})
}

func TestAuditLogShowsTampering(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t, func(o *store.Options) { o.AuditKey = [32]byte{1} })
		ctx := t.Context()
		if n, err := s.AuditVerify(ctx); n != 0 || err != nil {
			t.Errorf("empty: %d %v", n, err)
		}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				e := store.AuditEntry{Actor: "ann", Tenant: "acme", Action: "domain.enable", Object: "example.com", After: strings.Repeat("x", i)}
				if err := s.Audit(ctx, e); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n, err := s.AuditVerify(ctx); n != 20 || err != nil {
			t.Errorf("%d %v", n, err)
		}
		page, err := s.AuditLog(ctx, store.AuditFilter{Tenant: "acme", Limit: 5, Before: 10})
		if err != nil || len(page) != 5 || page[0].Seq != 9 {
			t.Errorf("%+v %v", page, err)
		}
		if err := tryChange(d, "UPDATE audit SET actor = 'bob' WHERE seq = 7"); err == nil {
			t.Error("an entry could be changed")
		}
		if err := tryChange(d, "DELETE FROM audit WHERE seq = 7"); err == nil {
			t.Error("an entry could be deleted")
		}
		unlock := map[string]string{"sqlite": "DROP TRIGGER audit_keep; DROP TRIGGER audit_stay", "postgres": "DROP TRIGGER audit_keep ON audit"}
		must(t, tryChange(d, unlock[d.name])) // whoever owns the file can do that
		other := d.open(t, func(o *store.Options) { o.AuditKey, o.Node = [32]byte{2}, "two" })
		_, err = other.AuditVerify(ctx)
		want(t, "another key", err, store.ErrTampered)
		must(t, tryChange(d, "DELETE FROM audit WHERE seq = 20"))
		n, err := s.AuditVerify(ctx)
		if want(t, "the end cut off", err, store.ErrTampered); n != 19 {
			t.Errorf("%d entries", n)
		}
		must(t, tryChange(d, "UPDATE audit SET actor = 'bob' WHERE seq = 7"))
		n, err = s.AuditVerify(ctx)
		if want(t, "changed entry", err, store.ErrTampered); n != 6 {
			t.Errorf("%d entries", n)
		}
	})
}
