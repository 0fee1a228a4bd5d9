package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestTraceFindsByEveryFilter(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		var mails []*store.Message
		for i := range 6 {
			m := newMail([]string{"acme", "beta"}[i%2], 10, fmt.Sprintf("User_%d@example.com", i))
			m.Received, m.Subject = base.Add(time.Duration(i)*time.Minute), fmt.Sprintf("Invoice 100%% #%d", i)
			m.Envelope.From, m.From = fmt.Sprintf("bounce-%d@out.example", i), fmt.Sprintf("Sales%d@Shop.example", i)
			mails = append(mails, accept(t, s, m))
		}
		c := hold(mails[2], 0)
		c.Judgement = judgement
		c.Judgement = &mail.Judgement{Subject: mails[2].Subject, Auth: judgement.Auth}
		advance(t, s, c)
		advance(t, s, delivered(mails[4], 0))
		for _, tt := range []struct {
			name string
			f    store.TraceFilter
			want []int
		}{
			{"all, newest first", store.TraceFilter{}, []int{5, 4, 3, 2, 1, 0}},
			{"a tenant", store.TraceFilter{Tenant: "acme"}, []int{4, 2, 0}},
			{"an unknown tenant", store.TraceFilter{Tenant: "none"}, nil},
			{"limit", store.TraceFilter{Limit: 2}, []int{5, 4}},
			{"id", store.TraceFilter{ID: mails[3].ID}, []int{3}},
			{"id of another tenant", store.TraceFilter{ID: mails[3].ID, Tenant: "acme"}, nil},
			{"reverse-path", store.TraceFilter{From: "BOUNCE-1@"}, []int{1}},
			{"from field", store.TraceFilter{From: "sales3@shop"}, []int{3}},
			{"recipient", store.TraceFilter{To: "user_5@"}, []int{5}},
			{"underscore is no wildcard", store.TraceFilter{To: "user?5@"}, nil},
			{"percent is no wildcard", store.TraceFilter{Subject: "%2"}, nil},
			{"subject", store.TraceFilter{Subject: "100% #4"}, []int{4}},
			{"message id", store.TraceFilter{MessageID: "<" + mails[1].MessageID + ">"}, []int{1}},
			{"state", store.TraceFilter{State: mail.Delivered}, []int{4}},
			{"held", store.TraceFilter{State: mail.Held}, []int{2}},
			{"verdict", store.TraceFilter{Verdict: mail.Phish}, []int{2}},
			{"since", store.TraceFilter{Since: base.Add(4 * time.Minute)}, []int{5, 4}},
			{"until", store.TraceFilter{Until: base.Add(2 * time.Minute)}, []int{1, 0}},
			{"quotes", store.TraceFilter{Subject: "' OR 1=1 --"}, nil},
		} {
			t.Run(tt.name, func(t *testing.T) {
				rows, err := s.Trace(t.Context(), tt.f)
				if err != nil {
					t.Fatal(err)
				}
				var got []int
				for _, r := range rows {
					got = append(got, slices.IndexFunc(mails, func(m *store.Message) bool { return m.ID == r.ID }))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		}
		rows, err := s.Quarantine(t.Context(), store.TraceFilter{})
		if err != nil || len(rows) != 1 {
			t.Fatalf("quarantine: %v %v", rows, err)
		}
		if r := rows[0]; r.ID != mails[2].ID || r.To != "User_2@example.com" || r.OriginIP != "198.51.100.7" || r.OriginHELO != "mail.sender.example" ||
			r.Sender != "bounce-2@out.example" || r.From != "Sales2@Shop.example" || r.HeldAt.IsZero() || r.ExpiresAt.IsZero() || len(r.Events) != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestPagesHaveEveryRowOnce(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		now := time.Now()
		for i := range 30 {
			m := newMail([]string{"acme", "beta"}[i%2], 10, "a@example.com", "b@example.com")
			m.Received = now.Add(time.Duration(i/10) * time.Second) // many at the same time
			accept(t, s, m)
			for n := range 2 {
				c := hold(m, n)
				c.HeldAt = now.Add(-time.Duration(i/10) * time.Second)
				advance(t, s, c)
			}
		}
		for _, tenant := range []string{"", "acme"} {
			for name, page := range map[string]func(store.TraceFilter) ([]store.TraceRow, error){
				"trace":      func(f store.TraceFilter) ([]store.TraceRow, error) { return s.Trace(t.Context(), f) },
				"quarantine": func(f store.TraceFilter) ([]store.TraceRow, error) { return s.Quarantine(t.Context(), f) },
			} {
				want := 60
				if tenant != "" {
					want = 30
				}
				seen := make(map[string]bool)
				f := store.TraceFilter{Tenant: tenant, Limit: 7}
				for {
					rows, err := page(f)
					if err != nil {
						t.Fatal(err)
					}
					if len(rows) == 0 {
						break
					}
					for _, r := range rows {
						key := fmt.Sprint(r.ID, r.N)
						if seen[key] {
							t.Fatalf("%s of %q: %s twice", name, tenant, key)
						}
						seen[key] = true
					}
					f.Before = rows[len(rows)-1].Cursor(name == "quarantine")
				}
				if len(seen) != want {
					t.Errorf("%s of %q: %d rows, want %d", name, tenant, len(seen), want)
				}
			}
		}
		if _, err := s.Trace(t.Context(), store.TraceFilter{Before: "x"}); err == nil {
			t.Error("a cursor of nobody was taken")
		}
	})
}

func TestExpireDropsWhatWasHeldLongEnough(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t, func(o *store.Options) { o.KeepTrace = 60 * 24 * time.Hour })
		now := time.Now()
		var held []*store.Message
		for i := range 3 {
			m := accept(t, s, newMail("acme", 10))
			c := hold(m, 0)
			c.ExpiresAt = now.Add(time.Duration(i*10) * 24 * time.Hour)
			advance(t, s, c)
			held = append(held, m)
		}
		old := newMail("acme", 10)
		old.Received = now.Add(-61 * 24 * time.Hour)
		advance(t, s, delivered(accept(t, s, old), 0))
		oldHeld := newMail("acme", 10)
		oldHeld.Received = old.Received
		advance(t, s, hold(accept(t, s, oldHeld), 0))

		n, err := s.Expire(t.Context(), now.Add(11*24*time.Hour))
		if err != nil || n != 2 {
			t.Fatalf("expired %d, %v", n, err)
		}
		for i, want := range []mail.State{mail.Dropped, mail.Dropped, mail.Held} {
			if got := message(t, s, held[i].ID).Recipients[0].State; got != want {
				t.Errorf("message %d is %s", i, got)
			}
		}
		if _, _, err := s.Octets(t.Context(), held[0].ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("octets after expiry: %v", err)
		}
		if _, err := s.Message(t.Context(), "", old.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the trace of long ago: %v", err)
		}
		if got := message(t, s, oldHeld.ID).Recipients[0].State; got != mail.Held {
			t.Errorf("a held copy of long ago is %s", got)
		}
	})
}

