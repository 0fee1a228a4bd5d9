package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// newKey is a relay key at the moment it is shown, as the command line prints it.
type newKey struct {
	Tenant string `json:"tenant"`
	Domain string `json:"domain,omitempty"`
	Key    string `json:"key" doc:"The key itself, for Exchange's rule; empty when it is in use already and not shown again."`
	KeyID  string `json:"key_id"`
}

type key struct {
	ID        string    `json:"key_id"`
	Tenant    string    `json:"tenant"`
	CreatedAt time.Time `json:"created_at"`
	RetiredAt time.Time `json:"retired_at,omitzero" doc:"Missing while the key is valid."`
	SeenAt    time.Time `json:"seen_at,omitzero" doc:"When mail last bore it; missing if never."`
}

type retired struct {
	Tenant  string `json:"tenant"`
	KeyID   string `json:"key_id"`
	Warning string `json:"warning" doc:"Not empty when no valid key is left."`
}

func (a *API) keys(api huma.API) {
	const path = "/tenants/{tenant}/keys"
	add(a, api, operation{id: "listKeys", method: "GET", path: path, tag: "Keys", summary: "List relay keys", about: "Without their secrets.", scope: "inbound:read", roles: readers}, a.listKeys)
	add(a, api, operation{id: "rotateKey", method: "POST", path: path, tag: "Keys", summary: "Make a second relay key",
		about: "Valid beside the first until that is retired. Shown this once.", scope: "inbound:write", roles: changers, status: 201, danger: "danger:key"}, a.rotateKey)
	add(a, api, operation{id: "retireKey", method: "POST", path: path + "/retire", tag: "Keys", summary: "Retire the older relay key",
		about: "Mail that still bears it is held, with an alarm.", scope: "inbound:write", roles: changers, danger: "danger:key"}, a.retireKey)
}

func (a *API) listKeys(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[key]], error) {
	all, err := a.Store.Keys(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	var views []key
	for _, k := range all {
		views = append(views, key{k.ID, k.Tenant, k.CreatedAt, k.RetiredAt, k.SeenAt})
	}
	return listOf(views), nil
}

func (a *API) rotateKey(ctx context.Context, v *visit, _ *OfTenant) (*answered[newKey], error) {
	k, err := v.RotateKey(ctx, v.tenant.ID)
	return answer(newKey(k)), refused(err)
}

func (a *API) retireKey(ctx context.Context, v *visit, _ *OfTenant) (*answered[retired], error) {
	k, warning, err := v.RetireKey(ctx, v.tenant.ID)
	return answer(retired{v.tenant.ID, k.ID, warning.String()}), refused(err)
}
