package replay

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
)

func TestAReleaseThatIsStoppedLeavesTheRestHeld(t *testing.T) {
	for _, from := range []string{"the same process", "another process", "a process that died while it stopped"} {
		t.Run(from, func(t *testing.T) {
			s := filled(t, 300, mail.Rules{Thresholds: map[mail.Verdict]int{mail.Spam: 10}})
			if err := s.PutRules(ctx, "acme", mail.Rules{}); err != nil {
				t.Fatal(err)
			}
			var released atomic.Int64
			slow := make(chan struct{})
			again := &Again{Store: s, Note: func(context.Context, string, string, string) error { return nil },
				Release: func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
					if released.Add(1) > 5 {
						<-slow
						time.Sleep(50 * time.Millisecond)
					}
					return deliver.Outcome{Kind: deliver.Delivered}, s.Release(ctx, id, n, by)
				}}
			as := &Agains{Store: s, Log: slog.New(slog.DiscardHandler)}
			other := &Agains{Store: s, Log: as.Log}
			total := count(t, as, again)
			if _, err := as.Run(ctx, again, "acme", "ann", total); err != nil {
				t.Fatal(err)
			}
			for released.Load() <= 5 {
				time.Sleep(time.Millisecond)
			}
			stopper := as
			if from != "the same process" {
				stopper = other
			}
			if err := stopper.Stop(ctx, "acme"); err != nil {
				t.Fatal(err)
			}
			if from == "a process that died while it stopped" {
				if err := other.Resume(ctx, func(string) *Again { return again }); err != nil {
					t.Fatal(err)
				}
				if p := other.Of("acme"); p.On() || !errors.Is(p.Err, ErrStopped) {
					t.Errorf("after the restart it is %+v", p)
				}
				return
			}
			for j := as.job("acme"); j.ctx.Err() == nil; {
				time.Sleep(time.Millisecond)
			}
			close(slow)
			p := await(t, as, Released)
			if !errors.Is(p.Err, ErrStopped) {
				t.Errorf("it ended with %v", p.Err)
			}
			left, err := again.Look(ctx, "acme", func(Tally) {})
			if err != nil || left.Clean == 0 || left.Clean != total-p.Tally.Delivered || p.Tally.Kept+p.Tally.Deferred > 0 {
				t.Errorf("of %d, %+v; left %+v, %v", total, p.Tally, left, err)
			}
			if fresh := (&Agains{Store: s, Log: as.Log}); fresh.Of("acme").On() {
				t.Error("a new process believes that it goes on")
			}
		})
	}
}

func (as *Agains) job(tenant string) job {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.jobs[tenant]
}

// count is how many would be released.
func count(t *testing.T, as *Agains, again *Again) int {
	t.Helper()
	if _, err := as.Look(ctx, again, "acme", "ann"); err != nil {
		t.Fatal(err)
	}
	total := await(t, as, Looked).Total
	if total < 40 {
		t.Fatalf("only %d would go", total)
	}
	return total
}

// await waits until it has come to a stage.
func await(t *testing.T, as *Agains, doing Stage) Progress {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if p := as.Of("acme"); p.Doing == doing {
			return p
		}
	}
	t.Fatalf("it is never %q: %+v", doing, as.Of("acme"))
	return Progress{}
}
