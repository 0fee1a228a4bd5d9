package main

import (
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
)

type keyCmd struct {
	Rotate keyRotateCmd `cmd:"" help:"Make a second relay key, valid beside the first."`
	Retire keyRetireCmd `cmd:"" help:"End the older key: mail that still carries it is held, with an alarm."`
	List   keyListCmd   `cmd:"" help:"List a tenant's keys without their secrets."`
}

type keyRotateCmd struct {
	Tenant string `required:""`
}

func (k *keyRotateCmd) Run(c *console) error {
	return c.withTenant(k.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		key, err := a.RotateKey(c.ctx, t.ID)
		if err != nil {
			return err
		}
		return c.print(key, func(w io.Writer) {
			fmt.Fprintln(w, "Both keys are valid now. Put the new one into Exchange's rule, wait until it is seen, then retire the old one with postern key retire.")
			printKey(w, key, o.conf.Relay.HeaderPrefix)
		})
	})
}

type keyRetireCmd struct {
	Tenant string `required:""`
}

func (k *keyRetireCmd) Run(c *console) error {
	return c.withTenant(k.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		retired, warning, err := a.RetireKey(c.ctx, t.ID)
		if err != nil {
			return err
		}
		v := map[string]string{"tenant": t.ID, "key_id": retired.ID, "warning": warning.String()}
		return c.print(v, func(w io.Writer) {
			fmt.Fprintf(w, "Relay key %s is retired.\n", retired.ID)
			if warning.Format != "" {
				fmt.Fprintln(w, warning)
			}
		})
	})
}

type keyListCmd struct {
	Tenant string `help:"Only this tenant's."`
}

type keyView struct {
	ID        string    `json:"key_id"`
	Tenant    string    `json:"tenant"`
	CreatedAt time.Time `json:"created_at"`
	RetiredAt time.Time `json:"retired_at,omitzero"`
	SeenAt    time.Time `json:"seen_at,omitzero"`
}

func (k *keyListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		all, err := o.store.Keys(c.ctx, k.Tenant)
		if err != nil {
			return err
		}
		views := make([]keyView, 0, len(all))
		for _, key := range all {
			views = append(views, keyView{key.ID, key.Tenant, key.CreatedAt, key.RetiredAt, key.SeenAt})
		}
		return c.print(views, func(w io.Writer) {
			table(w, "KEY\tTENANT\tMADE\tLAST SEEN\tSTATE", len(views), func(t io.Writer, i int) {
				v, state := views[i], "valid"
				if !v.RetiredAt.IsZero() {
					state = "retired " + day(v.RetiredAt)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Tenant, day(v.CreatedAt), day(v.SeenAt), state)
			})
		})
	})
}

// day is a time as tables show it.
func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
