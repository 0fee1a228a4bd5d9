package exchange

import (
	"context"
	"slices"
	"testing"

	"postern/internal/twin"
)

func TestOnTheTwinARollbackKilledAtEveryCallIsFinishedByTheNext(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	initial := of.tenant.State()
	seeds := uint64(2)
	if testing.Short() || raceDetector {
		seeds = 1
	}
	kills := 0
	for seed := range seeds {
		of.restore(initial)
		of.scramble(seed)
		before := of.snapshot()
		mustApply(t, of.engine(), testSpec())
		applied, journal := of.tenant.State(), slices.Clone(of.j.b)
		counted := &dyingAt{Commander: of.client}
		e := of.engine()
		e.Commander = counted
		if _, err := e.Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
			t.Fatal(err)
		}
		total := counted.calls
		for at := 1; at <= total; at++ {
			for _, done := range []bool{false, true} {
				of.restore(applied)
				of.j = &memJournal{b: slices.Clone(journal)}
				ctx, cancel := context.WithCancel(t.Context())
				e := of.engine()
				e.Commander = &dyingAt{Commander: of.client, at: at, done: done, die: cancel}
				if _, err := e.Rollback(ctx, testSpec(), RollbackOptions{}); err == nil {
					t.Errorf("seed %d, killed at call %d (done %v): the roll back says it succeeded", seed, at, done)
				}
				cancel()
				kills++
				r, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{})
				if err != nil {
					t.Fatalf("seed %d, killed at call %d (done %v): the next roll back: %v", seed, at, done, err)
				}
				if len(r.Foreign) != 0 {
					t.Errorf("seed %d, killed at call %d (done %v): our own work is taken for others': %+v", seed, at, done, r.Foreign)
				}
				if diff := sameState(before, of.snapshot()); diff != "" {
					t.Fatalf("seed %d, killed at call %d (done %v): after the next roll back (-before +after):\n%s", seed, at, done, diff)
				}
			}
		}
	}
	t.Logf("%d roll backs were killed", kills)
}

// dyingAt is the end of the process at its call number at (0: never), before
// Exchange heard of it or, if done, after Exchange did it.
type dyingAt struct {
	Commander
	at, calls int
	done      bool
	die       context.CancelFunc
}

func (d *dyingAt) Invoke(ctx context.Context, cmdlet string, p map[string]any) ([]map[string]any, error) {
	d.calls++
	if d.at == 0 || d.calls < d.at {
		return d.Commander.Invoke(ctx, cmdlet, p)
	}
	if d.done && d.calls == d.at {
		_, _ = d.Commander.Invoke(context.WithoutCancel(ctx), cmdlet, p) // nobody hears the answer
	}
	d.die()
	return nil, ctx.Err()
}
