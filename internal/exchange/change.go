package exchange

import (
	"context"
	"time"

	"postern/internal/mail"
)

// Overlaps after which nothing of the old can be on its way any more.
const (
	propagation = time.Hour      // of a rule's change; usually half an hour (limits.json)
	queueLife   = 24 * time.Hour // that Exchange keeps trying a message it has stamped already
)

// A Rotation is the outcome of Rotate.
type Rotation struct {
	*Result
	// RetireAfter is from when on no message can bear the old key any more: retire it then.
	RetireAfter time.Time `json:"retire_after"`
}

// Rotate writes spec.Key into the rules in place of the old key and changes
// nothing else. The relay must accept both keys from before the call until
// RetireAfter. It may be run again. The error is a *Problem.
func (e *Engine) Rotate(ctx context.Context, spec Spec) (*Rotation, error) {
	s, err := spec.clean()
	if err != nil {
		return nil, err
	}
	if s.Key == "" {
		return nil, badSpec("the new relay key is not given")
	}
	free, err := e.lock(ctx, "rotate")
	if err != nil {
		return nil, err
	}
	defer free()
	state, err := loadState(ctx, e.Journal)
	if err != nil {
		return nil, err
	}
	cur, err := e.read(ctx, s, state)
	if err != nil {
		return nil, err
	}
	p := &planner{spec: s, cur: cur, state: state}
	for _, o := range s.redirectRules() {
		current := cur.Object(o.Kind, o.Name)
		if current == nil || same("SetHeaderValue", s.Key, current["SetHeaderValue"]) {
			continue
		}
		p.set(o, current, []Field{{"SetHeaderValue", s.Key, current["SetHeaderValue"]}})
		a := &p.actions[len(p.actions)-1]
		a.ID, a.GuideSteps, a.Why = o.ID+"/rotate", []string{"G1.46"}, mail.Say("The relay key is replaced. Until every message that Exchange stamped with the old one has arrived, both are valid.")
	}
	r := &Rotation{Result: &Result{Tenant: s.Tenant, Actions: p.actions}}
	if len(p.actions) > 0 {
		if err := e.runner("rotate", state, cur, len(p.actions)).all(ctx, p.actions); err != nil {
			return r, err
		}
	}
	r.RetireAfter = e.now().Add(propagation + queueLife)
	return r, nil
}

// A Switch is what the relay's side does while addresses or domains change. Nil
// functions are skipped.
type Switch struct {
	// Prepare makes the relay take mail for the domains of before and after.
	Prepare func(ctx context.Context) error
	// Over makes the relay send from the new addresses; Exchange knows old and new.
	Over func(ctx context.Context) error
	// Drain waits until no mail sent from an old address is on its way.
	Drain func(ctx context.Context) error
}

// Change goes from one set of addresses and domains to another, through every
// object that lists them, without a moment in which mail is lost or passes by:
// first Exchange learns the new beside the old, then the relay changes over, then
// the old is taken away. The relay may let go of domains that are gone after the
// call. It may be run again after a failure. The error is a *Problem, or one of w.
func (e *Engine) Change(ctx context.Context, from, to Spec, w Switch) (*Result, error) {
	if err := call(ctx, w.Prepare); err != nil {
		return nil, err
	}
	both := to
	both.Addresses = append(append([]string{}, from.Addresses...), to.Addresses...)
	both.Domains = append(append([]string{}, from.Domains...), to.Domains...)
	overlap, err := e.Apply(ctx, both, ApplyOptions{})
	if err != nil {
		return overlap, err
	}
	if err := call(ctx, w.Over); err != nil {
		return overlap, err
	}
	if err := call(ctx, w.Drain); err != nil {
		return overlap, err
	}
	final, err := e.Apply(ctx, to, ApplyOptions{})
	if final != nil {
		final.Actions = append(overlap.Actions, final.Actions...)
	}
	return final, err
}

func call(ctx context.Context, f func(context.Context) error) error {
	if f == nil {
		return nil
	}
	return f(ctx)
}
