package main

import (
	"errors"
	"fmt"
	"io"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/exchange/guide"
	"postern/internal/mail"
)

type exchangeGuideCmd struct {
	exchangeTenant
	exchangeChoices
	Markdown bool `help:"Markdown instead of plain text."`
	Reveal   bool `help:"Show the relay key where the guide needs it."`
}

// Run prints the same set-up as steps for a person. With a connected tenant each
// step is marked as done or open.
func (e *exchangeGuideCmd) Run(c *console) error {
	return c.withTenant(e.Tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		spec, err := x.Spec(c.ctx, t.ID)
		if err != nil {
			return err
		}
		spec.Options = e.into(spec.Options)
		mtas := map[string][]string{}
		for _, name := range spec.Domains {
			d, err := o.store.Domain(c.ctx, name)
			if err != nil {
				return err
			}
			for _, m := range d.MTAs {
				mtas[name] = append(mtas[name], m.Address())
			}
		}
		var report *exchange.Report
		engine, err := x.Engine(c.ctx, t.ID)
		if err == nil {
			report, err = engine.Verify(c.ctx, spec)
		}
		if err != nil && !errors.Is(err, admin.ErrNotConnected) {
			return err
		}
		steps, err := exchange.Guide(spec, mtas, "", report)
		if err != nil {
			return err
		}
		return c.print(steps, func(w io.Writer) {
			if e.Markdown {
				fmt.Fprint(w, guide.Markdown(steps, e.Reveal))
			} else {
				fmt.Fprint(w, guide.Text(steps, e.Reveal))
			}
		})
	})
}
