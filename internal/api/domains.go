package api

import (
	"context"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
)

type mta struct {
	Host string       `json:"host" minLength:"1" maxLength:"253" doc:"Name or IP address." example:"contoso-com.mail.protection.outlook.com"`
	Port int          `json:"port" minimum:"1" maximum:"65535" example:"25"`
	TLS  mail.TLSMode `json:"tls" enum:"verify,require,none" doc:"What the connection must prove: a certificate for the name, encryption only, or nothing."`
}

type domain struct {
	Domain       string            `json:"domain" example:"contoso.com"`
	Tenant       string            `json:"tenant" example:"contoso"`
	Architecture mail.Architecture `json:"architecture" enum:"relay,mx" doc:"relay: Exchange redirects mail here; mx: this relay is the domain's MX."`
	Enabled      bool              `json:"enabled"`
	MTAs         []mta             `json:"mtas" nullable:"false" doc:"In order of preference."`
	Proved       string            `json:"proved" enum:"dns,exchange," doc:"How the tenant showed that the domain is its own; empty when it did not."`
}

// OfDomain is the path of an operation on a domain.
type OfDomain struct {
	OfTenant
	Domain string `path:"domain" example:"contoso.com"`
}

func (a *API) domains(api huma.API) {
	const path, one = "/tenants/{tenant}/domains", "/tenants/{tenant}/domains/{domain}"
	read := operation{tag: "Domains", scope: "inbound:read", roles: readers}
	write := operation{tag: "Domains", scope: "inbound:write", roles: changers}
	deliver := write
	deliver.danger = "danger:delivery"
	enable := write
	enable.danger = "danger:key"
	add(a, api, read.with("listDomains", "GET", path, "List domains", ""), a.listDomains)
	add(a, api, read.with("getDomain", "GET", one, "Show a domain", ""), a.getDomain)
	add(a, api, deliver.with("putDomain", "PUT", one, "Add a domain, or replace its MTAs",
		"The order of the MTAs is the order in which they are tried. An MTA that is this relay itself is refused: mail would go in circles."), a.putDomain)
	add(a, api, deliver.with("removeDomain", "DELETE", one, "Forget a domain", "Only one that is not enabled."), a.removeDomain)
	add(a, api, enable.with("enableDomain", "POST", one+"/enable", "Enable a domain",
		"Nothing changes in the mail flow until Exchange redirects mail here. The tenant's first domain makes its relay key, which is in the answer until Exchange has it and never again."), a.enableDomain)
	add(a, api, deliver.with("disableDomain", "POST", one+"/disable", "Disable a domain", "Its mail gets a temporary refusal from now on; see warning."), a.disableDomain)
	add(a, api, write.with("testDomain", "POST", one+"/test", "Test the connection to a domain's MTAs", "Step by step: DNS, connect, STARTTLS, certificate. No message is sent."), a.testDomain)
	add(a, api, write.with("proveDomain", "POST", one+"/proof", "Show that a domain is the tenant's own",
		"Looks for the TXT record, and for the domain in the connected Exchange organization. proved is empty when neither is there; then publish the record."), a.proveDomain)
	add(a, api, read.with("resolveDomain", "GET", "/tenants/{tenant}/resolve/{domain}", "Suggest a domain's MTAs from its MX records", "Changes nothing. warning says when mail would go in circles."), a.resolveDomain)
}

// with is an operation like op.
func (op operation) with(id, method, path, summary, about string) operation {
	op.id, op.method, op.path, op.summary, op.about = id, method, path, summary, about
	return op
}

func viewMTAs(mtas []mail.MTA) []mta {
	views := []mta{}
	for _, m := range mtas {
		views = append(views, mta{m.Host, m.Port, m.TLS})
	}
	return views
}

func viewDomain(ctx context.Context, v *visit, d mail.Domain) (domain, error) {
	proof, err := v.DomainProof(ctx, d)
	if errors.Is(err, admin.ErrNotProved) {
		err = nil
	}
	return domain{d.Name, d.Tenant, d.Architecture, d.Enabled, viewMTAs(d.MTAs), proof.By}, err
}

