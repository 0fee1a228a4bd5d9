package main

import (
	"fmt"
	"io"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
)

type senderCmd struct {
	Allow  senderAllowCmd  `cmd:"" help:"Let a sender through when authentication passes."`
	Block  senderBlockCmd  `cmd:"" help:"Hold all mail of a sender."`
	List   senderListCmd   `cmd:"" help:"List a tenant's entries."`
	Remove senderRemoveCmd `cmd:"" help:"Remove an entry."`
}

type entryView struct {
	ID      string `json:"id"`
	Tenant  string `json:"tenant"`
	Kind    string `json:"kind"` // allow or block
	Sender  string `json:"sender"`
	AnyAuth bool   `json:"any_auth"`
	Note    string `json:"note"`
}

func viewEntry(tenant string, e mail.ListEntry) entryView {
	v := entryView{ID: e.ID, Tenant: tenant, Kind: "block", AnyAuth: e.AnyAuth, Note: e.Note}
	if e.Allow {
		v.Kind = "allow"
	}
	switch {
	case e.Address != "":
		v.Sender = e.Address
	case e.Domain != "":
		v.Sender = e.Domain
	default:
		v.Sender = e.Network.String()
	}
	return v
}

type senderAllowCmd struct {
	Sender  string `arg:"" help:"Address, domain or network."`
	Tenant  string `required:""`
	AnyAuth bool   `help:"Also when authentication does not pass: anybody can then write in this sender's name."`
	Note    string `help:"Why, for those who read the list later."`
	Days    int    `help:"Remove it by itself after so many days."`
}

func (s *senderAllowCmd) Run(c *console) error {
	return addEntry(c, s.Tenant, s.Sender, mail.ListEntry{Allow: true, AnyAuth: s.AnyAuth, Note: s.Note, ExpiresAt: afterDays(s.Days)})
}

type senderBlockCmd struct {
	Sender string `arg:"" help:"Address, domain or network."`
	Tenant string `required:""`
	Note   string `help:"Why, for those who read the list later."`
	Days   int    `help:"Remove it by itself after so many days."`
}

func (s *senderBlockCmd) Run(c *console) error {
	return addEntry(c, s.Tenant, s.Sender, mail.ListEntry{Note: s.Note, ExpiresAt: afterDays(s.Days)})
}

// afterDays is a moment so many days from now; zero for none.
func afterDays(days int) time.Time {
	if days <= 0 {
		return time.Time{}
	}
	return time.Now().AddDate(0, 0, days)
}

func addEntry(c *console, tenant, sender string, e mail.ListEntry) error {
	return c.withTenant(tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		added, err := a.AddEntry(c.ctx, t.ID, sender, e)
		if err != nil {
			return err
		}
		if warning := admin.SenderWarning(sender, e); warning != "" {
			fmt.Fprintf(c.err, "postern: warning: %s\n", warning)
		}
		v := viewEntry(t.ID, added)
		return c.print(v, func(w io.Writer) { fmt.Fprintf(w, "Entry %s: %s %s\n", v.ID, v.Kind, v.Sender) })
	})
}

type senderListCmd struct {
	Tenant string `required:""`
}

func (s *senderListCmd) Run(c *console) error {
	return c.withTenant(s.Tenant, func(o *opened, t mail.Tenant) error {
		rules, err := o.store.Rules(c.ctx, t.ID)
		if err != nil {
			return err
		}
		views := make([]entryView, 0, len(rules.Lists))
		for _, e := range rules.Lists {
			views = append(views, viewEntry(t.ID, e))
		}
		return c.print(views, func(w io.Writer) {
			table(w, "ID\tKIND\tSENDER\tNOTE", len(views), func(t io.Writer, i int) {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", views[i].ID, views[i].Kind, views[i].Sender, show(views[i].Note, 60))
			})
		})
	})
}

type senderRemoveCmd struct {
	ID     string `arg:""`
	Tenant string `required:""`
}

func (s *senderRemoveCmd) Run(c *console) error {
	return c.withTenant(s.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		if err := a.RemoveEntry(c.ctx, t.ID, s.ID); err != nil {
			return err
		}
		return c.print(map[string]any{"id": s.ID, "removed": true}, func(w io.Writer) { fmt.Fprintf(w, "Entry %s removed.\n", s.ID) })
	})
}
