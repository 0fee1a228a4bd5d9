package api

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

type verdictReport struct {
	ID      string       `json:"id" doc:"Of the copy."`
	At      time.Time    `json:"at"`
	Actor   string       `json:"actor"`
	Verdict mail.Verdict `json:"verdict" doc:"Ours, when it was reported."`
	Should  mail.Verdict `json:"should" doc:"What it is."`
	Comment string       `json:"comment"`
	From    string       `json:"from"`
	To      string       `json:"to"`
	Subject string       `json:"subject"`
}

type reportedVerdict struct {
	OfCopy
	Body struct {
		Should  mail.Verdict `json:"should" enum:"clean,bulk,spam,phish,malware"`
		Comment string       `json:"comment,omitempty" maxLength:"1000"`
	}
}

type verdictReports struct {
	OfTenant
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor string `query:"cursor" maxLength:"20" doc:"next of the part before."`
}

type mailReport struct {
	Tenant   string               `json:"tenant"`
	From     time.Time            `json:"from"`
	To       time.Time            `json:"to" doc:"The day after the last."`
	Copies   int                  `json:"copies"`
	Bad      int                  `json:"bad" doc:"Of these, with a bad verdict."`
	Verdicts map[mail.Verdict]int `json:"verdicts"`
	States   map[mail.State]int   `json:"states"`
	Days     []reportDay          `json:"days" nullable:"false" doc:"Every day, also those without mail."`
	Tops     reportTops           `json:"tops"`
}

type reportTops struct {
	Targeted   []reportedNamed `json:"targeted" nullable:"false" doc:"People by bad mail."`
	People     []reportedNamed `json:"people" nullable:"false" doc:"By all mail."`
	BadSenders []reportedNamed `json:"bad_senders" nullable:"false"`
	Senders    []reportedNamed `json:"senders" nullable:"false"`
	BadDomains []reportedNamed `json:"bad_domains" nullable:"false"`
	Domains    []reportedNamed `json:"domains" nullable:"false"`
	Rules      []reportedNamed `json:"rules" nullable:"false" doc:"That spoke against bad mail."`
}

type reportDay struct {
	At       time.Time            `json:"at"`
	Copies   int                  `json:"copies"`
	Verdicts map[mail.Verdict]int `json:"verdicts"`
}

type reportedNamed struct {
	Name   string `json:"name"`
	Copies int    `json:"copies"`
	Bad    int    `json:"bad"`
}

// ReportRange says which days a report is about.
type ReportRange struct {
	OfTenant
	Days  int    `query:"days" minimum:"1" maximum:"366" default:"30" doc:"Until today."`
	Month string `query:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"Instead of days." example:"2026-11"`
}

func (a *API) reports(api huma.API) {
	const path = "/tenants/{tenant}/report"
	add(a, api, operation{id: "reportVerdict", method: "POST", path: "/tenants/{tenant}/mail/{id}/verdict", tag: "Mail", summary: "Report a wrong verdict", about: "id is a copy's. It is kept and counted; the message stays where it is.", scope: "mail:release", roles: changers, status: 201}, a.reportVerdict)
	add(a, api, operation{id: "listVerdictReports", method: "GET", path: "/tenants/{tenant}/verdict-reports", tag: "Mail", summary: "List reported verdicts", about: "The newest first.", scope: "mail:read", roles: readers}, a.listVerdictReports)
	read := operation{tag: "Status", scope: "report:read", roles: staff}
	add(a, api, read.with("getReport", "GET", path, "Get the figures of a range of days", ""), a.getReport)
	csv := read.with("getReportCSV", "GET", path+".csv", "Get them as CSV", "")
	csv.content = "text/csv"
	add(a, api, csv, a.getReportCSV)
	pdf := read.with("getReportPDF", "GET", path+".pdf", "Get them as PDF", "With plots, in English.")
	pdf.content = "application/pdf"
	add(a, api, pdf, a.getReportPDF)
}

func (a *API) reportVerdict(ctx context.Context, v *visit, in *reportedVerdict) (*answered[verdictReport], error) {
	row, err := a.copyOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := v.ReportVerdict(ctx, v.tenant.ID, row.ID, row.N, in.Body.Should, in.Body.Comment)
	if err != nil {
		return nil, refused(err)
	}
	r.From, r.To, r.Subject = row.From, row.To, row.Subject
	return answer(viewVerdictReport(r)), nil
}

func viewVerdictReport(r store.VerdictReport) verdictReport {
	return verdictReport{copyID(r.Message, r.N), r.At, r.Actor, r.Verdict, r.Should, r.Comment, r.From, r.To, r.Subject}
}

func (a *API) listVerdictReports(ctx context.Context, v *visit, in *verdictReports) (*answered[page[verdictReport]], error) {
	before := a.now().Add(time.Minute)
	if in.Cursor != "" {
		ms, err := strconv.ParseInt(in.Cursor, 10, 64)
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, "The cursor is not one of this list. Give next of the part before, or leave it out to begin anew.")
		}
		before = time.UnixMilli(ms)
	}
	all, err := a.Store.VerdictReports(ctx, v.tenant.ID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	part := page[verdictReport]{Items: []verdictReport{}}
	for _, r := range all {
		part.Items = append(part.Items, viewVerdictReport(r))
	}
	if len(all) == in.Limit {
		part.Next = strconv.FormatInt(all[len(all)-1].At.UnixMilli(), 10)
	}
	return answer(part), nil
}

func (a *API) build(ctx context.Context, v *visit, in *ReportRange) (*report.Report, error) {
	span := report.LastDays(in.Days, a.now())
	if in.Month != "" {
		m, err := time.Parse("2006-01", in.Month)
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, "There is no month "+in.Month+". Write one such as 2026-11.")
		}
		span = report.Month(m)
	}
	return report.Build(ctx, a.Store, v.tenant, span, a.now())
}

func (a *API) getReport(ctx context.Context, v *visit, in *ReportRange) (*answered[mailReport], error) {
	r, err := a.build(ctx, v, in)
	if err != nil {
		return nil, err
	}
	m := mailReport{v.tenant.ID, r.Range.From, r.Range.To, r.All, r.Bad, counts(r.Verdict), counts(r.State), []reportDay{},
		reportTops{named(r.Targeted), named(r.People), named(r.BadFrom), named(r.Senders), named(r.BadSites), named(r.Domains), named(r.Rules)}}
	for _, d := range r.Days {
		m.Days = append(m.Days, reportDay{d.At, d.N, counts(d.Verdict)})
	}
	return answer(m), nil
}

func named(all []store.Named) []reportedNamed {
	views := []reportedNamed{}
	for _, x := range all {
		views = append(views, reportedNamed{x.Name, x.N, x.Bad})
	}
	return views
}

// counts is m, or an empty map instead of none.
func counts[K comparable](m map[K]int) map[K]int {
	if m == nil {
		return map[K]int{}
	}
	return m
}

func (a *API) getReportCSV(ctx context.Context, v *visit, in *ReportRange) (*download, error) {
	r, err := a.build(ctx, v, in)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := r.CSV(&b); err != nil {
		return nil, err
	}
	return &download{"text/csv; charset=utf-8", `attachment; filename="` + v.tenant.ID + `.csv"`, b.Bytes()}, nil
}

func (a *API) getReportPDF(ctx context.Context, v *visit, in *ReportRange) (*download, error) {
	r, err := a.build(ctx, v, in)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := r.PDF(&b, report.English, "Postern "+a.Version); err != nil {
		return nil, err
	}
	return &download{"application/pdf", `attachment; filename="` + v.tenant.ID + `.pdf"`, b.Bytes()}, nil
}
