package main

import (
	"fmt"
	"io"
	"time"
)

type alarmCmd struct {
	List  alarmListCmd  `cmd:"" help:"List alarms, the latest first."`
	Clear alarmClearCmd `cmd:"" help:"Clear a kind of alarm."`
}

type alarmListCmd struct {
	Tenant string `help:"Only this tenant's."`
}

type alarmView struct {
	Kind    string    `json:"kind"`
	Tenant  string    `json:"tenant"`
	Text    string    `json:"text"`
	Count   int       `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

func (a *alarmListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		tenant, err := o.tenant(c.ctx, a.Tenant)
		if err != nil {
			return err
		}
		all, err := o.store.Alarms(c.ctx, tenant)
		if err != nil {
			return err
		}
		views := make([]alarmView, 0, len(all))
		for _, x := range all {
			views = append(views, alarmView{x.Kind, x.Tenant, x.Text.String(), x.Count, x.FirstAt, x.LastAt})
		}
		return c.print(views, func(w io.Writer) {
			table(w, "LAST\tTIMES\tKIND\tTENANT\tTEXT", len(views), func(t io.Writer, i int) {
				v := views[i]
				fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", day(v.LastAt), v.Count, v.Kind, v.Tenant, show(v.Text, 160))
			})
		})
	})
}

type alarmClearCmd struct {
	Kind   string `arg:""`
	Tenant string `help:"Of this tenant; without it, of the installation."`
}

func (a *alarmClearCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		tenant, err := o.tenant(c.ctx, a.Tenant)
		if err != nil {
			return err
		}
		if err := o.admin().ClearAlarm(c.ctx, a.Kind, tenant); err != nil {
			return err
		}
		return c.print(map[string]any{"kind": a.Kind, "cleared": true}, func(w io.Writer) { fmt.Fprintf(w, "Alarms of kind %s are cleared.\n", a.Kind) })
	})
}
