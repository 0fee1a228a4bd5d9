package portal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

// reportsPage shows what happened to a tenant's mail.
type reportsPage struct {
	*shell
	Query       string // of this range, for links
	First, Last string
	Ranges      []rangeChoice
	Months      []string
	Month       string
	Waiting     bool // something is not counted yet
	Figures     []report.Figure
	Volume      *report.Plot
	Days        []dayRow
	Shares      []report.Slice
	Lists       []rankedList
	Nameless    int
	Speeds      []speed
	Handled     string
	Fates       []fate
	Wrong       store.Accuracy
	FalseAlarms string
}

type rangeChoice struct {
	Query, Text string
	Here        bool
}

type dayRow struct {
	Day string
	All int
	N   []int // in the order of the plot's keys
}

// A rankedList is names with how often.
type rankedList struct {
	Title, Text, Of, Measure string
	Rows                     []rankedRow
}

type rankedRow struct {
	Name, Text, Note, Link, Class string
	N                             int
	Percent                       float64 // of the first
}

// speed is how long something took, day by day.
type speed struct {
	Title, Text string
	Plot        *report.Plot
	Rows        []speedRow
}

type speedRow struct {
	Day string
	Q   [3]string
}

type fate struct {
	Verdict mail.Verdict // "" for all
	store.Fates
}

// reportRange reads the range of a request: days, or a month.
func (p *Portal) reportRange(q url.Values) (report.Range, string) {
	if m, err := time.Parse("2006-01", q.Get("month")); err == nil {
		return report.Month(m), "month=" + m.Format("2006-01")
	}
	n := 30
	if d, err := strconv.Atoi(q.Get("days")); err == nil && (d == 7 || d == 90) {
		n = d
	}
	return report.LastDays(n, p.now()), "days=" + strconv.Itoa(n)
}

func (p *Portal) reports(w http.ResponseWriter, r *http.Request, v *visit) error {
	span, query := p.reportRange(r.URL.Query())
	rep, err := report.Build(r.Context(), p.Store, v.tenant, span, p.now())
	if err != nil {
		return err
	}
	t := v.words.T
	page := reportsPage{shell: p.shell(r, v, "Reports"), Query: query, First: span.From.Format(time.DateOnly), Last: span.To.AddDate(0, 0, -1).Format(time.DateOnly),
		Figures: rep.Figures(t), Volume: rep.Volume(t), Shares: rep.Shares(t), Nameless: rep.Nameless, Wrong: rep.Wrong,
		Handled: report.Brief(rep.Handled.Quantile(0.5)), FalseAlarms: fmt.Sprintf("%.2f %%", rep.FalseAlarms())}
	for _, n := range []int{7, 30, 90} {
		q := "days=" + strconv.Itoa(n)
		page.Ranges = append(page.Ranges, rangeChoice{q, t("%d days", n), q == query})
	}
	for i := range 13 {
		page.Months = append(page.Months, time.Date(p.now().UTC().Year(), p.now().UTC().Month()-time.Month(i), 1, 0, 0, 0, 0, time.UTC).Format("2006-01"))
	}
	if len(query) > 6 && query[:6] == "month=" {
		page.Month = query[6:]
	}
	if page.Waiting, err = p.uncounted(r.Context(), v.tenant.ID, span); err != nil {
		return err
	}
	page.days(rep)
	page.Lists = rankedLists(t, rep, page.Base)
	page.Speeds = speeds(t, rep)
	for _, verdict := range report.Verdicts {
		if f, ok := rep.Held[verdict]; ok {
			page.Fates = append(page.Fates, fate{verdict, f})
		}
	}
	page.Fates = append(page.Fates, fate{"", rep.Fates})
	return p.render(w, http.StatusOK, "reports", page)
}

// uncounted reports whether mail of the range is not counted yet.
func (p *Portal) uncounted(ctx context.Context, tenant string, span report.Range) (bool, error) {
	stale, err := p.Store.Stale(ctx)
	for _, s := range stale {
		if s.Tenant == tenant && !s.At.Before(span.From) && s.At.Before(span.To) {
			return true, err
		}
	}
	return false, err
}

