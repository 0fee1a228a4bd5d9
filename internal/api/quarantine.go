package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

type heldEntry struct {
	ID        string       `json:"id" doc:"Of one recipient's copy."`
	Tenant    string       `json:"tenant"`
	From      string       `json:"from"`
	To        string       `json:"to"`
	Subject   string       `json:"subject"`
	Verdict   mail.Verdict `json:"verdict"`
	Score     int          `json:"score"`
	Reasons   []string     `json:"reasons" nullable:"false"`
	HeldAt    time.Time    `json:"held_at"`
	ExpiresAt time.Time    `json:"expires_at" doc:"When it is deleted by itself."`
	State     mail.State   `json:"state"`
	DeletedBy string       `json:"deleted_by,omitempty" doc:"Who deleted it; until expires_at this can be taken back."`
}

// Outcome is what became of one held copy, as the command line prints it.
type Outcome struct {
	ID    string     `json:"id"`
	State mail.State `json:"state" doc:"delivered: the mailbox has it; delivering: it is tried again by itself; held: it was refused and is held again; dropped: it was deleted."`
	Reply string     `json:"reply" doc:"What the mailbox's server answered."`
	Drops time.Time  `json:"drops_at,omitzero" doc:"When it will be deleted unless that is taken back."`
}

// outcomeOf is one of many, of which some may not have worked.
type outcomeOf struct {
	Outcome
	Problem string `json:"problem,omitempty" doc:"Why it was not done; missing when it was."`
}

// OfCopy is the path of an operation on one recipient's copy.
type OfCopy struct {
	OfTenant
	ID string `path:"id" doc:"Id of one recipient's copy, from the list." example:"01K9V5E2H69TP9QM1D3S3R8G2E.0"`
}

type releasedCopy struct {
	OfCopy
	Body *struct {
		Override bool `json:"override,omitempty" doc:"Release it even if judging it again finds phishing, or is not possible. For security administrators; malware is never released."`
	}
}

type manyCopies struct {
	OfTenant
	Body struct {
		IDs []string `json:"ids" nullable:"false" minItems:"1" maxItems:"50" uniqueItems:"true" doc:"Ids from the list. More than 50 at once are released in the portal, where a second factor is asked for."`
	}
}

func (a *API) quarantine(api huma.API) {
	const path = "/tenants/{tenant}/quarantine"
	add(a, api, operation{id: "listQuarantine", method: "GET", path: path, tag: "Quarantine", summary: "Search held mail", about: "The last held first.", scope: "mail:read", roles: staff}, a.listQuarantine)
	release := operation{tag: "Quarantine", scope: "mail:release", roles: releasers}
	remove := operation{tag: "Quarantine", scope: "mail:delete", roles: changers}
	one := release.with("releaseMail", "POST", path+"/{id}/release", "Release a held message",
		"50 in a quarter of an hour; more need the scope `danger:release`. It is judged again, then sent to its mailbox at once and exactly once; the answer says what the mailbox's server said. A second release is 409. Malware and phishing are for security administrators.")
	one.errors = []int{http.StatusConflict}
	add(a, api, one, a.releaseMail)
	one = remove.with("deleteMail", "DELETE", path+"/{id}", "Delete a held message", "It goes ten minutes later; until then this can be taken back.")
	one.errors = []int{http.StatusConflict}
	add(a, api, one, a.deleteMail)
	one = remove.with("undeleteMail", "POST", path+"/{id}/undelete", "Take a deletion back", "Within ten minutes.")
	one.errors = []int{http.StatusConflict}
	add(a, api, one, a.undeleteMail)
	add(a, api, release.with("releaseMany", "POST", path+"/release", "Release several held messages", "One that cannot be released does not stop the others. 50 in a quarter of an hour; more need the scope `danger:release`."), a.releaseMany)
	add(a, api, remove.with("deleteMany", "POST", path+"/delete", "Delete several held messages", "One that cannot be deleted does not stop the others."), a.deleteMany)
}

func viewHeld(r store.TraceRow) heldEntry {
	return heldEntry{copyID(r.ID, r.N), r.Tenant, r.From, r.To, r.Subject, r.Verdict, r.Score, filled(r.Reasons), r.HeldAt, r.ExpiresAt, r.State, r.DeletedBy}
}

func (a *API) listQuarantine(ctx context.Context, v *visit, in *MailFilter) (*answered[page[heldEntry]], error) {
	f, err := in.store(a.now())
	if err != nil {
		return nil, err
	}
	return partOf(ctx, a.Store.Quarantine, f, true, viewHeld)
}

func (a *API) releaseMail(ctx context.Context, v *visit, in *releasedCopy) (*answered[Outcome], error) {
	override := in.Body != nil && in.Body.Override
	if override && !slices.Contains(changers, v.user.Role) {
		return nil, problem(http.StatusForbidden, "Only a security administrator releases mail against what judging it again says. Leave override out.")
	}
	o, err := a.releaseOne(ctx, v, in.ID, override)
	return answer(o), err
}

