package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
)

type status struct {
	Hostname string `json:"hostname" doc:"Public name of the relay."`
	Version  string `json:"version"`
	Ready    bool   `json:"ready" doc:"Mail is taken."`
	Why      string `json:"why,omitempty" doc:"Why none is taken."`
}

type volume struct {
	At      time.Time    `json:"at" doc:"Beginning of the hour."`
	Verdict mail.Verdict `json:"verdict"`
	State   mail.State   `json:"state"`
	N       int          `json:"n" doc:"Recipients' copies."`
}

type volumesOf struct {
	OfTenant
	Hours int `query:"hours" minimum:"1" maximum:"168" default:"24"`
}

func (a *API) status(api huma.API) {
	add(a, api, operation{id: "getStatus", method: "GET", path: "/status", tag: "Status", summary: "Say whether the relay takes mail", scope: "report:read", roles: staff}, a.getStatus)
	add(a, api, operation{id: "countMail", method: "GET", path: "/tenants/{tenant}/volumes", tag: "Status", summary: "Count a tenant's mail by hour, verdict and state", scope: "report:read", roles: staff}, a.countMail)
}

func (a *API) getStatus(context.Context, *visit, *none) (*answered[status], error) {
	s := status{Hostname: a.Hostname, Version: a.Version, Ready: true}
	if err := a.Ready(); err != nil {
		s.Ready, s.Why = false, err.Error()
	}
	return answer(s), nil
}

func (a *API) countMail(ctx context.Context, v *visit, in *volumesOf) (*answered[list[volume]], error) {
	since := time.Now().Truncate(time.Hour).Add(-time.Duration(in.Hours-1) * time.Hour)
	all, err := a.Store.Volumes(ctx, v.tenant.ID, since, time.Hour)
	if err != nil {
		return nil, err
	}
	var views []volume
	for _, x := range all {
		views = append(views, volume(x))
	}
	return listOf(views), nil
}
