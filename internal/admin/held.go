package admin

import (
	"context"
	"errors"
	"fmt"

	"postern/internal/mail"
	"postern/internal/store"
)

// NoteRelease records that a held copy was released and what its MTA answered.
func (a *Admin) NoteRelease(ctx context.Context, tenant, object, reply string) error {
	return a.note(ctx, tenant, "quarantine.release", object, "held", reply)
}

// NoteReading records that somebody read a held message, and which part of it.
func (a *Admin) NoteReading(ctx context.Context, tenant, object, part string) error {
	return a.note(ctx, tenant, "quarantine.read", object, "", part)
}

// DeleteHeld drops one held copy. Octets in the spool go with the next sweep.
func (a *Admin) DeleteHeld(ctx context.Context, tenant string, id mail.ID, n int) error {
	if _, err := a.Store.Message(ctx, tenant, id); err != nil { // of this tenant, or of nobody
		return err
	}
	if err := a.Store.Delete(ctx, id, n, a.Actor); err != nil {
		return err
	}
	return a.note(ctx, tenant, "quarantine.delete", fmt.Sprintf("%s.%d", id, n), "held", "dropped")
}

// Retry makes waiting recipients of a message due now: one of them, or all if n is
// negative. The error is store.ErrNotFound when none waits.
func (a *Admin) Retry(ctx context.Context, id mail.ID, n int) (retried int, err error) {
	m, err := a.Store.Message(ctx, "", id)
	if err != nil {
		return 0, err
	}
	for _, to := range m.Recipients {
		if (n >= 0 && to.N != n) || to.State.Terminal() {
			continue
		}
		err := a.Store.Retry(ctx, id, to.N)
		if errors.Is(err, store.ErrFenced) {
			continue // it is being sent this moment
		}
		if err != nil {
			return retried, err
		}
		retried++
	}
	if retried == 0 {
		return 0, fmt.Errorf("message %s: %w", id, store.ErrNotFound)
	}
	return retried, a.note(ctx, m.Tenant, "queue.retry", string(id), "", "")
}

// ClearAlarm removes the alarms of a kind.
func (a *Admin) ClearAlarm(ctx context.Context, kind, tenant string) error {
	if err := a.Store.Clear(ctx, kind, tenant, ""); err != nil {
		return err
	}
	return a.note(ctx, tenant, "alarm.clear", kind, "", "")
}
