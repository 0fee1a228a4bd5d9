package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// Again measures held mail by today's rules and lets go what they would deliver.
// All fields are required.
type Again struct {
	Store   *store.Store
	Release func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error)
	Note    func(ctx context.Context, tenant, object, reply string) error // into the audit log
}

// A Tally is how far that is.
type Tally struct {
	Looked    int // held copies that were looked at
	Clean     int // that today's rules would deliver
	Delivered int
	Deferred  int // to be tried again by the queue
	Kept      int // an MTA refused them, or they could not be sent; held still
	Gone      int // released or deleted by somebody else meanwhile
}

// sends is how many copies are on their way to MTAs at a time.
const sends = 16

// Look counts without releasing. progress is told now and then.
func (a *Again) Look(ctx context.Context, tenant string, progress func(Tally)) (Tally, error) {
	var t Tally
	err := a.each(ctx, tenant, func(_ store.Judged, clean bool) error {
		t.Looked++
		if clean {
			t.Clean++
		}
		if t.Looked%pacePage == 0 {
			progress(t)
		}
		return nil
	})
	return t, err
}

// Run releases. What was delivered cannot be taken back; an end of ctx leaves what
// is not being sent at that moment held.
func (a *Again) Run(ctx context.Context, tenant, by string, progress func(Tally)) (Tally, error) {
	var mu sync.Mutex
	var t Tally
	tell := func(change func(*Tally)) {
		mu.Lock()
		defer mu.Unlock()
		change(&t)
		progress(t)
	}
	var work errgroup.Group
	work.SetLimit(sends)
	err := a.each(ctx, tenant, func(j store.Judged, clean bool) error {
		tell(func(t *Tally) { t.Looked++ })
		if !clean {
			return nil
		}
		tell(func(t *Tally) { t.Clean++ })
		work.Go(func() error {
			ctx := context.WithoutCancel(ctx)
			out, err := a.Release(ctx, tenant, j.ID, j.N, by)
			object := fmt.Sprintf("%s.%d", j.ID, j.N)
			switch {
			case errors.Is(err, store.ErrNotHeld):
				tell(func(t *Tally) { t.Gone++ })
				return nil
			case err != nil:
				tell(func(t *Tally) { t.Kept++ })
				return fmt.Errorf("release %s: %w", object, err)
			case out.Kind == deliver.Delivered:
				tell(func(t *Tally) { t.Delivered++ })
			case out.Kind == deliver.Deferred:
				tell(func(t *Tally) { t.Deferred++ })
			default:
				tell(func(t *Tally) { t.Kept++ })
			}
			return a.Note(ctx, tenant, object, "judged again by today's rules: "+out.Reply)
		})
		return nil
	})
	return t, errors.Join(err, work.Wait())
}

// each calls yield for every held copy, with what today's rules make of it.
func (a *Again) each(ctx context.Context, tenant string, yield func(j store.Judged, clean bool) error) error {
	rules, err := a.Store.Rules(ctx, tenant)
	if err != nil {
		return err
	}
	return a.Store.HeldJudged(ctx, tenant, func(j store.Judged) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		w, scale := policy.Weigh(rules, Input(j)), policy.ScaleFor(rules, j.Addr)
		_, action := w.Outcome(&scale)
		return yield(j, action == mail.Deliver)
	})
}
