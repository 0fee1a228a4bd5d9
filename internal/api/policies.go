package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// Choices are thresholds and actions that somebody decided.
type Choices struct {
	Thresholds map[mail.Verdict]int         `json:"thresholds,omitempty" doc:"Points at which a verdict is reached. A verdict that is missing is decided by the next wider scope."`
	Actions    map[mail.Verdict]mail.Action `json:"actions,omitempty" doc:"What is done with a verdict. One that is missing is decided by the next wider scope."`
}

type policyGroup struct {
	Name    string   `json:"name"`
	Members []string `json:"members" nullable:"false" doc:"Addresses, or whole domains."`
	Choices Choices  `json:"choices"`
}

type policyPerson struct {
	Address string  `json:"address"`
	Choices Choices `json:"choices"`
}

type protectedPerson struct {
	Name      string   `json:"name" doc:"As mail programs show it."`
	Addresses []string `json:"addresses" nullable:"false" doc:"Outside the tenant's domains, that are really this person's."`
}

type bypass struct {
	Until   time.Time `json:"until"`
	Malware bool      `json:"malware" doc:"Also what is malware."`
	By      string    `json:"by"`
	Why     string    `json:"why"`
}

type policies struct {
	Defaults  Choices           `json:"defaults" doc:"What counts where nobody decided."`
	Tenant    Choices           `json:"choices" doc:"The tenant's own."`
	Groups    []policyGroup     `json:"groups" nullable:"false" doc:"Of several that a recipient is in, the first that decides counts."`
	Persons   []policyPerson    `json:"persons" nullable:"false" doc:"They count before groups."`
	People    []protectedPerson `json:"people" nullable:"false" doc:"Protected from impersonation."`
	Domains   []string          `json:"protected_domains" nullable:"false" doc:"Of others, that look-alikes are compared with."`
	Retention retention         `json:"retention"`
	Bypass    *bypass           `json:"bypass,omitempty" doc:"Mail is delivered whatever its verdict, until then; missing when none is on."`
	Observe   *observing        `json:"observe,omitempty" doc:"Mail is judged and marked, and only malware held, until then; missing when verdicts count."`
}

func (a *API) policies(api huma.API) {
	const path = "/tenants/{tenant}/policies"
	read := operation{tag: "Policy", scope: "policy:read", roles: readers}
	write := operation{tag: "Policy", scope: "policy:write", roles: changers}
	add(a, api, read.with("getPolicies", "GET", path, "Show thresholds, actions, protected people and retention", ""), a.getPolicies)
	add(a, api, write.with("putChoices", "PUT", path+"/choices", "Choose thresholds and actions", "For the tenant, a group or a person; replaces what was chosen there. It counts for mail from now on and can be undone."), a.putChoices)
	add(a, api, read.with("previewChoices", "POST", path+"/preview", "See what other choices would have done", "Replays the stored points of the last days; changes nothing. Until they are read, reading is true: ask again."), a.previewChoices)
	add(a, api, write.with("putGroup", "PUT", path+"/groups/{group}", "Add a group, or change its members", ""), a.putGroup)
	add(a, api, write.with("raiseGroup", "POST", path+"/groups/{group}/raise", "Move a group one place up", ""), a.raiseGroup)
	add(a, api, write.with("removeGroup", "DELETE", path+"/groups/{group}", "Remove a group", "Its members' mail is measured by the tenant's choices then."), a.removeGroup)
	add(a, api, write.with("removePersonChoices", "DELETE", path+"/persons/{address}", "Remove a recipient's own choices", ""), a.removePersonChoices)
	add(a, api, read.with("listPolicyChanges", "GET", path+"/changes", "List the last changes of policies", "The newest first, 50 at most."), a.listPolicyChanges)
	add(a, api, write.with("undoPolicies", "POST", path+"/undo", "Take the last change of policies back", "Name the change, so that nobody else's is taken back."), a.undoPolicies)
	add(a, api, write.with("endBypass", "DELETE", path+"/bypass", "End a bypass before its time", ""), a.endBypass)
	start := write.with("startBypass", "POST", path+"/bypass", "Deliver mail whatever its verdict, for a time", "It ends by itself, raises an alarm, and can be ended before. What would have been held is marked and delivered.")
	start.danger = "danger:bypass"
	add(a, api, start, a.startBypass)
}

func viewChoices(c mail.Choices) Choices { return Choices{c.Thresholds, c.Actions} }

