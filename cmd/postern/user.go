package main

import (
	"fmt"
	"io"
)

type userCmd struct {
	Add  userAddCmd  `cmd:"" help:"Add a user of the portal."`
	List userListCmd `cmd:"" help:"List users."`
}

type userAddCmd struct {
	Email  string `arg:""`
	Tenant string `help:"Tenant the user belongs to; without it the user may see all."`
	Role   string `required:"" help:"owner, security-admin, helpdesk, auditor or user."`
}

type userView struct {
	Email  string `json:"email"`
	Tenant string `json:"tenant"`
	Role   string `json:"role"`
}

func (u *userAddCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		added, err := o.admin().AddUser(c.ctx, u.Email, u.Tenant, u.Role)
		if err != nil {
			return err
		}
		return c.print(userView{added.Email, added.Tenant, added.Role}, func(w io.Writer) {
			fmt.Fprintf(w, "User %s added as %s.\n", added.Email, added.Role)
		})
	})
}

type userListCmd struct {
	Tenant string `help:"Only this tenant's."`
}

func (u *userListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		all, err := o.store.Users(c.ctx, u.Tenant)
		if err != nil {
			return err
		}
		views := make([]userView, 0, len(all))
		for _, x := range all {
			views = append(views, userView{x.Email, x.Tenant, x.Role})
		}
		return c.print(views, func(w io.Writer) {
			table(w, "USER\tTENANT\tROLE", len(views), func(t io.Writer, i int) {
				fmt.Fprintf(t, "%s\t%s\t%s\n", views[i].Email, views[i].Tenant, views[i].Role)
			})
		})
	})
}
