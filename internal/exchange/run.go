package exchange

import (
	"context"
	"errors"
	"time"

	"postern/internal/exchange/adminapi"
	"postern/internal/mail"
)

// A runner does actions one after the other, each journaled before it is done.
type runner struct {
	e       *Engine
	state   *State
	cur     *Current
	run     *Run
	fresh   map[string]bool // objects made in this run: other servers may not know them yet
	tried   bool            // the round trip was made
	drained bool
}

const (
	firstWait  = time.Second
	longestGap = 15 * time.Second
)

func (e *Engine) runner(what string, state *State, cur *Current, total int) *runner {
	state.Run = &Run{What: what, Started: e.now(), Done: []string{}, Total: total}
	return &runner{e: e, state: state, cur: cur, run: state.Run, fresh: map[string]bool{}}
}

// all does the actions. On an error the journal says how far it got.
func (r *runner) all(ctx context.Context, actions []Action) error {
	for i := range actions {
		if err := r.one(ctx, &actions[i], i+1, len(actions)); err != nil {
			return r.failed(ctx, &actions[i], i+1, err)
		}
	}
	r.run.Doing, r.run.Ended = "", r.e.now()
	return r.state.save(ctx, r.e.Journal)
}

func (r *runner) one(ctx context.Context, a *Action, step, total int) error {
	r.e.tell(Event{Action: a.ID, State: "start", Text: a.Why, Step: step, Total: total})
	if err := r.before(ctx, a); err != nil {
		return err
	}
	r.note(a)
	r.run.Doing = a.ID
	if err := r.state.save(ctx, r.e.Journal); err != nil {
		return err
	}
	if err := r.perform(ctx, a); err != nil {
		return err
	}
	r.run.Done = append(r.run.Done, a.ID)
	r.fresh[objectKey(a.kind, a.Name)] = r.fresh[objectKey(a.kind, a.Name)] || a.create
	r.e.tell(Event{Action: a.ID, State: "done", Text: doneText(a), Step: step, Total: total})
	return nil
}

// before is what has to be true outside of Exchange before some actions.
func (r *runner) before(ctx context.Context, a *Action) error {
	switch {
	case a.gate && !r.tried && r.e.RoundTrip != nil:
		r.tried = true
		r.e.tell(Event{Action: a.ID, State: "note", Text: mail.Say("The way round is tried before mail is redirected.")})
		if err := r.e.RoundTrip(ctx); err != nil {
			return NewProblem("round-trip", mail.Say("The way round does not work yet: %s.", err), mail.Say("Nothing is redirected yet. Mend the cause and apply again; what was done is kept."), err)
		}
	case a.drain && !r.drained && r.e.Drain != nil:
		r.drained = true
		r.e.tell(Event{Action: a.ID, State: "note", Text: mail.Say("No new mail comes to the relay; what it still holds is returned first.")})
		if err := r.e.Drain(ctx); err != nil {
			return NewProblem("drain", mail.Say("The relay still holds mail of this tenant: %s.", err), mail.Say("Mail is not redirected any more. Run the roll back again when the queue is empty."), err)
		}
	}
	return nil
}

// note journals what a is about to change.
func (r *runner) note(a *Action) {
	if a.kind == Organization {
		r.state.Hydrated = r.state.Hydrated || a.once
		return
	}
	if a.stamp {
		at := r.e.now().UTC().Truncate(time.Second).Format(time.RFC3339)
		a.Parameters = a.Parameters.clone()
		a.Parameters["LastValidationTimestamp"] = at
		a.writes = a.writes.clone()
		a.writes["LastValidationTimestamp"] = at
	}
	if a.undo {
		return // what it writes is what was there before us
	}
	r.state.note(a, r.cur)
}

func doneText(a *Action) mail.Sentence {
	switch {
	case a.remove:
		return mail.Say("Removed %s.", a.Name)
	case a.create:
		return mail.Say("Created %s.", a.Name)
	}
	return mail.Say("Done: %s %s.", a.Cmdlet, a.Name)
}

func (r *runner) failed(ctx context.Context, a *Action, step int, err error) error {
	err = explain(err, a.Cmdlet)
	if ctx.Err() != nil {
		err = NewProblem("interrupted", mail.Say("The run was interrupted at step %d of %d, %s.", step, r.run.Total, a.ID), mail.Say("Nothing is half done: run the same again to go on from there, or roll back."), err)
	}
	var p *Problem
	if errors.As(err, &p) {
		r.run.Failed = p
	} else {
		r.run.Failed = NewProblem("failed", mail.Told(err), mail.Say("Run the same again; what was done is kept."), err)
	}
	r.run.Ended = r.e.now()
	if saveErr := r.state.save(context.WithoutCancel(ctx), r.e.Journal); saveErr != nil {
		err = errors.Join(err, saveErr)
	}
	r.e.tell(Event{Action: a.ID, State: "failed", Text: r.run.Failed.Told(), Step: step, Total: r.run.Total})
	return err
}

