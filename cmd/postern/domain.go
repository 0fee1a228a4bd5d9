package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
)

type domainCmd struct {
	Add     domainAddCmd     `cmd:"" help:"Add a domain with its MTAs, or replace its MTAs."`
	Resolve domainResolveCmd `cmd:"" help:"Suggest a domain's MTAs from its MX records."`
	Prove   domainProveCmd   `cmd:"" help:"Show that a domain is the tenant's: by DNS, or by its connected Exchange organization."`
	Enable  domainEnableCmd  `cmd:"" help:"Take mail for a domain; prints the relay key."`
	Disable domainDisableCmd `cmd:"" help:"Stop taking mail for a domain: Exchange gets a temporary refusal."`
	Remove  domainRemoveCmd  `cmd:"" help:"Forget a domain that is not enabled."`
	List    domainListCmd    `cmd:"" help:"List domains."`
}

type domainAddCmd struct {
	Domain string   `arg:"" help:"Domain, such as contoso.com."`
	Tenant string   `required:"" help:"Tenant that the domain belongs to."`
	MTA    []string `required:"" name:"mta" sep:"none" help:"HOST[:PORT][,tls=verify|require|none] that takes the domain's mail; up to three, in order of preference."`
	ViaMX  bool     `name:"via-mx" help:"This relay is the domain's MX: no key, the peer is the origin."`
}

type mtaView struct {
	Host string       `json:"host"`
	Port int          `json:"port"`
	TLS  mail.TLSMode `json:"tls"`
}

type domainView struct {
	Domain       string            `json:"domain"`
	Tenant       string            `json:"tenant"`
	Architecture mail.Architecture `json:"architecture"`
	Enabled      bool              `json:"enabled"`
	MTAs         []mtaView         `json:"mtas"`
	Proved       string            `json:"proved"` // "dns", "exchange", or "" when only the person at this console vouches for it
}

func viewDomain(d mail.Domain) domainView {
	return domainView{Domain: d.Name, Tenant: d.Tenant, Architecture: d.Architecture, Enabled: d.Enabled, MTAs: viewMTAs(d.MTAs)}
}

func viewMTAs(mtas []mail.MTA) []mtaView {
	v := make([]mtaView, 0, len(mtas))
	for _, m := range mtas {
		v = append(v, mtaView{m.Host, m.Port, m.TLS})
	}
	return v
}

func (d *domainAddCmd) Run(c *console) error {
	domain := mail.Domain{Name: d.Domain, Architecture: mail.ViaRelay}
	if d.ViaMX {
		domain.Architecture = mail.ViaMX
	}
	for _, text := range d.MTA {
		m, err := admin.ParseMTA(text)
		if err != nil {
			return err
		}
		domain.MTAs = append(domain.MTAs, m)
	}
	return c.withTenant(d.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		domain.Tenant = t.ID
		added, err := a.AddDomain(c.ctx, domain)
		if err != nil {
			return err
		}
		return c.print(viewDomain(added), func(w io.Writer) {
			fmt.Fprintf(w, "Domain %s added for %s. Its mail goes to %s.\n", added.Name, added.Tenant, mtaList(added.MTAs))
			if !added.Enabled {
				fmt.Fprintf(w, "Next: postern domain enable %s\n", added.Name)
			}
		})
	})
}

func mtaList(mtas []mail.MTA) string {
	list := make([]string, 0, len(mtas))
	for _, m := range mtas {
		list = append(list, m.Address())
	}
	return strings.Join(list, ", then ")
}

type domainResolveCmd struct {
	Domain string `arg:""`
}

func (d *domainResolveCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		s, err := o.admin().ResolveDomain(c.ctx, d.Domain)
		if err != nil && !errors.Is(err, deliver.ErrLoop) {
			return err
		}
		v := struct {
			Domain  string    `json:"domain"`
			MTAs    []mtaView `json:"mtas"`
			Warning string    `json:"warning"`
		}{d.Domain, viewMTAs(s.MTAs), s.Warning.String()}
		if err := c.print(v, func(w io.Writer) {
			if s.Warning.Format == "" {
				fmt.Fprintf(w, "%s: %s\n", d.Domain, mtaList(s.MTAs))
			}
		}); err != nil {
			return err
		}
		if s.Warning.Format != "" {
			fmt.Fprintf(c.err, "postern: %s\n", s.Warning)
			return errSilent
		}
		return nil
	})
}

type domainProveCmd struct {
	Domain string `arg:""`
}

func (d *domainProveCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		proof, err := c.exchange(o).ProveDomain(c.ctx, d.Domain)
		if err != nil {
			return err
		}
		return c.print(map[string]any{"domain": d.Domain, "proved": proof.By}, func(w io.Writer) {
			fmt.Fprintf(w, "Domain %s is proved by %s.\n", d.Domain, proof.By)
		})
	})
}

type domainEnableCmd struct {
	Domain string `arg:""`
}

func (d *domainEnableCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		k, err := o.admin().EnableDomain(c.ctx, d.Domain)
		if err != nil {
			return err
		}
		return c.print(k, func(w io.Writer) {
			fmt.Fprintf(w, "Domain %s is enabled. This changes nothing in the mail flow until Exchange redirects mail here.\n", k.Domain)
			printKey(w, k, o.conf.Relay.HeaderPrefix)
		})
	})
}

// printKey shows a relay key, or says why it is not shown.
func printKey(w io.Writer, k admin.NewKey, prefix string) {
	switch {
	case k.Key != "":
		fmt.Fprintf(w, "\nRelay key (id %s), the value of the header %s-creds in Exchange's rule:\n\n    %s\n\nKeep it secret: who has it can hand in mail for this tenant.\n", k.KeyID, prefix, k.Key)
	case k.KeyID != "":
		fmt.Fprintf(w, "The tenant's relay key %s is in use and not shown again; postern key rotate --tenant %s makes another.\n", k.KeyID, k.Tenant)
	}
}

type domainDisableCmd struct {
	Domain string `arg:""`
}

func (d *domainDisableCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		warning, err := o.admin().DisableDomain(c.ctx, d.Domain)
		if err != nil {
			return err
		}
		v := map[string]any{"domain": d.Domain, "enabled": false, "warning": warning}
		return c.print(v, func(w io.Writer) { fmt.Fprintln(w, warning) })
	})
}

type domainRemoveCmd struct {
	Domain string `arg:""`
}

func (d *domainRemoveCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		if err := o.admin().RemoveDomain(c.ctx, d.Domain); err != nil {
			return err
		}
		return c.print(map[string]any{"domain": d.Domain, "removed": true}, func(w io.Writer) { fmt.Fprintf(w, "Domain %s removed.\n", d.Domain) })
	})
}

type domainListCmd struct{}

func (domainListCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		all, err := o.store.Domains(c.ctx, "")
		if err != nil {
			return err
		}
		views := make([]domainView, 0, len(all))
		for _, d := range all {
			v := viewDomain(d)
			proof, err := o.admin().DomainProof(c.ctx, d)
			if err != nil && !errors.Is(err, admin.ErrNotProved) {
				return err
			}
			v.Proved = proof.By
			views = append(views, v)
		}
		return c.print(views, func(w io.Writer) {
			table(w, "DOMAIN\tTENANT\tVIA\tENABLED\tPROVED\tMTA", len(views), func(t io.Writer, i int) {
				d := views[i]
				fmt.Fprintf(t, "%s\t%s\t%s\t%v\t%s\t%s\n", d.Domain, d.Tenant, d.Architecture, d.Enabled, orElse(d.Proved, "no"), mtaList(all[i].MTAs))
			})
		})
	})
}
