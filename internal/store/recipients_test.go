package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// heldFor puts a held message for an address into s.
func heldFor(t *testing.T, s *store.Store, addr string) mail.ID {
	t.Helper()
	m := newMail("acme", 10, addr)
	must(t, s.Accept(t.Context(), m))
	_, err := s.Advance(t.Context(), store.Change{Message: m.ID, Tenant: "acme", State: mail.Held, Decision: &mail.Decision{Verdict: mail.Spam, Action: mail.Hold}})
	must(t, err)
	return m.ID
}

func TestOfManyNodesOnePlansADigest(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		one := d.open(t)
		two := d.open(t, func(o *store.Options) { o.Node = "two" })
		slot := time.Now().Add(-time.Minute).Truncate(time.Second)
		var ours atomic.Int32
		var group sync.WaitGroup
		for i := range 16 {
			s := []*store.Store{one, two}[i%2]
			group.Go(func() {
				// A clock that is behind sees an earlier moment; it must not add a second digest.
				at := slot.Add(-time.Duration(i%4) * time.Hour)
				ok, err := s.PlanDigest(t.Context(), store.Digest{Tenant: "acme", Addr: "ann@example.com", Slot: at, Message: mail.NewID()})
				if err != nil {
					t.Error(err)
				}
				if ok {
					ours.Add(1)
				}
			})
		}
		group.Wait()
		if ours.Load() != 1 {
			t.Errorf("%d planned it", ours.Load())
		}
		later := func(o *store.Options) {
			o.Node, o.Now = "three", func() time.Time { return time.Now().Add(10 * time.Minute) }
		}
		three, four := d.open(t, later), d.open(t, later, func(o *store.Options) { o.Node = "four" })
		var left atomic.Int32
		for range 4 {
			for _, s := range []*store.Store{three, four} {
				group.Go(func() {
					all, err := s.LeftDigests(t.Context())
					if err != nil {
						t.Error(err)
					}
					left.Add(int32(len(all)))
				})
			}
		}
		group.Wait()
		if left.Load() != 1 {
			t.Errorf("%d took the abandoned digest over, want 1", left.Load())
		}
	})
}

func TestALinkAndItsReleaseAreOneStep(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		id := heldFor(t, s, "Ann@example.com")
		ticket := []byte("hash of a link")
		var done atomic.Int32
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				switch err := s.ReleaseByTicket(t.Context(), "acme", id, 0, "ann", ticket); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, store.ErrUsed):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if done.Load() != 1 {
			t.Errorf("%d of 100 released it", done.Load())
		}
		// Held again because the MTA refused it: the link stays used.
		_, err := s.Advance(t.Context(), store.Change{Message: id, Tenant: "acme", State: mail.Held})
		must(t, err)
		if err := s.ReleaseByTicket(t.Context(), "acme", id, 0, "ann", ticket); !errors.Is(err, store.ErrUsed) {
			t.Errorf("replay: %v", err)
		}
		// A release that fails leaves the link unused.
		other := []byte("another link")
		must(t, s.Delete(t.Context(), id, 0, "ann"))
		if err := s.ReleaseByTicket(t.Context(), "acme", id, 0, "ann", other); !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("not held: %v", err)
		}
		if used, err := s.TicketUsed(t.Context(), "acme", other); err != nil || used {
			t.Errorf("used %v, %v", used, err)
		}
	})
}

func TestWhatIsHeldForWhom(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		heldFor(t, s, "Ann@Example.com")
		heldFor(t, s, "ann@münchen.example")
		heldFor(t, s, "bob@example.com")
		until := time.Now().Add(time.Minute)
		all, err := s.HeldAddresses(t.Context(), "acme", []mail.Verdict{mail.Spam, mail.Bulk}, until.UnixMilli())
		must(t, err)
		if len(all) != 3 || all["ann@example.com"] == 0 || all["ann@xn--mnchen-3ya.example"] == 0 {
			t.Errorf("%v", all)
		}
		for addr, want := range map[string]int{"ann@example.com": 1, "ann@xn--mnchen-3ya.example": 1, "nn@example.com": 0, "%@example.com": 0} {
			rows, err := s.Quarantine(t.Context(), store.TraceFilter{Tenant: "acme", Rcpt: addr})
			if err != nil || len(rows) != want {
				t.Errorf("%s: %d rows, %v", addr, len(rows), err)
			}
			if rows, err = s.Quarantine(t.Context(), store.TraceFilter{Tenant: "beta", Rcpt: addr}); err != nil || len(rows) != 0 {
				t.Errorf("%s in another tenant: %d rows, %v", addr, len(rows), err)
			}
		}
		if none, err := s.HeldAddresses(t.Context(), "acme", []mail.Verdict{mail.Phish}, until.UnixMilli()); err != nil || len(none) != 0 {
			t.Errorf("%v %v", none, err)
		}
		known, err := s.KnowsRecipient(t.Context(), "acme", "bob@example.com")
		stranger, err2 := s.KnowsRecipient(t.Context(), "acme", "eve@example.com")
		if err != nil || err2 != nil || !known || stranger {
			t.Errorf("%v %v %v %v", known, stranger, err, err2)
		}
	})
}

func TestRequestsAndSignInLinksCountOnce(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		id := heldFor(t, s, "ann@example.com")
		q := store.Request{Message: id, Addr: "ann@example.com"}
		must(t, s.Ask(ctx, "acme", q, nil))
		if err := s.Ask(ctx, "acme", q, []byte("link")); !errors.Is(err, store.ErrUsed) {
			t.Errorf("asked twice: %v", err)
		}
		if open, err := s.OpenRequests(ctx, "acme"); err != nil || len(open) != 1 {
			t.Errorf("%v %v", open, err)
		}
		must(t, s.Answer(ctx, "acme", id, 0, store.Declined, "admin", "No."))
		if err := s.Answer(ctx, "acme", id, 0, store.Approved, "admin", ""); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("answered twice: %v", err)
		}
		now := time.Now()
		must(t, s.AddPersonLink(ctx, []byte("l1"), "acme", "ann@example.com", now.Add(time.Minute)))
		must(t, s.AddPersonLink(ctx, []byte("l2"), "acme", "ann@example.com", now.Add(-time.Minute)))
		enter := func(link, hash string) error {
			return s.EnterPerson(ctx, []byte(link), &store.PersonSession{Hash: []byte(hash), ID: hash, CreatedAt: now})
		}
		must(t, enter("l1", "h1"))
		for _, link := range []string{"l1", "l2", "l3"} {
			if err := enter(link, "h2"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", link, err)
			}
		}
		x, err := s.PersonSession(ctx, []byte("h1"))
		if err != nil || x.Addr != "ann@example.com" || x.Tenant != "acme" {
			t.Errorf("%+v %v", x, err)
		}
		must(t, s.TidyRecipients(ctx, time.Hour))
		must(t, s.EndPersonSessions(ctx, "acme", "ann@example.com", nil))
		if _, err := s.PersonSession(ctx, []byte("h1")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ended: %v", err)
		}
	})
}
