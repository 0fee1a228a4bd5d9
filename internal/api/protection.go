package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/exchange"
)

type protections struct {
	Policies []protection `json:"policies" nullable:"false"`
	Fixed    []string     `json:"cannot_be_switched_off" nullable:"false" doc:"Sentences."`
}

type protection struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Explain   string `json:"explain"`
	Limit     string `json:"limit,omitempty" doc:"What stays on all the same."`
	Available bool   `json:"available" doc:"False when the licence lacks it, or the tenant has none."`
	State     string `json:"state" enum:"on,off,none"`
	ByUs      bool   `json:"by_us" doc:"Switched off from here, so it can be switched on again exactly."`
}

type chosenPolicies struct {
	OfTenant
	Body struct {
		Policies []string `json:"policies" nullable:"false" minItems:"1" maxItems:"50" doc:"Ids from the list."`
	}
}

type policiesBack struct {
	OfTenant
	Body *struct {
		Policies []string `json:"policies,omitempty" nullable:"false" maxItems:"50" doc:"Ids from the list; all that were switched off from here when missing."`
	}
}

func (a *API) protection(api huma.API) {
	const path = "/tenants/{tenant}/exchange/protection"
	write := operation{tag: "Exchange", scope: "exchange:write", roles: changers, status: 202, errors: []int{409}, danger: "danger:exchange"}
	add(a, api, operation{id: "listProtection", method: "GET", path: path, tag: "Exchange", summary: "List Exchange's own protections", scope: "exchange:read", roles: changers, errors: []int{409, 502}}, a.listProtection)
	add(a, api, write.with("disableProtection", "POST", path+"/disable", "Switch protections off", "So that mail is not judged twice. Their former values are kept. Goes on in the background: look at the run."), a.disableProtection)
	add(a, api, write.with("enableProtection", "POST", path+"/enable", "Put protections back exactly as they were", "Goes on in the background: look at the run."), a.enableProtection)
}

func (a *API) listProtection(ctx context.Context, v *visit, _ *OfTenant) (*answered[protections], error) {
	e, spec, err := a.engine(ctx, v)
	if err != nil {
		return nil, err
	}
	all, err := e.Protection(ctx, spec)
	if err != nil {
		return nil, refused(err)
	}
	p := protections{Policies: []protection{}, Fixed: said(exchange.Unswitchable())}
	for _, x := range all {
		p.Policies = append(p.Policies, protection{x.ID, x.Title.String(), x.Explain.String(), x.Limit.String(), x.Available, x.State, x.ByUs})
	}
	return answer(p), nil
}

func (a *API) disableProtection(ctx context.Context, v *visit, in *chosenPolicies) (*accepted, error) {
	chosen := in.Body.Policies
	return begun(v.Start(ctx, v.tenant.ID, "protection", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.DisableProtection(ctx, spec, chosen)
	}))
}

func (a *API) enableProtection(ctx context.Context, v *visit, in *policiesBack) (*accepted, error) {
	var chosen []string
	if in.Body != nil {
		chosen = in.Body.Policies
	}
	return begun(v.Start(ctx, v.tenant.ID, "enable-protection", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.EnableProtection(ctx, spec, chosen)
	}))
}
