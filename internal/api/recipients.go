package api

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
	"postern/internal/store"
)

type recipients struct {
	May      map[mail.Verdict]mail.Permission `json:"may,omitempty" doc:"What people may do with held mail of a verdict: release, ask or never. Missing is the default."`
	Listed   []mail.Verdict                   `json:"listed,omitempty" nullable:"false" doc:"Verdicts that digests list; missing: all that may be released or asked for."`
	Digest   schedule                         `json:"digest" doc:"For those who chose none of their own."`
	Zone     string                           `json:"zone,omitempty" maxLength:"64" example:"Europe/Berlin"`
	Language string                           `json:"language,omitempty" maxLength:"8" example:"en"`
	FromName string                           `json:"from_name,omitempty" maxLength:"64" doc:"Of digests; the tenant's name when missing."`
	FromAddr string                           `json:"from_address,omitempty" maxLength:"254" doc:"Of digests, in one of the tenant's domains."`
}

type schedule struct {
	Every string `json:"every" enum:"off,daily,often,weekly"`
	Hours []int  `json:"hours,omitempty" nullable:"false" maxItems:"6" doc:"0 to 23; one for daily and weekly."`
	Day   int    `json:"day,omitempty" minimum:"0" maximum:"6" doc:"Of weekly; 0 is Sunday."`
}

type recipientsRequest struct {
	OfTenant
	Body recipients
}

type request struct {
	ID      string    `json:"id" doc:"Of the held copy."`
	Address string    `json:"address" doc:"Who asks."`
	AskedAt time.Time `json:"asked_at"`
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Verdict string    `json:"verdict"`
}

type declineRequest struct {
	OfCopy
	Body struct {
		Answer string `json:"answer" minLength:"1" maxLength:"500" doc:"A sentence that the person reads."`
	}
}

func (a *API) recipients(api huma.API) {
	const settings, requests = "/tenants/{tenant}/recipients", "/tenants/{tenant}/requests"
	add(a, api, operation{id: "getRecipients", method: "GET", path: settings, tag: "Policy", summary: "Show what recipients may do themselves, and their digest", scope: "policy:read", roles: readers}, a.getRecipients)
	add(a, api, operation{id: "putRecipients", method: "PUT", path: settings, tag: "Policy", summary: "Change what recipients may do themselves, and their digest", scope: "policy:write", roles: changers}, a.putRecipients)
	add(a, api, operation{id: "listRequests", method: "GET", path: requests, tag: "Quarantine", summary: "List recipients' requests for release", about: "That wait for an answer, the oldest first, 500 at most.", scope: "mail:read", roles: staff}, a.listRequests)
	answerTo := operation{tag: "Quarantine", scope: "mail:release", roles: releasers, errors: []int{409}}
	add(a, api, answerTo.with("approveRequest", "POST", requests+"/{id}/approve", "Grant a request", "Releases the mail."), a.approveRequest)
	add(a, api, answerTo.with("declineRequest", "POST", requests+"/{id}/decline", "Decline a request", "The mail stays held."), a.declineRequest)
}

func viewRecipients(r mail.Recipients) recipients {
	every := r.Digest.Every
	if every == "" {
		every = mail.Never
	}
	return recipients{r.May, r.Listed, schedule{every, r.Digest.Hours, int(r.Digest.Day)}, r.Zone, r.Lang, r.FromName, r.FromAddr}
}

func (a *API) getRecipients(ctx context.Context, v *visit, _ *OfTenant) (*answered[recipients], error) {
	r, err := a.Store.Recipients(ctx, v.tenant.ID)
	return answer(viewRecipients(r)), err
}

func (a *API) putRecipients(ctx context.Context, v *visit, in *recipientsRequest) (*answered[recipients], error) {
	b := in.Body
	err := v.SetRecipients(ctx, v.tenant.ID, mail.Recipients{May: b.May, Listed: b.Listed, Digest: mail.Schedule{Every: b.Digest.Every, Hours: b.Digest.Hours, Day: time.Weekday(b.Digest.Day)},
		Zone: b.Zone, Lang: b.Language, FromName: b.FromName, FromAddr: b.FromAddr})
	if err != nil {
		return nil, refused(err)
	}
	return a.getRecipients(ctx, v, nil)
}

func (a *API) listRequests(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[request]], error) {
	all, err := a.Store.OpenRequests(ctx, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	var views []request
	for _, q := range all {
		id := copyID(q.Message, q.N)
		row, err := a.copyOf(ctx, v, id)
		if err != nil && !errors.Is(err, errNothing) {
			return nil, err
		}
		views = append(views, request{id, q.Addr, q.AskedAt, row.From, row.Subject, string(row.Verdict)})
	}
	return listOf(views), nil
}

// asked is a copy that a recipient waits for.
func (a *API) asked(ctx context.Context, v *visit, id string) (store.TraceRow, error) {
	row, err := a.copyOf(ctx, v, id)
	if err != nil {
		return row, err
	}
	all, err := a.Store.OpenRequests(ctx, v.tenant.ID)
	if err != nil {
		return row, err
	}
	for _, q := range all {
		if q.Message == row.ID && q.N == row.N {
			return row, nil
		}
	}
	return row, problem(409, "Nobody waits for this mail any more: the request was answered, or the mail is not held.")
}

func (a *API) approveRequest(ctx context.Context, v *visit, in *OfCopy) (*answered[Outcome], error) {
	row, err := a.asked(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	o, err := a.release(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(o), v.Approve(ctx, v.tenant.ID, row.ID, row.N, o.Reply)
}

func (a *API) declineRequest(ctx context.Context, v *visit, in *declineRequest) (*answered[Outcome], error) {
	row, err := a.asked(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(Outcome{ID: in.ID, State: row.State}), refused(v.Decline(ctx, v.tenant.ID, row.ID, row.N, in.Body.Answer))
}
