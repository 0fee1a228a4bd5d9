package exchange

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// An Action is one call of a plan.
type Action struct {
	ID         string        `json:"id"`     // "rule-redirect/new"; stable for the same difference
	Object     string        `json:"object"` // id of the object
	Name       string        `json:"name"`   // of the object in Exchange: "Postern Inbound Relay"
	Cmdlet     string        `json:"cmdlet"`
	Parameters Values        `json:"parameters"`
	Before     Values        `json:"before"` // null when the object is made
	After      Values        `json:"after"`  // null when it is removed
	GuideSteps []string      `json:"guide_steps"`
	Why        mail.Sentence `json:"why"`

	kind       Kind
	create     bool                // makes the object
	remove     bool                // removes it
	ours       bool                // it bears our marker: a roll back may remove it although the journal does not know it
	move       bool                // changes the priority of a rule
	gate       bool                // enables a redirect rule: only after validation and probe
	once       bool                // cannot be undone
	stamp      bool                // takes the time at which it is done
	undo       bool                // part of a roll back: writes only what was there before
	drain      bool                // waits until the relay's queue is empty
	keepsPlace bool                // a policy's rule, whose place in the order is kept for coming back
	writes     Values              // properties it sets, for the journal
	adds       map[string][]string // entries it adds to shared lists
}

// A Plan is what has to be done to a tenant, in order. It is empty when everything
// is as wanted.
type Plan struct {
	Tenant  string   `json:"tenant"`
	Actions []Action `json:"actions"`
	Checks  []Check  `json:"checks,omitempty"`

	objects []Object
	current *Current
	state   *State
}

// planner gathers actions; order is the rules' order as it will be when the
// actions so far were done.
type planner struct {
	spec    Spec
	cur     *Current
	state   *State
	objects []Object
	order   []string
	actions []Action
}

// difference plans from saved, wanted and current. It is deterministic.
func difference(spec Spec, state *State, cur *Current) *Plan {
	p := &planner{spec: spec, cur: cur, state: state, objects: spec.objects(autoConnector(spec, cur))}
	for _, r := range cur.Rules {
		p.order = append(p.order, nameOf(r))
	}
	p.hydrate()
	p.widen()
	for _, o := range p.objects {
		p.object(o)
		if o.Kind == OutboundConnector {
			p.validate(o)
		}
	}
	p.arrange()
	p.enable()
	p.retire()
	return &Plan{Tenant: spec.Tenant, Actions: p.actions, objects: p.objects, current: cur, state: state}
}

// autoConnector keeps the sort of connectors that a tenant from before 2023 has
// already; every other tenant gets the one that works everywhere.
func autoConnector(spec Spec, cur *Current) Connector {
	in := cur.Object(InboundConnector, spec.inboundConnector(ConnectorPartner).Name)
	if in != nil && strings.EqualFold(text(in["ConnectorType"]), "OnPremises") && boolOf(in["Enabled"]) == "true" {
		return ConnectorOrganization
	}
	return ConnectorPartner
}

func (p *planner) add(a Action, o Object) {
	a.Object, a.kind, a.Name = o.ID, o.Kind, o.Name
	if a.GuideSteps == nil {
		a.GuideSteps = o.Steps
	}
	if a.GuideSteps == nil {
		a.GuideSteps = []string{}
	}
	if a.Why.Format == "" {
		a.Why = o.Why
	}
	p.actions = append(p.actions, a)
}

func (p *planner) hydrate() {
	if boolOf(p.cur.Organization["IsDehydrated"]) != "true" {
		return
	}
	p.add(Action{
		ID: "organization/customize", Cmdlet: "Enable-OrganizationCustomization", Parameters: Values{}, once: true,
		Before: Values{"IsDehydrated": true}, After: Values{"IsDehydrated": false},
		Why: mail.Say("This organization was never customized, and Exchange does not take connectors and rules before it is. This one step cannot be undone; it changes nothing in the mail flow."),
	}, Object{ID: "organization", Kind: Organization, Name: "organization"})
}

// object plans what o itself needs.
func (p *planner) object(o Object) {
	current := p.cur.Object(o.Kind, o.Name)
	if current == nil && !o.Kind.single() {
		p.create(o)
		return
	}
	fields := o.differences(current)
	if len(fields) > 0 {
		p.set(o, current, fields)
	}
	if o.Kind == TransportRule && o.Active && !enabled(current) && !isRedirect(o) {
		p.add(p.stateAction(o, current), o)
	}
}

func isRedirect(o Object) bool { return strings.HasPrefix(o.ID, "rule-redirect") }

