package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
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
}

// Outcome is what became of one held copy, as the command line prints it.
type Outcome struct {
	ID    string     `json:"id"`
	State mail.State `json:"state" doc:"delivered: the mailbox has it; delivering: it is tried again by itself; held: it was refused and is held again; dropped: it was deleted."`
	Reply string     `json:"reply" doc:"What the mailbox's server answered."`
}

// outcomeOf is one of many, of which some may not have worked.
type outcomeOf struct {
	Outcome
	Problem string `json:"problem,omitempty" doc:"Why it was not done; missing when it was."`
}

type ofCopy struct {
	OfTenant
	ID string `path:"id" doc:"Id of one recipient's copy, from the list." example:"01K9V5E2H69TP9QM1D3S3R8G2E.0"`
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
		"It is sent to its mailbox at once and exactly once; the answer says what the mailbox's server said. A second release is 409. Malware and phishing are for security administrators.")
	one.errors = []int{http.StatusConflict}
	add(a, api, one, a.releaseMail)
	one = remove.with("deleteMail", "DELETE", path+"/{id}", "Delete a held message", "For good.")
	one.errors = []int{http.StatusConflict}
	add(a, api, one, a.deleteMail)
	add(a, api, release.with("releaseMany", "POST", path+"/release", "Release several held messages", "One that cannot be released does not stop the others."), a.releaseMany)
	add(a, api, remove.with("deleteMany", "POST", path+"/delete", "Delete several held messages", "One that cannot be deleted does not stop the others."), a.deleteMany)
}

func viewHeld(r store.TraceRow) heldEntry {
	return heldEntry{copyID(r.ID, r.N), r.Tenant, r.From, r.To, r.Subject, r.Verdict, r.Score, filled(r.Reasons), r.HeldAt, r.ExpiresAt, r.State}
}

func (a *API) listQuarantine(ctx context.Context, v *visit, in *MailFilter) (*answered[page[heldEntry]], error) {
	return partOf(ctx, a.Store.Quarantine, in.store(), true, viewHeld)
}

func (a *API) releaseMail(ctx context.Context, v *visit, in *ofCopy) (*answered[Outcome], error) {
	o, err := a.release(ctx, v, in.ID)
	return answer(o), err
}

func (a *API) deleteMail(ctx context.Context, v *visit, in *ofCopy) (*answered[Outcome], error) {
	o, err := a.drop(ctx, v, in.ID)
	return answer(o), err
}

func (a *API) release(ctx context.Context, v *visit, id string) (Outcome, error) {
	row, err := a.copyOf(ctx, v, id)
	if err != nil {
		return Outcome{}, err
	}
	if !admin.MayRelease(v.user.Role, row.Verdict) {
		return Outcome{}, problem(http.StatusForbidden, "Malware and phishing are released by a security administrator only.")
	}
	out, err := a.Held.Release(ctx, v.tenant.ID, row.ID, row.N, v.Actor)
	if err != nil {
		return Outcome{}, a.notHeld(ctx, v, id, err)
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
	return Outcome{id, state, out.Reply}, nil
}

func (a *API) drop(ctx context.Context, v *visit, id string) (Outcome, error) {
	row, err := a.copyOf(ctx, v, id)
	if err != nil {
		return Outcome{}, err
	}
	if err := v.DeleteHeld(ctx, v.tenant.ID, row.ID, row.N); err != nil {
		return Outcome{}, a.notHeld(ctx, v, id, err)
	}
	return Outcome{id, mail.Dropped, ""}, nil
}

// notHeld says what became of a copy that is not held any more.
func (a *API) notHeld(ctx context.Context, v *visit, id string, err error) error {
	if !errors.Is(err, store.ErrNotHeld) {
		return err
	}
	row, rerr := a.copyOf(ctx, v, id)
	if rerr != nil {
		return rerr
	}
	text := "It is not held any more: it is " + string(row.State) + "."
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
