package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
)

type brand struct {
	Name   string `json:"name" doc:"That its people see; empty is the tenant's name."`
	Accent string `json:"accent" doc:"Colour; empty is Postern's own." example:"#0b5bf5"`
	Logo   bool   `json:"has_logo"`
}

type brandRequest struct {
	OfTenant
	Body struct {
		Name   string `json:"name" maxLength:"40"`
		Accent string `json:"accent" maxLength:"7"`
		Logo   []byte `json:"logo,omitempty" doc:"PNG, JPEG or GIF as base64, drawn anew so that nothing but its points is kept. Missing leaves it as it is."`
		NoLogo bool   `json:"remove_logo,omitempty"`
	}
}

func (a *API) brands(api huma.API) {
	const path = "/tenants/{tenant}/look"
	add(a, api, operation{id: "getLook", method: "GET", path: path, tag: "Tenants", summary: "Show how a tenant looks to its people", scope: "policy:read", roles: readers}, a.getLook)
	add(a, api, operation{id: "putLook", method: "PUT", path: path, tag: "Tenants", summary: "Change how a tenant looks to its people", about: "In the portal, on the pages of recipients, and in their mail.",
		scope: "policy:write", roles: changers}, a.putLook)
}

func (a *API) getLook(ctx context.Context, v *visit, _ *OfTenant) (*answered[brand], error) {
	b, err := v.Brand(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	return answer(brand{b.Name, b.Accent, b.Logo}), nil
}

func (a *API) putLook(ctx context.Context, v *visit, in *brandRequest) (*answered[brand], error) {
	var logo []byte // nil leaves it
	switch {
	case in.Body.NoLogo:
		logo = []byte{}
	case len(in.Body.Logo) > 0:
		logo = in.Body.Logo
	}
	if err := v.SetBrand(ctx, v.tenant.ID, in.Body.Name, in.Body.Accent, logo); err != nil {
		return nil, refused(err)
	}
	return a.getLook(ctx, v, nil)
}
