package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/store"
)

// Token is what is shown of an API token.
type Token struct {
	ID        string    `json:"id" doc:"Part of the token; opens nothing by itself."`
	Name      string    `json:"name"`
	Tenant    string    `json:"tenant" doc:"Empty for the whole system."`
	User      string    `json:"user" doc:"Whose it is; his role bounds it."`
	Scopes    []string  `json:"scopes" nullable:"false" doc:"Those that begin with danger: were given with a fresh second factor."`
	Networks  []string  `json:"networks" nullable:"false" doc:"That it counts from; none: from everywhere."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero" doc:"To the minute; missing if never."`
	UsedFrom  string    `json:"used_from,omitempty" doc:"Address of the last use."`
}

type ownToken struct {
	Token
	Role string `json:"role" doc:"Of the user, at this moment."`
}

type madeToken struct {
	Token
	Secret string `json:"token" doc:"The token itself, this once."`
}

type ofToken struct {
	ID string `path:"id" doc:"Id from the list."`
}

func (a *API) tokens(api huma.API) {
	op := operation{tag: "Administration", scope: "tokens:write", roles: changers}
	add(a, api, operation{id: "getOwnToken", method: "GET", path: "/token", tag: "Administration", summary: "Show what this token may do", about: "Any valid token may ask.",
		roles: append([]string{"user"}, staff...)}, a.getOwnToken)
	add(a, api, op.with("listTokens", "GET", "/tokens", "List API tokens", "Those that ended stay in the list for 90 days."), a.listTokens)
	made := op.with("addToken", "POST", "/tokens", "Make a narrower API token", "Of the same user, with no scope, tenant, network or day more than the token that asks, and without scopes danger:…. Wider ones are made in the portal.")
	made.status = 201
	add(a, api, made, a.addToken)
	add(a, api, op.with("revokeToken", "DELETE", "/tokens/{id}", "Revoke an API token", "It counts no more from the next request on."), a.revokeToken)
}

func viewToken(t store.Token) Token {
	networks := []string{}
	for _, n := range t.Networks {
		networks = append(networks, n.String())
	}
	return Token{t.ID, t.Name, t.Tenant, t.Email, filled(t.Scopes), networks, t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.UsedAt, t.UsedFrom}
}

func (a *API) getOwnToken(_ context.Context, v *visit, _ *none) (*answered[ownToken], error) {
	return answer(ownToken{viewToken(v.token), v.user.Role}), nil
}

func (a *API) listTokens(ctx context.Context, v *visit, _ *none) (*answered[list[Token]], error) {
	all, err := a.Store.Tokens(ctx, v.within())
	if err != nil {
		return nil, err
	}
	var views []Token
	for _, t := range all {
		views = append(views, viewToken(t))
	}
	return listOf(views), nil
}

type newToken struct {
	Body struct {
		Name     string   `json:"name" minLength:"1" maxLength:"60" doc:"What it is for; the audit log names it."`
		Tenant   string   `json:"tenant,omitempty" doc:"Empty for the same as the token that asks."`
		Scopes   []string `json:"scopes" nullable:"false" minItems:"1" maxItems:"50"`
		Days     int      `json:"days,omitempty" minimum:"1" maximum:"365" doc:"Until it ends; 90 by default, and never longer than the token that asks."`
		Networks []string `json:"networks,omitempty" nullable:"false" maxItems:"20" doc:"Addresses and networks that it counts from; those of the token that asks by default." example:"[\"192.0.2.0/24\"]"`
	}
}

func (a *API) addToken(ctx context.Context, v *visit, in *newToken) (*answered[madeToken], error) {
	b := in.Body
	if b.Tenant == "" {
		b.Tenant = v.token.Tenant
	}
	from, err := admin.ParseNetworks(strings.Join(b.Networks, " "))
	if err != nil {
		return nil, refused(err)
	}
	secret, kept, err := v.AddToken(ctx, v.user, admin.TokenWish{Name: b.Name, Tenant: b.Tenant, Scopes: b.Scopes, Days: b.Days, From: from, Within: &v.token})
	if err != nil {
		return nil, refused(err)
	}
	return answer(madeToken{viewToken(kept), secret}), nil
}

func (a *API) revokeToken(ctx context.Context, v *visit, in *ofToken) (*struct{}, error) {
	all, err := a.Store.Tokens(ctx, v.within())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(t store.Token) bool { return t.ID == in.ID })
	if i < 0 {
		return nil, errNothing
	}
	return nil, refused(v.RevokeToken(ctx, all[i].Tenant, in.ID))
}
