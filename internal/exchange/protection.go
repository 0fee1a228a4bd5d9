package exchange

import (
	"context"
	"slices"
	"strings"

	"postern/internal/mail"
)

// A Policy is one protection of Exchange as a person sees it.
type Policy struct {
	ID        string        `json:"id"`
	Title     mail.Sentence `json:"title"`
	Explain   mail.Sentence `json:"explain"`
	Limit     mail.Sentence `json:"limit,omitzero"` // what stays on all the same
	Available bool          `json:"available"`      // false: the licence lacks it, or the tenant has none
	State     string        `json:"state"`          // "on", "off", "none"
	ByUs      bool          `json:"by_us"`          // switched off here, so it can be switched on again exactly
}

// protections is what one reading found of a policy.
type protections struct {
	policy   policy
	objects  []Object // that switching off wants
	current  map[string]map[string]any
	licensed bool
}

// Protection lists every policy with its state. Those that the licence lacks are
// listed as not available. The error is a *Problem.
func (e *Engine) Protection(ctx context.Context, spec Spec) ([]Policy, error) {
	s, state, err := e.begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	found, err := e.protections(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	var list []Policy
	for _, f := range found {
		p := Policy{ID: f.policy.id, Title: f.policy.title, Explain: f.policy.explain, Limit: f.policy.limit, Available: f.licensed, State: "none"}
		on := false
		for _, o := range f.objects {
			p.State = "off"
			on = on || len(f.changes(o)) > 0
		}
		if on {
			p.State = "on"
		}
		p.Available = p.Available && p.State != "none"
		p.ByUs = state.claimed(f.policy.id)
		list = append(list, p)
	}
	return list, nil
}

// changes are the fields of o that switching off would turn.
func (f *protections) changes(o Object) []Field { return o.differences(f.current[o.key()]) }

// protections reads what the chosen policies are about; all for nil.
func (e *Engine) protections(ctx context.Context, s Spec, chosen []string) ([]*protections, error) {
	licensed, err := e.licensed(ctx)
	if err != nil {
		return nil, err
	}
	var out []*protections
	for _, p := range policies() {
		if chosen != nil && !slices.Contains(chosen, p.id) {
			continue
		}
		f := &protections{policy: p, current: map[string]map[string]any{}, licensed: licensed || p.licence == ""}
		if f.licensed {
			if err := e.readPolicy(ctx, s, f, licensed); err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// licensed finds out whether the tenant has Defender for Office 365 Plan 1, by
// whether it has the cmdlet.
func (e *Engine) licensed(ctx context.Context) (bool, error) {
	_, err := e.Commander.Invoke(ctx, "Get-"+string(presetATPRule), map[string]any{})
	x := refused(err)
	switch {
	case err == nil, x != nil && x.NotFound():
		return true, nil
	case x != nil && x.Denied():
		return false, nil
	}
	return false, explain(err, "Get-"+string(presetATPRule))
}

func (e *Engine) readPolicy(ctx context.Context, s Spec, f *protections, licensed bool) error {
	for _, kind := range f.policy.rules {
		if kind == presetATPRule && !licensed {
			continue
		}
		list, err := e.Commander.Invoke(ctx, "Get-"+string(kind), map[string]any{})
		if x := refused(err); x != nil && x.NotFound() {
			continue // presets that were never switched on
		}
		if err != nil {
			return explain(err, "Get-"+string(kind))
		}
		for _, r := range list {
			o := Object{ID: protectionPrefix + f.policy.id, Kind: kind, Name: nameOf(r), Props: Values{"State": "Disabled"}, Why: f.policy.explain}
			f.objects = append(f.objects, o)
			f.current[o.key()] = r
		}
	}
	if f.policy.target == nil {
		return nil
	}
	for _, o := range f.policy.target(s, licensed) {
		current, err := fetch(ctx, e.Commander, o.Kind, o.Name)
		if err != nil {
			return explain(err, "Get-"+string(o.Kind))
		}
		if current == nil {
			continue
		}
		o.ID, o.Why = protectionPrefix+f.policy.id, f.policy.explain
		if list, ok := o.Adds["ExceptIfRecipientDomainIs"]; ok { // the cmdlet takes the whole list
			o.Adds, o.Props = nil, Values{"ExceptIfRecipientDomainIs": union(listOf(current["ExceptIfRecipientDomainIs"]), list)}
		}
		f.objects = append(f.objects, o)
		f.current[o.key()] = current
	}
	return nil
}

// DisableProtection switches the chosen policies off, in the order that Exchange
// needs, and keeps what they were. At least one must be chosen, and every one must
// be available. The error is a *Problem.
func (e *Engine) DisableProtection(ctx context.Context, spec Spec, chosen []string) (*Result, error) {
	s, err := spec.clean()
	if err != nil {
		return nil, err
	}
	if err := checkChoice(chosen); err != nil {
		return nil, err
	}
	free, err := e.lock(ctx, "protection")
	if err != nil {
		return nil, err
	}
	defer free()
	state, err := loadState(ctx, e.Journal)
	if err != nil {
		return nil, err
	}
	found, err := e.protections(ctx, s, chosen)
	if err != nil {
		return nil, err
	}
	result := &Result{Tenant: s.Tenant, Notes: Unswitchable(), Actions: []Action{}}
	cur := &Current{protection: map[string]map[string]any{}}
	for _, f := range found {
		if !f.licensed {
			return nil, NewProblem("licence-missing", mail.Say("This organization does not have the licence for %s (Defender for Office 365 Plan 1).", f.policy.title), mail.Say("Leave this policy out; everything else works without it."), nil)
		}
		for _, o := range f.objects {
			if cur.protection[o.key()] == nil {
				cur.protection[o.key()] = f.current[o.key()]
			}
			current := cur.protection[o.key()]
			if a := disabling(f.policy, o, current); a != nil {
				result.Actions = append(result.Actions, *a)
				cur.protection[o.key()] = after(current, a.After)
			}
			state.claim(f.policy.id, o)
		}
	}
	cur.protection = map[string]map[string]any{}
	for _, f := range found { // the journal wants what was there before all of it
		for k, v := range f.current {
			cur.protection[k] = v
		}
	}
	if err := e.runner("protection", state, cur, len(result.Actions)).all(ctx, result.Actions); err != nil {
		return result, err
	}
	return result, nil
}

func after(current map[string]any, changed Values) map[string]any {
	v := Values(current).clone()
	for name, x := range changed {
		v[name] = x
	}
	return v
}

func checkChoice(chosen []string) error {
	if len(chosen) == 0 {
		return &Problem{Code: "nothing-chosen", Cause: mail.Say("No policy was chosen."), Mend: mail.Say("Choose at least one.")}
	}
	for _, id := range chosen {
		if !slices.ContainsFunc(policies(), func(p policy) bool { return p.id == id }) {
			return NewProblem("unknown-policy", mail.Say("There is no policy “%s”.", id), mail.Say("List the policies to see their names."), nil)
		}
	}
	return nil
}

// disabling is the action that brings current to o, nil if nothing is to do.
func disabling(p policy, o Object, current map[string]any) *Action {
	fields := o.differences(current)
	if len(fields) == 0 {
		return nil
	}
	suffix := "/" + strings.ToLower(string(o.Kind)) + "/" + o.Name
	if len(p.rules) > 0 {
		a := switchAction(o, "Disabled", text(current["State"]), o.Why)
		a.ID, a.writes, a.GuideSteps, a.keepsPlace = o.ID+suffix, Values{"State": "Disabled"}, steps("G2", 8, 12), true
		return &a
	}
	a := Action{ID: o.ID + suffix, Object: o.ID, Cmdlet: "Set-" + string(o.Kind), Parameters: Values{"Identity": o.Name}, Before: Values{}, After: Values{},
		GuideSteps: steps("G2", 8, 12), Why: o.Why, kind: o.Kind, Name: o.Name, writes: Values{}}
	for _, f := range fields {
		a.Parameters[f.Name], a.Before[f.Name], a.After[f.Name], a.writes[f.Name] = f.Want, f.Have, f.Want, f.Want
	}
	return &a
}

// EnableProtection puts the chosen policies back exactly as they were before
// DisableProtection; nil for all. What others changed since is named in
// Result.Foreign and left alone. The error is a *Problem.
func (e *Engine) EnableProtection(ctx context.Context, spec Spec, chosen []string) (*Result, error) {
	if chosen != nil {
		if err := checkChoice(chosen); err != nil {
			return nil, err
		}
	}
	free, err := e.lock(ctx, "enable-protection")
	if err != nil {
		return nil, err
	}
	defer free()
	state, err := loadState(ctx, e.Journal)
	if err != nil {
		return nil, err
	}
	b := &backward{e: e, state: state, cur: &Current{}, off: map[string]bool{}}
	var done []func()
	saved := state.protections()
	slices.Reverse(saved) // defaults first, presets last: the strictest comes back on top of the rest
	for _, s := range saved {
		part, forget := s.part(chosen)
		if err := b.object(ctx, part); err != nil {
			return nil, err
		}
		done = append(done, forget)
	}
	for i := range b.actions {
		b.actions[i].undo = true
		b.actions[i].ID += "/" + b.actions[i].Name
	}
	result := &Result{Tenant: spec.Tenant, Actions: b.actions, Foreign: b.foreign}
	if err := e.runner("protection", state, b.cur, len(b.actions)).all(ctx, b.actions); err != nil {
		return result, err
	}
	for _, forget := range done {
		forget()
	}
	for key, s := range state.Objects {
		if s.protection() && len(s.Props) == 0 {
			delete(state.Objects, key)
		}
	}
	return result, state.save(ctx, e.Journal)
}

// protections are the saved objects of protection in the order they were meant to
// be switched off.
func (s *State) protections() []*Saved {
	var list []*Saved
	for _, x := range s.Objects {
		if x.protection() {
			list = append(list, x)
		}
	}
	all := policies()
	place := func(x *Saved) int {
		return slices.IndexFunc(all, func(p policy) bool { return protectionPrefix+p.id == x.ID })
	}
	slices.SortFunc(list, func(a, b *Saved) int {
		if c := place(a) - place(b); c != 0 {
			return c
		}
		if a.Priority != nil && b.Priority != nil && *a.Priority != *b.Priority {
			return *b.Priority - *a.Priority // reversed when enabling: ascending order of place
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// claim notes that policy id wants o's properties as they will be, so that
// enabling another policy that shares some does not put those back.
func (s *State) claim(id string, o Object) {
	saved := s.of(o.Kind, o.Name)
	if saved == nil {
		saved = &Saved{ID: o.ID, Kind: o.Kind, Name: o.Name}
		s.Objects[o.key()] = saved
	}
	if saved.Claims == nil {
		saved.Claims = map[string][]string{}
	}
	var names []string
	for name := range o.Props {
		names = append(names, name)
	}
	slices.Sort(names)
	saved.Claims[id] = names
}

func (s *State) claimed(id string) bool {
	for _, x := range s.Objects {
		if _, ok := x.Claims[id]; ok && x.protection() {
			return true
		}
	}
	return false
}

// part is what of s goes back when the chosen policies are enabled, and a function
// that forgets it afterwards.
func (t *Saved) part(chosen []string) (*Saved, func()) {
	kept := map[string]bool{}
	for id, names := range t.Claims {
		if chosen == nil || slices.Contains(chosen, id) {
			continue
		}
		for _, n := range names {
			kept[n] = true
		}
	}
	part := &Saved{ID: t.ID, Kind: t.Kind, Name: t.Name, Props: map[string]*Touched{}, Priority: t.Priority}
	for name, p := range t.Props {
		if !kept[name] {
			part.Props[name] = p
		}
	}
	return part, func() {
		for name := range part.Props {
			delete(t.Props, name)
		}
		for id := range t.Claims {
			if chosen == nil || slices.Contains(chosen, id) {
				delete(t.Claims, id)
			}
		}
	}
}
