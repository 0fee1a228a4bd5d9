package api

import (
	"bytes"
	"context"

	"github.com/danielgtaylor/huma/v2"
)

type removalRequest struct {
	OfTenant
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"63" doc:"The tenant's name, as a check that it is the one that is meant."`
	}
}

type removed struct {
	Tenant string `json:"tenant"`
}

func (a *API) removal(api huma.API) {
	one := operation{tag: "Tenants", scope: "tenants:write", roles: owners, system: true, danger: "danger:export"}
	export := one.with("exportTenant", "POST", "/tenants/{tenant}/export", "Export what is known of a tenant", "As JSON; without the content of its mail and without secrets.")
	export.content = "application/json"
	add(a, api, export, a.exportTenant)
	one.danger = "danger:remove"
	add(a, api, one.with("removeTenant", "POST", "/tenants/{tenant}/remove", "Remove a tenant for good",
		"Its key is destroyed first, so nothing sealed of it can be opened any more. Refused while mail is on its way or Exchange may still send here. This cannot be taken back."), a.removeTenant)
}

func (a *API) exportTenant(ctx context.Context, v *visit, _ *OfTenant) (*download, error) {
	var b bytes.Buffer
	if err := v.ExportTenant(ctx, v.tenant.ID, &b); err != nil {
		return nil, refused(err)
	}
	return &download{"application/json", `attachment; filename="postern-tenant-` + v.tenant.ID + `.json"`, b.Bytes()}, nil
}

func (a *API) removeTenant(ctx context.Context, v *visit, in *removalRequest) (*answered[removed], error) {
	if err := v.RemoveTenant(ctx, v.tenant.ID, in.Body.Name); err != nil {
		return nil, refused(err)
	}
	return answer(removed{v.tenant.ID}), nil
}
