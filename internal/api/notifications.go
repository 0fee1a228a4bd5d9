package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/notice"
)

type receiver struct {
	ID      string    `json:"id"`
	Address string    `json:"address,omitempty" doc:"E-mail address; missing for a program."`
	URL     string    `json:"url,omitempty" doc:"Of a program."`
	Topics  []string  `json:"topics" nullable:"false" doc:"Alarms that are told; empty for all."`
	System  bool      `json:"system" doc:"Also those of the whole installation."`
	AddedAt time.Time `json:"added_at"`
}

type newReceiver struct {
	OfTenant
	Body struct {
		To     string   `json:"to" minLength:"3" maxLength:"500" doc:"An e-mail address, or the https address of a program."`
		Topics []string `json:"topics,omitempty" nullable:"false" enum:"mail,keys,exchange,policies,recipients,system" doc:"All when missing."`
		System bool     `json:"system,omitempty" doc:"Also alarms of the whole installation, which a token of one tenant cannot ask for."`
	}
}

type addedReceiver struct {
	Receiver receiver `json:"receiver"`
	Secret   string   `json:"secret,omitempty" doc:"Notices to a program are signed with it. Shown this once."`
}

type ofReceiver struct {
	OfTenant
	ID string `path:"id" doc:"Of the receiver, from the list." maxLength:"40"`
}

func (a *API) notifications(api huma.API) {
	const path = "/tenants/{tenant}/notifications"
	write := operation{tag: "Status", scope: "policy:write", roles: changers}
	add(a, api, operation{id: "listReceivers", method: "GET", path: path, tag: "Status", summary: "List who is told of alarms", scope: "policy:read", roles: readers}, a.listReceivers)
	one := write.with("addReceiver", "POST", path, "Have somebody told of alarms", "By mail, or a program by a signed webhook.")
	one.status = http.StatusCreated
	add(a, api, one, a.addReceiver)
	add(a, api, write.with("removeReceiver", "DELETE", path+"/{id}", "End the notices to one", ""), a.removeReceiver)
	one = write.with("testReceiver", "POST", path+"/{id}/test", "Send a test notice", "A program's answer is waited for; mail is on its way when this answers.")
	one.errors = []int{http.StatusBadGateway}
	add(a, api, one, a.testReceiver)
}

func viewReceiver(r notice.Receiver) receiver {
	return receiver{r.ID, r.Address, r.URL, filled(r.Topics), r.System, time.Unix(r.Added, 0).UTC()}
}

func (a *API) listReceivers(ctx context.Context, v *visit, _ *OfTenant) (*answered[list[receiver]], error) {
	all, err := notice.Receivers(ctx, a.Store, v.tenant.ID)
	if err != nil {
		return nil, err
	}
	var views []receiver
	for _, r := range all {
		views = append(views, viewReceiver(r))
	}
	return listOf(views), nil
}

func (a *API) addReceiver(ctx context.Context, v *visit, in *newReceiver) (*answered[addedReceiver], error) {
	if in.Body.System && v.within() != "" {
		return nil, problem(http.StatusUnprocessableEntity, "Alarms of the whole installation are not for a token of one tenant. Leave system out.")
	}
	r, secret, err := v.AddReceiver(ctx, v.tenant.ID, in.Body.To, in.Body.Topics, in.Body.System)
	if err != nil {
		return nil, refused(err)
	}
	return answer(addedReceiver{viewReceiver(r), secret}), nil
}

// receiverOf is the receiver that a path names.
func (a *API) receiverOf(ctx context.Context, v *visit, id string) (notice.Receiver, error) {
	all, err := notice.Receivers(ctx, a.Store, v.tenant.ID)
	if err != nil {
		return notice.Receiver{}, err
	}
	i := slices.IndexFunc(all, func(r notice.Receiver) bool { return r.ID == id })
	if i < 0 {
		return notice.Receiver{}, errNothing
	}
	return all[i], nil
}

func (a *API) removeReceiver(ctx context.Context, v *visit, in *ofReceiver) (*answered[receiver], error) {
	r, err := a.receiverOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	if err := v.RemoveReceiver(ctx, v.tenant.ID, r.ID); err != nil {
		return nil, refused(err)
	}
	return answer(viewReceiver(r)), nil
}

func (a *API) testReceiver(ctx context.Context, v *visit, in *ofReceiver) (*answered[receiver], error) {
	r, err := a.receiverOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.TellNow(ctx, v.tenant.ID, r); err != nil {
		return nil, problem(http.StatusBadGateway, "The test could not be sent: "+admin.Sentence(err))
	}
	return answer(viewReceiver(r)), nil
}