func viewPolicies(r mail.Rules, now time.Time) policies {
	p := policies{Defaults: Choices{map[mail.Verdict]int{}, map[mail.Verdict]mail.Action{}}, Tenant: Choices{r.Thresholds, r.Actions},
		Groups: []policyGroup{}, Persons: []policyPerson{}, People: []protectedPerson{}, Domains: filled(r.Protected), Retention: retention{r.Keep.Held, r.Keep.Trace}}
	for _, v := range policy.Classes() {
		p.Defaults.Thresholds[v], p.Defaults.Actions[v] = policy.DefaultThreshold(v), policy.DefaultAction(v)
	}
	for _, g := range r.Groups {
		p.Groups = append(p.Groups, policyGroup{g.Name, filled(g.Members), viewChoices(g.Choices)})
	}
	for _, x := range r.Persons {
		p.Persons = append(p.Persons, policyPerson{x.Address, viewChoices(x.Choices)})
	}
	for _, x := range r.People {
		p.People = append(p.People, protectedPerson{x.Name, filled(x.Addresses)})
	}
	if r.Bypass.On(now) {
		p.Bypass = &bypass{r.Bypass.Until, r.Bypass.Malware, r.Bypass.By, r.Bypass.Why}
	}
	if r.Observe.On(now) {
		p.Observe = &observing{r.Observe.Since, r.Observe.Until, filled(r.Observe.Hold), r.Observe.By}
	}
	return p
}

func (a *API) getPolicies(ctx context.Context, v *visit, _ *OfTenant) (*answered[policies], error) {
	return a.policiesNow(ctx, v)
}

func (a *API) policiesNow(ctx context.Context, v *visit) (*answered[policies], error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	return answer(viewPolicies(rules, a.now())), err
}

// changed answers a change of rules with the rules as they are now.
func (a *API) changed(ctx context.Context, v *visit, _ store.RulesChange, err error) (*answered[policies], error) {
	if err != nil {
		return nil, refused(err)
	}
	return a.policiesNow(ctx, v)
}

type choicesRequest struct {
	OfTenant
	Body struct {
		Kind mail.ScopeKind `json:"kind" enum:"tenant,group,person"`
		Name string         `json:"name,omitempty" maxLength:"254" doc:"Of the group, or the person's address."`
		Choices
	}
}

func (r *choicesRequest) meant() (mail.Scope, mail.Choices) {
	return mail.Scope{Kind: r.Body.Kind, Name: r.Body.Name}, mail.Choices{Thresholds: r.Body.Thresholds, Actions: r.Body.Actions}
}

func (a *API) putChoices(ctx context.Context, v *visit, in *choicesRequest) (*answered[policies], error) {
	at, c := in.meant()
	change, err := v.SetChoices(ctx, v.tenant.ID, at, c)
	return a.changed(ctx, v, change, err)
}

type moved struct {
	ID     string       `json:"id" doc:"Of the copy."`
	To     string       `json:"to"`
	Caught bool         `json:"caught" doc:"It would be held; false: it would be delivered."`
	Old    mail.Verdict `json:"old"`
	New    mail.Verdict `json:"new"`
	Points int          `json:"points"`
}

type preview struct {
	Reading bool      `json:"reading" doc:"Stored mail is being read; ask again."`
	Percent int       `json:"percent" doc:"Of the reading."`
	Ready   bool      `json:"ready" doc:"The figures count."`
	Since   time.Time `json:"since,omitzero" doc:"Mail received from then on is counted."`
	Copies  int       `json:"copies"`
	HeldOld int       `json:"held_now"`
	HeldNew int       `json:"held_then"`
	Freed   int       `json:"freed" doc:"Held now, delivered then."`
	Caught  int       `json:"caught" doc:"The other way."`
	Moves   []moved   `json:"moves" nullable:"false" doc:"The newest of both, 20 of each at most."`
}

const listedMoves = 20

