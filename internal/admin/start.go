package admin

import (
	"context"

	"postern/internal/exchange"
	"postern/internal/mail"
)

// StartConnect is Connect in the background. A Credential without secret and
// certificate signs a person in with a code, which the run's view shows. The error
// is ErrBusy while another run of the tenant is on.
func (x *Exchange) StartConnect(tenant string, c Credential) (*Run, error) {
	own := *x
	return x.Runs.Begin(tenant, "connect", x.Actor, func(ctx context.Context, r *Run) ([]mail.Sentence, error) {
		if c.Secret == "" && len(c.Certificate) == 0 {
			c.Device = r.show
		}
		r.event(exchange.Event{State: "start", Text: mail.Say("Signing in at Microsoft and asking Exchange for its configuration."), Total: 1})
		_, err := own.Connect(ctx, tenant, c)
		if err != nil {
			r.event(exchange.Event{State: "failed"})
			return nil, err
		}
		r.event(exchange.Event{State: "done", Text: mail.Say("Signed in; Exchange answers.")})
		return nil, nil
	})
}

// A Change is a change of Exchange that Start runs.
type Change func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error)

// Start makes a change of a connected tenant's Exchange in the background. The
// error is ErrNotConnected, or ErrBusy while another run of the tenant is on.
func (x *Exchange) Start(ctx context.Context, tenant, what string, do Change) (*Run, error) {
	if _, err := x.Connection(ctx, tenant); err != nil {
		return nil, err
	}
	own := *x
	return x.Runs.Begin(tenant, what, x.Actor, func(ctx context.Context, run *Run) ([]mail.Sentence, error) {
		own.Progress = run.event
		e, err := own.Engine(ctx, tenant)
		if err != nil {
			return nil, err
		}
		spec, err := own.Spec(ctx, tenant)
		if err != nil {
			return nil, err
		}
		result, err := do(ctx, e, spec)
		if err != nil || result == nil {
			return nil, err
		}
		for _, d := range result.Foreign {
			said := mail.Say("Left alone, because others changed it: %s %s.", d.Object, d.Field)
			if d.Note.Format != "" {
				said = mail.Together(mail.Say("Others changed it: %s %s.", d.Object, d.Field), d.Note)
			}
			result.Notes = append(result.Notes, said)
		}
		return result.Notes, nil
	})
}
