package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// NoteRelease records that a held copy was released and what its MTA answered.
func (a *Admin) NoteRelease(ctx context.Context, tenant, object, reply string) error {
	return a.note(ctx, tenant, "quarantine.release", object, "held", reply)
}

// NoteStop records that judging held mail again was asked to stop.
func (a *Admin) NoteStop(ctx context.Context, tenant string) error {
	return a.note(ctx, tenant, "quarantine.again", tenant, "", "stopped")
}

// NoteReading records that somebody read a held message, and which part of it.
func (a *Admin) NoteReading(ctx context.Context, tenant, object, part string) error {
	return a.note(ctx, tenant, "quarantine.read", object, "", part)
}

// UndoTime is how long a deletion can be taken back.
const UndoTime = 10 * time.Minute

// DeleteHeld drops one held copy at once. Octets in the spool go with the next
// sweep.
func (a *Admin) DeleteHeld(ctx context.Context, tenant string, id mail.ID, n int) error {
	if _, err := a.Store.Message(ctx, tenant, id); err != nil { // of this tenant, or of nobody
		return err
	}
	if err := a.Store.Delete(ctx, id, n, a.Actor); err != nil {
		return err
	}
	return a.note(ctx, tenant, "quarantine.delete", fmt.Sprintf("%s.%d", id, n), "held", "dropped")
}

// DeleteHeldSoon drops one held copy after UndoTime, unless UndeleteHeld is called
// before. The error is store.ErrNotHeld when there is nothing to delete.
func (a *Admin) DeleteHeldSoon(ctx context.Context, tenant string, id mail.ID, n int) error {
	at := a.now().Add(UndoTime)
	if err := a.Store.DeleteAt(ctx, tenant, id, n, a.Actor, at); err != nil {
		return err
	}
	return a.note(ctx, tenant, "quarantine.delete", fmt.Sprintf("%s.%d", id, n), "held", "dropped at "+at.UTC().Format(time.RFC3339))
}

// UndeleteHeld takes DeleteHeldSoon back. The error is store.ErrNotHeld when it is
// too late.
func (a *Admin) UndeleteHeld(ctx context.Context, tenant string, id mail.ID, n int) error {
	if err := a.Store.Undelete(ctx, tenant, id, n, a.Actor); err != nil {
		return err
	}
	return a.note(ctx, tenant, "quarantine.undelete", fmt.Sprintf("%s.%d", id, n), "to be dropped", "held")
}

// MayRead lets a session read a copy's "header", or its "content" and header, for a
// reason. The audit log has it before anything can be shown.
func (a *Admin) MayRead(ctx context.Context, tenant string, id mail.ID, n int, session, part, reason string) error {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return mail.Refuse("say why you read it; the audit log keeps it")
	}
	if part != "header" && part != "content" {
		return mail.Refuse("%q is neither header nor content", part)
	}
	if err := a.NoteReading(ctx, tenant, fmt.Sprintf("%s.%d", id, n), part+": "+cut(reason, 300)); err != nil {
		return err
	}
	return a.Store.PutReading(ctx, tenant, id, n, session, part)
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
	if err := a.Store.Clear(ctx, kind, tenant); err != nil {
		return err
	}
	return a.note(ctx, tenant, "alarm.clear", kind, "", "")
}