func TestVolumesCountByStretchVerdictAndState(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		ctx := t.Context()
		hour := time.Now().Truncate(time.Hour)
		for i, tenant := range []string{"acme", "acme", "beta"} {
			must(t, s.Accept(ctx, &store.Message{ID: mail.NewID(), Tenant: tenant, Received: hour.Add(-time.Duration(i) * time.Hour), Octets: []byte("x"), Size: 1,
				Recipients: []store.Recipient{{Addr: "ann@example.com", Domain: "example.com"}, {Addr: "bob@example.com", Domain: "example.com"}}}))
		}
		for _, tt := range []struct {
			name, tenant string
			since        time.Time
			want         []store.Volume
		}{
			{"of one tenant", "acme", hour.Add(-5 * time.Hour), []store.Volume{{At: hour.Add(-time.Hour), State: mail.Accepted, N: 2}, {At: hour, State: mail.Accepted, N: 2}}},
			{"of all, the newest", "", hour.Add(-time.Minute), []store.Volume{{At: hour, State: mail.Accepted, N: 2}}},
			{"of nobody", "gamma", hour.Add(-5 * time.Hour), nil},
		} {
			got, err := s.Volumes(ctx, tt.tenant, tt.since, time.Hour)
			must(t, err)
			if diff := cmp.Diff(tt.want, got, ms); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
		}
	})
}
