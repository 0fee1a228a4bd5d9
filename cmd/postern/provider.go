package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"postern/internal/admin"
	"postern/internal/store"
)

type providerCmd struct {
	Show   providerShowCmd   `cmd:"" help:"Show it, without its secret."`
	Set    providerSetCmd    `cmd:"" help:"Set it; it is asked once whether it answers, and kept only then."`
	Remove providerRemoveCmd `cmd:"" help:"End signing in elsewhere; local accounts go on."`
}

type providerShowCmd struct{}

func (*providerShowCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		p, err := o.admin().Provider(c.ctx)
		if errors.Is(err, store.ErrNotFound) {
			return errNoProvider
		}
		if err != nil {
			return err
		}
		return c.print(p, func(w io.Writer) {
			fmt.Fprintf(w, "%s\n  issuer       %s\n  client       %s\n  addresses    %s\n", show(p.Name, 40), show(p.Issuer, 200), show(p.ClientID, 200), p.Believe)
			for _, g := range p.Roles {
				fmt.Fprintf(w, "  role         %s\n", show(g.String(), 200))
			}
			fmt.Fprintf(w, "  tenants      %s\n  domains      %s\n  makes users  %v\n  trusted with the second factor  %v\n",
				orElse(strings.Join(p.Tenants, " "), "all"), orElse(strings.Join(p.Domains, " "), "all"), p.Provision, p.TrustFactor)
		})
	})
}

var errNoProvider = errors.New("nobody signs in elsewhere: no provider is set; postern provider set sets one")

type providerSetCmd struct {
	Name        string   `required:"" help:"On the button of the sign-in page."`
	Issuer      string   `required:"" help:"Exactly as the provider writes it." placeholder:"URL"`
	ClientID    string   `required:"" name:"client-id" help:"Which the provider gave for this portal." placeholder:"ID"`
	SecretFile  string   `name:"client-secret-file" help:"File with the client's secret; without it the former one of the same issuer and client is kept." type:"existingfile" placeholder:"FILE"`
	Groups      string   `help:"Claim that lists groups; groups by default."`
	GroupRole   []string `name:"group-role" sep:"none" help:"GROUP = ROLE, or GROUP = ROLE @ TENANT; may be repeated. The first that fits gives the role at each sign-in." placeholder:"RULE"`
	EntraTenant []string `name:"entra-tenant" help:"Microsoft Entra tenant that may sign in; may be repeated. Without it, all." placeholder:"TID"`
	Domain      []string `help:"Domain of addresses that may sign in; may be repeated. Without it, all."`
	Believe     string   `default:"none" enum:"none,verified,managed" help:"Which of its addresses link accounts: none, verified or managed."`
	Provision   bool     `help:"Make an account for who has a role and none yet."`
	TrustFactor bool     `name:"trust-factor" help:"It asks for a second factor itself, even where it does not say so."`
}

func (p *providerSetCmd) Run(c *console) error {
	roles, err := admin.ParseRoles(strings.Join(p.GroupRole, "\n"))
	if err != nil {
		return err
	}
	secret := ""
	if p.SecretFile != "" {
		octets, err := os.ReadFile(p.SecretFile)
		if err != nil {
			return fmt.Errorf("client secret: %w", err)
		}
		secret = strings.TrimSpace(string(octets))
	}
	return c.with(func(o *opened) error {
		set := admin.Provider{Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID, Groups: p.Groups, Roles: roles, Tenants: p.EntraTenant, Domains: p.Domain,
			Believe: admin.Belief(p.Believe), Provision: p.Provision, TrustFactor: p.TrustFactor}
		if err := o.admin().SetProvider(c.ctx, set, secret); err != nil {
			return err
		}
		return c.print(set, func(w io.Writer) {
			fmt.Fprintf(w, "%s answers and is kept. The sign-in page shows its button now.\n", show(p.Issuer, 200))
		})
	})
}

type providerRemoveCmd struct{}

func (*providerRemoveCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		err := o.admin().RemoveProvider(c.ctx)
		if errors.Is(err, store.ErrNotFound) {
			return errNoProvider
		}
		if err != nil {
			return err
		}
		return c.print(map[string]any{"removed": true}, func(w io.Writer) { fmt.Fprintln(w, "Nobody signs in elsewhere any more. Local accounts go on.") })
	})
}