func (p *planner) create(o Object) {
	after := o.Create.clone()
	if after == nil {
		after = Values{}
	}
	for k, v := range o.Props {
		if !empty(v) || v == false {
			after[k] = v
		}
	}
	params := after.clone()
	switch o.Kind {
	case SpoofItem:
		params["Identity"] = defaultObject
	case TransportRule:
		params["Name"], params["Enabled"] = o.Name, !isRedirect(o)
		if at, end := p.place(o); !end {
			params["Priority"] = at
		}
	default:
		params["Name"] = o.Name
	}
	p.add(Action{ID: o.ID + "/new", Cmdlet: "New-" + string(o.Kind), Parameters: params, After: after, create: true, writes: o.Props}, o)
}

func (p *planner) set(o Object, current map[string]any, fields []Field) {
	params, before, after := Values{"Identity": o.Name}, Values{}, Values{}
	a := Action{ID: o.ID + "/set", Cmdlet: "Set-" + string(o.Kind), Parameters: params, Before: before, After: after, writes: Values{}}
	for _, f := range fields {
		before[f.Name] = f.Have
		if entries, shared := o.Adds[f.Name]; shared {
			missing := without(entries, listOf(f.Have))
			params[f.Name] = hashTable(missing, nil)
			if o.Kind == ArcConfig { // takes the whole list, not a change of it
				params[f.Name] = union(listOf(f.Have), missing)
			}
			after[f.Name] = union(listOf(f.Have), missing)
			if a.adds == nil {
				a.adds = map[string][]string{}
			}
			a.adds[f.Name] = missing
			continue
		}
		params[f.Name], after[f.Name], a.writes[f.Name] = f.Want, f.Want, f.Want
	}
	if o.Kind == SpoofItem {
		params["Identity"], params["Ids"] = defaultObject, []string{text(current["Identity"])}
	}
	a.ours = p.marked(current)
	if saved := p.state.of(o.Kind, o.Name); saved != nil {
		a.Why = mail.Together(o.Why, mail.Say("It was set up before; somebody or a new setting changed %s.", fieldNames(fields)))
	}
	p.add(a, o)
}

