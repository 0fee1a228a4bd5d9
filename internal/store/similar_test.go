package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestSimilarMailIsFoundByWhatItShares(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Now()
		s := d.open(t, func(o *store.Options) { o.Now = func() time.Time { return now } })
		put := func(tenant, from, subject, link, file, sum string, age time.Duration) store.TraceRow {
			t.Helper()
			m := newMail(tenant, 10)
			m.From, m.Subject, m.Received = from, subject, now.Add(-age)
			if err := s.Accept(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			j := &mail.Judgement{Subject: subject, From: from, Links: []string{link}, Parts: []mail.PartInfo{{Path: "1", Type: "application/pdf", Name: file, SHA256: sum}}}
			if _, err := s.Advance(t.Context(), store.Change{Message: m.ID, Tenant: tenant, State: mail.Held, ExpiresAt: now.Add(time.Hour), Judgement: j}); err != nil {
				t.Fatal(err)
			}
			rows, err := s.Trace(t.Context(), store.TraceFilter{Tenant: tenant, ID: m.ID})
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			return rows[0]
		}
		one := put("acme", "billing@evil.example", "Re: Your invoice 4711 is overdue", "evil.example", "invoice.pdf", "aa", time.Hour)
		want := map[mail.ID][]string{
			put("acme", "other@evil.example", "Lunch", "a.example", "menu.pdf", "bb", 2*time.Hour).ID:                                  {store.AlikeSender},
			put("acme", "x@sender.example", "Your invoice 4712 is overdue!", "b.example", "x.pdf", "cc", 3*time.Hour).ID:               nil, // "Your invoice" and "is overdue" alone ...
			put("acme", "x@sender.example", "FW: YOUR INVOICE", "b.example", "x.pdf", "cc", 3*time.Hour).ID:                            nil,
			put("acme", "y@sender.example", "Hello", "evil.example", "y.pdf", "dd", 4*time.Hour).ID:                                    {store.AlikeLink},
			put("acme", "z@sender.example", "Hello", "c.example", "invoice.pdf", "aa", 5*time.Hour).ID:                                 {store.AlikeAttachment},
			put("acme", "z@sender.example", "Hello", "c.example", "invoice.pdf", "ee", 6*time.Hour).ID:                                 {}, // another file of that name
			put("acme", "v@notevil.example", "Hello", "c.example", "n.pdf", "ff", 6*time.Hour).ID:                                      {}, // another domain
			put("acme", "billing@evil.example", "Your invoice", "evil.example", "invoice.pdf", "aa", 15*24*time.Hour).ID:               {}, // long ago
			put("beta", "billing@evil.example", "Re: Your invoice 4711 is overdue", "evil.example", "invoice.pdf", "aa", time.Hour).ID: {}, // another tenant's
		}
		j, err := s.Judgement(t.Context(), one.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, whole, err := s.Similar(t.Context(), one, j)
		if err != nil || !whole {
			t.Fatalf("whole %v, %v", whole, err)
		}
		seen := map[mail.ID][]string{}
		for _, a := range got {
			seen[a.ID] = a.In
		}
		for id, in := range want {
			if in == nil {
				in = []string{store.AlikeSubject}
			}
			if fmt.Sprint(seen[id]) != fmt.Sprint(slices.Clone(in)) {
				t.Errorf("%s is alike in %v, want %v", id, seen[id], in)
			}
		}
	})
}
