package main

import (
	"context"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
)

// goOn takes up the releases of held mail that the end of a process cut off.
func (s *server) goOn(agains *replay.Agains) error {
	return agains.Resume(context.Background(), func(by string) *replay.Again {
		a := s.o.admin()
		a.Actor = by
		return &replay.Again{Store: s.o.store, Note: a.NoteRelease, Release: s.releaseAgain}
	})
}

func (s *server) releaseAgain(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
	return s.relay.Release(ctx, relay.Order{Tenant: tenant, ID: id, N: n, By: by})
}
