package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Journal keeps one tenant's state between runs and through crashes.
//
// Save must have the octets on disk when it returns nil; it is called before
// every call that changes something. The octets hold values that a roll back
// restores, among them perhaps a key somebody else had set: keep them sealed.
// Load returns nil octets if nothing was saved.
type Journal interface {
	Load(ctx context.Context) ([]byte, error)
	Save(ctx context.Context, state []byte) error
}

// State is what the journal holds: what we made and what was there before.
type State struct {
	Version int               `json:"version"` // 1
	Objects map[string]*Saved `json:"objects"` // by kind and lower-case name
	Run     *Run              `json:"run,omitempty"`
	// RolledBack is when everything was put back, zero if it was not or something was made since.
	RolledBack time.Time `json:"rolled_back,omitzero"`
	// Organization customization was switched on by us; Exchange has no way back.
	Hydrated bool `json:"hydrated,omitempty"`
}

// Saved is what we know of one object: enough to put it back exactly.
type Saved struct {
	ID       string              `json:"id"`
	Kind     Kind                `json:"kind"`
	Name     string              `json:"name"`
	Created  bool                `json:"created,omitempty"` // by us: a roll back removes it
	Props    map[string]*Touched `json:"props,omitempty"`
	Added    map[string][]string `json:"added,omitempty"`    // entries of ours in a shared list
	Priority *int                `json:"priority,omitempty"` // of a rule we did not create, before we moved it or switched it off
	Claims   map[string][]string `json:"claims,omitempty"`   // protection: which policy wants which properties
}

// Touched is one property: what it was before our first change, and what we wrote.
type Touched struct {
	Prior any   `json:"prior"`
	Wrote []any `json:"wrote"` // newest last; keys only as hashes
}

// Run is a run of Apply or Rollback; Ended is zero while it is on or was cut off.
type Run struct {
	What    string    `json:"what"` // "apply", "rollback", "protection"
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Done    []string  `json:"done"` // action ids
	Doing   string    `json:"doing,omitempty"`
	Total   int       `json:"total"`
	Failed  *Problem  `json:"failed,omitempty"`
}

const (
	stateVersion = 1
	keepWrote    = 4 // values: the one before, the one meant, and two for overlapping changes
)

// Redirects reports that the redirect rule was made or changed by us and not rolled
// back: mail comes to the relay.
func (s *State) Redirects() bool {
	if !s.RolledBack.IsZero() {
		return false
	}
	for _, o := range s.Objects {
		if strings.HasPrefix(o.ID, "rule-redirect") {
			return true
		}
	}
	return false
}

func loadState(ctx context.Context, j Journal) (*State, error) {
	s := &State{Version: stateVersion, Objects: map[string]*Saved{}}
	b, err := j.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load exchange journal: %w", err)
	}
	if len(b) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read exchange journal: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("exchange journal has version %d, this program knows %d", s.Version, stateVersion)
	}
	if s.Objects == nil {
		s.Objects = map[string]*Saved{}
	}
	return s, nil
}

func (s *State) save(ctx context.Context, j Journal) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write exchange journal: %w", err)
	}
	if err := j.Save(ctx, b); err != nil {
		return fmt.Errorf("save exchange journal: %w", err)
	}
	return nil
}

func (s *State) of(k Kind, name string) *Saved { return s.Objects[objectKey(k, name)] }

// note records what a is about to do, so that it can be undone however far it
// gets. cur is the tenant as it was when the run began.
func (s *State) note(a *Action, cur *Current) {
	s.RolledBack = time.Time{}
	key, current := objectKey(a.kind, a.Name), cur.Object(a.kind, a.Name)
	saved := s.Objects[key]
	if saved == nil {
		saved = &Saved{ID: a.Object, Kind: a.kind, Name: a.Name, Created: a.create || a.ours}
		s.Objects[key] = saved
	}
	for name, wrote := range a.writes {
		saved.touch(name, current[name], wrote)
	}
	for list, add := range a.adds {
		if saved.Added == nil {
			saved.Added = map[string][]string{}
		}
		saved.Added[list] = union(saved.Added[list], without(add, listOf(current[list])))
	}
	if saved.Priority != nil || saved.Created {
		return
	}
	switch {
	case a.move:
		p := s.place(a.Name, cur)
		saved.Priority = &p
	case a.keepsPlace:
		p := intOf(current["Priority"])
		saved.Priority = &p
	}
}

// place is where a rule stands among the rules that we did not make.
func (s *State) place(name string, cur *Current) int {
	at := 0
	for _, r := range cur.Rules {
		if strings.EqualFold(nameOf(r), name) {
			break
		}
		if saved := s.of(TransportRule, nameOf(r)); saved == nil || !saved.Created {
			at++
		}
	}
	return at
}

func (t *Saved) touch(name string, prior, wrote any) {
	if t.Props == nil {
		t.Props = map[string]*Touched{}
	}
	p := t.Props[name]
	if p == nil {
		p = &Touched{Prior: prior}
		t.Props[name] = p
	}
	h := hidden(name, wrote)
	p.Wrote = slices.DeleteFunc(p.Wrote, func(v any) bool { return identical(name, v, h) })
	p.Wrote = append(p.Wrote, h)
	if len(p.Wrote) > keepWrote {
		p.Wrote = p.Wrote[len(p.Wrote)-keepWrote:]
	}
}

// ours reports whether have is a value that we wrote.
func (t *Touched) ours(name string, have any) bool {
	h := hidden(name, have)
	return slices.ContainsFunc(t.Wrote, func(v any) bool { return identical(name, v, h) })
}

// identical is same, but a missing value and false are different: null means
// something of its own in TNEFEnabled.
func identical(name string, a, b any) bool {
	if unset(a) || unset(b) {
		return unset(a) && unset(b)
	}
	if list, ok := a.([]any); ok {
		a = listOf(list)
	}
	return same(name, a, b)
}

func unset(v any) bool {
	if _, isBool := v.(bool); isBool {
		return false
	}
	return empty(v)
}