func fieldNames(fields []Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// marked reports whether an object bears our marker, so that we made it even if
// the journal was lost.
func (p *planner) marked(current map[string]any) bool {
	m := p.spec.marker()
	return strings.Contains(text(current["Comment"]), m) || strings.Contains(text(current["Comments"]), m)
}

func (p *planner) stateAction(o Object, current map[string]any) Action {
	return Action{
		ID: o.ID + "/enable", Cmdlet: "Enable-TransportRule", Parameters: Values{"Identity": o.Name}, ours: p.marked(current),
		Before: Values{"State": "Disabled"}, After: Values{"State": "Enabled"}, writes: Values{"State": "Enabled"},
	}
}

// validate runs the portal's own validation of the send connector when it is new,
// was changed, or was never validated.
func (p *planner) validate(o Object) {
	current := p.cur.Object(o.Kind, o.Name)
	touched := len(p.actions) > 0 && p.actions[len(p.actions)-1].Object == o.ID
	if !touched && current != nil && boolOf(current["IsValidated"]) == "true" {
		return
	}
	p.add(Action{
		ID: o.ID + "/validate", Cmdlet: "Validate-OutboundConnector", GuideSteps: steps("G1", 18, 19),
		Parameters: Values{"Identity": o.Name, "Recipients": []string{p.spec.validationMailbox()}},
		Before:     Values{"IsValidated": false}, After: Values{"IsValidated": true}, ours: p.marked(current),
		Why: mail.Say("Exchange connects to the relay and checks name, TLS and certificate. The connection must succeed; the test message may fail, because no rule uses the connector yet."),
	}, o)
	recipients := []string{p.spec.validationMailbox()}
	wrote := Values{"IsValidated": true, "ValidationRecipients": recipients}
	params := wrote.clone()
	params["Identity"] = o.Name
	p.add(Action{
		ID: o.ID + "/validated", Cmdlet: "Set-OutboundConnector", GuideSteps: steps("G1", 19, 20), Parameters: params,
		Before: Values{"IsValidated": false}, After: wrote, writes: wrote, stamp: true, ours: p.marked(current),
		Why: mail.Say("As the admin center does after a validation, it is noted at the connector."),
	}, o)
}

func (s Spec) validationMailbox() string {
	if s.Options.ValidationMailbox != "" {
		return s.Options.ValidationMailbox
	}
	return "postmaster@" + s.Domains[0]
}

// enable switches the redirect rules on, last of all.
func (p *planner) enable() {
	for _, o := range p.objects {
		if !isRedirect(o) {
			continue
		}
		current := p.cur.Object(o.Kind, o.Name)
		if current != nil && enabled(current) {
			continue
		}
		a := p.stateAction(o, current)
		a.gate = true
		a.Why = mail.Say("Everything that the redirection needs is in place and was tried, so mail may go through the relay from now on.")
		p.add(a, o)
	}
}

// widen gives redirect rules the domains that move to them from another one
// before the other lets go of them, so that no mail passes by in between.
func (p *planner) widen() {
	owner := map[string]string{}
	for _, r := range p.cur.Rules {
		if p.isOurRedirect(nameOf(r)) && enabled(r) {
			for _, d := range listOf(r["RecipientDomainIs"]) {
				owner[fold(d)] = fold(nameOf(r))
			}
		}
	}
	for _, o := range p.objects {
		current := p.cur.Object(TransportRule, o.Name)
		if !isRedirect(o) || current == nil || !enabled(current) {
			continue
		}
		have, want := listOf(current["RecipientDomainIs"]), o.Props["RecipientDomainIs"].([]string)
		var moved []string
		for _, d := range without(want, have) {
			if from := owner[d]; from != "" && from != fold(o.Name) {
				moved = append(moved, d)
			}
		}
		if len(moved) == 0 || len(without(have, want)) == 0 {
			continue // a plain set does it
		}
		both := union(have, want)
		p.add(Action{
			ID: o.ID + "/widen", Cmdlet: "Set-TransportRule", Parameters: Values{"Identity": o.Name, "RecipientDomainIs": both},
			Before: Values{"RecipientDomainIs": have}, After: Values{"RecipientDomainIs": both}, writes: Values{"RecipientDomainIs": both}, ours: p.marked(current),
			Why: mail.Say("Domains move here from another rule; for a moment both have them, so that no mail passes the relay by."),
		}, o)
	}
}

func (p *planner) isOurRedirect(name string) bool {
	base := p.spec.Brand + " Inbound Relay"
	if strings.EqualFold(name, base) {
		return true
	}
	rest, ok := cutPrefixFold(name, base+" ")
	return ok && strings.Trim(rest, "0123456789") == "" && rest != ""
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// retire takes away what we made once and is not wanted any more: a domain's
// second rule, a relay address that is gone.
func (p *planner) retire() {
	var keys []string
	for k := range p.state.Objects {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return compareRank(p.state.Objects[a], p.state.Objects[b])
	})
	wanted := map[string]Object{}
	for _, o := range p.objects {
		wanted[o.key()] = o
	}
	for _, k := range keys {
		saved := p.state.Objects[k]
		o, still := wanted[k]
		current := p.cur.Object(saved.Kind, saved.Name)
		switch {
		case saved.protection() || current == nil:
		case !still:
			p.backward(undo(saved, current, p.cur, mail.Say("It is not part of the set-up any more.")))
		default:
			p.release(o, saved, current)
		}
	}
	p.strays(wanted)
}

// release puts back single properties and list entries of an object that stays.
func (p *planner) release(o Object, saved *Saved, current map[string]any) {
	part := &Saved{ID: saved.ID, Kind: saved.Kind, Name: saved.Name, Props: map[string]*Touched{}, Added: map[string][]string{}}
	for name, t := range saved.Props {
		if saved.released(o, name) {
			part.Props[name] = t
		}
	}
	for list, added := range saved.Added {
		part.Added[list] = without(added, o.Adds[list])
	}
	p.backward(undo(part, current, p.cur, mail.Say("%s keeps only what is still wanted.", sentenceName(o))))
}

// strays removes objects that bear our marker, are not wanted, and that the
// journal does not know.
func (p *planner) strays(wanted map[string]Object) {
	for _, kind := range []Kind{TransportRule, OutboundConnector, InboundConnector} {
		for _, current := range p.cur.list(kind) {
			key := objectKey(kind, nameOf(current))
			if _, still := wanted[key]; still || p.state.Objects[key] != nil || !p.marked(current) {
				continue
			}
			o := Object{ID: "stray-" + strings.ToLower(string(kind)), Kind: kind, Name: nameOf(current)}
			p.backward(undone{actions: []Action{removal(o, current, mail.Say("Postern made it once, and it is not part of the set-up any more."))}})
		}
	}
}

func (p *planner) backward(u undone) {
	for _, a := range u.actions {
		a.undo = true
		p.actions = append(p.actions, a)
	}
}

func sentenceName(o Object) string { return string(o.Kind) + " " + o.Name }

// String names a without the values it writes.
func (a Action) String() string { return a.ID + ": " + a.Cmdlet + " " + a.Parameters.String() }

// GoString is String.
func (a Action) GoString() string { return a.String() }
