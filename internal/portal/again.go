package portal

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
)

// An againView is how far judging held mail again is.
type againView struct {
	replay.Progress
	Why string
}

func (p *Portal) viewAgain(v *visit) againView {
	view := againView{Progress: p.Again.Of(v.tenant.ID)}
	if view.Err != nil {
		view.Why = v.words.Wrong(view.Err)
	}
	return view
}

// judgeAgain first counts what today's rules would deliver of the held mail, and
// asked a second time releases it. Both go on in the background.
func (p *Portal) judgeAgain(w http.ResponseWriter, r *http.Request, v *visit) error {
	a := &replay.Again{Store: p.Store, Note: v.NoteRelease, Release: func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
		return p.Held.Release(ctx, relay.Order{Tenant: tenant, ID: id, N: n, By: by})
	}}
	tenant, by := v.tenant.ID, v.user.Email
	back := "/t/" + tenant + "/policies#again"
	var err error
	switch r.PostFormValue("do") {
	case "look":
		_, err = p.Again.Look(r.Context(), a, tenant, by)
	case "release":
		count, nerr := strconv.Atoi(r.PostFormValue("count")) // what the person saw, and a second one agreed to
		if nerr != nil {
			return errBad
		}
		_, err = p.Again.Run(r.Context(), a, tenant, by, count)
	default:
		return errBad
	}
	if errors.Is(err, replay.ErrOn) {
		return tell(w, r, back, "warn", v.words.Wrong(err))
	}
	return redirect(w, r, back) // what was not counted is counted first: the page shows that button only
}

// stopAgain ends it; nobody has to agree to that.
func (p *Portal) stopAgain(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := p.Again.Stop(r.Context(), v.tenant.ID); err != nil {
		return err
	}
	if err := v.NoteStop(r.Context(), v.tenant.ID); err != nil {
		return err
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/policies#again", "good", v.words.T("What is being sent at this moment is sent; the rest stays held."))
}
