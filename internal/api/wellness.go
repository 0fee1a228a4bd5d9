package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
)

type health struct {
	Name string    `json:"name" doc:"Stable." example:"coverage"`
	Lamp mail.Lamp `json:"lamp" enum:"good,warn,bad,off"`
	What string    `json:"title" doc:"What is looked at."`
	Text string    `json:"text" doc:"What was seen."`
	Do   string    `json:"do,omitempty" doc:"What to do; missing when nothing is."`
}

type coverage struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Total   int       `json:"total" doc:"External messages to protected people, by message and recipient."`
	Relayed int       `json:"relayed" doc:"Of these, seen by the relay."`
	Missed  []string  `json:"missed" nullable:"false" doc:"Message-IDs that passed it by, at most 20."`
}

type probe struct {
	At      time.Time  `json:"at" doc:"When it was sent."`
	Took    float64    `json:"took_seconds"`
	Problem string     `json:"problem,omitempty" doc:"Why it did not come round; missing when it did."`
	Hops    []probeHop `json:"hops" nullable:"false"`
}

type probeHop struct {
	At    time.Time `json:"at"`
	Place string    `json:"place" enum:"sent,exchange,relay,judged,held,returned"`
	Text  string    `json:"text" doc:"What the server there said."`
}

type protectionStatus struct {
	Tenant    string    `json:"tenant"`
	Lamp      mail.Lamp `json:"lamp" enum:"good,warn,bad,off" doc:"The worst of all."`
	Verdict   string    `json:"verdict" doc:"A sentence: is mail protected?"`
	Flow      []health  `json:"flow" nullable:"false" doc:"Does mail come round."`
	Setup     []health  `json:"setup" nullable:"false" doc:"Is Exchange as it was set up, and may we still look."`
	Engines   []health  `json:"engines" nullable:"false" doc:"Does what judges and stores work.."`
	Drift     []drift   `json:"drift" nullable:"false" doc:"Fields that were not as set up when Exchange was verified last."`
	Verified  time.Time `json:"verified_at,omitzero"`
	Coverage  *coverage `json:"coverage,omitempty" doc:"As measured last."`
	Probe     *probe    `json:"probe,omitempty" doc:"The last test message's way."`
	LookingAt time.Time `json:"looking_since,omitzero" doc:"A look is on since then."`
	Failed    string    `json:"look_failed,omitempty" doc:"Why the last look that was asked for failed."`
}

type lookRequest struct {
	OfTenant
	Body struct {
		What string `json:"what" enum:"verify,probe,coverage" doc:"verify: is Exchange as it was set up; probe: does a test message come round; coverage: does all external mail come by here."`
	}
}

func (a *API) wellness(api huma.API) {
	const path = "/tenants/{tenant}/status"
	add(a, api, operation{id: "getProtectionStatus", method: "GET", path: path, tag: "Status", summary: "Say whether a tenant's mail is really protected",
		about: "From what was seen last; it asks Exchange nothing.", scope: "report:read", roles: staff}, a.protectionStatus)
	add(a, api, operation{id: "lookAgain", method: "POST", path: path + "/look", tag: "Status", summary: "Look at Exchange now",
		about: "Goes on in the background, a test message for up to a quarter of an hour; changes nothing. Ask for the status until looking_since is missing.", scope: "exchange:write", roles: changers,
		status: http.StatusAccepted, errors: []int{http.StatusConflict}}, a.lookAgain)
}

func viewHealth(all []mail.Health) []health {
	views := []health{}
	for _, h := range all {
		views = append(views, health{h.Name, h.Lamp, h.Title.String(), h.Text.String(), h.Do.String()})
	}
	return views
}

func (a *API) protectionStatus(ctx context.Context, v *visit, _ *OfTenant) (*answered[protectionStatus], error) {
	p, err := v.Protection(ctx, v.tenant, a.Health(ctx))
	if err != nil {
		return nil, err
	}
	s := protectionStatus{Tenant: p.ID, Lamp: p.Lamp, Verdict: p.Verdict.String(), Flow: viewHealth(p.Flow), Setup: viewHealth(p.Set), Engines: viewHealth(p.Engines),
		Drift: viewDrift(p.Watched.Drift), Verified: p.Watched.Verified}
	if c := p.Watched.Coverage; c != nil {
		s.Coverage = &coverage{c.From, c.To, c.Total, c.Relayed, filled(c.Missed)}
	}
	if x := p.Watched.Probe; x != nil {
		s.Probe = &probe{At: x.At, Took: x.Took.Seconds(), Problem: x.Problem.String(), Hops: []probeHop{}}
		for _, h := range x.Hops {
			s.Probe.Hops = append(s.Probe.Hops, probeHop(h))
		}
	}
	since, failed := v.Runs.Looking(v.tenant.ID)
	if s.LookingAt = since; failed != nil {
		s.Failed = admin.Sentence(failed)
	}
	return answer(s), nil
}

func (a *API) lookAgain(ctx context.Context, v *visit, in *lookRequest) (*answered[protectionStatus], error) {
	tenant := v.tenant.ID
	if _, err := v.Connection(ctx, tenant); errors.Is(err, admin.ErrNotConnected) {
		return nil, refused(err)
	} else if err != nil {
		return nil, err
	}
	if err := v.NoteLook(ctx, tenant, in.Body.What); err != nil {
		return nil, err
	}
	if !v.Runs.BeginLook(tenant, func(ctx context.Context) error { return a.Look(ctx, tenant, in.Body.What) }) {
		return nil, problem(http.StatusConflict, "A look at Exchange is under way already. Ask for the status until it has ended.")
	}
	return a.protectionStatus(ctx, v, nil)
}
