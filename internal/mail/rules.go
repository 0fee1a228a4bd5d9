package mail

import (
	"encoding/json"
	"time"
)

// Choices are thresholds and actions that somebody decided. What is missing is
// decided by the next wider scope: person, group, tenant, default.
type Choices struct {
	Thresholds map[Verdict]int    `json:",omitempty"`
	Actions    map[Verdict]Action `json:",omitempty"`
}

// Empty reports whether nothing is decided.
func (c Choices) Empty() bool { return len(c.Thresholds) == 0 && len(c.Actions) == 0 }

// A Group is recipients for whom other choices count.
type Group struct {
	Name    string
	Members []string // addresses, or whole domains without "@"
	Choices
}

// PersonRules are the choices for one recipient.
type PersonRules struct {
	Address string
	Choices
}

// A Person is somebody in whose name strangers may write.
type Person struct {
	Name      string   // as it is displayed
	Addresses []string `json:",omitempty"` // outside the tenant's domains, that are really this person's
}

// UnmarshalJSON also reads a bare name, as rules once were.
func (p *Person) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &p.Name)
	}
	type plain Person
	return json.Unmarshal(b, (*plain)(p))
}

// Keep says how many days things are kept. Zero and missing mean the
// installation's default.
type Keep struct {
	Held  map[Verdict]int `json:",omitempty"` // held mail of a verdict, from when it was held
	Trace int             `json:",omitempty"` // the trace of mail that has ended
}

// A Bypass lets mail through whatever its verdict, marked with it, until a time.
type Bypass struct {
	Until   time.Time `json:",omitzero"`
	Malware bool      `json:",omitempty"` // also what is malware
	By      string    `json:",omitempty"` // who switched it on
	Why     string    `json:",omitempty"`
}

// On reports whether the bypass is on at a moment.
func (b Bypass) On(now time.Time) bool { return now.Before(b.Until) }

// A Scope names whose choices are meant.
type Scope struct {
	Kind ScopeKind
	Name string // of a group, or the address of a person; "" for the tenant
}

// ScopeKind says how wide a scope is.
type ScopeKind string

const (
	ScopeDefault ScopeKind = "default" // nobody decided
	ScopeTenant  ScopeKind = "tenant"
	ScopeGroup   ScopeKind = "group"
	ScopePerson  ScopeKind = "person"
)

// A Draft is choices for a scope that are tried on new mail before they count.
type Draft struct {
	ID string
	At Scope
	Choices
	By      string
	Began   time.Time
	Until   time.Time // it is tried so long; a share counts on
	Percent int       `json:",omitempty"` // of the recipients in the scope, for whom it counts already
}

// Tried reports whether new mail is measured by the draft at a moment.
func (d *Draft) Tried(now time.Time) bool {
	return d != nil && (d.Percent > 0 || now.Before(d.Until))
}

// A Trial is one copy measured by the rules without their draft and with it.
type Trial struct {
	Draft          string // its id
	Was, Is        Verdict
	WasHeld, Holds bool // not delivered
	Acted          bool // the draft counts for the recipient
	Points         int  // for the verdict under which it is held
}

// Differs reports whether the copy's fate is another with the draft.
func (t *Trial) Differs() bool { return t.WasHeld != t.Holds }

// An Observe lets verdicts mark mail and not hold it, until a time. Malware is held
// all the same.
type Observe struct {
	Since time.Time `json:",omitzero"`
	Until time.Time `json:",omitzero"`
	Hold  []Verdict `json:",omitempty"` // held all the same
	By    string    `json:",omitempty"`
}

// On reports whether mail is only observed at a moment.
func (o Observe) On(now time.Time) bool { return now.Before(o.Until) }

// observeWarning is how long before its end people are warned, at most half of it.
const observeWarning = 48 * time.Hour

// Ending reports whether the end of observing is near.
func (o Observe) Ending(now time.Time) bool {
	return o.On(now) && o.Until.Sub(now) <= min(observeWarning, o.Until.Sub(o.Since)/2)
}
