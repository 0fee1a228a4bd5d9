package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// Bounds of thresholds, in points.
const (
	LeastThreshold = 1
	MostThreshold  = 200 // hardly any mail reaches more
)

// ActionsFor are the actions that can be chosen for a verdict, the default first.
// Malware is never delivered by choice.
func ActionsFor(v mail.Verdict) []mail.Action {
	switch v {
	case mail.Malware:
		return []mail.Action{mail.Hold, mail.Drop}
	case mail.Unjudged:
		return []mail.Action{mail.Hold, mail.Deliver, mail.Defer}
	case mail.Suspicious:
		return []mail.Action{mail.Hold, mail.Deliver}
	case mail.Bulk:
		return []mail.Action{mail.Deliver, mail.Hold}
	case mail.Spam, mail.Phish:
		return []mail.Action{mail.Hold, mail.Deliver, mail.Drop}
	}
	return []mail.Action{mail.Deliver}
}

// Chosen is rules with other choices for a scope; what was chosen there before is
// replaced. Nothing is kept: it is also how a change is tried. A person needs no
// entry before.
func Chosen(rules mail.Rules, at mail.Scope, c mail.Choices) (mail.Rules, error) {
	if err := checkChoices(c); err != nil {
		return rules, err
	}
	switch at.Kind {
	case mail.ScopeTenant:
		rules.Thresholds, rules.Actions = c.Thresholds, c.Actions
		return rules, nil
	case mail.ScopeGroup:
		i := groupAt(rules, at.Name)
		if i < 0 {
			return rules, mail.Refuse("there is no group %q", at.Name)
		}
		rules.Groups = slices.Clone(rules.Groups)
		rules.Groups[i].Choices = c
		return rules, nil
	case mail.ScopePerson:
		addr, err := readAddress(at.Name)
		if err != nil {
			return rules, err
		}
		rules.Persons = slices.DeleteFunc(slices.Clone(rules.Persons), func(p mail.PersonRules) bool { return policy.SameAddress(p.Address, addr) })
		if !c.Empty() {
			rules.Persons = append(rules.Persons, mail.PersonRules{Address: addr, Choices: c})
		}
		return rules, nil
	}
	return rules, mail.Refuse("%q is no scope: there are tenant, group and person", at.Kind)
}

// ChoicesAt are what is chosen at a scope itself.
func ChoicesAt(rules mail.Rules, at mail.Scope) mail.Choices {
	switch at.Kind {
	case mail.ScopeGroup:
		if i := groupAt(rules, at.Name); i >= 0 {
			return rules.Groups[i].Choices
		}
	case mail.ScopePerson:
		for _, p := range rules.Persons {
			if policy.SameAddress(p.Address, at.Name) {
				return p.Choices
			}
		}
	case mail.ScopeTenant:
		return mail.Choices{Thresholds: rules.Thresholds, Actions: rules.Actions}
	}
	return mail.Choices{}
}

// SetChoices keeps choices for a scope.
func (a *Admin) SetChoices(ctx context.Context, tenant string, at mail.Scope, c mail.Choices) (store.RulesChange, error) {
	return a.changeRules(ctx, tenant, "policy.set", scopeWords(at), "thresholds and actions of "+scopeWords(at), func(r *mail.Rules) error {
		next, err := Chosen(*r, at, c)
		*r = next
		return err
	}, func(r mail.Rules) any { return ChoicesAt(r, at) })
}

func checkChoices(c mail.Choices) error {
	for v, n := range c.Thresholds {
		switch {
		case !slices.Contains(policy.Classes(), v):
			return mail.Refuse("%q has no threshold: there are %s", v, words(policy.Classes()))
		case n < LeastThreshold || n > MostThreshold:
			return mail.Refuse("the threshold for %s is %d: it must be from %d to %d points", v, n, LeastThreshold, MostThreshold)
		}
	}
	for v, act := range c.Actions {
		switch {
		case !slices.Contains(policy.Classes(), v):
			return mail.Refuse("%q has no action: there are %s", v, words(policy.Classes()))
		case !slices.Contains(ActionsFor(v), act):
			return mail.Refuse("%q is no action for %s: there are %s", act, v, words(ActionsFor(v)))
		}
	}
	return nil
}

const (
	mostGroups  = 100
	mostMembers = 2000
	mostPeople  = 1000
)

// PutGroup adds a group at the end, or gives one other members.
func (a *Admin) PutGroup(ctx context.Context, tenant, name string, members []string) (store.RulesChange, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 80 || strings.ContainsAny(name, "\r\n\t") {
		return store.RulesChange{}, mail.Refuse("give the group a name of at most 80 letters")
	}
	list, err := readMembers(members)
	if err != nil {
		return store.RulesChange{}, err
	}
	at := mail.Scope{Kind: mail.ScopeGroup, Name: name}
	return a.changeRules(ctx, tenant, "policy.group", name, "members of "+scopeWords(at), func(r *mail.Rules) error {
		r.Groups = slices.Clone(r.Groups)
		if i := groupAt(*r, name); i >= 0 {
			r.Groups[i].Members = list
			return nil
		}
		if len(r.Groups) >= mostGroups {
			return mail.Refuse("there are %d groups already: remove one first", mostGroups)
		}
		r.Groups = append(r.Groups, mail.Group{Name: name, Members: list})
		return nil
	}, func(r mail.Rules) any {
		if i := groupAt(r, name); i >= 0 {
			return r.Groups[i].Members
		}
		return nil
	})
}