func (a *API) listDomains(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[domain]], error) {
	all, err := a.Store.Domains(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	var views []domain
	for _, d := range all {
		view, err := viewDomain(ctx, v, d)
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return listOf(views), nil
}

// domainOf is a domain of the call's tenant.
func (a *API) domainOf(ctx context.Context, v *visit, name string) (mail.Domain, error) {
	all, err := a.Store.Domains(ctx, v.tenant.ID)
	if err != nil {
		return mail.Domain{}, err
	}
	for _, d := range all {
		if strings.EqualFold(d.Name, name) {
			return d, nil
		}
	}
	return mail.Domain{}, errNothing
}

func (a *API) getDomain(ctx context.Context, v *visit, in *OfDomain) (*answered[domain], error) {
	d, err := a.domainOf(ctx, v, in.Domain)
	if err != nil {
		return nil, err
	}
	view, err := viewDomain(ctx, v, d)
	return answer(view), err
}

type putDomain struct {
	OfDomain
	Body struct {
		Architecture mail.Architecture `json:"architecture,omitempty" enum:"relay,mx" doc:"relay by default."`
		MTAs         []mta             `json:"mtas" nullable:"false" minItems:"1" maxItems:"3"`
	}
}

func (a *API) putDomain(ctx context.Context, v *visit, in *putDomain) (*answered[domain], error) {
	d := mail.Domain{Name: in.Domain, Tenant: v.tenant.ID, Architecture: in.Body.Architecture}
	for _, m := range in.Body.MTAs {
		d.MTAs = append(d.MTAs, mail.MTA{Host: m.Host, Port: m.Port, TLS: m.TLS})
	}
	kept, err := v.AddDomain(ctx, d)
	if err != nil {
		return nil, refused(err)
	}
	view, err := viewDomain(ctx, v, kept)
	return answer(view), err
}

func (a *API) removeDomain(ctx context.Context, v *visit, in *OfDomain) (*struct{}, error) {
	d, err := a.domainOf(ctx, v, in.Domain)
	if err != nil {
		return nil, err
	}
	return nil, refused(v.RemoveDomain(ctx, d.Name))
}

func (a *API) enableDomain(ctx context.Context, v *visit, in *OfDomain) (*answered[newKey], error) {
	d, err := a.domainOf(ctx, v, in.Domain)
	if err != nil {
		return nil, err
	}
	key, err := v.EnableDomain(ctx, d.Name)
	if err != nil {
		return nil, refused(err)
	}
	return answer(newKey(key)), nil
}

type disabled struct {
	Domain  string `json:"domain"`
	Enabled bool   `json:"enabled"`
	Warning string `json:"warning" doc:"What it means for mail on its way."`
}

func (a *API) disableDomain(ctx context.Context, v *visit, in *OfDomain) (*answered[disabled], error) {
	d, err := a.domainOf(ctx, v, in.Domain)
	if err != nil {
		return nil, err
	}
	warning, err := v.DisableDomain(ctx, d.Name)
	return answer(disabled{d.Name, false, warning.String()}), refused(err)
}

type step struct {
	Name   string `json:"name" example:"STARTTLS"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail" doc:"A sentence; quotes what the server said."`
	Ms     int64  `json:"ms"`
}

type testedMTA struct {
	MTA   mta    `json:"mta"`
	OK    bool   `json:"ok" doc:"Every step went well."`
	Steps []step `json:"steps" nullable:"false"`
}

func (a *API) testDomain(ctx context.Context, v *visit, in *OfDomain) (*answered[list[testedMTA]], error) {
	d, err := a.domainOf(ctx, v, in.Domain)
	if err != nil {
		return nil, err
	}
	var tests []testedMTA
	for i, m := range d.MTAs {
		t := testedMTA{MTA: viewMTAs(d.MTAs)[i], OK: true, Steps: []step{}}
		for _, s := range a.TryMTA(ctx, m) {
			t.OK = t.OK && s.OK
			t.Steps = append(t.Steps, step{s.Name, s.OK, s.Detail.String(), s.Took.Milliseconds()})
		}
		tests = append(tests, t)
	}
	return listOf(tests), nil
}

type proof struct {
	Domain string `json:"domain"`
	Proved string `json:"proved" enum:"dns,exchange,"`
	Record string `json:"record" doc:"Name of the TXT record that proves it."`
	Text   string `json:"text" doc:"Text of that record."`
}

func (a *API) proveDomain(ctx context.Context, v *visit, in *OfDomain) (*answered[proof], error) {
	d, err := a.domainOf(ctx, v, in.Domain)
	if err != nil {
		return nil, err
	}
	p := proof{Domain: d.Name}
	p.Record, p.Text = v.ProofRecord(d)
	found, err := v.ProveDomain(ctx, d.Name)
	if err != nil && !errors.Is(err, admin.ErrNotProved) {
		return nil, refused(err)
	}
	p.Proved = found.By
	return answer(p), nil
}

type resolved struct {
	Domain  string `json:"domain"`
	MTAs    []mta  `json:"mtas" nullable:"false"`
	Warning string `json:"warning"`
}

func (a *API) resolveDomain(ctx context.Context, v *visit, in *OfDomain) (*answered[resolved], error) {
	s, err := v.ResolveDomain(ctx, in.Domain)
	if err != nil && !errors.Is(err, deliver.ErrLoop) {
		return nil, refused(err)
	}
	return answer(resolved{in.Domain, viewMTAs(s.MTAs), s.Warning.String()}), nil
}
