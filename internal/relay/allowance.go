package relay

import (
	"context"
	"sync"
	"time"

	"postern/internal/mail"
)

// Allowance keeps tenants within the limits that were set for them, on this node.
// What goes beyond gets 4xx: its sender keeps it and comes again.
type Allowance struct {
	Held  func(ctx context.Context, tenant string) (octets int64, err error)
	Alarm func(ctx context.Context, tenant string, text mail.Sentence)
	Now   func() time.Time // time.Now by default

	mu sync.Mutex
	by map[string]*used
}

// used is what one tenant has left of each hour, as a bucket that fills again all
// the time.
type used struct {
	at                   time.Time
	messages, recipients float64
	held                 int64
	heldAt               time.Time
	alarmedAt            time.Time
}

const (
	heldEvery   = 30 * time.Second // how old the sum of held mail may be
	alarmsEvery = 10 * time.Minute // for one tenant
)

var (
	errHourFull = &mail.Reply{Code: 452, Enhanced: "4.3.2", Text: "Too many messages for this recipient in an hour, try again later"}
	errHeldFull = &mail.Reply{Code: 452, Enhanced: "4.3.1", Text: "No more room for this recipient now, try again later"}
)

// Take takes one message to so many recipients from what a tenant has left; the
// error is a *mail.Reply.
func (a *Allowance) Take(ctx context.Context, t mail.Tenant, recipients int) error {
	l := t.Limits
	if a == nil || (l.Messages == 0 && l.Recipients == 0 && l.HeldOctets == 0) {
		return nil
	}
	now := time.Now()
	if a.Now != nil {
		now = a.Now()
	}
	a.mu.Lock()
	u := a.used(t, now)
	var refused *mail.Reply
	var what mail.Sentence
	switch {
	case l.Messages > 0 && u.messages < 1:
		refused, what = errHourFull, mail.Say("more than %d messages an hour", l.Messages)
	case l.Recipients > 0 && u.recipients < min(float64(recipients), float64(l.Recipients)): // a message to more than the limit passes when nothing else did
		refused, what = errHourFull, mail.Say("mail to more than %d recipients an hour", l.Recipients)
	default:
		u.messages--
		u.recipients -= float64(recipients)
	}
	look := refused == nil && l.HeldOctets > 0 && now.Sub(u.heldAt) >= heldEvery
	if look {
		u.heldAt = now // others go on with the former sum meanwhile
	}
	held := u.held
	a.mu.Unlock()
	if look {
		if sum, err := a.Held(ctx, t.ID); err == nil {
			held = sum
			a.mu.Lock()
			u.held = sum
			a.mu.Unlock()
		}
	}
	if refused == nil && l.HeldOctets > 0 && held >= l.HeldOctets {
		refused, what = errHeldFull, mail.Say("held mail of %d octets, of which %d may be held", held, l.HeldOctets)
	}
	if refused == nil {
		return nil
	}
	a.alarm(ctx, t, u, now, what)
	return refused
}

// used finds what a tenant has left and adds what has come since. a.mu is held.
func (a *Allowance) used(t mail.Tenant, now time.Time) *used {
	if a.by == nil {
		a.by = map[string]*used{}
	}
	l := t.Limits
	u := a.by[t.ID]
	if u == nil {
		u = &used{at: now, messages: float64(l.Messages), recipients: float64(l.Recipients)}
		a.by[t.ID] = u
	}
	hours := max(0, now.Sub(u.at).Hours())
	u.at = now
	u.messages = min(float64(l.Messages), u.messages+hours*float64(l.Messages))
	u.recipients = min(float64(l.Recipients), u.recipients+hours*float64(l.Recipients))
	return u
}

func (a *Allowance) alarm(ctx context.Context, t mail.Tenant, u *used, now time.Time, what mail.Sentence) {
	a.mu.Lock()
	due := now.Sub(u.alarmedAt) >= alarmsEvery
	if due {
		u.alarmedAt = now
	}
	a.mu.Unlock()
	if due && a.Alarm != nil {
		a.Alarm(ctx, t.ID, mail.Say("A limit of this tenant is reached: %s. New mail is put off (4xx); its senders keep it and come again.", what))
	}
}
