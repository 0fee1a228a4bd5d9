package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/store"
)

type savedFilter struct {
	Page   string            `json:"page" enum:"trace,quarantine"`
	Name   string            `json:"name"`
	Query  string            `json:"query" doc:"As query of a search takes it; empty when only fields are filled in." example:"from:ann verdict:phish after:7d"`
	Fields map[string]string `json:"fields,omitempty" doc:"What was filled in below the portal's search box: from, to, subject, reason, file, link, verdict, state, days, since, until."`
	Shared bool              `json:"shared" doc:"Everybody of the tenant sees it; else the token's person does."`
}

type filterSearch struct {
	OfTenant
	Page string `query:"page" required:"true" enum:"trace,quarantine"`
}

type filterRequest struct {
	OfTenant
	Body struct {
		Page   string `json:"page" enum:"trace,quarantine"`
		Name   string `json:"name" minLength:"1" maxLength:"60" doc:"One of the same name is replaced."`
		Query  string `json:"query" minLength:"1" maxLength:"500"`
		Shared bool   `json:"shared,omitempty"`
	}
}

type ofFilter struct {
	OfTenant
	Page   string `query:"page" required:"true" enum:"trace,quarantine"`
	Name   string `query:"name" required:"true" maxLength:"60"`
	Shared bool   `query:"shared"`
}

func (a *API) filters(api huma.API) {
	const path = "/tenants/{tenant}/filters"
	write := operation{tag: "Mail", scope: "policy:write", roles: changers}
	add(a, api, operation{id: "listFilters", method: "GET", path: path, tag: "Mail", summary: "List saved searches", about: "The token's person's own, and what everybody of the tenant shares.",
		scope: "mail:read", roles: staff}, a.listFilters)
	add(a, api, write.with("saveFilter", "PUT", path, "Save a search under a name", "For the token's person, or shared with everybody of the tenant."), a.saveFilter)
	remove := write.with("removeFilter", "DELETE", path, "Remove a saved search", "")
	remove.errors = []int{http.StatusUnprocessableEntity}
	add(a, api, remove, a.removeFilter)
}

// viewFilter takes a page's address apart.
func viewFilter(f store.SavedFilter) savedFilter {
	view := savedFilter{Page: f.Page, Name: f.Name, Shared: f.Owner == ""}
	fields, _ := url.ParseQuery(f.Query) // what cannot be read is not shown
	for key := range fields {
		if key == "q" {
			view.Query = fields.Get(key)
			continue
		}
		if view.Fields == nil {
			view.Fields = map[string]string{}
		}
		view.Fields[key] = fields.Get(key)
	}
	return view
}

func (a *API) listFilters(ctx context.Context, v *visit, in *filterSearch) (*answered[list[savedFilter]], error) {
	all, err := a.Store.SavedFilters(ctx, v.tenant.ID, v.user.Email, in.Page)
	if err != nil {
		return nil, err
	}
	var views []savedFilter
	for _, f := range all {
		views = append(views, viewFilter(f))
	}
	return listOf(views), nil
}

// ownerOf is whose a filter is, "" for everybody's.
func ownerOf(v *visit, shared bool) string {
	if shared {
		return ""
	}
	return v.user.Email
}

func (a *API) saveFilter(ctx context.Context, v *visit, in *filterRequest) (*answered[savedFilter], error) {
	query := strings.TrimSpace(in.Body.Query)
	if _, err := admin.ParseQuery(query, a.now()); err != nil {
		return nil, refused(err)
	}
	f := store.SavedFilter{Tenant: v.tenant.ID, Owner: ownerOf(v, in.Body.Shared), Page: in.Body.Page, Name: strings.Join(strings.Fields(in.Body.Name), " ")}
	if query != "" {
		f.Query = url.Values{"q": {query}}.Encode()
	}
	if err := v.SaveFilter(ctx, f); err != nil {
		return nil, refused(err)
	}
	return answer(viewFilter(f)), nil
}

func (a *API) removeFilter(ctx context.Context, v *visit, in *ofFilter) (*answered[savedFilter], error) {
	f := store.SavedFilter{Tenant: v.tenant.ID, Owner: ownerOf(v, in.Shared), Page: in.Page, Name: in.Name}
	if err := v.RemoveFilter(ctx, f); err != nil {
		return nil, refused(err)
	}
	return answer(viewFilter(f)), nil
}
