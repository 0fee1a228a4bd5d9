package api

import (
	"context"

	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/exchange/guide"
)

// plan is the command line's, with lists that are never null.
type plan struct {
	Tenant  string   `json:"tenant"`
	Actions []action `json:"actions" nullable:"false" doc:"In order."`
	Checks  []check  `json:"checks" nullable:"false" doc:"What was found before: critical ones make the plan fail or harm the mail flow."`
}

type action struct {
	ID         string         `json:"id" doc:"Stable for the same difference." example:"rule-redirect/new"`
	Object     string         `json:"object"`
	Name       string         `json:"name" doc:"Of the object in Exchange." example:"Postern Inbound Relay"`
	Cmdlet     string         `json:"cmdlet"`
	Parameters map[string]any `json:"parameters" doc:"Secrets are masked."`
	Before     map[string]any `json:"before" doc:"Empty when the object is made."`
	After      map[string]any `json:"after" doc:"Empty when it is removed."`
	GuideSteps []string       `json:"guide_steps" nullable:"false" doc:"The same in the guide."`
	Why        string         `json:"why"`
}

type check struct {
	ID       string            `json:"id"`
	Severity exchange.Severity `json:"severity" enum:"info,warning,critical"`
	Text     string            `json:"text"`
	Mend     string            `json:"mend"`
}

type drift struct {
	Object   string            `json:"object"`
	Field    string            `json:"field"`
	Want     any               `json:"want"`
	Have     any               `json:"have"`
	Severity exchange.Severity `json:"severity" enum:"info,warning,critical"`
	Note     string            `json:"note,omitempty" doc:"What it does to the mail; after a roll back, that it was removed all the same because Postern made the object."`
}

type verification struct {
	Tenant string  `json:"tenant"`
	OK     bool    `json:"ok" doc:"Nothing is worse than info."`
	Drift  []drift `json:"drift" nullable:"false"`
	Checks []check `json:"checks" nullable:"false"`
}

func viewChecks(checks []exchange.Check) []check {
	views := []check{}
	for _, c := range checks {
		views = append(views, check{c.ID, c.Severity, c.Text.String(), c.Mend.String()})
	}
	return views
}

func viewDrift(all []exchange.Drift) []drift {
	views := []drift{}
	for _, d := range all {
		views = append(views, drift{d.Object, d.Field, d.Want, d.Have, d.Severity, d.Note.String()})
	}
	return views
}

// masked are values without secrets, never null.
func masked(v exchange.Values) map[string]any {
	if v == nil {
		return map[string]any{}
	}
	return adminapi.Mask(v)
}

func (a *API) planExchange(ctx context.Context, v *visit, _ *OfTenant) (*answered[plan], error) {
	e, spec, err := a.engine(ctx, v)
	if err != nil {
		return nil, err
	}
	found, err := e.Plan(ctx, spec)
	if err != nil {
		return nil, refused(err)
	}
	p := plan{Tenant: v.tenant.ID, Actions: []action{}, Checks: viewChecks(found.Checks)}
	for _, x := range found.Actions {
		p.Actions = append(p.Actions, action{x.ID, x.Object, x.Name, x.Cmdlet, masked(x.Parameters), masked(x.Before), masked(x.After), filled(x.GuideSteps), x.Why.String()})
	}
	return answer(p), nil
}

func (a *API) verifyExchange(ctx context.Context, v *visit, _ *OfTenant) (*answered[verification], error) {
	e, spec, err := a.engine(ctx, v)
	if err != nil {
		return nil, err
	}
	r, err := e.Verify(ctx, spec)
	if err != nil {
		return nil, refused(err)
	}
	return answer(verification{v.tenant.ID, r.OK, viewDrift(r.Drift), viewChecks(r.Checks)}), nil
}

type guideStep struct {
	ID      string       `json:"id" example:"G1.6"`
	Section string       `json:"section"`
	Title   string       `json:"title"`
	Where   string       `json:"where" doc:"The way there."`
	Do      []string     `json:"do" nullable:"false"`
	Values  []guideValue `json:"values" nullable:"false" doc:"To copy."`
	Note    string       `json:"note,omitempty"`
	Status  guide.Status `json:"status"`
}

type guideValue struct {
	Label  string `json:"label"`
	Text   string `json:"text"`
	Secret bool   `json:"secret,omitempty" doc:"text is masked."`
}

func (a *API) guideExchange(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[guideStep]], error) {
	spec, err := v.Spec(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	domains, err := a.Store.Domains(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	mtas := map[string][]string{}
	for _, d := range domains {
		for _, m := range d.MTAs {
			mtas[d.Name] = append(mtas[d.Name], m.Address())
		}
	}
	var report *exchange.Report
	if e, _, err := a.engine(ctx, v); err == nil {
		if report, err = e.Verify(ctx, spec); err != nil {
			report = nil // the steps stay without a mark
		}
	}
	steps, err := exchange.Guide(spec, mtas, "", report)
	if err != nil {
		return nil, unfit(err)
	}
	var views []guideStep
	for _, s := range steps {
		view := guideStep{s.ID, s.Section.String(), s.Title.String(), s.Where.String(), []string{}, []guideValue{}, s.Note.String(), s.Status}
		for _, d := range s.Do {
			view.Do = append(view.Do, d.String())
		}
		for _, x := range s.Values {
			text := x.Text
			if x.Secret {
				text = "***"
			}
			view.Values = append(view.Values, guideValue{x.Label.String(), text, x.Secret})
		}
		views = append(views, view)
	}
	return listOf(views), nil
}

type scriptReport struct {
	Tenant  string   `json:"tenant"`
	Mode    string   `json:"mode"`
	OK      bool     `json:"ok"`
	Done    []string `json:"done" nullable:"false"`
	Drift   []drift  `json:"drift" nullable:"false"`
	Foreign []drift  `json:"foreign" nullable:"false" doc:"What others changed since. A roll back leaves it alone, unless its note says otherwise."`
	Problem string   `json:"problem" doc:"Why it stopped; empty if it did not."`
}

type reportRequest struct {
	OfTenant
	RawBody []byte `contentType:"application/json"`
}

func (a *API) reportExchange(ctx context.Context, v *visit, in *reportRequest) (*answered[scriptReport], error) {
	r, err := v.ImportReport(ctx, v.tenant.ID, in.RawBody)
	if err != nil {
		return nil, unfit(err)
	}
	return answer(scriptReport{r.Tenant, r.Mode, r.OK, filled(r.Done), viewDrift(r.Drift), viewDrift(r.Foreign), r.Problem}), nil
}
