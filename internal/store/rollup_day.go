package store

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// DayFigures are a day's numbers. Nothing in them is personal.
type DayFigures struct {
	Judging Spread                 `json:"judging"`         // from receipt to the verdict
	Passing Spread                 `json:"passing"`         // from receipt to delivery, of copies that were never held
	Handled Spread                 `json:"handled"`         // from holding until a person released or deleted it
	Held    map[mail.Verdict]Fates `json:"held,omitempty"`  // of copies that were ever held
	Rules   map[string]int         `json:"rules,omitempty"` // messages with bad verdicts by the rules that spoke against them
}

// Fates are what became of held copies.
type Fates struct {
	Held     int `json:"held"`     // ever
	Released int `json:"released"` // of these, by a person
	Deleted  int `json:"deleted"`  // by a person
	Expired  int `json:"expired"`
}

// DayNames are the most frequent names of a day: the first by all mail together
// with the first by bad mail.
type DayNames struct {
	People  []Named `json:"people,omitempty"`  // recipients
	Senders []Named `json:"senders,omitempty"` // addresses of the From field
	Domains []Named `json:"domains,omitempty"` // of these
}

// Named counts one name.
type Named struct {
	Name string `json:"name"`
	N    int    `json:"n"`   // copies
	Bad  int    `json:"bad"` // of these, with a bad verdict
}

const (
	keepNames = 100     // by each order of each list
	mostNames = 200_000 // kept in memory while a day is counted; rare ones go beyond that
)

// A Spread is a histogram of durations. Bucket i holds those from step^i to
// step^(i+1) milliseconds.
type Spread map[int]int

// step makes quantiles right to within 2.5 %.
const step = 1.05

func (s *Spread) add(ms int64) {
	if *s == nil {
		*s = Spread{}
	}
	(*s)[int(math.Log(float64(max(ms, 1)))/math.Log(step))]++
}

// Add counts another spread in.
func (s *Spread) Add(other Spread) {
	if *s == nil && len(other) > 0 {
		*s = Spread{}
	}
	for i, n := range other {
		(*s)[i] += n
	}
}

// N is how many durations there are.
func (s Spread) N() (n int) {
	for _, k := range s {
		n += k
	}
	return n
}

// Quantile is the duration that a share q of all does not exceed, 0 if there are
// none.
func (s Spread) Quantile(q float64) time.Duration {
	left := int(math.Ceil(q * float64(s.N())))
	for _, i := range slices.Sorted(maps.Keys(s)) {
		if left -= s[i]; left <= 0 {
			return time.Duration(math.Pow(step, float64(i)+0.5) * float64(time.Millisecond))
		}
	}
	return 0
}

// dayRow is one copy as countDay reads it.
type dayRow struct {
	addr, events, sender, from, judgement string
	verdict                               mail.Verdict
	state                                 mail.State
	received                              int64
}

// dayCount adds up copies.
type dayCount struct {
	figures                  DayFigures
	people, senders, domains map[string]*Named
}

func newDayCount() *dayCount {
	return &dayCount{people: map[string]*Named{}, senders: map[string]*Named{}, domains: map[string]*Named{},
		figures: DayFigures{Held: map[mail.Verdict]Fates{}, Rules: map[string]int{}}}
}

func (d *dayCount) add(c dayRow) {
	from := strings.ToLower(cmp.Or(c.from, c.sender))
	if c.verdict != "" { // judged: else it is on its way, or only written down
		count(d.people, strings.ToLower(c.addr), bad(c.verdict))
	}
	if from != "" && c.verdict != "" {
		count(d.senders, from, bad(c.verdict))
		count(d.domains, cmp.Or(mail.DomainOf(from), from), bad(c.verdict))
	}
	d.course(c)
	if c.judgement != "" && bad(c.verdict) {
		d.rules(c.judgement)
	}
}

// course reads a copy's events: when it was judged, delivered, held, let go.
func (d *dayCount) course(c dayRow) {
	var judged, held, marked int64
	for _, e := range splitEvents(c.events) {
		at := e.At.UnixMilli()
		switch e.State {
		case mail.Judged:
			judged = at
		case mail.Held:
			if held == 0 {
				f := d.figures.Held[c.verdict]
				f.Held++
				d.figures.Held[c.verdict] = f
				held = at
			}
			switch {
			case strings.HasPrefix(e.Text, markedBy):
				marked = at
			case strings.HasPrefix(e.Text, unmarkedBy):
				marked = 0
			}
		case mail.Delivering, mail.Dropped:
			if held > 0 {
				if marked > 0 && e.State == mail.Dropped {
					at = marked // when the person decided; the row went later
				}
				d.left(c.verdict, e, at-held)
				held = -1 // counted once, however often it comes back
			}
		case mail.Delivered:
			if held == 0 {
				d.figures.Passing.add(at - c.received)
			}
		}
	}
	if judged > 0 {
		d.figures.Judging.add(judged - c.received)
	}
}

// left counts a copy that left the quarantine.
func (d *dayCount) left(v mail.Verdict, e Event, after int64) {
	f := d.figures.Held[v]
	switch {
	case strings.HasPrefix(e.Text, releasedBy):
		f.Released++
		d.figures.Handled.add(after)
	case strings.HasPrefix(e.Text, deletedBy):
		f.Deleted++
		d.figures.Handled.add(after)
	case e.Text == timeOver:
		f.Expired++
	}
	d.figures.Held[v] = f
}

// rules counts each rule that spoke against a message once.
func (d *dayCount) rules(judgement string) {
	var j struct {
		Findings []struct {
			Rule  string `json:"rule"`
			Score int    `json:"score"`
		} `json:"findings"`
	}
	if json.Unmarshal([]byte(judgement), &j) != nil {
		return // Flaws finds what is damaged
	}
	seen := map[string]bool{}
	for _, f := range j.Findings {
		if f.Score > 0 && !seen[f.Rule] {
			seen[f.Rule] = true
			d.figures.Rules[f.Rule]++
		}
	}
}

func count(m map[string]*Named, name string, bad bool) {
	n := m[name]
	if n == nil {
		if len(m) >= mostNames {
			maps.DeleteFunc(m, func(_ string, n *Named) bool { return n.N == 1 })
		}
		n = &Named{Name: name}
		m[name] = n
	}
	n.N++
	if bad {
		n.Bad++
	}
}

func (d *dayCount) names() DayNames {
	return DayNames{first(d.people), first(d.senders), first(d.domains)}
}

// first are the most frequent names, by all mail and by bad mail, in the order of
// the former.
func first(m map[string]*Named) []Named {
	all := make([]Named, 0, len(m))
	for _, n := range m {
		all = append(all, *n)
	}
	keep := map[string]bool{}
	for _, by := range []func(Named) int{func(n Named) int { return n.Bad }, func(n Named) int { return n.N }} {
		slices.SortFunc(all, func(a, b Named) int { return cmp.Or(by(b)-by(a), strings.Compare(a.Name, b.Name)) })
		for _, n := range all[:min(len(all), keepNames)] {
			if by(n) > 0 {
				keep[n.Name] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(n Named) bool { return !keep[n.Name] })
}