func (a *API) undeleteMail(ctx context.Context, v *visit, in *OfCopy) (*answered[Outcome], error) {
	row, err := a.copyOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	if err := v.UndeleteHeld(ctx, v.tenant.ID, row.ID, row.N); err != nil {
		return nil, a.stays(ctx, v, in.ID, err)
	}
	return answer(Outcome{ID: in.ID, State: mail.Held}), nil
}

func (a *API) deleteMail(ctx context.Context, v *visit, in *OfCopy) (*answered[Outcome], error) {
	o, err := a.drop(ctx, v, in.ID)
	return answer(o), err
}

func (a *API) release(ctx context.Context, v *visit, id string) (Outcome, error) {
	return a.releaseOne(ctx, v, id, false)
}

func (a *API) releaseOne(ctx context.Context, v *visit, id string, override bool) (Outcome, error) {
	row, err := a.copyOf(ctx, v, id)
	if err != nil {
		return Outcome{}, err
	}
	if !admin.MayRelease(v.user.Role, row.Verdict) {
		return Outcome{}, problem(http.StatusForbidden, "Malware and phishing are released by a security administrator only.")
	}
	if err := a.fewReleases(ctx, v); err != nil {
		return Outcome{}, err
	}
	out, err := a.Held.Release(ctx, relay.Order{Tenant: v.tenant.ID, ID: row.ID, N: row.N, By: v.Actor, Override: override})
	if err != nil {
		return Outcome{}, a.stays(ctx, v, id, err)
	}
	if err := v.NoteRelease(ctx, v.tenant.ID, id, out.Reply); err != nil {
		a.Log.Error("release was done but not noted", "mid", row.ID, "err", err)
	}
	state := mail.Held
	switch out.Kind {
	case deliver.Delivered:
		state = mail.Delivered
	case deliver.Deferred:
		state = mail.Delivering
	}
	return Outcome{ID: id, State: state, Reply: out.Reply}, nil
}

// fewReleases refuses a token that releases many at a time without having been given
// that, or where a second person has to agree to it.
func (a *API) fewReleases(ctx context.Context, v *visit) error {
	text := fmt.Sprintf("This token released %d messages within 15 minutes. More at a time need the scope danger:release: make a token with it in the portal, or wait.", admin.ManyReleases)
	if slices.Contains(v.token.Scopes, "danger:release") {
		if two, err := v.FourEyes(ctx); err != nil || !two {
			return err
		}
		text = fmt.Sprintf("This token released %d messages within 15 minutes, and on this installation a second person has to agree to more. Do it in the portal, or wait.", admin.ManyReleases)
	}
	if few, err := v.Releasing(ctx, "token "+v.token.ID, 1); err != nil || few {
		return err
	}
	return problem(http.StatusForbidden, text)
}

func (a *API) drop(ctx context.Context, v *visit, id string) (Outcome, error) {
	row, err := a.copyOf(ctx, v, id)
	if err != nil {
		return Outcome{}, err
	}
	if err := v.DeleteHeldSoon(ctx, v.tenant.ID, row.ID, row.N); err != nil {
		return Outcome{}, a.stays(ctx, v, id, err)
	}
	return Outcome{ID: id, State: mail.Held, Drops: time.Now().UTC().Add(admin.UndoTime).Truncate(time.Second)}, nil
}

// stays says why nothing was done with a copy.
func (a *API) stays(ctx context.Context, v *visit, id string, err error) error {
	for _, why := range []error{relay.ErrMalware, relay.ErrPhish, relay.ErrUnjudged} {
		if errors.Is(err, why) {
			return problem(http.StatusConflict, "It stays held: "+why.Error()+".")
		}
	}
	if !errors.Is(err, store.ErrNotHeld) {
		return err
	}
	row, rerr := a.copyOf(ctx, v, id)
	if rerr != nil {
		return rerr
	}
	text := "It is not held any more: it is " + string(row.State) + "."
	if row.State == mail.Held {
		text = "It is held, and not about to be deleted or about to be already."
	}
	if n := len(row.Events); n > 0 && row.Events[n-1].Text != "" {
		text += " Last entry of its trace: " + row.Events[n-1].Text + "."
	}
	return problem(http.StatusConflict, text)
}

func (a *API) releaseMany(ctx context.Context, v *visit, in *manyCopies) (*answered[list[outcomeOf]], error) {
	return a.each(ctx, v, in.Body.IDs, a.release)
}

func (a *API) deleteMany(ctx context.Context, v *visit, in *manyCopies) (*answered[list[outcomeOf]], error) {
	return a.each(ctx, v, in.Body.IDs, a.drop)
}

func (a *API) each(ctx context.Context, v *visit, ids []string, do func(context.Context, *visit, string) (Outcome, error)) (*answered[list[outcomeOf]], error) {
	var all []outcomeOf
	for _, id := range ids {
		o, err := do(ctx, v, id)
		one := outcomeOf{Outcome: o}
		if err != nil {
			one.Outcome.ID, one.Problem = id, a.answer(err, v, "bulk").Detail
			if row, rerr := a.copyOf(ctx, v, id); rerr == nil {
				one.State = row.State
			}
		}
		all = append(all, one)
	}
	return listOf(all), nil
}
