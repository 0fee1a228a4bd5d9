package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"postern/internal/store"
)

type indexCmd struct {
	Status  indexStatusCmd  `cmd:"" help:"Say how much mail the search index has."`
	Rebuild indexRebuildCmd `cmd:"" help:"Throw the search index away and make it again from the ledger."`
}

// indexEvery is how often settled mail is put into the search index. Searches find
// younger mail too, only not as fast.
const indexEvery = 30 * time.Second

// keepIndex runs until ctx ends.
func keepIndex(ctx context.Context, st *store.Store, log *slog.Logger) {
	tick := time.NewTicker(indexEvery)
	defer tick.Stop()
	for {
		began := time.Now()
		n, err := st.Index(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("search index could not be brought up to date; searches are slower until it is", "err", err)
		case time.Since(began) > indexEvery:
			log.Info("search index is up to date", "messages", n, "took", time.Since(began).Round(time.Second).String())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type indexStatusCmd struct {
	Tenant string `help:"Only this tenant's."`
}

func (i *indexStatusCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		st, err := o.store.IndexState(c.ctx, i.Tenant)
		if err != nil {
			return err
		}
		return c.print(st, func(w io.Writer) { printIndex(w, st) })
	})
}

func printIndex(w io.Writer, st store.IndexState) {
	fmt.Fprintf(w, "%d messages in %d blocks of %d pages; %d not in it yet, %d changed since\n", st.Messages, st.Blocks, st.Pages, st.Waiting, st.Late)
}

type indexRebuildCmd struct{}

func (indexRebuildCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		if err := o.store.DropIndex(c.ctx); err != nil {
			return err
		}
		if _, err := o.store.Index(c.ctx); err != nil {
			return err
		}
		st, err := o.store.IndexState(c.ctx, "")
		if err != nil {
			return err
		}
		return c.print(st, func(w io.Writer) { printIndex(w, st) })
	})
}
