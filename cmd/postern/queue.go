package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

type queueCmd struct {
	List  queueListCmd  `cmd:"" help:"List what waits to be judged or delivered."`
	Retry queueRetryCmd `cmd:"" help:"Try a waiting message now."`
}

type queueListCmd struct {
	Tenant string `help:"Only this tenant's."`
	Limit  int    `default:"1000"`
}

type queuedView struct {
	ID        string     `json:"id"`
	Tenant    string     `json:"tenant"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	State     mail.State `json:"state"`
	Attempts  int        `json:"attempts"`
	NextAt    time.Time  `json:"next_at"`
	LastReply string     `json:"reply"`
}

func (q *queueListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		views := []queuedView{}
		tenant, err := o.tenant(c.ctx, q.Tenant)
		if err != nil {
			return err
		}
		for _, state := range []mail.State{mail.Accepted, mail.Judged, mail.Delivering} {
			rows, err := o.store.Trace(c.ctx, store.TraceFilter{Tenant: tenant, State: state, Limit: q.Limit})
			if err != nil {
				return err
			}
			for _, r := range rows {
				views = append(views, queuedView{copyID(r.ID, r.N), r.Tenant, r.From, r.To, r.State, r.Attempts, r.NextAt, r.Reply})
			}
		}
		return c.print(views, func(w io.Writer) {
			table(w, "ID\tFROM\tTO\tSTATE\tTRIES\tNEXT\tLAST ANSWER", len(views), func(t io.Writer, i int) {
				v := views[i]
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", v.ID, show(v.From, 30), show(v.To, 30), v.State, v.Attempts, day(v.NextAt), show(v.LastReply, 60))
			})
		})
	})
}

type queueRetryCmd struct {
	ID string `arg:"" help:"Id from queue list, or of a message."`
}

func (q *queueRetryCmd) Run(c *console) error {
	id, n, err := parseCopy(q.ID)
	if err != nil {
		return err
	}
	return c.with(func(o *opened) error {
		retried, err := o.admin().Retry(c.ctx, id, n)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%s does not wait: see postern trace --id %s", q.ID, id)
		}
		if err != nil {
			return err
		}
		return c.print(map[string]any{"id": q.ID, "retried": retried}, func(w io.Writer) {
			fmt.Fprintf(w, "%d waiting recipient(s) of %s are tried now by the running relay.\n", retried, id)
		})
	})
}
