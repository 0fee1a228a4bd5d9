package portal

import (
	"context"
	"net/http"
	"sync"
	"time"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
)

// agains are the tenants whose held mail is judged again now, or was last. They
// belong to this process: after a restart what was not released is held still.
type agains struct {
	mu  sync.Mutex
	all map[string]*againView
}

// An againView is how far that is.
type againView struct {
	Doing string // "", "look", "looked", "release", "released"
	By    string
	Tally replay.Tally
	Total int // that may be released
	Why   string
}

// On reports whether something is going on.
func (a againView) On() bool { return a.Doing == "look" || a.Doing == "release" }

// Percent is how much of the release is done.
func (a againView) Percent() int {
	if a.Total == 0 {
		return 0
	}
	return min(100, (a.Tally.Delivered+a.Tally.Deferred+a.Tally.Kept+a.Tally.Gone)*100/a.Total)
}

func (as *agains) view(tenant string) againView {
	as.mu.Lock()
	defer as.mu.Unlock()
	if v := as.all[tenant]; v != nil {
		return *v
	}
	return againView{}
}

const againTime = time.Hour

// judgeAgain first counts what today's rules would deliver of the held mail, and
// asked a second time releases it. Both go on in the background.
func (p *Portal) judgeAgain(w http.ResponseWriter, r *http.Request, v *visit) error {
	tenant, do := v.tenant.ID, r.PostFormValue("do")
	if do != "look" && do != "release" {
		return errBad
	}
	a := &replay.Again{Store: p.Store, Note: v.NoteRelease, Release: func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
		return p.Held.Release(ctx, relay.Order{Tenant: tenant, ID: id, N: n, By: by})
	}}
	if !p.again.begin(tenant, do, v.user.Email) {
		return tell(w, r, "/t/"+tenant+"/policies#again", "warn", v.words.T("Held mail is being judged again already."))
	}
	by := v.user.Email
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), againTime)
		defer cancel()
		progress := func(t replay.Tally) { p.again.change(tenant, func(v *againView) { v.Tally = t }) }
		var t replay.Tally
		var err error
		if do == "look" {
			t, err = a.Look(ctx, tenant, progress)
		} else {
			t, err = a.Run(ctx, tenant, by, progress)
		}
		p.again.change(tenant, func(v *againView) {
			v.Tally, v.Doing = t, map[string]string{"look": "looked", "release": "released"}[do]
			if do == "look" {
				v.Total = t.Clean
			}
			if err != nil {
				v.Why = sentence(err)
				p.Log.Error("judge held mail again", "tenant", tenant, "err", err)
			}
		})
	}()
	return redirect(w, r, "/t/"+tenant+"/policies#again")
}

// begin reports whether nothing of the tenant was going on.
func (as *agains) begin(tenant, do, by string) bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	old := as.all[tenant]
	if old != nil && old.On() {
		return false
	}
	if as.all == nil {
		as.all = map[string]*againView{}
	}
	next := &againView{Doing: do, By: by}
	if old != nil {
		next.Total = old.Total
	}
	as.all[tenant] = next
	return true
}

func (as *agains) change(tenant string, f func(*againView)) {
	as.mu.Lock()
	defer as.mu.Unlock()
	f(as.all[tenant])
}
