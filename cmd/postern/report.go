package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

type reportCmd struct {
	Tenant string `help:"Only this tenant's; required for --csv and --pdf when there are several." placeholder:"TENANT"`
	Days   int    `help:"Days that end with today, in UTC." default:"30"`
	Month  string `help:"A calendar month instead of days." placeholder:"YYYY-MM"`
	CSV    string `help:"Write every number as a table for spreadsheets to this file; - is standard output." name:"csv" placeholder:"FILE"`
	PDF    string `help:"Write a report to hand on to this file; - is standard output." name:"pdf" placeholder:"FILE"`
}

// maxReportDays is how long numbers are kept.
const maxReportDays = 400

type reportView struct {
	Tenant        string                       `json:"tenant"`
	From          string                       `json:"from"` // first day
	To            string                       `json:"to"`   // last day
	Messages      int                          `json:"messages"`
	Bad           int                          `json:"bad"`
	Verdicts      map[mail.Verdict]int         `json:"verdicts"`
	States        map[mail.State]int           `json:"states"`
	Days          []reportDayView              `json:"days"`
	Targeted      []store.Named                `json:"targeted"`
	BadSenders    []store.Named                `json:"bad_senders"`
	Senders       []store.Named                `json:"senders"`
	BadDomains    []store.Named                `json:"bad_domains"`
	Domains       []store.Named                `json:"domains"`
	Rules         []store.Named                `json:"rules"`
	Judging       latencyView                  `json:"judging_seconds"`
	Passing       latencyView                  `json:"delivery_seconds"`
	Handling      latencyView                  `json:"handling_seconds"`
	Held          map[mail.Verdict]store.Fates `json:"held"`
	FalseAlarms   float64                      `json:"false_alarm_percent"`
	WrongVerdicts wrongView                    `json:"wrong_verdicts"`
}

// wrongView is what people said was judged wrongly.
type wrongView struct {
	FalsePositives int `json:"false_positives"`
	FalseNegatives int `json:"false_negatives"`
	OtherClass     int `json:"other_class"`
}

type reportDayView struct {
	Day      string               `json:"day"`
	Messages int                  `json:"messages"`
	Verdicts map[mail.Verdict]int `json:"verdicts"`
	Judging  latencyView          `json:"judging_seconds"`
	Passing  latencyView          `json:"delivery_seconds"`
}

type latencyView struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

func viewLatency(s store.Spread) latencyView {
	return latencyView{s.Quantile(0.5).Seconds(), s.Quantile(0.95).Seconds(), s.Quantile(0.99).Seconds()}
}

func viewReport(r *report.Report) reportView {
	list := func(names []store.Named) []store.Named { return append([]store.Named{}, names...) }
	v := reportView{
		Tenant: r.Tenant.ID, From: r.Range.From.Format(time.DateOnly), To: r.Range.To.AddDate(0, 0, -1).Format(time.DateOnly),
		Messages: r.All, Bad: r.Bad, Verdicts: r.Verdict, States: r.State, Days: []reportDayView{},
		Targeted: list(r.Targeted), BadSenders: list(r.BadFrom), Senders: list(r.Senders), BadDomains: list(r.BadSites), Domains: list(r.Domains), Rules: list(r.Rules),
		Judging: viewLatency(r.Judging), Passing: viewLatency(r.Passing), Handling: viewLatency(r.Handled),
		Held: r.Held, FalseAlarms: r.FalseAlarms(), WrongVerdicts: wrongView{r.Wrong.FalsePositives, r.Wrong.FalseNegatives, r.Wrong.OtherClass},
	}
	for _, d := range r.Days {
		v.Days = append(v.Days, reportDayView{d.At.Format(time.DateOnly), d.N, d.Verdict, viewLatency(d.Judging), viewLatency(d.Passing)})
	}
	return v
}

func (r *reportCmd) Run(c *console) error {
	span, err := r.span(time.Now())
	if err != nil {
		return err
	}
	return c.with(func(o *opened) error {
		tenants, err := o.someTenants(c, r.Tenant)
		if err != nil {
			return err
		}
		if (r.CSV != "" || r.PDF != "") && len(tenants) != 1 {
			return usageError(fmt.Sprintf("there are %d tenants: name one with --tenant", len(tenants)))
		}
		if err := (&report.Roller{Store: o.store, Log: o.log}).All(c.ctx); err != nil {
			return err
		}
		views := []reportView{}
		for _, t := range tenants {
			rep, err := report.Build(c.ctx, o.store, t, span, time.Now())
			if err != nil {
				return err
			}
			if err := r.files(c, rep); err != nil {
				return err
			}
			views = append(views, viewReport(rep))
		}
		if r.CSV == "-" || r.PDF == "-" {
			return nil
		}
		return c.print(views, func(w io.Writer) {
			for _, v := range views {
				printMailReport(w, v)
			}
		})
	})
}

