package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
)

// SignInProvider is where people sign in elsewhere.
type SignInProvider struct {
	Name        string       `json:"name" doc:"On the button."`
	Issuer      string       `json:"issuer"`
	ClientID    string       `json:"client_id"`
	Groups      string       `json:"groups,omitempty" doc:"Claim that lists groups; groups by default."`
	Roles       []groupRole  `json:"roles,omitempty" nullable:"false" doc:"The first that fits gives the role at each sign-in; none: roles are given here."`
	Tenants     []string     `json:"tenants,omitempty" nullable:"false" doc:"Microsoft Entra tenants that may sign in; none: all."`
	Domains     []string     `json:"domains,omitempty" nullable:"false" doc:"Of addresses that may sign in; none: all."`
	Believe     admin.Belief `json:"believe" enum:"none,verified,managed" doc:"Which of its addresses link accounts."`
	Provision   bool         `json:"provision,omitempty" doc:"It makes an account for who has a role and none yet."`
	TrustFactor bool         `json:"trust_factor,omitempty" doc:"It asks for a second factor itself."`
}

type groupRole struct {
	Group  string `json:"group"`
	Role   string `json:"role"`
	Tenant string `json:"tenant,omitempty"`
}

type providerRequest struct {
	Body struct {
		SignInProvider
		Secret string `json:"client_secret,omitempty" maxLength:"1000" doc:"The client's secret; without it the former one of the same issuer and client is kept."`
	}
}

func (a *API) provider(api huma.API) {
	const path = "/provider"
	read := operation{tag: "Administration", scope: "users:read", roles: owners, system: true}
	write := operation{tag: "Administration", scope: "users:write", danger: "danger:provider", roles: owners, system: true}
	add(a, api, read.with("getProvider", "GET", path, "Show where people sign in elsewhere (OpenID Connect)", "Without its secret; 404 if none is set."), a.getProvider)
	add(a, api, write.with("putProvider", "PUT", path, "Set where people sign in elsewhere", "It is asked once whether it answers, and kept only then. Its groups can give any role, an owner's too."), a.putProvider)
	add(a, api, write.with("removeProvider", "DELETE", path, "End signing in elsewhere", "Local accounts go on; linked accounts stay linked for the case that it is set again."), a.removeProvider)
}

func (a *API) putProvider(ctx context.Context, v *visit, in *providerRequest) (*answered[SignInProvider], error) {
	b := in.Body
	p := admin.Provider{Name: b.Name, Issuer: b.Issuer, ClientID: b.ClientID, Groups: b.Groups, Tenants: b.Tenants, Domains: b.Domains, Believe: b.Believe, Provision: b.Provision, TrustFactor: b.TrustFactor}
	for _, g := range b.Roles {
		p.Roles = append(p.Roles, admin.GroupRole(g))
	}
	if err := v.SetProvider(ctx, p, b.Secret); err != nil {
		return nil, refused(err)
	}
	return a.getProvider(ctx, v, nil)
}

func (a *API) removeProvider(ctx context.Context, v *visit, _ *none) (*struct{}, error) {
	return nil, refused(v.RemoveProvider(ctx))
}

func (a *API) getProvider(ctx context.Context, v *visit, _ *none) (*answered[SignInProvider], error) {
	p, err := v.Provider(ctx)
	if err != nil {
		return nil, refused(err)
	}
	view := SignInProvider{p.Name, p.Issuer, p.ClientID, p.Groups, []groupRole{}, filled(p.Tenants), filled(p.Domains), p.Believe, p.Provision, p.TrustFactor}
	for _, g := range p.Roles {
		view.Roles = append(view.Roles, groupRole(g))
	}
	return answer(view), nil
}
