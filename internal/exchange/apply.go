package exchange

import (
	"context"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// ApplyOptions are choices of one run.
type ApplyOptions struct {
	// Force goes on although a check is Critical.
	Force bool
	// Only names the objects to set, such as "rule-clutter"; default all.
	Only []string
}

// Objects that can be set by themselves, with ApplyOptions.Only.
const (
	ClutterRule   = "rule-clutter"
	DefaultDomain = "remote-domain"
)

// only leaves the actions of the named objects.
func (p *Plan) only(names []string) {
	if len(names) > 0 {
		p.Actions = slices.DeleteFunc(p.Actions, func(a Action) bool { return !slices.Contains(names, a.Object) })
	}
}

// A Result is the outcome of Apply, Rollback and their like.
type Result struct {
	Tenant  string          `json:"tenant"`
	Actions []Action        `json:"actions"`           // that were done
	Report  *Report         `json:"report,omitempty"`  // verification afterwards
	Foreign []Drift         `json:"foreign,omitempty"` // what others changed; left alone, unless Note says otherwise
	Notes   []mail.Sentence `json:"notes,omitempty"`
}

// Apply makes the tenant as spec wants it and verifies it. It may be run again at
// any time: after success it does nothing, after a failure or a crash it goes on.
// The error is a *Problem, or that of the journal.
func (e *Engine) Apply(ctx context.Context, spec Spec, opt ApplyOptions) (*Result, error) {
	free, err := e.lock(ctx, "apply")
	if err != nil {
		return nil, err
	}
	defer free()
	s, state, err := e.begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	plan, err := e.plan(ctx, s, state)
	if err != nil {
		return nil, err
	}
	plan.only(opt.Only)
	if bad := critical(plan.Checks); bad != nil && !opt.Force && len(plan.Actions) > 0 {
		return nil, bad
	}
	result := &Result{Tenant: s.Tenant, Actions: plan.Actions}
	if state.adopt(s, plan) || len(plan.Actions) > 0 {
		if err := e.runner("apply", state, plan.current, len(plan.Actions)).all(ctx, plan.Actions); err != nil {
			return result, err
		}
	}
	if result.Report, err = e.settled(ctx, s, state, opt.Only); err != nil {
		return result, err
	}
	if state.prune(plan.objects) || len(plan.Actions) > 0 {
		err = state.save(ctx, e.Journal)
	}
	return result, err
}

// critical makes one Problem of all critical checks, nil if there is none.
func critical(checks []Check) error {
	var causes, mends []mail.Sentence
	code := ""
	for _, c := range checks {
		if c.Severity == Critical {
			causes, mends = append(causes, c.Text), append(mends, c.Mend)
			code = c.ID
		}
	}
	if causes == nil {
		return nil
	}
	return &Problem{Code: code, Cause: mail.Together(causes...), Mend: mail.Together(slices.CompactFunc(mends, func(a, b mail.Sentence) bool { return a.String() == b.String() })...)}
}

// adopt takes objects that bear our marker, but that the journal does not know,
// as made by us. It reports whether there were any.
func (s *State) adopt(spec Spec, plan *Plan) bool {
	p := &planner{spec: spec}
	found := false
	for _, o := range plan.objects {
		current := plan.current.Object(o.Kind, o.Name)
		if current == nil || s.of(o.Kind, o.Name) != nil || !p.marked(current) {
			continue
		}
		s.RolledBack = time.Time{}
		s.Objects[o.key()] = &Saved{ID: o.ID, Kind: o.Kind, Name: o.Name, Created: true}
		found = true
	}
	return found
}

// prune forgets what is not part of the set-up any more. It reports whether it
// forgot something.
func (s *State) prune(objects []Object) bool {
	wanted := map[string]Object{}
	for _, o := range objects {
		wanted[o.key()] = o
	}
	changed := false
	for key, saved := range s.Objects {
		o, still := wanted[key]
		switch {
		case saved.protection():
		case !still:
			delete(s.Objects, key)
			changed = true
		default:
			changed = saved.prune(o) || changed
		}
	}
	return changed
}

func (t *Saved) prune(o Object) bool {
	changed := false
	for name := range t.Props {
		if t.released(o, name) {
			delete(t.Props, name)
			changed = true
		}
	}
	for list, added := range t.Added {
		if kept := common(added, o.Adds[list]); len(kept) != len(added) {
			t.Added[list], changed = kept, true
		}
	}
	return changed
}

// released reports that a property is not managed any more, so that its prior
// value comes back.
func (t *Saved) released(o Object, name string) bool {
	if _, still := o.all()[name]; still || name == "State" || strings.Contains(name, "Validat") {
		return false
	}
	return !slices.Contains(rulePredicates, name)
}

// settled verifies until nothing is amiss or patience is over: readings may lag
// behind what Exchange accepted.
func (e *Engine) settled(ctx context.Context, s Spec, state *State, only []string) (*Report, error) {
	wait := newBackoff(e)
	for {
		cur, err := e.read(ctx, s, state)
		if err != nil {
			return nil, err
		}
		r := verify(s, state, cur)
		if len(only) > 0 {
			r.Drift = slices.DeleteFunc(r.Drift, func(d Drift) bool { return !slices.Contains(only, d.Object) })
			r.OK = len(r.Drift) == 0
		}
		if r.OK {
			return r, nil
		}
		if r.disabledForGood(cur) {
			return r, &Problem{Code: "connector-disabled", Cause: mail.Say("Exchange created the receive connector switched off: tenants from 2023 on may not have “Your organization” connectors."), Mend: mail.Say("Roll back, choose partner connectors and apply again.")}
		}
		if !wait.more(ctx) {
			d := r.Drift[0]
			return r, NewProblem("not-settled", mail.Say("Exchange took every change, but %d fields do not read back as wanted, first %s %s.", len(r.Drift), d.Object, d.Field),
				mail.Say("Verify again in an hour; Exchange can take that long. If it stays, the list of drifts says what to look at."), nil)
		}
	}
}

// disabledForGood reports the one drift that waiting does not mend: a connector of
// "Your organization" that Exchange made, but switched off (inbound-connector-faq).
func (r *Report) disabledForGood(cur *Current) bool {
	for _, d := range r.Drift {
		if d.Object == "inbound-connector" && d.Field == "Enabled" {
			return slices.ContainsFunc(cur.Inbound, func(c map[string]any) bool {
				return strings.EqualFold(text(c["ConnectorType"]), "OnPremises") && boolOf(c["Enabled"]) == "false"
			})
		}
	}
	return false
}
