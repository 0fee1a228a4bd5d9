package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

type tokenCmd struct {
	Add    tokenAddCmd    `cmd:"" help:"Make an API token for a program; it is printed once."`
	List   tokenListCmd   `cmd:"" help:"List API tokens without their secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke an API token: it counts no more from the next request on."`
}

type tokenAddCmd struct {
	Name   string   `arg:"" help:"What it is for; the audit log names it."`
	User   string   `required:"" help:"Whose it is: an owner or security administrator, whose role bounds it at every use." placeholder:"EMAIL"`
	Tenant string   `help:"Tenant it is good for; without it the whole system, for an owner of it only."`
	Scope  []string `required:"" help:"What it may do, such as mail:read; may be repeated. A wrong one lists all. Those that begin with danger: open what asks people for a second factor."`
	Days   int      `help:"Days until it ends, 365 at most, by default 90; with a scope danger:… 30 at most and by default."`
	From   []string `help:"Address or network that it counts from; may be repeated. Without it, from everywhere." placeholder:"NETWORK"`
}

type tokenView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Tenant    string    `json:"tenant"`
	User      string    `json:"user"`
	Scopes    []string  `json:"scopes"`
	Networks  []string  `json:"networks,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	UsedFrom  string    `json:"used_from,omitempty"`
	Token     string    `json:"token,omitempty"`
}

func viewToken(t store.Token) tokenView {
	var networks []string
	for _, n := range t.Networks {
		networks = append(networks, n.String())
	}
	return tokenView{t.ID, t.Name, t.Tenant, t.Email, t.Scopes, networks, t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.UsedAt, t.UsedFrom, ""}
}

func (t *tokenAddCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		a := o.admin()
		u, err := o.store.User(c.ctx, strings.ToLower(t.User))
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("user %s is not known: see postern user list", t.User)
		}
		if err != nil {
			return err
		}
		from, err := admin.ParseNetworks(strings.Join(t.From, " "))
		if err != nil {
			return err
		}
		wish := admin.TokenWish{Name: t.Name, Scopes: t.Scope, Days: t.Days, From: from}
		if t.Tenant != "" {
			tenant, err := a.Tenant(c.ctx, t.Tenant)
			if err != nil {
				return err
			}
			wish.Tenant = tenant.ID
		}
		token, kept, err := a.AddToken(c.ctx, u, wish)
		if err != nil {
			return err
		}
		v := viewToken(kept)
		v.Token = token
		return c.print(v, func(w io.Writer) {
			fmt.Fprintf(w, "API token %s, good until %s. It is shown only now; keep it secret:\n\n    %s\n\n", v.ID, day(v.ExpiresAt), token)
		})
	})
}

type tokenListCmd struct {
	Tenant string `help:"Only this tenant's."`
}

func (t *tokenListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		all, err := o.store.Tokens(c.ctx, t.Tenant)
		if err != nil {
			return err
		}
		views := make([]tokenView, 0, len(all))
		for _, x := range all {
			views = append(views, viewToken(x))
		}
		return c.print(views, func(w io.Writer) {
			table(w, "TOKEN\tNAME\tTENANT\tUSER\tENDS\tLAST USED\tFROM\tSCOPES", len(views), func(t io.Writer, i int) {
				v := views[i]
				ends := day(v.ExpiresAt)
				if !v.RevokedAt.IsZero() {
					ends = "revoked " + day(v.RevokedAt)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, show(v.Name, 30), orElse(v.Tenant, "all"), show(v.User, 30), ends, day(v.UsedAt), orElse(strings.Join(v.Networks, " "), "anywhere"), strings.Join(v.Scopes, " "))
			})
		})
	})
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"Id from token list."`
}

func (t *tokenRevokeCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		all, err := o.store.Tokens(c.ctx, "")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(x store.Token) bool { return x.ID == t.ID })
		if i < 0 || !all[i].RevokedAt.IsZero() {
			return fmt.Errorf("there is no API token %s that counts: see postern token list", t.ID)
		}
		if err := o.admin().RevokeToken(c.ctx, all[i].Tenant, t.ID); err != nil {
			return err
		}
		return c.print(map[string]any{"id": t.ID, "revoked": true}, func(w io.Writer) { fmt.Fprintf(w, "API token %s is revoked.\n", t.ID) })
	})
}
