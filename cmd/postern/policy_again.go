package main

import (
	"context"
	"fmt"
	"io"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
)

type policyAgainCmd struct {
	Tenant  string `required:""`
	Release bool   `xor:"do" help:"Release them. Without it they are only counted."`
	Stop    bool   `xor:"do" help:"Stop a count or release that was begun in the portal or by the API. What is not sent yet stays held."`
}

func (p *policyAgainCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		if p.Stop {
			if err := (&replay.Agains{Store: o.store, Log: o.log}).Stop(c.ctx, t.ID); err != nil {
				return err
			}
			return o.admin().NoteStop(c.ctx, t.ID)
		}
		bar := c.bar(-1, "held messages", false)
		shown := func(t replay.Tally) { _ = bar.Set(t.Looked) }
		again := &replay.Again{Store: o.store, Note: o.admin().NoteRelease}
		run := func() (replay.Tally, error) { return again.Look(c.ctx, t.ID, shown) }
		if p.Release {
			r, done, err := c.releaser(o)
			if err != nil {
				return err
			}
			defer done()
			again.Release = func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
				return r.Release(ctx, relay.Order{Tenant: tenant, ID: id, N: n, By: by})
			}
			run = func() (replay.Tally, error) { return again.Run(c.ctx, t.ID, "command line", shown) }
		}
		tally, err := run()
		_ = bar.Finish()
		if err != nil {
			return err
		}
		return c.print(tally, func(w io.Writer) {
			fmt.Fprintf(w, "Of %d held messages, today's rules would deliver %d.\n", tally.Looked, tally.Clean)
			if p.Release {
				fmt.Fprintf(w, "Delivered: %d, to be tried again: %d, refused and held: %d, no longer held: %d.\n", tally.Delivered, tally.Deferred, tally.Kept, tally.Gone)
			}
		})
	})
}
