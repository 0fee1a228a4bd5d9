package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

type quarantineReportCmd struct {
	ID      string       `arg:"" help:"Id from quarantine list or trace; of a message, for its first recipient."`
	Wrong   mail.Verdict `required:"" enum:"clean,bulk,spam,phish,malware" help:"What it really is: clean, bulk, spam, phish or malware."`
	Comment string       `help:"How you know."`
}

type verdictReportView struct {
	ID      string       `json:"id"`
	At      time.Time    `json:"at"`
	Verdict mail.Verdict `json:"verdict"` // ours
	Should  mail.Verdict `json:"should"`
	Comment string       `json:"comment"`
}

func (q *quarantineReportCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		id, n, err := parseCopy(q.ID)
		if err != nil {
			return err
		}
		m, err := o.store.Message(c.ctx, "", id)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no message %s", id)
		}
		if err != nil {
			return err
		}
		hooks, err := newHooks(o)
		if err != nil {
			return err
		}
		defer closeHooks(c, hooks)
		a := o.admin()
		if hooks != nil {
			a.Notify = hooks.Emit
		}
		r, err := a.ReportVerdict(c.ctx, m.Tenant, id, max(n, 0), q.Wrong, q.Comment)
		if err != nil {
			return err
		}
		v := verdictReportView{copyID(id, r.N), r.At, r.Verdict, r.Should, r.Comment}
		return c.print(v, func(w io.Writer) {
			fmt.Fprintf(w, "%s: judged %s, reported as %s.\n", v.ID, v.Verdict, v.Should)
		})
	})
}
