package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
)

// heldAgain is how far judging held mail again is.
type heldAgain struct {
	State     string `json:"state" enum:"none,counting,counted,releasing,released" doc:"none: never yet."`
	By        string `json:"by,omitempty" doc:"Who began it."`
	Looked    int    `json:"looked" doc:"Held copies that were looked at."`
	Count     int    `json:"count" doc:"Of these, what today's rules would deliver; give it to release them."`
	Percent   int    `json:"percent" doc:"Of the release."`
	Delivered int    `json:"delivered"`
	Deferred  int    `json:"deferred" doc:"Tried again by itself."`
	Kept      int    `json:"kept" doc:"Refused, or could not be sent; held still."`
	Gone      int    `json:"gone" doc:"Released or deleted by somebody else meanwhile."`
	Problem   string `json:"problem,omitempty" doc:"Why it ended early."`
}

// againBegun is the answer of what goes on in the background.
type againBegun struct {
	Location string `header:"Location" doc:"Where to look how far it is."`
	Body     heldAgain
}

type releaseAgainRequest struct {
	OfTenant
	Body struct {
		Count int `json:"count" minimum:"1" doc:"What was counted, as a check that this is what is meant."`
	}
}

func (a *API) agains(api huma.API) {
	const path = "/tenants/{tenant}/policies/again"
	one := operation{tag: "Policy", scope: "policy:write", roles: changers, status: http.StatusAccepted, errors: []int{http.StatusConflict}}
	add(a, api, one.with("countAgain", "POST", path, "Count held mail that today's rules would deliver",
		"After a rule that held too much is gone. It goes on in the background and changes nothing."), a.countAgain)
	release := one.with("releaseAgain", "POST", path+"/release", "Release held mail that today's rules would deliver",
		"Count it first. Each message is judged once more before it goes; what is delivered cannot be taken back. The token needs the scope policy:write as well.")
	release.scope, release.danger = "mail:release", "danger:release"
	add(a, api, release, a.releaseAgain)
	add(a, api, operation{id: "stopAgain", method: "POST", path: path + "/stop", tag: "Policy", summary: "Stop judging held mail again",
		about: "What is being sent at that moment is sent, the rest stays held. It ends within some seconds; look how far it was.", scope: "policy:write", roles: changers, status: http.StatusAccepted}, a.stopAgain)
	add(a, api, operation{id: "getAgain", method: "GET", path: path, tag: "Policy", summary: "Look how far judging held mail again is",
		about: "Ask again while state is counting or releasing. A release that a restart cuts off goes on by itself.", scope: "policy:read", roles: readers}, a.getAgain)
}

func viewAgain(p replay.Progress) heldAgain {
	states := map[replay.Stage]string{replay.Never: "none", replay.Looking: "counting", replay.Looked: "counted", replay.Releasing: "releasing", replay.Released: "released"}
	t := p.Tally
	view := heldAgain{State: states[p.Doing], By: p.By, Looked: t.Looked, Count: max(t.Clean, p.Total), Percent: p.Percent(),
		Delivered: t.Delivered, Deferred: t.Deferred, Kept: t.Kept, Gone: t.Gone}
	if p.Err != nil {
		view.Problem = admin.Sentence(p.Err)
	}
	return view
}

func (a *API) getAgain(_ context.Context, v *visit, _ *OfTenant) (*answered[heldAgain], error) {
	return answer(viewAgain(a.Again.Of(v.tenant.ID))), nil
}

func (a *API) countAgain(ctx context.Context, v *visit, _ *OfTenant) (*againBegun, error) {
	p, err := a.Again.Look(ctx, a.judgesAgain(v), v.tenant.ID, v.Actor)
	return againIs(v, p, err)
}

func (a *API) releaseAgain(ctx context.Context, v *visit, in *releaseAgainRequest) (*againBegun, error) {
	if !slices.Contains(v.token.Scopes, "policy:write") {
		return nil, problem(http.StatusForbidden, "This needs the scope policy:write as well. Make a token with both in the portal.")
	}
	p, err := a.Again.Run(ctx, a.judgesAgain(v), v.tenant.ID, v.Actor, in.Body.Count)
	return againIs(v, p, err)
}

func (a *API) stopAgain(ctx context.Context, v *visit, _ *OfTenant) (*againBegun, error) {
	if err := a.Again.Stop(ctx, v.tenant.ID); err != nil {
		return nil, refused(err)
	}
	return againIs(v, a.Again.Of(v.tenant.ID), v.NoteStop(ctx, v.tenant.ID))
}

func (a *API) judgesAgain(v *visit) *replay.Again {
	return &replay.Again{Store: a.Store, Note: v.NoteRelease, Release: func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
		return a.Held.Release(ctx, relay.Order{Tenant: tenant, ID: id, N: n, By: by})
	}}
}

func againIs(v *visit, p replay.Progress, err error) (*againBegun, error) {
	if errors.Is(err, replay.ErrOn) || errors.Is(err, replay.ErrUncounted) {
		return nil, problem(http.StatusConflict, admin.Sentence(err))
	}
	if err != nil {
		return nil, refused(err)
	}
	return &againBegun{Location: prefix + "/tenants/" + v.tenant.ID + "/policies/again", Body: viewAgain(p)}, nil
}
