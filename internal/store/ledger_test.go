package store_test

import (
	"context"
	"testing"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := newMail("acme", 100, "a@example.com", "b@example.com")
	if err := s.Accept(ctx, m); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Advance(ctx, delivered(m, 0), store.Change{Message: m.ID, N: 1, State: mail.Held, Judgement: judgement}); err != nil {
		t.Fatal(err)
	}
	rows, err := s.Trace(ctx, store.TraceFilter{})
	t.Logf("%+v %v", rows, err)
	rows, err = s.Quarantine(ctx, store.TraceFilter{})
	t.Logf("%d %v", len(rows), err)
	if err := s.Release(ctx, m.ID, 1, "me"); err != nil {
		t.Fatal(err)
	}
	w, err := s.Claim(ctx, m.Received.Add(1e12), 10)
	t.Logf("%+v %v", w, err)
	d, err := s.QueueDepth(ctx)
	t.Log(d, err)
	if id, err := s.Seen(ctx, "acme", m.Digest, 1e12); id != m.ID || err != nil {
		t.Fatal(id, err)
	}
}
