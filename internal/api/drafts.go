package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
	"postern/internal/store"
)

type draftDay struct {
	Day       time.Time `json:"day" doc:"Its begin, UTC."`
	Copies    int       `json:"copies" doc:"Of recipients in the scope."`
	Held      int       `json:"held" doc:"Without the draft."`
	WouldHold int       `json:"would_hold" doc:"With it."`
	Freed     int       `json:"freed" doc:"Held without it, delivered with it."`
	Caught    int       `json:"caught" doc:"The other way."`
}

type draftMove struct {
	ID     string       `json:"id" doc:"Of the copy."`
	At     time.Time    `json:"at"`
	Caught bool         `json:"caught" doc:"It is held with the draft; false: delivered."`
	Acted  bool         `json:"acted" doc:"The draft counted for the recipient."`
	Was    mail.Verdict `json:"was"`
	Is     mail.Verdict `json:"is"`
	Points int          `json:"points"`
}

type draft struct {
	ID      string         `json:"id"`
	Kind    mail.ScopeKind `json:"kind" enum:"tenant,group,person"`
	Name    string         `json:"name,omitempty"`
	Choices Choices        `json:"choices"`
	By      string         `json:"by"`
	Began   time.Time      `json:"began"`
	Until   time.Time      `json:"until"`
	Percent int            `json:"percent" doc:"Of the recipients, for whom it counts already."`
	Tried   bool           `json:"tried" doc:"New mail is measured by it."`
	Days    []draftDay     `json:"days" nullable:"false"`
	Moves   []draftMove    `json:"moves" nullable:"false" doc:"The newest copies whose fate differs, 100 at most."`
}

type draftRequest struct {
	OfTenant
	Body struct {
		Kind  mail.ScopeKind `json:"kind" enum:"tenant,group,person"`
		Name  string         `json:"name,omitempty" maxLength:"254" doc:"Of the group, or the person's address."`
		Hours int            `json:"hours" minimum:"1" maximum:"720" doc:"How long new mail is measured by it."`
		Choices
	}
}

type stageRequest struct {
	OfTenant
	Body struct {
		Draft   string `json:"draft" minLength:"1" maxLength:"40" doc:"Its id, so that no other is meant."`
		Percent int    `json:"percent" minimum:"0" maximum:"99" doc:"Always the same recipients while the draft lasts; 0 for nobody."`
	}
}

type enforceRequest struct {
	OfTenant
	Body struct {
		Draft string `json:"draft" minLength:"1" maxLength:"40" doc:"Its id, so that no other is meant."`
	}
}

type ofDraft struct {
	OfTenant
	Draft string `query:"draft" required:"true" maxLength:"40" doc:"Its id, so that no other is meant."`
}

func (a *API) drafts(api huma.API) {
	const path = "/tenants/{tenant}/policies/draft"
	write := operation{tag: "Policy", scope: "policy:write", roles: changers}
	add(a, api, operation{id: "getDraft", method: "GET", path: path, tag: "Policy", summary: "Show the draft that is tried on new mail, and what it would do differently", scope: "policy:read", roles: readers, errors: []int{http.StatusNotFound}}, a.getDraft)
	add(a, api, write.with("startDraft", "POST", path, "Try thresholds and actions on new mail", "Each message is judged once and measured by both; only what counts already acts. A tenant has one draft at a time."), a.startDraft)
	add(a, api, write.with("stageDraft", "POST", path+"/stage", "Let the draft count for a share of the recipients", "Can be undone, and is stopped by itself if it holds far more of their mail."), a.stageDraft)
	add(a, api, write.with("enforceDraft", "POST", path+"/enforce", "Put the draft into force", "For everybody in its scope; can be undone. The draft ends."), a.enforceDraft)
	add(a, api, write.with("discardDraft", "DELETE", path, "Discard the draft", "What counted before counts for everybody."), a.discardDraft)
	observe := write.with("observe", "POST", "/tenants/{tenant}/policies/observe", "Judge and mark mail, and hold none, for some days", "Malware is held all the same, and mail from blocked senders. It ends by itself, raises an alarm, and can be ended before.")
	observe.danger = "danger:bypass"
	add(a, api, observe, a.observe)
	add(a, api, write.with("endObserve", "DELETE", "/tenants/{tenant}/policies/observe", "Let verdicts count again", ""), a.endObserve)
}

