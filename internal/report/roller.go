package report

import (
	"context"
	"log/slog"
	"time"

	"postern/internal/store"
)

// Roller counts anew what changed. Several may run at a time, on several nodes.
type Roller struct {
	Store *store.Store
	Log   *slog.Logger
	Every time.Duration // between looks at what is stale, default 5 s

	last map[store.Bucket]counted
}

// counted is when a bucket was counted last, and what that cost.
type counted struct {
	at   time.Time
	cost time.Duration
}

const (
	rollEvery = 5 * time.Second
	restful   = 20               // times what counting a bucket cost, before it is counted again
	dayPause  = 10 * time.Minute // before a day is counted again that cost more than this:
	dayCheap  = 100 * time.Millisecond
	oldPause  = time.Hour // before a day that is over is counted again
)

// Run counts until ctx is done.
func (r *Roller) Run(ctx context.Context) {
	every := r.Every
	if every == 0 {
		every = rollEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := r.Round(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("mail could not be counted for reports; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round counts what is stale and whose turn it is.
func (r *Roller) Round(ctx context.Context) error {
	stale, err := r.Store.Stale(ctx)
	if err != nil {
		return err
	}
	if r.last == nil {
		r.last = map[store.Bucket]counted{}
	}
	for _, st := range stale {
		if !r.due(st.Bucket, time.Now()) {
			continue
		}
		if err := r.count(ctx, st); err != nil {
			return err
		}
	}
	for b, c := range r.last {
		if time.Since(c.at) > 2*oldPause {
			delete(r.last, b)
		}
	}
	return nil
}

// All counts everything that is stale now, whatever its turn.
func (r *Roller) All(ctx context.Context) error {
	for {
		stale, err := r.Store.Stale(ctx)
		if err != nil || len(stale) == 0 {
			return err
		}
		r.last = map[store.Bucket]counted{}
		for _, st := range stale {
			if err := r.count(ctx, st); err != nil {
				return err
			}
		}
	}
}

func (r *Roller) count(ctx context.Context, st store.Stale) error {
	began := time.Now()
	if err := r.Store.Count(ctx, st); err != nil {
		return err
	}
	r.last[st.Bucket] = counted{time.Now(), time.Since(began)}
	return nil
}

// due keeps counting from taking more than a twentieth of a processor, and dear
// days from being counted with every message.
func (r *Roller) due(b store.Bucket, now time.Time) bool {
	c, ok := r.last[b]
	if !ok {
		return true
	}
	pause := restful * c.cost
	if b.Span == store.Day && c.cost > dayCheap {
		pause = max(pause, dayPause)
		if now.Sub(b.At) > 2*day {
			pause = max(pause, oldPause)
		}
	}
	return now.Sub(c.at) >= pause
}
