package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/internal/exchange"
	"postern/internal/mail"
)

// Protection says whether a tenant's mail is really protected, part by part.
type Protection struct {
	Tenant  mail.Tenant   `json:"-"`
	ID      string        `json:"tenant"`
	Lamp    mail.Lamp     `json:"lamp"`
	Verdict mail.Sentence `json:"verdict"`
	Flow    []mail.Health `json:"flow"`    // does mail come round
	Set     []mail.Health `json:"setup"`   // is Exchange as it was set up, may we still look
	Engines []mail.Health `json:"engines"` // does what judges and stores work
	Watched Watched       `json:"watched"`
}

// All are the parts in the order in which they are shown.
func (p *Protection) All() []mail.Health {
	return append(append(append([]mail.Health{}, p.Flow...), p.Set...), p.Engines...)
}

// First is the worst part, the first of them.
func (p *Protection) First() (worst mail.Health) {
	worst.Lamp = mail.Dark
	for _, h := range p.All() {
		if worst.Lamp.Worse(h.Lamp) != worst.Lamp {
			worst = h
		}
	}
	return worst
}

// facts is what the checks of one tenant look at.
type facts struct {
	tenant     string
	now        time.Time
	domains    []mail.Domain
	enabled    int // domains
	keys       []mail.Key
	connection Connection
	connected  bool
	state      *exchange.State
	watched    Watched
	last       time.Time // mail received
	oldest     time.Time // mail waiting
	bypass     mail.Bypass
	observe    mail.Observe
}

// Protection looks at everything that a tenant's protection hangs on. It asks
// Exchange nothing: what the watch saw last counts. engines is how well this
// installation's own parts are.
func (x *Exchange) Protection(ctx context.Context, t mail.Tenant, engines []mail.Health) (*Protection, error) {
	f, err := x.facts(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	p := &Protection{Tenant: t, ID: t.ID, Lamp: mail.Green, Engines: engines, Watched: f.watched}
	p.Flow = []mail.Health{f.domainsOn(), f.verdicts(), f.coverage(), f.probe(), f.lastMail(), f.queue()}
	p.Set = []mail.Health{f.setUp(), f.credential(), f.key()}
	for _, h := range p.All() {
		p.Lamp = p.Lamp.Worse(h.Lamp)
	}
	switch p.Lamp {
	case mail.Red:
		p.Verdict = mail.Say("Mail is not safely protected. See to what is red first.")
	case mail.Amber:
		p.Verdict = mail.Say("Mail is protected, but something needs you soon.")
	default:
		p.Verdict = mail.Say("Mail is protected: it comes by here, is judged, and goes back.")
	}
	if f.enabled == 0 || !f.isSetUp() {
		p.Verdict = mail.Say("Mail is not protected yet: the set-up is not complete.")
	}
	return p, nil
}

func (x *Exchange) facts(ctx context.Context, tenant string) (f facts, err error) {
	f = facts{tenant: tenant, now: x.now()}
	if f.domains, err = x.Store.Domains(ctx, tenant); err != nil {
		return f, err
	}
	for _, d := range f.domains {
		if d.Enabled {
			f.enabled++
		}
	}
	if f.keys, err = x.validKeys(ctx, tenant); err != nil {
		return f, err
	}
	f.connection, err = x.Connection(ctx, tenant)
	f.connected = err == nil
	if err != nil && !errors.Is(err, ErrNotConnected) {
		return f, err
	}
	if f.state, err = x.State(ctx, tenant); err != nil {
		return f, err
	}
	if f.watched, err = x.LastWatched(ctx, tenant); err != nil {
		return f, err
	}
	if f.last, err = x.Store.LastReceived(ctx, tenant); err != nil {
		return f, err
	}
	if f.oldest, err = x.Store.OldestWaiting(ctx, tenant); err != nil {
		return f, err
	}
	rules, err := x.Store.Rules(ctx, tenant)
	f.bypass, f.observe = rules.Bypass, rules.Observe
	return f, err
}

// isSetUp reports whether Exchange was set up from here, or every domain needs no
// set-up because we are its MX.
func (f *facts) isSetUp() bool {
	if len(f.state.Objects) > 0 && f.state.RolledBack.IsZero() {
		return true
	}
	return f.enabled > 0 && !f.viaRelay()
}

func (f *facts) viaRelay() bool {
	for _, d := range f.domains {
		if d.Enabled && d.Architecture == mail.ViaRelay {
			return true
		}
	}
	return false
}

// ago is a stretch of time for people, rounded.
func ago(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	case d < 2*time.Minute:
		return d.Round(time.Second).String()
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