const listedDraftMoves = 100

func (a *API) getDraft(ctx context.Context, v *visit, _ *OfTenant) (*answered[draft], error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	d := rules.Draft
	if d == nil {
		return nil, errNothing
	}
	view := draft{ID: d.ID, Kind: d.At.Kind, Name: d.At.Name, Choices: viewChoices(d.Choices), By: d.By, Began: d.Began, Until: d.Until, Percent: d.Percent,
		Tried: d.Tried(a.now()), Days: []draftDay{}, Moves: []draftMove{}}
	days, err := a.Store.DraftDays(ctx, v.tenant.ID, d.ID)
	if err != nil {
		return nil, err
	}
	for _, x := range days {
		view.Days = append(view.Days, draftDay(x))
	}
	moves, err := a.Store.DraftMoves(ctx, v.tenant.ID, d.ID, listedDraftMoves)
	if err != nil {
		return nil, err
	}
	for _, m := range moves {
		view.Moves = append(view.Moves, draftMove{copyName(m), m.At, m.Caught, m.Acted, m.Was, m.Is, m.Points})
	}
	return answer(view), nil
}

func copyName(m store.DraftMove) string { return string(m.Message) + "." + strconv.Itoa(m.N) }

func (a *API) startDraft(ctx context.Context, v *visit, in *draftRequest) (*answered[draft], error) {
	at := mail.Scope{Kind: in.Body.Kind, Name: in.Body.Name}
	c := mail.Choices{Thresholds: in.Body.Thresholds, Actions: in.Body.Actions}
	if _, err := v.StartDraft(ctx, v.tenant.ID, at, c, time.Duration(in.Body.Hours)*time.Hour); err != nil {
		return nil, refused(err)
	}
	return a.getDraft(ctx, v, &in.OfTenant)
}

func (a *API) stageDraft(ctx context.Context, v *visit, in *stageRequest) (*answered[draft], error) {
	if err := v.StageDraft(ctx, v.tenant.ID, in.Body.Draft, in.Body.Percent); err != nil {
		return nil, refused(err)
	}
	return a.getDraft(ctx, v, &in.OfTenant)
}

func (a *API) enforceDraft(ctx context.Context, v *visit, in *enforceRequest) (*answered[policies], error) {
	c, err := v.EnforceDraft(ctx, v.tenant.ID, in.Body.Draft)
	return a.changed(ctx, v, c, err)
}

func (a *API) discardDraft(ctx context.Context, v *visit, in *ofDraft) (*struct{}, error) {
	return nil, refused(v.DiscardDraft(ctx, v.tenant.ID, in.Draft))
}

type observing struct {
	Since time.Time      `json:"since"`
	Until time.Time      `json:"until"`
	Hold  []mail.Verdict `json:"hold" nullable:"false" doc:"Held all the same, besides malware."`
	By    string         `json:"by"`
}

type observeRequest struct {
	OfTenant
	Body struct {
		Days int            `json:"days" minimum:"1" maximum:"30"`
		Hold []mail.Verdict `json:"hold,omitempty" doc:"Held all the same; malware always is."`
	}
}

func (a *API) observe(ctx context.Context, v *visit, in *observeRequest) (*answered[policies], error) {
	_, err := v.Observe(ctx, v.tenant.ID, in.Body.Days, in.Body.Hold)
	return a.changed(ctx, v, store.RulesChange{}, err)
}

func (a *API) endObserve(ctx context.Context, v *visit, _ *OfTenant) (*struct{}, error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	if !rules.Observe.On(a.now()) {
		return nil, errNothing
	}
	return nil, refused(v.EndObserve(ctx, v.tenant.ID))
}
