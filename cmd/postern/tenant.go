package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

type tenantCmd struct {
	Add    tenantAddCmd    `cmd:"" help:"Add a tenant: one customer, one Microsoft 365 organization."`
	List   tenantListCmd   `cmd:"" help:"List tenants."`
	Set    tenantSetCmd    `cmd:"" help:"Change a tenant's name, limits and look."`
	Remove tenantRemoveCmd `cmd:"" help:"Remove a tenant for good: its key is destroyed first."`
}

type tenantAddCmd struct {
	Name string `arg:"" help:"Name, as people call it."`
}

type tenantView struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Token string `json:"token,omitempty"` // the word in the processed header that the tenant's rules trust; only when it is made
}

func (t *tenantAddCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		added, err := o.admin().AddTenant(c.ctx, t.Name)
		if err != nil {
			return err
		}
		return c.print(tenantView{added.ID, added.Name, added.Token}, func(w io.Writer) {
			fmt.Fprintf(w, "Tenant %s added. Next: postern domain add DOMAIN --tenant %s --mta HOST\n", added.ID, added.ID)
		})
	})
}

type tenantListCmd struct{}

func (tenantListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		all, err := o.store.Tenants(c.ctx)
		if err != nil {
			return err
		}
		views := make([]tenantView, 0, len(all))
		for _, t := range all {
			views = append(views, tenantView{ID: t.ID, Name: t.Name})
		}
		return c.print(views, func(w io.Writer) {
			table(w, "TENANT\tNAME", len(views), func(t io.Writer, i int) {
				fmt.Fprintf(t, "%s\t%s\n", views[i].ID, views[i].Name)
			})
		})
	})
}

// table prints rows in columns, or says that there are none.
func table(w io.Writer, head string, n int, row func(w io.Writer, i int)) {
	if n == 0 {
		fmt.Fprintln(w, "None.")
		return
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, head)
	for i := range n {
		row(&text, i)
	}
	if s, ok := w.(*screen); ok {
		var rows [][]string
		for line := range strings.Lines(text.String()) {
			rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
		s.fit(rows)
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = text.WriteTo(t) // as every printing here, without a mend when the reader is gone
	t.Flush()
}
