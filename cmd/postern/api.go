package main

import (
	"context"
	"net/http"

	"postern/internal/api"
	"postern/internal/portal"
)

// api is the door for programs, beside the portal's pages and through the same parts.
func (s *server) api(p *portal.Portal) (http.Handler, error) {
	a := &api.API{
		Store:    s.o.store,
		Exchange: p.Exchange,
		Held:     s.relay,
		TryMTA:   s.relay.Sender.Test,
		Read: func(ctx context.Context, octets []byte) (*api.Reading, error) {
			r, err := readHeld(ctx, octets)
			if err != nil {
				return nil, err
			}
			return &api.Reading{Text: r.Text, Links: r.Links, Cut: r.Cut}, nil
		},
		Ready:    s.notReady,
		Hostname: s.o.conf.Hostname,
		Version:  version,
		Shelf:    p.Shelf,
		Again:    p.Again,
		Health:   p.Parts,
		Look:     p.Look,
		TellNow:  p.TellNow,
		Log:      s.log,
	}
	return a.Handler()
}
