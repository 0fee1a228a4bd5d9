package api

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
)

type sender struct {
	ID        string    `json:"id"`
	Tenant    string    `json:"tenant"`
	Kind      string    `json:"kind" enum:"allow,block"`
	Sender    string    `json:"sender" doc:"Address, domain or network."`
	AnyAuth   bool      `json:"any_auth" doc:"Allowed even when authentication does not pass."`
	Note      string    `json:"note"`
	CreatedAt time.Time `json:"created_at"`
}

func (a *API) senders(api huma.API) {
	const path = "/tenants/{tenant}/senders"
	add(a, api, operation{id: "listSenders", method: "GET", path: path, tag: "Policy", summary: "List allowed and blocked senders", scope: "policy:read", roles: readers}, a.listSenders)
	add(a, api, operation{id: "addSender", method: "POST", path: path, tag: "Policy", summary: "Allow or block a sender",
		about: "It counts for mail from now on. An allowed sender is let through when authentication passes.", scope: "policy:write", roles: changers, status: 201}, a.addSender)
	add(a, api, operation{id: "removeSender", method: "DELETE", path: path + "/{id}", tag: "Policy", summary: "Remove an entry", scope: "policy:write", roles: changers}, a.removeSender)
}

func viewSender(tenant string, e mail.ListEntry) sender {
	s := sender{ID: e.ID, Tenant: tenant, Kind: "block", AnyAuth: e.AnyAuth, Note: e.Note, CreatedAt: e.CreatedAt}
	if e.Allow {
		s.Kind = "allow"
	}
	switch {
	case e.Address != "":
		s.Sender = e.Address
	case e.Domain != "":
		s.Sender = e.Domain
	default:
		s.Sender = e.Network.String()
	}
	return s
}

func (a *API) listSenders(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[sender]], error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	var all []sender
	for _, e := range rules.Lists {
		all = append(all, viewSender(v.tenant.ID, e))
	}
	return listOf(all), nil
}

type newSender struct {
	OfTenant
	Body struct {
		Kind    string `json:"kind" enum:"allow,block"`
		Sender  string `json:"sender" minLength:"1" maxLength:"320" doc:"Address, domain or network." example:"partner.example"`
		AnyAuth bool   `json:"any_auth,omitempty" doc:"Allow even when authentication does not pass: anybody can then write in this sender's name."`
		Note    string `json:"note,omitempty" maxLength:"200" doc:"Why, for those who read the list later."`
	}
}

func (a *API) addSender(ctx context.Context, v *visit, in *newSender) (*answered[sender], error) {
	b := in.Body
	e, err := v.AddEntry(ctx, v.tenant.ID, b.Sender, mail.ListEntry{Allow: b.Kind == "allow", AnyAuth: b.AnyAuth && b.Kind == "allow", Note: b.Note})
	return answer(viewSender(v.tenant.ID, e)), refused(err)
}

type ofEntry struct {
	OfTenant
	ID string `path:"id" doc:"Id from the list."`
}

func (a *API) removeSender(ctx context.Context, v *visit, in *ofEntry) (*struct{}, error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(rules.Lists, func(e mail.ListEntry) bool { return e.ID == in.ID }) {
		return nil, errNothing
	}
	return nil, refused(v.RemoveEntry(ctx, v.tenant.ID, in.ID))
}