// RaiseGroup moves a group one place up: of several groups that a recipient is in,
// the first that decides counts.
func (a *Admin) RaiseGroup(ctx context.Context, tenant, name string) (store.RulesChange, error) {
	return a.changeRules(ctx, tenant, "policy.group-order", name, "the order of groups", func(r *mail.Rules) error {
		i := groupAt(*r, name)
		if i < 0 {
			return mail.Refuse("there is no group %q", name)
		}
		if i > 0 {
			r.Groups = slices.Clone(r.Groups)
			r.Groups[i-1], r.Groups[i] = r.Groups[i], r.Groups[i-1]
		}
		return nil
	}, func(r mail.Rules) any {
		names := []string{}
		for _, g := range r.Groups {
			names = append(names, g.Name)
		}
		return names
	})
}

// RemoveScope removes a group, or a person's own choices. Their mail is then
// measured by the next wider scope.
func (a *Admin) RemoveScope(ctx context.Context, tenant string, at mail.Scope) (store.RulesChange, error) {
	return a.changeRules(ctx, tenant, "policy.remove", scopeWords(at), "removal of "+scopeWords(at), func(r *mail.Rules) error {
		before := len(r.Groups) + len(r.Persons)
		switch at.Kind {
		case mail.ScopeGroup:
			r.Groups = slices.DeleteFunc(slices.Clone(r.Groups), func(g mail.Group) bool { return g.Name == at.Name })
		case mail.ScopePerson:
			r.Persons = slices.DeleteFunc(slices.Clone(r.Persons), func(p mail.PersonRules) bool { return policy.SameAddress(p.Address, at.Name) })
		}
		if len(r.Groups)+len(r.Persons) == before {
			return mail.Refuse("nothing is chosen for %s", scopeWords(at))
		}
		return nil
	}, func(r mail.Rules) any {
		if i := groupAt(r, at.Name); at.Kind == mail.ScopeGroup && i >= 0 {
			return r.Groups[i]
		}
		return ChoicesAt(r, at)
	})
}

// UndoRules takes the last change of a tenant's rules back that is not undone yet;
// seq, if it is not 0, says which that must be. A bypass, what is only observed and
// a draft stay as they are. Held mail that was let go meanwhile does not come back.
func (a *Admin) UndoRules(ctx context.Context, tenant string, seq int64) (store.RulesChange, error) {
	c, err := a.Store.UndoRules(ctx, tenant, a.Actor, seq, keptOnUndo)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c, mail.Refuse("there is no change to take back")
	case errors.Is(err, store.ErrMoved):
		return c, mail.Refuse("the rules were changed meanwhile: look at the last change, then undo it")
	case err != nil:
		return c, err
	}
	return c, a.note(ctx, tenant, "policy.undo", fmt.Sprintf("change %d: %s", c.Seq, c.What), clipped(c.After), clipped(c.Before))
}

// changeRules changes a tenant's rules with a check, keeps the change for undo and
// notes what part of them was and is.
func (a *Admin) changeRules(ctx context.Context, tenant, action, object, what string, change func(*mail.Rules) error, part func(mail.Rules) any) (store.RulesChange, error) {
	c, err := a.Store.ChangeRules(ctx, tenant, a.Actor, what, change)
	if err != nil {
		return c, cause(err)
	}
	return c, a.note(ctx, tenant, action, object, clipped(part(c.Before)), clipped(part(c.After)))
}

// clipped is v as JSON, short enough for a line of the audit log.
func clipped(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 4000 {
		return string(b[:4000]) + "…"
	}
	return string(b)
}

func groupAt(rules mail.Rules, name string) int {
	return slices.IndexFunc(rules.Groups, func(g mail.Group) bool { return g.Name == name })
}

// scopeWords names a scope in sentences and in the audit log.
func scopeWords(at mail.Scope) string { return scopeSaid(at).String() }

func scopeSaid(at mail.Scope) mail.Sentence {
	switch at.Kind {
	case mail.ScopeGroup:
		return mail.Say("group %s", at.Name)
	case mail.ScopePerson:
		return mail.Say("person %s", at.Name)
	}
	return mail.Say("the tenant")
}

// readMembers reads addresses and domains, each once.
func readMembers(members []string) ([]string, error) {
	var list []string
	for _, m := range members {
		m = strings.TrimSpace(m)
		if m == "" {
			continue
		}
		var err error
		if strings.Contains(strings.TrimPrefix(m, "@"), "@") {
			m, err = readAddress(m)
		} else {
			m, err = mail.FoldDomain(strings.TrimPrefix(m, "@"))
			if err == nil && !strings.Contains(m, ".") {
				err = mail.ErrDomain
			}
		}
		if err != nil {
			return nil, mail.Refuse("%q is neither an address nor a domain", m)
		}
		if !slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(o, m) }) {
			list = append(list, m)
		}
	}
	switch {
	case len(list) == 0:
		return nil, mail.Refuse("a group needs a member: an address, or a domain for everybody in it")
	case len(list) > mostMembers:
		return nil, mail.Refuse("%d members are too many: there may be %d; name the domain instead", len(list), mostMembers)
	}
	return list, nil
}

// readAddress is an address with its domain folded.
func readAddress(text string) (string, error) {
	local, domain := mail.SplitAddress(strings.TrimSpace(text))
	folded, err := mail.FoldDomain(domain)
	if err != nil || local == "" || len(local) > 64 || strings.ContainsAny(local, " \t\r\n<>,;") {
		return "", mail.Refuse("%q is no e-mail address", text)
	}
	return local + "@" + folded, nil
}

func words[T ~string](list []T) string {
	var all []string
	for _, v := range list {
		all = append(all, string(v))
	}
	return strings.Join(all, ", ")
}
