package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/exchange"
)

type exchangeStatus struct {
	Tenant       string      `json:"tenant"`
	Connected    bool        `json:"connected"`
	Organization string      `json:"organization,omitempty"`
	By           string      `json:"by,omitempty" doc:"How it signed in: as a person, or as an app with a secret or a certificate."`
	Account      string      `json:"account,omitempty"`
	ConnectedAt  time.Time   `json:"connected_at,omitzero"`
	SetUp        bool        `json:"set_up" doc:"Exchange was set up from here and not rolled back."`
	Interrupted  bool        `json:"interrupted" doc:"The last change was cut off; start it again, what was done is kept."`
	Last         *journalRun `json:"last,omitempty" doc:"The last change that the journal knows of."`
}

type journalRun struct {
	What    string           `json:"what"`
	Started time.Time        `json:"started"`
	Ended   time.Time        `json:"ended,omitzero"`
	Done    []string         `json:"done" nullable:"false" doc:"Actions that were done."`
	Total   int              `json:"total"`
	Failed  *exchangeProblem `json:"failed,omitempty"`
}

type exchangeProblem struct {
	Code  string `json:"code" doc:"Stable." example:"insufficient-role"`
	Cause string `json:"cause"`
	Mend  string `json:"mend"`
}

func viewProblem(p *exchange.Problem) *exchangeProblem {
	if p == nil {
		return nil
	}
	return &exchangeProblem{p.Code, p.Cause.String(), p.Mend.String()}
}

func (a *API) exchange(api huma.API) {
	const path = "/tenants/{tenant}/exchange"
	read := operation{tag: "Exchange", scope: "exchange:read", roles: readers}
	write := operation{tag: "Exchange", scope: "exchange:write", roles: changers, errors: []int{409}}
	run := write
	run.status = http.StatusAccepted
	asked := read
	asked.errors = []int{409, 502}
	add(a, api, read.with("getExchange", "GET", path, "Show whether and how Exchange is connected", "Calls nothing at Microsoft."), a.getExchange)
	add(a, api, run.with("connectExchange", "POST", path+"/connect", "Connect Exchange",
		"With an app's client secret or certificate; without both a person signs in with a code, which the run shows. Goes on in the background: look at the run."), a.connectExchange)
	add(a, api, write.with("disconnectExchange", "POST", path+"/disconnect", "Forget the sign-in", "The answer says what is still to be revoked at Microsoft."), a.disconnectExchange)
	add(a, api, asked.with("planExchange", "GET", path+"/plan", "Show what would be changed in Exchange", "Changes nothing. Empty when all is as wanted."), a.planExchange)
	add(a, api, run.with("applyExchange", "POST", path+"/apply", "Set up Exchange",
		"Makes the changes of the plan, one after the other, and verifies them; the redirection is enabled last. May be started again at any time. Goes on in the background: look at the run."), a.applyExchange)
	add(a, api, asked.with("verifyExchange", "GET", path+"/verify", "Compare Exchange with what was set up", ""), a.verifyExchange)
	run.danger = "danger:exchange"
	add(a, api, run.with("rollbackExchange", "POST", path+"/rollback", "Put Exchange back as it was", "Goes on in the background: look at the run."), a.rollbackExchange)
	script := write.with("scriptExchange", "POST", path+"/script", "Get the set-up as a PowerShell script", "It holds the relay key as long as Exchange does not have it: delete it after use.")
	script.content, script.danger = "text/plain", "danger:key"
	add(a, api, script, a.scriptExchange)
	add(a, api, write.with("reportExchange", "POST", path+"/report", "Hand in the report that the script printed", ""), a.reportExchange)
	add(a, api, read.with("guideExchange", "GET", path+"/guide", "Get the set-up by hand, step by step", "With this tenant's values; secrets are masked. When Exchange is connected each step says whether it is done."), a.guideExchange)
	add(a, api, read.with("getExchangeOptions", "GET", path+"/options", "Show the choices of the set-up", ""), a.getOptions)
	add(a, api, write.with("putExchangeOptions", "PUT", path+"/options", "Change the choices of the set-up", "They count for every later plan."), a.putOptions)
}

