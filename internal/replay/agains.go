package replay

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// Agains are the tenants whose held mail is judged again now, or was last: one at a
// time of each, whichever door it was asked for at. How far each is stands in the
// store, so that a release goes on after a restart. Store and Log are required.
type Agains struct {
	Store *store.Store
	Log   *slog.Logger

	mu   sync.Mutex
	all  map[string]*Progress
	jobs map[string]job // that go on in this process
}

type job struct {
	ctx  context.Context
	stop context.CancelCauseFunc
}

// A Stage is what goes on.
type Stage string

const (
	Never     Stage = ""
	Looking   Stage = "look"
	Looked    Stage = "looked"
	Releasing Stage = "release"
	Released  Stage = "released"
)

// Progress is how far it is.
type Progress struct {
	Doing Stage
	By    string
	Tally Tally
	Total int    // that the last count found to be delivered
	Err   error  `json:"-"` // why it ended early
	Why   string // the same, as it is kept
}

// On reports whether something is going on.
func (p Progress) On() bool { return p.Doing == Looking || p.Doing == Releasing }

// Counted reports whether a count ended well, and nothing was released since.
func (p Progress) Counted() bool { return p.Doing == Looked && p.Err == nil }

// Percent is how much of the release is done, 0 to 100.
func (p Progress) Percent() int {
	if p.Total == 0 {
		return 0
	}
	return min(100, (p.Tally.Delivered+p.Tally.Deferred+p.Tally.Kept+p.Tally.Gone)*100/p.Total)
}

var (
	// ErrOn says that something of the tenant goes on already.
	ErrOn = mail.Refuse("held mail is being judged again already")
	// ErrUncounted says that what would be released was not counted, or is another number.
	ErrUncounted = mail.Refuse("what today's rules would deliver was not counted, or it is another number: count it first")
	// ErrStopped says that a person stopped it.
	ErrStopped = mail.Refuse("it was stopped: what had not been sent yet is held as before")
)

// againTime bounds one count or release.
const againTime = time.Hour

// Of is how far a tenant's is.
func (as *Agains) Of(tenant string) Progress {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.of(tenant)
}

// of is what this process knows, else what an earlier one kept.
func (as *Agains) of(tenant string) Progress {
	if p := as.all[tenant]; p != nil {
		return *p
	}
	body, err := as.Store.Again(context.Background(), tenant)
	if err != nil || body == "" {
		return Progress{}
	}
	return readProgress(body)
}

func readProgress(body string) (p Progress) {
	if json.Unmarshal([]byte(body), &p) != nil {
		return Progress{}
	}
	switch p.Why {
	case "":
	case ErrStopped.Error():
		p.Err = ErrStopped
	default:
		p.Err = errors.New(p.Why)
	}
	return p
}

// keep writes down how far it is.
func (as *Agains) keep(tenant string, p Progress) {
	if p.Err != nil {
		p.Why = p.Err.Error()
	}
	body, err := json.Marshal(p)
	if err == nil {
		err = as.Store.PutAgain(context.Background(), tenant, string(p.Doing), string(body))
	}
	if err != nil {
		as.Log.Error("how far held mail is judged again could not be kept", "tenant", tenant, "err", err)
	}
}

// Stop ends what goes on of a tenant, at once here and within a second or two in
// another process. What is being sent at that moment is sent.
func (as *Agains) Stop(ctx context.Context, tenant string) error {
	if err := as.Store.StopAgain(ctx, tenant); err != nil {
		return err
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if j, on := as.jobs[tenant]; on {
		j.stop(ErrStopped)
	}
	return nil
}

// attend keeps how far a job is, and stops it when another process asked for it.
func (as *Agains) attend(j job, tenant string, p *Progress) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-j.ctx.Done():
			return
		case <-tick.C:
		}
		as.mu.Lock()
		if as.all[tenant] == p && p.On() {
			as.keep(tenant, *p)
		}
		as.mu.Unlock()
		if asked, err := as.Store.AgainsAt(j.ctx, store.AgainStopping); err == nil {
			if _, stop := asked[tenant]; stop {
				j.stop(ErrStopped)
			}
		}
	}
}

