package main

import (
	"fmt"
	"io"

	"postern/internal/admin"
	"postern/internal/mail"
)

type statusCmd struct {
	Tenant string `help:"Only this tenant." placeholder:"TENANT"`
}

// Run says for each tenant whether its mail is really protected; exit 1 when
// something is red.
func (s *statusCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		tenants, err := o.someTenants(c, s.Tenant)
		if err != nil {
			return err
		}
		parts := append([]mail.Health{o.running(c)}, o.parts(c.ctx)...)
		x := c.exchange(o)
		all := []*admin.Protection{}
		red := false
		for _, t := range tenants {
			p, err := x.Protection(c.ctx, t, parts)
			if err != nil {
				return err
			}
			all = append(all, p)
			red = red || p.Lamp == mail.Red
		}
		if err := c.print(all, func(w io.Writer) {
			for _, p := range all {
				printProtection(w, p)
			}
		}); err != nil {
			return err
		}
		if red {
			return errSilent
		}
		return nil
	})
}

// running asks the relay of this configuration whether it takes mail.
func (o *opened) running(c *console) mail.Health {
	h := mail.Health{Name: "relay", Lamp: mail.Green, Title: mail.Say("Relay"), Text: mail.Say("Takes mail.")}
	for _, addr := range []string{o.conf.Metrics.Listen, o.conf.Portal.Listen} {
		if addr == "" {
			continue
		}
		if err := askReady(c.ctx, addr); err != nil {
			h.Lamp, h.Text, h.Do = mail.Red, mail.Say("Takes no mail: %s.", oneLine(err)), mail.Say("See to the disk and to the log; Exchange keeps the mail and tries again meanwhile.")
		}
		return h
	}
	h.Lamp, h.Text = mail.Dark, mail.Say("Not known: neither metrics.listen nor portal.listen is configured.")
	return h
}

var lampWords = map[mail.Lamp]string{mail.Green: "green", mail.Amber: "AMBER", mail.Red: "RED", mail.Dark: "-"}

func printProtection(w io.Writer, p *admin.Protection) {
	fmt.Fprintf(w, "%s  %s: %s\n", lampWords[p.Lamp], p.Tenant.Name, p.Verdict)
	for _, h := range p.All() {
		fmt.Fprintf(w, "  %-6s %s: %s\n", lampWords[h.Lamp], h.Title, show(h.Text.String(), 300))
		if h.Do.Format != "" && h.Lamp != mail.Green {
			fmt.Fprintf(w, "         → %s\n", h.Do)
		}
	}
	for _, d := range p.Watched.Drift {
		fmt.Fprintf(w, "  drift  %s %s: should be %v, is %v. %s\n", d.Object, d.Field, d.Want, d.Have, d.Note)
	}
	if pr := p.Watched.Probe; pr != nil {
		for _, hop := range pr.Hops {
			fmt.Fprintf(w, "  probe  %s  +%s  %s %s\n", hop.At.Format("15:04:05.000"), hop.At.Sub(pr.At).Round(1e6), hop.Place, show(hop.Text, 100))
		}
	}
	fmt.Fprintln(w)
}