func (a *API) getExchange(ctx context.Context, v *visit, _ *OfTenant) (*answered[exchangeStatus], error) {
	s := exchangeStatus{Tenant: v.tenant.ID}
	conn, err := v.Connection(ctx, v.tenant.ID)
	switch {
	case err == nil:
		s.Connected, s.Organization, s.By, s.Account, s.ConnectedAt = true, conn.Organization, string(conn.Kind), conn.Account, conn.ConnectedAt
	case !errors.Is(err, admin.ErrNotConnected):
		return nil, err
	}
	state, err := v.State(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	s.SetUp = len(state.Objects) > 0 && state.RolledBack.IsZero()
	run := v.Runs.Of(v.tenant.ID)
	on := false
	if run != nil {
		now, _ := run.View()
		on = !now.Done
	}
	s.Interrupted = state.Interrupted() && !on
	if r := state.Run; r != nil {
		s.Last = &journalRun{r.What, r.Started, r.Ended, filled(r.Done), r.Total, viewProblem(r.Failed)}
	}
	return answer(s), nil
}

type connectRequest struct {
	OfTenant
	Body struct {
		Organization string `json:"organization" minLength:"1" maxLength:"253" doc:"Initial domain of the organization, or its directory id." example:"contoso.onmicrosoft.com"`
		ClientID     string `json:"client_id" minLength:"1" maxLength:"100" doc:"Client id of your app registration."`
		ClientSecret string `json:"client_secret,omitempty" maxLength:"1000" doc:"The app's secret."`
		Certificate  string `json:"certificate,omitempty" maxLength:"100000" doc:"The app's certificate with its private key, PEM."`
	}
}

func (a *API) connectExchange(_ context.Context, v *visit, in *connectRequest) (*accepted, error) {
	b := in.Body
	if b.ClientSecret != "" && b.Certificate != "" {
		return nil, problem(http.StatusUnprocessableEntity, "Give either client_secret or certificate, or neither to sign in with a code.")
	}
	return begun(v.StartConnect(v.tenant.ID, admin.Credential{Organization: strings.TrimSpace(b.Organization), ClientID: strings.TrimSpace(b.ClientID), Secret: b.ClientSecret, Certificate: []byte(b.Certificate)}))
}

type disconnected struct {
	Tenant    string   `json:"tenant"`
	Connected bool     `json:"connected"`
	Revoke    []string `json:"revoke" nullable:"false" doc:"What only an administrator can take back at Microsoft."`
}

func (a *API) disconnectExchange(ctx context.Context, v *visit, _ *OfTenant) (*answered[disconnected], error) {
	steps, err := v.Disconnect(ctx, v.tenant.ID)
	return answer(disconnected{v.tenant.ID, false, filled(steps)}), refused(err)
}

// engine is the engine of the call's tenant with what it should look like.
func (a *API) engine(ctx context.Context, v *visit) (*exchange.Engine, exchange.Spec, error) {
	e, err := v.Engine(ctx, v.tenant.ID)
	if err != nil {
		return nil, exchange.Spec{}, refused(err)
	}
	spec, err := v.Spec(ctx, v.tenant.ID)
	return e, spec, err
}

type applyRequest struct {
	OfTenant
	Body *struct {
		Force bool `json:"force,omitempty" doc:"Go on although a check is critical."`
	}
}

func (a *API) applyExchange(ctx context.Context, v *visit, in *applyRequest) (*accepted, error) {
	force := in.Body != nil && in.Body.Force
	return begun(v.Start(ctx, v.tenant.ID, "apply", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.Apply(ctx, spec, exchange.ApplyOptions{Force: force})
	}))
}

type rollbackRequest struct {
	OfTenant
	Body *struct {
		Overwrite bool `json:"overwrite,omitempty" doc:"Put back former values even where somebody else changed ours since."`
	}
}

func (a *API) rollbackExchange(ctx context.Context, v *visit, in *rollbackRequest) (*accepted, error) {
	overwrite := in.Body != nil && in.Body.Overwrite
	return begun(v.Start(ctx, v.tenant.ID, "rollback", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.Rollback(ctx, spec, exchange.RollbackOptions{Overwrite: overwrite})
	}))
}

type scriptRequest struct {
	OfTenant
	Body struct {
		Organization string `json:"organization" minLength:"1" maxLength:"253" example:"contoso.onmicrosoft.com"`
		ReportTo     string `json:"report_to,omitempty" maxLength:"500" doc:"Address of the portal's /script-report, where the script tells what it does; without it the script prints a report to hand in." example:"https://postern.contoso.com/script-report"`
	}
}

func (a *API) scriptExchange(ctx context.Context, v *visit, in *scriptRequest) (*download, error) {
	text, _, err := v.NewScript(ctx, v.tenant.ID, strings.TrimSpace(in.Body.Organization), strings.TrimSpace(in.Body.ReportTo))
	if err != nil {
		return nil, unfit(err)
	}
	return &download{"text/plain; charset=utf-8", `attachment; filename="postern-` + v.tenant.ID + `.ps1"`, []byte(text)}, nil
}

// unfit is a problem of what is set up here rather than of Exchange.
func unfit(err error) error {
	var p *exchange.Problem
	if errors.As(err, &p) {
		return problem(http.StatusUnprocessableEntity, p.Error())
	}
	return refused(err)
}

func (a *API) getOptions(ctx context.Context, v *visit, _ *OfTenant) (*answered[exchange.Options], error) {
	o, err := v.Options(ctx, v.tenant.ID)
	return answer(o), err
}

type optionsRequest struct {
	OfTenant
	Body exchange.Options
}

func (a *API) putOptions(ctx context.Context, v *visit, in *optionsRequest) (*answered[exchange.Options], error) {
	return answer(in.Body), refused(v.SetOptions(ctx, v.tenant.ID, in.Body))
}
