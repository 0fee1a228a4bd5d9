package main

import (
	"fmt"
	"io"
	"strings"

	"postern/internal/mail"
)

type peopleCmd struct {
	Add    peopleAddCmd    `cmd:"" help:"Protect somebody's name from impersonation, or give the person other addresses."`
	List   peopleListCmd   `cmd:"" help:"List the people protected."`
	Remove peopleRemoveCmd `cmd:"" help:"End the protection of a name."`
}

// personView is one person protected.
type personView struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"` // outside, that are really this person's
}

type peopleAddCmd struct {
	Name   string   `arg:"" help:"As mail programs show it."`
	Own    []string `help:"An address outside your domains that is really this person's." placeholder:"ADDRESS"`
	Tenant string   `required:""`
}

func (p *peopleAddCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		rules, err := o.store.Rules(c.ctx, t.ID)
		if err != nil {
			return err
		}
		was := ""
		for _, known := range rules.People {
			if strings.EqualFold(known.Name, strings.Join(strings.Fields(p.Name), " ")) {
				was = known.Name
			}
		}
		if _, err := o.admin().PutPerson(c.ctx, t.ID, was, mail.Person{Name: p.Name, Addresses: p.Own}); err != nil {
			return err
		}
		return printPeople(c, o, t.ID)
	})
}

type peopleListCmd struct {
	Tenant string `required:""`
}

func (p *peopleListCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		return printPeople(c, o, t.ID)
	})
}

func printPeople(c *console, o *opened, tenant string) error {
	rules, err := o.store.Rules(c.ctx, tenant)
	if err != nil {
		return err
	}
	views := []personView{}
	for _, p := range rules.People {
		views = append(views, personView{p.Name, append([]string{}, p.Addresses...)})
	}
	return c.print(views, func(w io.Writer) {
		table(w, "NAME\tOWN ADDRESSES OUTSIDE", len(views), func(t io.Writer, i int) {
			fmt.Fprintf(t, "%s\t%s\n", show(views[i].Name, 60), strings.Join(views[i].Addresses, " "))
		})
	})
}

type peopleRemoveCmd struct {
	Name   string `arg:""`
	Tenant string `required:""`
}

func (p *peopleRemoveCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		if _, err := o.admin().RemovePerson(c.ctx, t.ID, p.Name); err != nil {
			return err
		}
		return printPeople(c, o, t.ID)
	})
}
