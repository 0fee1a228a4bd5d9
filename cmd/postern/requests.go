package main

import (
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/store"
)

type requestCmd struct {
	List    requestListCmd    `cmd:"" help:"List requests that wait for an answer, the oldest first."`
	Approve requestApproveCmd `cmd:"" help:"Release the mail that somebody asks for."`
	Decline requestDeclineCmd `cmd:"" help:"Answer with no and a sentence; the mail stays held."`
}

type requestView struct {
	ID      string       `json:"id"`
	Address string       `json:"address"`
	AskedAt time.Time    `json:"asked_at"`
	From    string       `json:"from"`
	Subject string       `json:"subject"`
	Verdict mail.Verdict `json:"verdict"`
}

type requestListCmd struct {
	Tenant string `required:""`
}

func (r *requestListCmd) Run(c *console) error {
	return c.withTenant(r.Tenant, func(o *opened, t mail.Tenant) error {
		all, err := o.store.OpenRequests(c.ctx, t.ID)
		if err != nil {
			return err
		}
		views := []requestView{}
		for _, q := range all {
			v := requestView{ID: copyID(q.Message, q.N), Address: q.Addr, AskedAt: q.AskedAt}
			rows, err := o.store.Trace(c.ctx, store.TraceFilter{Tenant: t.ID, ID: q.Message, Limit: 1000})
			if err != nil {
				return err
			}
			for _, row := range rows {
				if row.N == q.N {
					v.From, v.Subject, v.Verdict = row.From, row.Subject, row.Verdict
				}
			}
			views = append(views, v)
		}
		return c.print(views, func(w io.Writer) {
			table(w, "ID\tASKED\tBY\tFROM\tSUBJECT\tVERDICT", len(views), func(t io.Writer, i int) {
				v := views[i]
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, day(v.AskedAt), show(v.Address, 40), show(v.From, 30), show(v.Subject, 40), v.Verdict)
			})
		})
	})
}

// asked finds the request that somebody waits for an answer to.
func (o *opened) asked(c *console, tenant, id string) (t mail.Tenant, q store.Request, err error) {
	if t, err = o.admin().Tenant(c.ctx, tenant); err != nil {
		return t, q, err
	}
	all, err := o.store.OpenRequests(c.ctx, t.ID)
	if err != nil {
		return t, q, err
	}
	for _, q := range all {
		if copyID(q.Message, q.N) == id {
			return t, q, nil
		}
	}
	return t, q, fmt.Errorf("nobody waits for %s: it was answered, or the mail is not held; see postern request list", id)
}

type requestApproveCmd struct {
	ID     string `arg:"" help:"From request list."`
	Tenant string `required:""`
}

func (r *requestApproveCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		t, q, err := o.asked(c, r.Tenant, r.ID)
		if err != nil {
			return err
		}
		relayed, done, err := c.releaser(o)
		if err != nil {
			return err
		}
		defer done()
		out, err := relayed.Release(c.ctx, relay.Order{Tenant: t.ID, ID: q.Message, N: q.N, By: "command line"})
		if err != nil {
			return err
		}
		a := o.admin()
		if err := a.NoteRelease(c.ctx, t.ID, r.ID, out.Reply); err != nil {
			return err
		}
		if err := a.Approve(c.ctx, t.ID, q.Message, q.N, out.Reply); err != nil {
			return err
		}
		v := copyView{r.ID, releasedState(out.Kind), out.Reply}
		return c.print(v, func(w io.Writer) { fmt.Fprintf(w, "%s is %s: %s\n", v.ID, v.State, show(v.Reply, 200)) })
	})
}

type requestDeclineCmd struct {
	ID     string `arg:"" help:"From request list."`
	Answer string `required:"" help:"A sentence that the person reads."`
	Tenant string `required:""`
}

func (r *requestDeclineCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		t, q, err := o.asked(c, r.Tenant, r.ID)
		if err != nil {
			return err
		}
		if err := o.admin().Decline(c.ctx, t.ID, q.Message, q.N, r.Answer); err != nil {
			return err
		}
		return c.print(map[string]any{"id": r.ID, "declined": true}, func(w io.Writer) { fmt.Fprintf(w, "Declined; %s stays held.\n", r.ID) })
	})
}
