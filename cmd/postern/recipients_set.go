package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

type recipientsCmd struct {
	Show recipientsShowCmd `cmd:"" help:"Show what they may do, and their digest."`
	Set  recipientsSetCmd  `cmd:"" help:"Change it; what is not given stays."`
}

type recipientsView struct {
	Tenant   string                           `json:"tenant"`
	May      map[mail.Verdict]mail.Permission `json:"may"`
	Every    string                           `json:"digest"`
	Hours    []int                            `json:"hours"`
	Day      string                           `json:"day"`
	Zone     string                           `json:"zone"`
	Language string                           `json:"language"`
	FromName string                           `json:"from_name"`
	FromAddr string                           `json:"from_address"`
}

func viewRecipients(tenant string, r mail.Recipients) recipientsView {
	v := recipientsView{tenant, r.May, r.Digest.Every, r.Digest.Hours, strings.ToLower(r.Digest.Day.String()), r.Zone, r.Lang, r.FromName, r.FromAddr}
	if v.May == nil {
		v.May = map[mail.Verdict]mail.Permission{}
	}
	if v.Every == "" {
		v.Every = mail.Never
	}
	if v.Hours == nil {
		v.Hours = []int{}
	}
	return v
}

func (c *console) printRecipients(v recipientsView) error {
	return c.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "Digest: %s, at hours %v (weekly: %s), zone %s, language %s.\nFrom: %s <%s>\n", v.Every, v.Hours, v.Day, orElse(v.Zone, "UTC"), orElse(v.Language, "en"), orElse(v.FromName, "the tenant's name"), orElse(v.FromAddr, "quarantine@ the recipient's domain"))
		for _, verdict := range []mail.Verdict{mail.Clean, mail.Bulk, mail.Spam, mail.Suspicious, mail.Phish, mail.Malware, mail.Unjudged} {
			if may, ok := v.May[verdict]; ok {
				fmt.Fprintf(w, "Held mail that is %s: %s\n", verdict, may)
			}
		}
	})
}

type recipientsShowCmd struct {
	Tenant string `required:""`
}

func (r *recipientsShowCmd) Run(c *console) error {
	return c.withTenant(r.Tenant, func(o *opened, t mail.Tenant) error {
		now, err := o.store.Recipients(c.ctx, t.ID)
		if err != nil {
			return err
		}
		return c.printRecipients(viewRecipients(t.ID, now))
	})
}

type recipientsSetCmd struct {
	Tenant   string                           `required:""`
	May      map[mail.Verdict]mail.Permission `help:"What they may do with held mail of a verdict: release, ask or never." placeholder:"VERDICT=release|ask|never"`
	Digest   *string                          `help:"off, daily, often or weekly." placeholder:"HOW-OFTEN"`
	Hours    []int                            `help:"Of the digest, 0 to 23, in its zone."`
	Day      *string                          `help:"Of a weekly digest." placeholder:"monday"`
	Zone     *string                          `help:"Of those who chose none." placeholder:"Europe/Berlin"`
	Language *string                          `help:"Of those who chose none." placeholder:"en"`
	FromName *string                          `help:"Of digests; '' for the tenant's name."`
	FromAddr *string                          `help:"Of digests, in one of the tenant's domains; '' for the default." name:"from-address"`
}

func (r *recipientsSetCmd) Run(c *console) error {
	return c.withTenant(r.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		next, err := o.store.Recipients(c.ctx, t.ID)
		if err != nil {
			return err
		}
		if err := r.apply(&next); err != nil {
			return err
		}
		if err := a.SetRecipients(c.ctx, t.ID, next); err != nil {
			return err
		}
		return c.printRecipients(viewRecipients(t.ID, next))
	})
}

func (r *recipientsSetCmd) apply(to *mail.Recipients) error {
	may := map[mail.Verdict]mail.Permission{}
	for v, p := range to.May {
		may[v] = p
	}
	for v, p := range r.May {
		may[v] = p
	}
	if to.May = may; len(may) == 0 {
		to.May = nil
	}
	for _, given := range []struct {
		from *string
		to   *string
	}{{r.Digest, &to.Digest.Every}, {r.Zone, &to.Zone}, {r.Language, &to.Lang}, {r.FromName, &to.FromName}, {r.FromAddr, &to.FromAddr}} {
		if given.from != nil {
			*given.to = *given.from
		}
	}
	if len(r.Hours) > 0 {
		to.Digest.Hours = r.Hours
	}
	if r.Day == nil {
		return nil
	}
	days := []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	i := slices.Index(days, strings.ToLower(*r.Day))
	if i < 0 {
		return usageError(fmt.Sprintf("--day %q is no day: write %s", *r.Day, strings.Join(days, ", ")))
	}
	to.Digest.Day = time.Weekday(i)
	return nil
}
