package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"postern/internal/mail"
)

type tenantSetCmd struct {
	Tenant     string  `arg:"" help:"Id or name."`
	Name       *string `help:"New name, as people call it."`
	Messages   *int    `help:"Most messages an hour on each node; 0 for no limit."`
	Recipients *int    `help:"Most recipients an hour on each node; 0 for no limit."`
	HeldOctets *int64  `help:"Most octets of held mail; 0 for no limit."`
	Users      *int    `help:"Most users of the portal; 0 for no limit."`
	Logo       *string `help:"Picture file for the portal and mail; '' takes it away."`
	Look       *string `help:"Name that its people see; '' for the tenant's."`
	Accent     *string `help:"Colour of links and buttons, #rrggbb; '' for Postern's."`
}

type tenantSettings struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Limits mail.Limits `json:"limits"`
	Look   string      `json:"look"`
	Accent string      `json:"accent"`
	Logo   bool        `json:"logo"`
}

func (s *tenantSetCmd) Run(c *console) error {
	return c.withTenant(s.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		name, l := t.Name, t.Limits
		take(&name, s.Name)
		take(&l.Messages, s.Messages)
		take(&l.Recipients, s.Recipients)
		take(&l.HeldOctets, s.HeldOctets)
		take(&l.Users, s.Users)
		if name != t.Name || l != t.Limits {
			var err error
			if t, err = a.SetTenant(c.ctx, t.ID, name, l); err != nil {
				return err
			}
		}
		if err := s.look(c, o, t); err != nil {
			return err
		}
		b, err := a.Brand(c.ctx, t.ID)
		if err != nil {
			return err
		}
		return c.print(tenantSettings{t.ID, t.Name, t.Limits, b.Name, b.Accent, b.Logo}, func(w io.Writer) {
			fmt.Fprintf(w, "Tenant %s, %s: %d messages and %d recipients an hour, %d octets held, %d users (0 is no limit).\n", t.ID, t.Name, l.Messages, l.Recipients, l.HeldOctets, l.Users)
		})
	})
}

func take[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// look changes what people of the tenant see, as far as it was given.
func (s *tenantSetCmd) look(c *console, o *opened, t mail.Tenant) error {
	if s.Logo == nil && s.Look == nil && s.Accent == nil {
		return nil
	}
	b, err := o.admin().Brand(c.ctx, t.ID)
	if err != nil {
		return err
	}
	var logo []byte
	if s.Logo != nil {
		logo = []byte{}
		if *s.Logo != "" {
			if logo, err = os.ReadFile(*s.Logo); err != nil {
				return fmt.Errorf("logo: %w", err)
			}
		}
	}
	take(&b.Name, s.Look)
	take(&b.Accent, s.Accent)
	return o.admin().SetBrand(c.ctx, t.ID, b.Name, b.Accent, logo)
}

type tenantRemoveCmd struct {
	Tenant  string `arg:"" help:"Id or name."`
	Confirm string `help:"Its name once more, so that it is not another one."`
	Export  string `help:"File that is to keep what is known of it, but for content and secrets."`
}

func (s *tenantRemoveCmd) Run(c *console) error {
	return c.withTenant(s.Tenant, func(o *opened, t mail.Tenant) error {
		if s.Export != "" {
			if err := exportTo(c, o, t.ID, s.Export); err != nil {
				return err
			}
		}
		if err := o.admin().RemoveTenant(c.ctx, t.ID, s.Confirm); err != nil {
			return err
		}
		return c.print(map[string]string{"removed": t.ID}, func(w io.Writer) {
			fmt.Fprintf(w, "Tenant %s is removed; its key is destroyed.\n", t.ID)
		})
	})
}

// exportTo writes an export to a file that must be new.
func exportTo(c *console, o *opened, tenant, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return errors.Join(o.admin().ExportTenant(c.ctx, tenant, f), f.Sync(), f.Close())
}
