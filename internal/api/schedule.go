package api

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/report"
	"postern/internal/store"
)

type reportSchedule struct {
	Every    string    `json:"every" enum:"never,weekly,monthly" doc:"Weekly goes on Mondays, monthly on the first."`
	Hour     int       `json:"hour" minimum:"0" maximum:"23" doc:"Of UTC."`
	To       []string  `json:"to" nullable:"false" maxItems:"20" doc:"Addresses in the tenant's own enabled domains."`
	Language string    `json:"language,omitempty" enum:"en,de,fr,es"`
	Due      time.Time `json:"last_due_at,omitzero" readOnly:"true" doc:"Of the last report."`
	Sent     time.Time `json:"last_sent_at,omitzero" readOnly:"true" doc:"Missing when it was not sent."`
	Problem  string    `json:"last_problem,omitempty" readOnly:"true" doc:"Why not."`
}

type scheduleRequest struct {
	OfTenant
	Body struct {
		Every    string   `json:"every" enum:"never,weekly,monthly" doc:"Weekly goes on Mondays, monthly on the first."`
		Hour     int      `json:"hour,omitempty" minimum:"0" maximum:"23" doc:"Of UTC."`
		To       []string `json:"to,omitempty" nullable:"false" maxItems:"20" doc:"Addresses in the tenant's own enabled domains."`
		Language string   `json:"language,omitempty" enum:"en,de,fr,es"`
	}
}

func (a *API) schedules(api huma.API) {
	const path = "/tenants/{tenant}/reports/schedule"
	add(a, api, operation{id: "getReportSchedule", method: "GET", path: path, tag: "Status", summary: "Show when and to whom reports go by mail", scope: "policy:read", roles: readers}, a.getSchedule)
	add(a, api, operation{id: "putReportSchedule", method: "PUT", path: path, tag: "Status", summary: "Have reports sent by mail, or end that",
		about: "Reports name people, so they go only to addresses in the tenant's own domains.", scope: "policy:write", roles: changers}, a.putSchedule)
}

func (a *API) getSchedule(ctx context.Context, v *visit, _ *OfTenant) (*answered[reportSchedule], error) {
	s, err := v.ReportSchedule(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	view := reportSchedule{Every: s.Every, Hour: s.Hour, To: filled(s.To), Language: s.Language}
	if view.Every == "" {
		view.Every = "never"
	}
	view.Due, view.Sent, view.Problem, err = a.Store.LastSlot(ctx, v.tenant.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return answer(view), nil
}

func (a *API) putSchedule(ctx context.Context, v *visit, in *scheduleRequest) (*answered[reportSchedule], error) {
	s := report.Schedule{Every: in.Body.Every, Hour: in.Body.Hour, To: in.Body.To, Language: in.Body.Language}
	if s.Every == "never" {
		s.Every = ""
	}
	if err := v.SetReportSchedule(ctx, v.tenant.ID, s); err != nil {
		return nil, refused(err)
	}
	return a.getSchedule(ctx, v, nil)
}
