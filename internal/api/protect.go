package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
)

type retention struct {
	Held  map[mail.Verdict]int `json:"held,omitempty" doc:"Days that held mail of a verdict is kept; missing is the installation's default."`
	Trace int                  `json:"trace,omitempty" doc:"Days that the trace is kept; missing is the installation's default."`
}

type ofPerson struct {
	OfTenant
	Name string `path:"name" maxLength:"100" doc:"As mail programs show it." example:"Ann Smith"`
}

type personRequest struct {
	OfTenant
	Name string `path:"name" maxLength:"100" doc:"As mail programs show it." example:"Ann Smith"`
	Body struct {
		Addresses []string `json:"addresses" nullable:"false" maxItems:"10" doc:"Outside the tenant's domains, that are really this person's."`
	}
}

type domainsRequest struct {
	OfTenant
	Body struct {
		Domains []string `json:"domains" nullable:"false" maxItems:"1000"`
	}
}

type retentionRequest struct {
	OfTenant
	Body retention
}

func (a *API) protect(api huma.API) {
	write := operation{tag: "Policy", scope: "policy:write", roles: changers}
	add(a, api, write.with("protectPerson", "PUT", "/tenants/{tenant}/people/{name}", "Protect somebody's name from impersonation", "Or change the addresses of one who is protected."), a.protectPerson)
	add(a, api, write.with("unprotectPerson", "DELETE", "/tenants/{tenant}/people/{name}", "End the protection of a name", ""), a.unprotectPerson)
	add(a, api, write.with("putProtectedDomains", "PUT", "/tenants/{tenant}/protected-domains", "Name the domains that look-alikes are compared with", "Besides the tenant's own; replaces the former ones."), a.putProtectedDomains)
	write.danger = "danger:records"
	add(a, api, write.with("putRetention", "PUT", "/tenants/{tenant}/retention", "Say how long held mail and trace are kept", "Held mail past its new time goes with the next round and does not come back."), a.putRetention)
}

func (a *API) protectPerson(ctx context.Context, v *visit, in *personRequest) (*answered[policies], error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	was := ""
	for _, p := range rules.People {
		if p.Name == in.Name {
			was = p.Name
		}
	}
	c, err := v.PutPerson(ctx, v.tenant.ID, was, mail.Person{Name: in.Name, Addresses: in.Body.Addresses})
	return a.changed(ctx, v, c, err)
}

func (a *API) unprotectPerson(ctx context.Context, v *visit, in *ofPerson) (*answered[policies], error) {
	c, err := v.RemovePerson(ctx, v.tenant.ID, in.Name)
	return a.changed(ctx, v, c, err)
}

func (a *API) putProtectedDomains(ctx context.Context, v *visit, in *domainsRequest) (*answered[policies], error) {
	c, err := v.SetProtected(ctx, v.tenant.ID, in.Body.Domains)
	return a.changed(ctx, v, c, err)
}

func (a *API) putRetention(ctx context.Context, v *visit, in *retentionRequest) (*answered[policies], error) {
	c, err := v.SetKeep(ctx, v.tenant.ID, mail.Keep{Held: in.Body.Held, Trace: in.Body.Trace})
	return a.changed(ctx, v, c, err)
}