func (a *API) previewChoices(ctx context.Context, v *visit, in *choicesRequest) (*answered[preview], error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	at, c := in.meant()
	next, err := admin.Chosen(rules, at, c)
	if err != nil {
		return nil, refused(err)
	}
	state := a.Shelf.Book(v.tenant.ID, rules)
	p := preview{Reading: state.Reading, Percent: state.Percent(), Moves: []moved{}}
	if state.Book == nil {
		if state.Err != nil && !state.Reading {
			return nil, problem(http.StatusConflict, "Stored mail could not be read, so nothing can be foreseen. Ask again in a while.")
		}
		return answer(p), nil
	}
	change := state.Book.Compare(rules, next, listedMoves)
	p.Ready, p.Since, p.Copies, p.HeldOld, p.HeldNew, p.Freed, p.Caught = true, state.Book.Since, change.Copies, change.HeldOld, change.HeldNew, change.Freed, change.Caught
	for _, m := range change.Moves {
		p.Moves = append(p.Moves, moved{m.ID, m.To, m.Caught, m.Old, m.New, m.Points})
	}
	return answer(p), nil
}

// OfGroup is the path of an operation on a group.
type OfGroup struct {
	OfTenant
	Group string `path:"group" maxLength:"80" example:"Board"`
}

type groupRequest struct {
	OfGroup
	Body struct {
		Members []string `json:"members" nullable:"false" minItems:"1" maxItems:"2000" doc:"Addresses, or whole domains."`
	}
}

func (a *API) putGroup(ctx context.Context, v *visit, in *groupRequest) (*answered[policies], error) {
	c, err := v.PutGroup(ctx, v.tenant.ID, in.Group, in.Body.Members)
	return a.changed(ctx, v, c, err)
}

func (a *API) raiseGroup(ctx context.Context, v *visit, in *OfGroup) (*answered[policies], error) {
	c, err := v.RaiseGroup(ctx, v.tenant.ID, in.Group)
	return a.changed(ctx, v, c, err)
}

func (a *API) removeGroup(ctx context.Context, v *visit, in *OfGroup) (*answered[policies], error) {
	c, err := v.RemoveScope(ctx, v.tenant.ID, mail.Scope{Kind: mail.ScopeGroup, Name: in.Group})
	return a.changed(ctx, v, c, err)
}

type ofAddress struct {
	OfTenant
	Address string `path:"address" maxLength:"254" example:"ann@contoso.com"`
}

func (a *API) removePersonChoices(ctx context.Context, v *visit, in *ofAddress) (*answered[policies], error) {
	c, err := v.RemoveScope(ctx, v.tenant.ID, mail.Scope{Kind: mail.ScopePerson, Name: in.Address})
	return a.changed(ctx, v, c, err)
}

type policyChange struct {
	Change   int64     `json:"change"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	What     string    `json:"what"`
	UndoneAt time.Time `json:"undone_at,omitzero"`
	UndoneBy string    `json:"undone_by,omitempty"`
}

func (a *API) listPolicyChanges(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[policyChange]], error) {
	all, err := a.Store.RulesHistory(ctx, v.tenant.ID, 50)
	if err != nil {
		return nil, err
	}
	var views []policyChange
	for _, c := range all {
		views = append(views, policyChange{c.Seq, c.At, c.Actor, c.What, c.UndoneAt, c.UndoneBy})
	}
	return listOf(views), nil
}

type undoRequest struct {
	OfTenant
	Body struct {
		Change int64 `json:"change" minimum:"1" doc:"The last one that is not undone, from the list."`
	}
}

func (a *API) undoPolicies(ctx context.Context, v *visit, in *undoRequest) (*answered[policies], error) {
	c, err := v.UndoRules(ctx, v.tenant.ID, in.Body.Change)
	return a.changed(ctx, v, c, err)
}

type bypassRequest struct {
	OfTenant
	Body struct {
		Minutes int    `json:"minutes" minimum:"1" maximum:"1440"`
		Malware bool   `json:"malware,omitempty" doc:"Also what is malware."`
		Why     string `json:"why" minLength:"1" maxLength:"200" doc:"The audit log keeps it, and the alarm says it."`
	}
}

func (a *API) startBypass(ctx context.Context, v *visit, in *bypassRequest) (*answered[policies], error) {
	_, err := v.StartBypass(ctx, v.tenant.ID, time.Duration(in.Body.Minutes)*time.Minute, in.Body.Malware, in.Body.Why)
	return a.changed(ctx, v, store.RulesChange{}, err)
}

func (a *API) endBypass(ctx context.Context, v *visit, _ *OfTenant) (*struct{}, error) {
	rules, err := a.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	if !rules.Bypass.On(a.now()) {
		return nil, errNothing
	}
	return nil, refused(v.EndBypass(ctx, v.tenant.ID))
}
