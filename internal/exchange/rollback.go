package exchange

import (
	"context"
	"slices"
	"strings"

	"postern/internal/mail"
)

// RollbackOptions are choices of one roll back.
type RollbackOptions struct {
	// Overwrite puts back prior values even where somebody else changed ours since.
	Overwrite bool
}

// Rollback puts everything back as it was before Postern first touched it:
// protections first, then the redirect rule off, then the rest in reverse. What we
// made is removed; of what was there before, only fields that still have our value
// are restored, others are named in Result.Foreign and left alone. It may be run
// again at any time. The error is a *Problem, or that of the journal.
func (e *Engine) Rollback(ctx context.Context, spec Spec, opt RollbackOptions) (*Result, error) {
	free, err := e.lock(ctx, "rollback")
	if err != nil {
		return nil, err
	}
	defer free()
	s, state, err := e.begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	cur, err := e.read(ctx, s, state)
	if err != nil {
		return nil, err
	}
	state.adopt(s, &Plan{objects: s.objects(autoConnector(s, cur)), current: cur})
	b := &backward{e: e, state: state, cur: cur, opt: opt}
	if err := b.plan(ctx); err != nil {
		return nil, err
	}
	result := &Result{Tenant: s.Tenant, Actions: b.actions, Foreign: b.foreign}
	if state.Hydrated {
		result.Notes = append(result.Notes, mail.Say("The organization stays customized: Exchange has no way back from Enable-OrganizationCustomization. It changes nothing in the mail flow."))
	}
	if err := e.runner("rollback", state, cur, len(b.actions)).all(ctx, b.actions); err != nil {
		return result, err
	}
	if err := e.gone(ctx, s, state, result); err != nil {
		return result, err
	}
	state.Objects, state.RolledBack = map[string]*Saved{}, e.now()
	return result, state.save(ctx, e.Journal)
}

// gone waits until readings show what the roll back did. Without it, a plan made
// at once could take what is gone for still there.
func (e *Engine) gone(ctx context.Context, s Spec, state *State, result *Result) error {
	wait := newBackoff(e)
	for {
		cur, err := e.read(ctx, s, state)
		if err != nil {
			return err
		}
		b := &backward{e: e, state: state, cur: cur}
		if err := b.plan(ctx); err != nil || len(b.actions) == 0 {
			return err
		}
		if !wait.more(ctx) {
			result.Notes = append(result.Notes, mail.Say("Exchange took every change, but does not show all of them yet; wait some minutes before you plan or apply again."))
			return ctx.Err()
		}
	}
}

// backward gathers the actions of a roll back.
type backward struct {
	e       *Engine
	state   *State
	cur     *Current
	opt     RollbackOptions
	actions []Action
	foreign []Drift
	off     map[string]bool // rules that were switched off up front
}

func (b *backward) plan(ctx context.Context) error {
	saved := make([]*Saved, 0, len(b.state.Objects))
	for _, s := range b.state.Objects {
		saved = append(saved, s)
	}
	slices.SortFunc(saved, compareRank)
	b.off = map[string]bool{}
	rest := slices.DeleteFunc(saved, (*Saved).protection)
	protections := b.state.protections()
	slices.Reverse(protections)
	for _, s := range protections {
		if err := b.object(ctx, s); err != nil {
			return err
		}
	}
	b.switchOff(rest)
	first := len(b.actions)
	for _, s := range rest {
		if err := b.object(ctx, s); err != nil {
			return err
		}
	}
	b.order(rest)
	if len(b.off) > 0 && first < len(b.actions) {
		b.actions[first].drain = true
	}
	for i := range b.actions {
		b.actions[i].undo = true
	}
	return nil
}

// switchOff disables the redirect rules before anything else is taken away.
func (b *backward) switchOff(saved []*Saved) {
	for _, s := range saved {
		current := b.cur.Object(s.Kind, s.Name)
		if !strings.HasPrefix(s.ID, "rule-redirect") || current == nil || !enabled(current) {
			continue
		}
		t := s.Props["State"]
		if !s.Created && (t == nil || !strings.EqualFold(text(t.Prior), "Disabled")) {
			continue // it was on before us
		}
		b.off[s.Name] = true
		b.actions = append(b.actions, switchAction(Object{ID: s.ID, Kind: s.Kind, Name: s.Name}, "Disabled", "Enabled", mail.Say("From now on mail is delivered as it was before.")))
	}
}