// Resume goes on with the releases that the end of a process cut off, and counts
// anew what it was counting. What was asked to stop has ended. make gives the means of whoever began.
func (as *Agains) Resume(ctx context.Context, make func(by string) *Again) error {
	stopped, err := as.Store.AgainsAt(ctx, store.AgainStopping)
	if err != nil {
		return err
	}
	for tenant, body := range stopped {
		p := readProgress(body)
		as.end(tenant, &p, p.Tally, ErrStopped)
	}
	for _, stage := range []Stage{Looking, Releasing} {
		all, err := as.Store.AgainsAt(ctx, string(stage))
		if err != nil {
			return err
		}
		for tenant, body := range all {
			old := readProgress(body)
			a, base := make(old.By), old.Tally
			work := func(ctx context.Context, tell func(Tally)) (Tally, error) { return a.Look(ctx, tenant, tell) }
			if stage == Releasing {
				work = func(ctx context.Context, tell func(Tally)) (Tally, error) {
					t, err := a.Run(ctx, tenant, old.By, func(t Tally) { tell(t.after(base)) })
					return t.after(base), err
				}
			}
			as.start(ctx, tenant, &old, work)
		}
	}
	return nil
}

// after is t with what was done of the release before.
func (t Tally) after(base Tally) Tally {
	t.Delivered, t.Deferred, t.Kept, t.Gone = t.Delivered+base.Delivered, t.Deferred+base.Deferred, t.Kept+base.Kept, t.Gone+base.Gone
	return t
}

// Look begins to count what today's rules would deliver of a tenant's held mail. It
// goes on in the background, also after ctx. The error may be ErrOn.
func (as *Agains) Look(ctx context.Context, a *Again, tenant, by string) (Progress, error) {
	next := Progress{Doing: Looking, By: by}
	return as.begin(ctx, tenant, func(Progress) (Progress, error) { return next, nil }, func(ctx context.Context, tell func(Tally)) (Tally, error) {
		return a.Look(ctx, tenant, tell)
	})
}

// Run begins to release it, when a count said that it is so many. It goes on in the
// background, also after ctx. The error may be ErrOn or ErrUncounted.
func (as *Agains) Run(ctx context.Context, a *Again, tenant, by string, counted int) (Progress, error) {
	next := func(old Progress) (Progress, error) {
		if !old.Counted() || old.Total != counted {
			return old, ErrUncounted
		}
		return Progress{Doing: Releasing, By: by, Total: old.Total}, nil
	}
	return as.begin(ctx, tenant, next, func(ctx context.Context, tell func(Tally)) (Tally, error) {
		return a.Run(ctx, tenant, by, tell)
	})
}

func (as *Agains) begin(ctx context.Context, tenant string, next func(old Progress) (Progress, error), work func(context.Context, func(Tally)) (Tally, error)) (Progress, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	old := as.of(tenant)
	if old.On() {
		return old, ErrOn
	}
	now, err := next(old)
	if err != nil {
		return old, err
	}
	begun := now
	as.run(ctx, tenant, &now, work)
	return begun, nil
}

// start is run for who does not hold the lock.
func (as *Agains) start(ctx context.Context, tenant string, p *Progress, work func(context.Context, func(Tally)) (Tally, error)) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.run(ctx, tenant, p, work)
}

// keepEvery is how often it is written down how far it is.
const keepEvery = time.Second

func (as *Agains) run(ctx context.Context, tenant string, p *Progress, work func(context.Context, func(Tally)) (Tally, error)) {
	if as.all == nil {
		as.all, as.jobs = map[string]*Progress{}, map[string]job{}
	}
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	j := job{ctx, stop}
	as.all[tenant], as.jobs[tenant] = p, j
	as.keep(tenant, *p)
	go as.attend(j, tenant, p)
	go func() {
		defer stop(nil)
		ctx, cancel := context.WithTimeout(ctx, againTime)
		defer cancel()
		t, err := work(ctx, func(t Tally) {
			as.mu.Lock()
			defer as.mu.Unlock()
			p.Tally = t
		})
		if errors.Is(context.Cause(ctx), ErrStopped) {
			err = ErrStopped
		}
		as.end(tenant, p, t, err)
	}()
}

func (as *Agains) end(tenant string, p *Progress, t Tally, err error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	p.Tally, p.Err = t, err
	delete(as.jobs, tenant)
	if p.Doing == Looking {
		p.Doing, p.Total = Looked, t.Clean
	} else {
		p.Doing = Released
	}
	as.keep(tenant, *p)
	if err != nil && !errors.Is(err, ErrStopped) {
		as.Log.Error("judge held mail again", "tenant", tenant, "err", err)
	}
}
