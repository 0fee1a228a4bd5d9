package main

import (
	"context"
	"net/http"

	"postern/internal/admin"
	"postern/internal/api"
	"postern/internal/replay"
)

// api is the door for programs, beside the portal's pages.
func (s *server) api(x *admin.Exchange, shelf *replay.Shelf) (http.Handler, error) {
	a := &api.API{
		Store:    s.o.store,
		Exchange: x,
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
		Shelf:    shelf,
		Log:      s.log,
	}
	return a.Handler()
}
