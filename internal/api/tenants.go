package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
	"postern/internal/store"
)

type tenant struct {
	ID        string    `json:"id" doc:"Stable; stands in paths." example:"contoso"`
	Name      string    `json:"name" doc:"As people call it." example:"Contoso"`
	CreatedAt time.Time `json:"created_at"`
	Limits    limitsOf  `json:"limits"`
}

type limitsOf struct {
	Messages   int   `json:"messages" minimum:"0" doc:"An hour; 0 is none."`
	Recipients int   `json:"recipients" minimum:"0" doc:"An hour, over all messages."`
	HeldOctets int64 `json:"held_octets" minimum:"0" doc:"Of mail that waits in the quarantine."`
	Users      int   `json:"users" minimum:"0" doc:"Who may sign in."`
}

func (a *API) tenants(api huma.API) {
	add(a, api, operation{id: "listTenants", method: "GET", path: "/tenants", tag: "Tenants", summary: "List tenants",
		about: "A token of one tenant sees that one.", scope: "tenants:read", roles: staff}, a.listTenants)
	add(a, api, operation{id: "addTenant", method: "POST", path: "/tenants", tag: "Tenants", summary: "Add a tenant",
		about: "Next: its domain.", scope: "tenants:write", roles: changers, system: true, status: 201, errors: []int{409}}, a.addTenant)
	add(a, api, operation{id: "putTenant", method: "PUT", path: "/tenants/{tenant}", tag: "Tenants", summary: "Change a tenant's name and limits",
		about: "A limit of 0 is none.", scope: "tenants:write", roles: changers, system: true}, a.putTenant)
	add(a, api, operation{id: "getTenant", method: "GET", path: "/tenants/{tenant}", tag: "Tenants", summary: "Show a tenant",
		scope: "tenants:read", roles: staff}, a.getTenant)
}

func viewTenant(t store.Tenant) tenant { return tenant{t.ID, t.Name, t.CreatedAt, limitsOf(t.Limits)} }

func (a *API) listTenants(ctx context.Context, v *visit, _ *none) (*answered[list[tenant]], error) {
	all, err := a.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	var views []tenant
	for _, t := range all {
		if own := v.within(); own == "" || own == t.ID {
			views = append(views, viewTenant(t))
		}
	}
	return listOf(views), nil
}

type newTenant struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"63" doc:"As people call it; its id is made from it." example:"Contoso"`
	}
}

func (a *API) addTenant(ctx context.Context, v *visit, in *newTenant) (*answered[tenant], error) {
	t, err := v.AddTenant(ctx, in.Body.Name)
	if err != nil {
		return nil, refused(err)
	}
	kept, err := a.Store.Tenant(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	return answer(viewTenant(kept)), nil
}

func (a *API) getTenant(ctx context.Context, v *visit, _ *OfTenant) (*answered[tenant], error) {
	t, err := a.Store.Tenant(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	return answer(viewTenant(t)), nil
}

type tenantRequest struct {
	OfTenant
	Body struct {
		Name   string   `json:"name" minLength:"1" maxLength:"63"`
		Limits limitsOf `json:"limits"`
	}
}

func (a *API) putTenant(ctx context.Context, v *visit, in *tenantRequest) (*answered[tenant], error) {
	if _, err := v.SetTenant(ctx, v.tenant.ID, in.Body.Name, mail.Limits(in.Body.Limits)); err != nil {
		return nil, refused(err)
	}
	return a.getTenant(ctx, v, nil)
}
