package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// fillCmd fills an empty store with made-up mail, so that pages and searches can
// be measured. The figures in doc/operating.md name it.
type fillCmd struct {
	Messages int     `default:"1000000" help:"How many messages in all."`
	Tenants  int     `default:"1" help:"Spread over so many tenants."`
	Audit    int     `default:"0" help:"And so many entries of the audit log."`
	Copies   float64 `default:"1.09" help:"Recipients of a message, on average."`
	Days     int     `default:"90" help:"Received over so many days, up to now."`
	Seed     uint64  `default:"1" help:"The same seed gives the same mail."`
}

const (
	fillTenant = "fill" // the ids of made-up tenants begin with it
	fillBatch  = 500    // messages in one transaction
)

type fillView struct {
	Messages   int     `json:"messages"`
	Recipients int     `json:"recipients"`
	Tenants    int     `json:"tenants"`
	Audit      int     `json:"audit"`
	Seconds    float64 `json:"seconds"`
}

func (f *fillCmd) Run(c *console) error {
	if f.Messages < 0 || f.Tenants < 1 || f.Days < 1 || f.Audit < 0 || f.Copies < 1 {
		return usageError("postern fill needs positive numbers")
	}
	return c.with(func(o *opened) error {
		if err := onlyFilled(c.ctx, o); err != nil {
			return err
		}
		began := time.Now()
		v := fillView{Messages: f.Messages, Tenants: f.Tenants, Audit: f.Audit}
		var err error
		if v.Recipients, err = f.mail(c, o); err != nil {
			return err
		}
		if err := f.audit(c.ctx, o); err != nil {
			return err
		}
		v.Seconds = time.Since(began).Seconds()
		return c.print(v, func(w io.Writer) {
			fmt.Fprintf(w, "%d messages for %d recipients of %d tenants, %d audit entries, in %.0f s\n", v.Messages, v.Recipients, v.Tenants, v.Audit, v.Seconds)
		})
	})
}

// onlyFilled refuses a store with a tenant that was not made up here.
func onlyFilled(ctx context.Context, o *opened) error {
	all, err := o.store.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		if !strings.HasPrefix(t.ID, fillTenant) {
			return fmt.Errorf("this store has the tenant %s, so its mail may be real: made-up mail goes only into a store of its own, with data and database of their own", t.ID)
		}
	}
	return nil
}

// mail makes the messages, oldest first, and returns how many recipients they have.
func (f *fillCmd) mail(c *console, o *opened) (recipients int, err error) {
	names := make([]string, f.Tenants)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%03d", fillTenant, i+1)
		if _, err := o.store.Tenant(c.ctx, names[i]); err == nil {
			continue
		}
		if _, err := o.admin().AddTenant(c.ctx, names[i]); err != nil {
			return 0, err
		}
	}
	end := time.Now().Add(-time.Second)
	maker := newMailMaker(f.Seed, names, end.Add(-time.Duration(f.Days)*24*time.Hour), end, f.Messages)
	maker.more = 1 - 1/f.Copies
	batches := make(chan []store.Filled, 4) // made while the former ones are written
	go func() {
		defer close(batches)
		for left := f.Messages; left > 0; left -= fillBatch {
			batch := make([]store.Filled, min(left, fillBatch))
			for i := range batch {
				batch[i] = maker.next()
			}
			select {
			case batches <- batch:
			case <-c.ctx.Done():
				return
			}
		}
	}()
	for batch := range batches {
		for _, m := range batch {
			recipients += len(m.Recipients)
		}
		if err := o.store.Fill(c.ctx, batch); err != nil {
			return recipients, err
		}
	}
	return recipients, c.ctx.Err()
}

// audit appends entries, many at a time, so that they share their commits.
func (f *fillCmd) audit(ctx context.Context, o *opened) error {
	todo := make(chan int)
	failed := make(chan error, 1)
	var writers sync.WaitGroup
	for range 64 {
		writers.Go(func() {
			for i := range todo {
				e := store.AuditEntry{Actor: fmt.Sprintf("admin%d@contoso.example", i%7), Tenant: fmt.Sprintf("%s-%03d", fillTenant, i%f.Tenants+1),
					Action: []string{"quarantine.release", "quarantine.read", "sender.allow", "sign-in"}[i%4], Object: string(mail.NewID()) + ".0", Before: "held", After: "250 2.6.0 Queued mail for delivery"}
				if err := o.store.Audit(ctx, e); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for i := range f.Audit {
		todo <- i
	}
	close(todo)
	writers.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