func (r *reportCmd) span(now time.Time) (report.Range, error) {
	if r.Month != "" {
		month, err := time.Parse("2006-01", r.Month)
		if err != nil {
			return report.Range{}, usageError(fmt.Sprintf("--month %q is no month: write one such as 2026-11", r.Month))
		}
		return report.Month(month), nil
	}
	if r.Days < 1 || r.Days > maxReportDays {
		return report.Range{}, usageError(fmt.Sprintf("--days %d: numbers are kept for 1 to %d days", r.Days, maxReportDays))
	}
	return report.LastDays(r.Days, now), nil
}

// someTenants are the one that was named, or all.
func (o *opened) someTenants(c *console, name string) ([]mail.Tenant, error) {
	if name != "" {
		t, err := o.admin().Tenant(c.ctx, name)
		return []mail.Tenant{t}, err
	}
	all, err := o.store.Tenants(c.ctx)
	var list []mail.Tenant
	for _, t := range all {
		list = append(list, t.Tenant)
	}
	return list, err
}

// files writes what was asked for.
func (r *reportCmd) files(c *console, rep *report.Report) error {
	for _, f := range []struct {
		file  string
		write func(io.Writer) error
	}{{r.CSV, rep.CSV}, {r.PDF, func(w io.Writer) error { return rep.PDF(w, report.English, "Postern") }}} {
		if f.file == "" {
			continue
		}
		if err := writeWhole(c, f.file, f.write); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// writeWhole writes a file that appears whole or not at all.
func writeWhole(c *console, file string, write func(io.Writer) error) error {
	if file == "-" {
		return write(c.out)
	}
	f, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o600)) // it names people
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			return fmt.Errorf("%s cannot be written: %w", file, p.Err)
		}
		return err
	}
	defer f.Cleanup()
	if err := write(f); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

func printMailReport(w io.Writer, v reportView) {
	if v.Messages == 0 {
		fmt.Fprintf(w, "%s, %s to %s: no mail.\n", v.Tenant, v.From, v.To)
		return
	}
	fmt.Fprintf(w, "%s, %s to %s: %d messages, %d of them bad (%.1f %%); estimate of false alarms %.2f %%\n", v.Tenant, v.From, v.To, v.Messages, v.Bad, report.Share(v.Bad, v.Messages), v.FalseAlarms)
	fmt.Fprintf(w, "Judged within %s, 99 of 100 within %s.\n\n", seconds(v.Judging.P50), seconds(v.Judging.P99))
	days := slices.DeleteFunc(slices.Clone(v.Days), func(d reportDayView) bool { return d.Messages == 0 })
	table(w, "DAY\tMESSAGES\tCLEAN\tBULK\tSPAM\tSUSPICIOUS\tPHISH\tMALWARE\tUNJUDGED", len(days), func(t io.Writer, i int) {
		d := days[i]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", d.Day, d.Messages, d.Verdicts[mail.Clean], d.Verdicts[mail.Bulk], d.Verdicts[mail.Spam],
			d.Verdicts[mail.Suspicious], d.Verdicts[mail.Phish], d.Verdicts[mail.Malware], d.Verdicts[mail.Unjudged])
	})
	for _, list := range []struct {
		title string
		names []store.Named
	}{{"PEOPLE MOST TARGETED", v.Targeted}, {"DOMAINS THAT SENT BAD MAIL", v.BadDomains}, {"WHAT SPOKE AGAINST BAD MAIL", v.Rules}} {
		if len(list.names) == 0 {
			continue
		}
		fmt.Fprintln(w)
		table(w, list.title+"\tBAD", len(list.names), func(t io.Writer, i int) {
			fmt.Fprintf(t, "%s\t%d\n", show(list.names[i].Name, 60), list.names[i].Bad)
		})
	}
	fmt.Fprintln(w)
}

func seconds(s float64) string { return report.Brief(time.Duration(s * float64(time.Second))) }
