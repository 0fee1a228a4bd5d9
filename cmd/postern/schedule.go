package main

import (
	"fmt"
	"io"
	"strings"

	"postern/internal/mail"
	"postern/internal/report"
)

// scheduleCmd is not below report, which takes flags only.
type scheduleCmd struct {
	Tenant   string   `required:""`
	Every    string   `help:"weekly (on Mondays), monthly (on the first) or never; without it the schedule is only shown." enum:"weekly,monthly,never," default:""`
	Hour     int      `help:"Of UTC, 0 to 23." default:"6"`
	To       []string `help:"Addresses in the tenant's own enabled domains."`
	Language string   `help:"en, de, fr or es." enum:"en,de,fr,es" default:"en"`
}

type scheduleView struct {
	Tenant   string   `json:"tenant"`
	Every    string   `json:"every"`
	Hour     int      `json:"hour"`
	To       []string `json:"to"`
	Language string   `json:"language"`
}

func (s *scheduleCmd) Run(c *console) error {
	return c.withTenant(s.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		if s.Every != "" {
			next := report.Schedule{Every: s.Every, Hour: s.Hour, To: s.To, Language: s.Language}
			if s.Every == "never" {
				next.Every = ""
			}
			if err := a.SetReportSchedule(c.ctx, t.ID, next); err != nil {
				return err
			}
		}
		now, err := a.ReportSchedule(c.ctx, t.ID)
		if err != nil {
			return err
		}
		v := scheduleView{t.ID, orElse(now.Every, "never"), now.Hour, append([]string{}, now.To...), orElse(now.Language, "en")}
		return c.print(v, func(w io.Writer) {
			if v.Every == "never" {
				fmt.Fprintf(w, "No report of %s goes by mail.\n", t.Name)
				return
			}
			fmt.Fprintf(w, "The report of %s goes %s at %02d:00 UTC, in %s, to %s.\n", t.Name, v.Every, v.Hour, v.Language, strings.Join(v.To, ", "))
		})
	})
}