func (b *backward) object(ctx context.Context, s *Saved) error {
	current := b.cur.Object(s.Kind, s.Name)
	if s.protection() {
		var err error
		if current, err = fetch(ctx, b.e.Commander, s.Kind, s.Name); err != nil {
			return explain(err, "Get-"+string(s.Kind))
		}
	}
	if b.opt.Overwrite && current != nil {
		s.claim(current)
	}
	why := mail.Say("It goes back to what it was before Postern.")
	if s.Created {
		why = mail.Say("Postern made it, so it is removed.")
	}
	u := undo(s, current, b.cur, why)
	for _, a := range u.actions {
		if b.off[s.Name] && strings.HasPrefix(a.Cmdlet, "Disable-") {
			continue
		}
		b.actions = append(b.actions, a)
	}
	b.foreign = append(b.foreign, u.foreign...)
	return nil
}

// claim makes every value that is there now count as ours.
func (s *Saved) claim(current map[string]any) {
	for name, t := range s.Props {
		if !identical(name, t.Prior, current[name]) && !t.ours(name, current[name]) {
			t.Wrote = append(t.Wrote, hidden(name, current[name]))
		}
	}
}

// order puts rules that we moved but did not make back into their place among
// the rules that stay.
func (b *backward) order(saved []*Saved) {
	removed := map[string]bool{}
	prior := map[string]int{}
	var moved []*Saved
	for _, s := range saved {
		if s.Kind != TransportRule {
			continue
		}
		removed[strings.ToLower(s.Name)] = s.Created
		if s.Priority != nil && !s.Created {
			prior[strings.ToLower(s.Name)] = *s.Priority
			moved = append(moved, s)
		}
	}
	var have, target []string
	for _, r := range b.cur.Rules {
		name := strings.ToLower(nameOf(r))
		if removed[name] {
			continue
		}
		have = append(have, name)
		if _, ours := prior[name]; !ours {
			target = append(target, name)
		}
	}
	slices.SortFunc(moved, func(a, b *Saved) int { return *a.Priority - *b.Priority })
	for _, s := range moved {
		if slices.Contains(have, strings.ToLower(s.Name)) {
			target = slices.Insert(target, min(*s.Priority, len(target)), strings.ToLower(s.Name))
		}
	}
	for _, m := range movesTo(have, target, prior) {
		s := b.state.of(TransportRule, m.name)
		o := Object{ID: s.ID, Kind: s.Kind, Name: s.Name}
		b.actions = append(b.actions, Action{ID: o.ID + "/move-back", Object: o.ID, Cmdlet: "Set-TransportRule",
			Parameters: Values{"Identity": o.Name, "Priority": m.to}, Before: Values{"Priority": m.from}, After: Values{"Priority": m.to},
			GuideSteps: []string{}, Why: mail.Say("It goes back to its place among the rules."), kind: o.Kind, Name: o.Name, move: true})
	}
}

type ruleMove struct {
	name     string
	from, to int
}

// movesTo are the moves of movable rules that turn the order have into target.
func movesTo[V any](have, target []string, movable map[string]V) []ruleMove {
	have = slices.Clone(have)
	var out []ruleMove
	limit := 4 * (len(have) + 1) * (len(movable) + 1) // far more than it takes
	for at := 0; at < len(target) && len(out) < limit; {
		if have[at] == target[at] {
			at++
			continue
		}
		name, from, to := target[at], slices.Index(have, target[at]), at
		if _, ok := movable[name]; !ok { // a rule of others: the one in its place goes on to its own
			name, from = have[at], at
			to = slices.Index(target, name)
		}
		have = slices.Insert(slices.Delete(have, from, from+1), to, name)
		out = append(out, ruleMove{name, from, to})
	}
	return out
}
