package api

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/store"
)

type alarm struct {
	Kind    string    `json:"kind" doc:"Stable." example:"key.retired-in-use"`
	Tenant  string    `json:"tenant" doc:"Empty for the whole system."`
	Text    string    `json:"text"`
	Count   int       `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

type ofAlarm struct {
	OfTenant
	Kind string `path:"kind" example:"key.retired-in-use"`
}

type systemAlarm struct {
	Kind string `path:"kind" example:"disk"`
}

func (a *API) alarms(api huma.API) {
	read := operation{tag: "Status", scope: "report:read", roles: staff}
	write := operation{tag: "Status", scope: "inbound:write", roles: changers}
	add(a, api, read.with("listAlarms", "GET", "/tenants/{tenant}/alarms", "List a tenant's alarms", "The last raised first."), a.listAlarms)
	add(a, api, write.with("clearAlarm", "DELETE", "/tenants/{tenant}/alarms/{kind}", "Clear a tenant's alarms of a kind", "One comes back when its cause does."), a.clearAlarm)
	read.system, write.system = true, true
	add(a, api, read.with("listAllAlarms", "GET", "/alarms", "List all alarms", "Those of the whole system and of every tenant."), a.listAllAlarms)
	add(a, api, write.with("clearSystemAlarm", "DELETE", "/alarms/{kind}", "Clear the whole system's alarms of a kind", ""), a.clearSystemAlarm)
}

const maxAlarms = 500 // that a list has

func viewAlarms(all []store.Alarm) *answered[list[alarm]] {
	var views []alarm
	for _, x := range all[:min(len(all), maxAlarms)] {
		views = append(views, alarm{x.Kind, x.Tenant, x.Text.String(), x.Count, x.FirstAt, x.LastAt})
	}
	return listOf(views)
}

func (a *API) listAlarms(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[alarm]], error) {
	all, err := a.Store.Alarms(ctx, v.tenant.ID)
	return viewAlarms(all), err
}

func (a *API) listAllAlarms(ctx context.Context, _ *visit, _ *none) (*answered[list[alarm]], error) {
	all, err := a.Store.Alarms(ctx, "")
	return viewAlarms(all), err
}

func (a *API) clearAlarm(ctx context.Context, v *visit, in *ofAlarm) (*struct{}, error) {
	return nil, a.clear(ctx, v, in.Kind, v.tenant.ID)
}

func (a *API) clearSystemAlarm(ctx context.Context, v *visit, in *systemAlarm) (*struct{}, error) {
	return nil, a.clear(ctx, v, in.Kind, "")
}

func (a *API) clear(ctx context.Context, v *visit, kind, tenant string) error {
	all, err := a.Store.Alarms(ctx, tenant)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(x store.Alarm) bool { return x.Kind == kind && x.Tenant == tenant }) {
		return errNothing
	}
	return refused(v.ClearAlarm(ctx, kind, tenant))
}
