package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
	"postern/internal/store"
)

type queued struct {
	ID        string     `json:"id" doc:"Of one recipient's copy."`
	Tenant    string     `json:"tenant"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	State     mail.State `json:"state"`
	Attempts  int        `json:"attempts"`
	NextAt    time.Time  `json:"next_at,omitzero" doc:"When it is tried again."`
	LastReply string     `json:"last_reply"`
}

type retried struct {
	ID      string `json:"id"`
	Retried int    `json:"retried" doc:"How many copies are tried now."`
}

func (a *API) queue(api huma.API) {
	add(a, api, operation{id: "listQueue", method: "GET", path: "/tenants/{tenant}/queue", tag: "Mail", summary: "List mail that waits",
		about: "At most 100 of each state.", scope: "mail:read", roles: staff}, a.listQueue)
	add(a, api, operation{id: "retryMail", method: "POST", path: "/tenants/{tenant}/queue/{id}/retry", tag: "Mail", summary: "Try waiting mail again now",
		scope: "mail:release", roles: changers, errors: []int{409}}, a.retryMail)
}

func (a *API) listQueue(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[queued]], error) {
	var all []queued
	for _, state := range []mail.State{mail.Accepted, mail.Judged, mail.Delivering} {
		rows, err := a.Store.Trace(ctx, store.TraceFilter{Tenant: v.tenant.ID, State: state, Limit: 100})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			all = append(all, queued{copyID(r.ID, r.N), r.Tenant, r.From, r.To, r.State, r.Attempts, r.NextAt, r.Reply})
		}
	}
	return listOf(all), nil
}

func (a *API) retryMail(ctx context.Context, v *visit, in *OfCopy) (*answered[retried], error) {
	row, err := a.copyOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	n, err := v.Retry(ctx, row.ID, row.N)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem(http.StatusConflict, "It does not wait any more, or is being sent this moment; now it is "+string(row.State)+".")
	}
	return answer(retried{in.ID, n}), refused(err)
}
