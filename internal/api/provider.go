package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
)

type signInProvider struct {
	Name        string       `json:"name" doc:"On the button."`
	Issuer      string       `json:"issuer"`
	ClientID    string       `json:"client_id"`
	Groups      string       `json:"groups,omitempty" doc:"Claim that lists groups."`
	Roles       []groupRole  `json:"roles" nullable:"false" doc:"The first that fits gives the role at each sign-in; none: roles are given here."`
	Tenants     []string     `json:"tenants" nullable:"false" doc:"Microsoft Entra tenants that may sign in; none: all."`
	Domains     []string     `json:"domains" nullable:"false" doc:"Of addresses that may sign in; none: all."`
	Believe     admin.Belief `json:"believe" enum:"none,verified,managed" doc:"Which of its addresses link accounts."`
	Provision   bool         `json:"provision" doc:"It makes an account for who has a role and none yet."`
	TrustFactor bool         `json:"trust_factor" doc:"It asks for a second factor itself."`
}

type groupRole struct {
	Group  string `json:"group"`
	Role   string `json:"role"`
	Tenant string `json:"tenant,omitempty"`
}

// provider can only be looked at: who sets it decides who is an owner, and owners
// are made in the portal only.
func (a *API) provider(api huma.API) {
	add(a, api, operation{id: "getProvider", method: "GET", path: "/provider", tag: "Administration", summary: "Show where people sign in elsewhere (OpenID Connect)",
		about: "Without its secret; 404 if none is set. It is set in the portal only, where a second factor is asked for.", scope: "users:read", roles: owners, system: true}, a.getProvider)
}

func (a *API) getProvider(ctx context.Context, v *visit, _ *none) (*answered[signInProvider], error) {
	p, err := v.Provider(ctx)
	if err != nil {
		return nil, refused(err)
	}
	view := signInProvider{p.Name, p.Issuer, p.ClientID, p.Groups, []groupRole{}, filled(p.Tenants), filled(p.Domains), p.Believe, p.Provision, p.TrustFactor}
	for _, g := range p.Roles {
		view.Roles = append(view.Roles, groupRole(g))
	}
	return answer(view), nil
}
