package exchange

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// undone is how one object goes back to what it was.
type undone struct {
	actions []Action
	foreign []Drift // what others changed since: left alone, unless the object is ours and goes
}

// rank is the order of a roll back: protections first, so that mail is judged by
// somebody at every moment; then the redirect rule, after which mail flows as it
// did before; then what nothing uses any more.
func (s *Saved) rank() int {
	switch {
	case s.protection():
		return 0
	case strings.HasPrefix(s.ID, "rule-redirect"):
		return 2
	case s.ID == "rule-clutter":
		return 1
	}
	return map[Kind]int{TransportRule: 3, OutboundConnector: 4, InboundConnector: 5, SpoofItem: 6, ConnectionFilter: 7, ArcConfig: 8, RemoteDomain: 9}[s.Kind]
}

func (s *Saved) protection() bool { return strings.HasPrefix(s.ID, protectionPrefix) }

func compareRank(a, b *Saved) int {
	if c := a.rank() - b.rank(); c != 0 {
		return c
	}
	if c := strings.Compare(a.ID, b.ID); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// undo plans how an object goes back. current is nil if it is gone.
func undo(s *Saved, current map[string]any, cur *Current, why mail.Sentence) undone {
	o := Object{ID: s.ID, Kind: s.Kind, Name: s.Name}
	var u undone
	if current == nil {
		return u
	}
	before, after, drift := s.restore(current)
	u.foreign = drift
	if s.Created {
		for i := range u.foreign {
			u.foreign[i].Note = mail.Say("It was removed all the same, because Postern made the object.")
		}
		u.take(removal(o, current, why))
		return u
	}
	params := Values{"Identity": s.identity(current)}
	lists := map[string][]string{}
	for list, added := range s.Added {
		gone := common(added, listOf(current[list]))
		if len(gone) == 0 {
			continue
		}
		left := without(listOf(current[list]), gone)
		before[list], after[list], lists[list] = current[list], left, gone
		params[list] = hashTable(nil, gone)
		if s.Kind == ArcConfig {
			if params[list] = left; len(left) == 0 {
				params[list] = []string{" "} // how this cmdlet is told to empty its list
			}
		}
	}
	state, hasState := after["State"]
	for name, v := range after {
		if _, isList := lists[name]; !isList && name != "State" {
			params[name] = v
		}
	}
	if s.Kind == SpoofItem {
		params["Identity"], params["Ids"] = defaultObject, []string{text(current["Identity"])}
	}
	rest := after.clone()
	delete(rest, "State")
	if len(rest) > 0 {
		beforeRest := before.clone()
		delete(beforeRest, "State")
		u.take(Action{ID: o.ID + "/restore", Object: o.ID, Cmdlet: "Set-" + string(s.Kind), Parameters: params, Before: beforeRest, After: rest,
			GuideSteps: []string{}, Why: why, kind: s.Kind, Name: s.Name})
	}
	if hasState {
		u.take(switchAction(o, text(state), text(current["State"]), why))
	}
	if s.protection() && s.Priority != nil && intOf(current["Priority"]) != *s.Priority {
		u.take(Action{ID: o.ID + "/place", Object: o.ID, Cmdlet: "Set-" + string(s.Kind), Parameters: Values{"Identity": o.Name, "Priority": *s.Priority},
			Before: Values{"Priority": current["Priority"]}, After: Values{"Priority": *s.Priority}, GuideSteps: []string{}, Why: why, kind: s.Kind, Name: s.Name})
	}
	return u
}

func (u *undone) take(a Action) { u.actions = append(u.actions, a) }

// restore compares what we wrote with what is there: fields that are still ours go
// back to their prior value, fields that others changed are named.
func (s *Saved) restore(current map[string]any) (before, after Values, foreign []Drift) {
	before, after = Values{}, Values{}
	names := make([]string, 0, len(s.Props))
	for name := range s.Props {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t, have := s.Props[name], current[name]
		switch {
		case identical(name, t.Prior, have) && !s.Created:
		case t.ours(name, have):
			if !s.Created {
				before[name], after[name] = have, plain(t.Prior)
			}
		case s.Created && name == "State": // switched off by a roll back that was cut off; it goes now
		case s.Created && unset(have) && len(t.Wrote) > 0 && unset(t.Wrote[len(t.Wrote)-1]):
		default:
			foreign = append(foreign, Drift{Object: s.ID, Field: name, Want: last(t.Wrote), Have: have, Severity: Warning})
		}
	}
	return before, after, foreign
}

func last(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// plain turns a list as JSON gave it back into one of texts.
func plain(v any) any {
	if list, ok := v.([]any); ok {
		return listOf(list)
	}
	return v
}

func (s *Saved) identity(current map[string]any) string {
	if s.Kind == SpoofItem {
		return defaultObject
	}
	if s.Name == "" {
		return nameOf(current)
	}
	return s.Name
}

// removal takes away an object that we made.
func removal(o Object, current map[string]any, why mail.Sentence) Action {
	params := Values{"Identity": o.Name, "Confirm": false}
	if o.Kind == SpoofItem {
		params = Values{"Identity": spoofIdentity, "Ids": []string{text(current["Identity"])}, "Confirm": false}
	}
	return Action{ID: o.ID + "/remove", Object: o.ID, Cmdlet: "Remove-" + string(o.Kind), Parameters: params, Before: Values{"Name": o.Name},
		GuideSteps: []string{}, Why: why, kind: o.Kind, Name: o.Name, remove: true}
}

// spoofIdentity is what Remove-TenantAllowBlockListSpoofItems wants as Identity;
// the entry is found by Ids alone (cmdlets.json).
const spoofIdentity = `domain.com\Default`

func switchAction(o Object, to, from string, why mail.Sentence) Action {
	verb := "Enable-"
	if strings.EqualFold(to, "Disabled") {
		verb = "Disable-"
	}
	params := Values{"Identity": o.Name}
	if verb == "Disable-" {
		params["Confirm"] = false
	}
	return Action{ID: o.ID + "/" + strings.ToLower(strings.TrimSuffix(verb, "-")), Object: o.ID, Cmdlet: verb + string(o.Kind), Parameters: params,
		Before: Values{"State": from}, After: Values{"State": to}, GuideSteps: []string{}, Why: why, kind: o.Kind, Name: o.Name}
}