func (page *reportsPage) days(rep *report.Report) {
	for _, d := range rep.Days {
		row := dayRow{Day: d.At.Format(time.DateOnly), All: d.N}
		for _, k := range page.Volume.Keys {
			row.N = append(row.N, d.Verdict[k.Verdict])
		}
		page.Days = append(page.Days, row)
	}
}

// rankedLists are the report's names, each leading to its mail.
func rankedLists(t report.Words, rep *report.Report, base string) []rankedList {
	bad, all := t("with a bad verdict"), t("all mail")
	to := func(param string) func(string) string {
		return func(name string) string { return traceOf(base, param, name) }
	}
	return []rankedList{
		{t("People most targeted"), t("By mail with a bad verdict."), t("Person"), bad, rankedRows(rep.Targeted, true, "v-phish", to("to"))},
		{t("Domains that sent bad mail"), t("As the From field says."), t("Domain"), bad, rankedRows(rep.BadSites, true, "v-phish", to("from"))},
		{t("Senders of bad mail"), t("As the From field says."), t("Sender"), bad, rankedRows(rep.BadFrom, true, "v-phish", to("from"))},
		{t("What spoke against bad mail"), t("Messages for which a rule counted; one message counts for several."), t("Rule"), t("messages"), ruleRows(t, rep.Rules)},
		{t("Senders of all mail"), "", t("Sender"), all, rankedRows(rep.Senders, false, "v-clean", to("from"))},
		{t("Domains of all mail"), "", t("Domain"), all, rankedRows(rep.Domains, false, "v-clean", to("from"))},
	}
}

// traceOf leads to the trace of a name.
func traceOf(base, param, name string) string {
	return base + "/trace?" + param + "=" + url.QueryEscape(name)
}

func rankedRows(list []store.Named, bad bool, class string, link func(string) string) []rankedRow {
	var rows []rankedRow
	for _, n := range list {
		row := rankedRow{Name: n.Name, Text: n.Name, Class: class, N: n.N, Link: link(n.Name)}
		if bad {
			row.N = n.Bad
		}
		rows = append(rows, row)
	}
	return scaled(rows)
}

func ruleRows(t report.Words, list []store.Named) []rankedRow {
	var rows []rankedRow
	for _, n := range list {
		rows = append(rows, rankedRow{Name: n.Name, Text: report.Rule(t, n.Name), Note: n.Name, Class: "v-phish", N: n.N})
	}
	return scaled(rows)
}

func scaled(rows []rankedRow) []rankedRow {
	for i := range rows {
		rows[i].Percent = report.Share(rows[i].N, rows[0].N)
	}
	return rows
}

func speeds(t report.Words, rep *report.Report) []speed {
	list := []speed{
		{Title: t("Time until a message was judged"), Text: t("From its arrival to the verdict. Half of all took no longer than p50, 99 of 100 no longer than p99."), Plot: rep.Latency(report.Judging)},
		{Title: t("Time until a message was delivered"), Text: t("From its arrival to the mailbox server's answer, without mail that was held."), Plot: rep.Latency(report.Passing)},
	}
	for i, of := range []func(report.Day) store.Spread{report.Judging, report.Passing} {
		for _, d := range rep.Days {
			if s := of(d); s.N() > 0 {
				list[i].Rows = append(list[i].Rows, speedRow{d.At.Format(time.DateOnly), [3]string{report.Brief(s.Quantile(0.5)), report.Brief(s.Quantile(0.95)), report.Brief(s.Quantile(0.99))}})
			}
		}
	}
	return list
}

// reportPDF and reportCSV hand the report on as a file.
func (p *Portal) reportPDF(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.reportFile(w, r, v, "pdf", "application/pdf", func(rep *report.Report, w io.Writer) error { return rep.PDF(w, v.words.T, "Postern") })
}

func (p *Portal) reportCSV(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.reportFile(w, r, v, "csv", "text/csv; charset=utf-8", (*report.Report).CSV)
}

func (p *Portal) reportFile(w http.ResponseWriter, r *http.Request, v *visit, ending, kind string, write func(*report.Report, io.Writer) error) error {
	span, _ := p.reportRange(r.URL.Query())
	rep, err := report.Build(r.Context(), p.Store, v.tenant, span, p.now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, v.tenant.ID, span.From.Format(time.DateOnly), ending))
	return write(rep, w)
}
