package quarantine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"postern/internal/mail"
	"postern/internal/spool"
	"postern/internal/store"
)

// Keeper drops held mail whose time is over and octets that nobody needs.
type Keeper struct {
	Store *store.Store
	Spool *spool.Spool
	Every time.Duration // between rounds, default 5 minutes
	Log   *slog.Logger
	Now   func() time.Time // time.Now by default
}

// young objects of the spool may still be on their way into the ledger.
const young = 6 * time.Hour

// Run makes rounds until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	every := k.Every
	if every == 0 {
		every = 5 * time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.Round(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("retention", "err", err)
		}
	}
}

// Round does all that is due once. A clock that jumped stops it for this time, so
// that nothing is dropped early.
func (k *Keeper) Round(ctx context.Context) error {
	now := time.Now
	if k.Now != nil {
		now = k.Now
	}
	n, err := k.Store.Expire(ctx, now())
	if errors.Is(err, store.ErrClockJump) {
		k.Log.Warn("the clock jumped; nothing is dropped in this round", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	if n > 0 {
		k.Log.Info("held mail reached the end of its retention", "recipients", n)
	}
	return k.sweep(ctx, now())
}

// sweep removes spooled octets that no recipient needs: what a crash between
// writing the octets and writing the ledger left, and what the ledger finished.
func (k *Keeper) sweep(ctx context.Context, now time.Time) error {
	return k.Spool.List(ctx, func(id mail.ID, modified time.Time) error {
		needed, err := k.Store.Needed(ctx, id)
		if err != nil || needed {
			return err
		}
		if known, err := k.known(ctx, id); err != nil || (!known && now.Sub(modified) < young) {
			return err
		}
		if err := k.Spool.Delete(ctx, id); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		return nil
	})
}

func (k *Keeper) known(ctx context.Context, id mail.ID) (bool, error) {
	_, err := k.Store.Message(ctx, "", id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