// perform runs the action's cmdlet until it took effect. After an answer that
// leaves open whether it did, the object is read before the call is repeated.
func (r *runner) perform(ctx context.Context, a *Action) error {
	ctx = adminapi.WithChange(ctx, adminapi.Change{Action: a.ID, Before: a.Before, After: a.After})
	wait := newBackoff(r.e)
	for {
		result, err := r.e.Commander.Invoke(ctx, a.Cmdlet, a.Parameters)
		if err == nil {
			return r.judge(a, result)
		}
		x := refused(err)
		if x == nil || ctx.Err() != nil {
			return err
		}
		done, again := r.doubt(ctx, a, x)
		if done {
			return nil
		}
		if !again || !wait.more(ctx) {
			return err
		}
		r.e.tell(Event{Action: a.ID, State: "wait", Text: mail.Say("Exchange did not take it yet; trying again.")})
		if (x.Temporary() && !x.Throttled()) && r.effected(ctx, a) {
			return nil
		}
	}
}

// doubt decides what a refusal means: done means that the effect is there all the
// same, again that the call is worth repeating.
func (r *runner) doubt(ctx context.Context, a *Action, x *adminapi.Error) (done, again bool) {
	switch {
	case x.Throttled():
		return false, true
	case a.once && alreadyCustomized(x):
		return true, false
	case a.remove && x.NotFound():
		return true, false
	case x.Exists() && (a.create || len(a.adds) > 0):
		return r.settle(ctx, a), false
	case x.NotFound():
		return false, r.fresh[objectKey(a.kind, a.Name)] || r.newConnector(a)
	case r.newConnector(a) && mentionsConnector(x):
		return false, true
	}
	return false, x.Temporary()
}

var alreadyCustomizedText = says(`already enabled for customization|operation is not required`)

func alreadyCustomized(x *adminapi.Error) bool { return alreadyCustomizedText(x) }

var connectorText = says(`connector`)

func mentionsConnector(x *adminapi.Error) bool { return x.Status == 400 && connectorText(x) }

// newConnector reports that a names a connector that was made in this run, which
// not every server may know yet.
func (r *runner) newConnector(a *Action) bool {
	name, ok := a.Parameters["RouteMessageOutboundConnector"].(string)
	return ok && r.fresh[objectKey(OutboundConnector, name)]
}

// settle waits until an object that Exchange says exists can be read, and reports
// whether it is the one we meant to make.
func (r *runner) settle(ctx context.Context, a *Action) bool {
	wait := newBackoff(r.e)
	for {
		if r.effected(ctx, a) {
			return true
		}
		if !wait.more(ctx) {
			return false
		}
	}
}

// effected reads the object and reports whether a's effect is there.
func (r *runner) effected(ctx context.Context, a *Action) bool {
	if a.kind == Organization {
		o, err := fetch(ctx, r.e.Commander, Organization, "")
		return err == nil && o != nil && boolOf(o["IsDehydrated"]) == "false"
	}
	if a.Cmdlet == "Validate-OutboundConnector" {
		return false
	}
	o, err := fetch(ctx, r.e.Commander, a.kind, a.Name)
	if err != nil || o == nil {
		return err == nil && a.remove
	}
	if a.remove {
		return false
	}
	for name, want := range a.After {
		if !same(name, want, o[name]) {
			return false
		}
	}
	return true
}

// judge reads what a successful call answered, where that matters.
func (r *runner) judge(a *Action, result []map[string]any) error {
	if a.Cmdlet != "Validate-OutboundConnector" {
		return nil
	}
	v := readValidation(result)
	for _, s := range v.Steps {
		r.e.tell(Event{Action: a.ID, State: "note", Text: s.sentence()})
	}
	return v.problem()
}

// backoff waits longer and longer until the engine's patience is over.
type backoff struct {
	e    *Engine
	next time.Duration
	left time.Duration
}

func newBackoff(e *Engine) *backoff { return &backoff{e, firstWait, e.patience()} }

func (b *backoff) more(ctx context.Context) bool {
	if b.left <= 0 || b.e.sleep(ctx, b.next) != nil {
		return false
	}
	b.left -= b.next
	b.next = min(b.next*2, longestGap)
	return true
}
