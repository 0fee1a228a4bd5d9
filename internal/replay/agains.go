package replay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Agains are the tenants whose held mail is judged again now, or was last: one at a
// time of each, whichever door it was asked for at. They belong to this process;
// after a restart what was not released is held still. Log is required.
type Agains struct {
	Log *slog.Logger

	mu  sync.Mutex
	all map[string]*Progress
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
	Total int   // that the last count found to be delivered
	Err   error // why it ended early
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
	ErrOn = errors.New("held mail is being judged again already")
	// ErrUncounted says that what would be released was not counted, or is another number.
	ErrUncounted = errors.New("what today's rules would deliver was not counted, or it is another number: count it first")
)

// againTime bounds one count or release.
const againTime = time.Hour

// Of is how far a tenant's is.
func (as *Agains) Of(tenant string) Progress {
	as.mu.Lock()
	defer as.mu.Unlock()
	if p := as.all[tenant]; p != nil {
		return *p
	}
	return Progress{}
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
	old := Progress{}
	if p := as.all[tenant]; p != nil {
		old = *p
	}
	if old.On() {
		return old, ErrOn
	}
	now, err := next(old)
	if err != nil {
		return old, err
	}
	if as.all == nil {
		as.all = map[string]*Progress{}
	}
	as.all[tenant] = &now
	begun := now
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), againTime)
		defer cancel()
		t, err := work(ctx, func(t Tally) {
			as.mu.Lock()
			defer as.mu.Unlock()
			now.Tally = t
		})
		as.end(tenant, &now, t, err)
	}()
	return begun, nil
}

func (as *Agains) end(tenant string, p *Progress, t Tally, err error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	p.Tally, p.Err = t, err
	if p.Doing == Looking {
		p.Doing, p.Total = Looked, t.Clean
	} else {
		p.Doing = Released
	}
	if err != nil {
		as.Log.Error("judge held mail again", "tenant", tenant, "err", err)
	}
}
