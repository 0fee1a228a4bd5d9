package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
)

// run is work on Exchange that goes on in the background.
type run struct {
	ID      string           `json:"id"`
	What    string           `json:"what" enum:"connect,apply,rollback,protection,enable-protection"`
	State   string           `json:"state" enum:"running,done,failed"`
	By      string           `json:"by" doc:"Who began it."`
	Started time.Time        `json:"started_at"`
	Ended   time.Time        `json:"ended_at,omitzero"`
	Percent int              `json:"percent"`
	Steps   []runStep        `json:"steps" nullable:"false"`
	Code    *deviceCode      `json:"code,omitempty" doc:"To be typed in at Microsoft while a connection with a code waits."`
	Problem *exchangeProblem `json:"problem,omitempty" doc:"Why it failed, and how to mend it."`
	Notes   []string         `json:"notes" nullable:"false"`
}

type runStep struct {
	ID    string   `json:"id" doc:"Action of the plan, where it is one."`
	State string   `json:"state" enum:"now,good,bad"`
	Text  string   `json:"text"`
	Notes []string `json:"notes" nullable:"false"`
}

type deviceCode struct {
	Code    string    `json:"code"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// accepted is the answer of what goes on in the background.
type accepted struct {
	Location string `header:"Location" doc:"Where to look at the run."`
	Body     run
}

type ofRun struct {
	OfTenant
	Run string `path:"run" doc:"Id of the run, or latest." example:"latest"`
}

func (a *API) runs(api huma.API) {
	add(a, api, operation{id: "getRun", method: "GET", path: "/tenants/{tenant}/exchange/runs/{run}", tag: "Exchange", summary: "Look at what goes on in Exchange",
		about: "Ask again until state is done or failed. The last run of a tenant is known until this relay restarts; whether it had ended stands in the status then.", scope: "exchange:read", roles: readers}, a.getRun)
}

func viewRun(r *admin.Run) run {
	now, _ := r.View()
	v := run{ID: r.ID, What: r.What, State: "running", By: r.By, Started: r.Started, Ended: now.Ended, Percent: now.Percent, Steps: []runStep{}, Notes: said(now.Notes), Problem: viewProblem(now.Problem)}
	for _, s := range now.Steps {
		v.Steps = append(v.Steps, runStep{s.ID, s.State, s.Text.String(), said(s.Notes)})
	}
	switch {
	case now.Problem != nil:
		v.State = "failed"
	case now.Done:
		v.State, v.Percent = "done", 100
	}
	if c := now.Code; c != nil {
		v.Code = &deviceCode{c.Code, c.URL, c.Expires}
	}
	return v
}

// begun answers with a run that began.
func begun(r *admin.Run, err error) (*accepted, error) {
	if err != nil {
		return nil, refused(err)
	}
	return &accepted{Location: prefix + "/tenants/" + r.Tenant + "/exchange/runs/" + r.ID, Body: viewRun(r)}, nil
}

func (a *API) getRun(_ context.Context, v *visit, in *ofRun) (*answered[run], error) {
	r := v.Runs.Of(v.tenant.ID)
	if r == nil || (in.Run != "latest" && in.Run != r.ID) {
		return nil, errNothing
	}
	return answer(viewRun(r)), nil
}
