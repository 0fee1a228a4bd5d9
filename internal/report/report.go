package report

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Range is the days a report is about, in UTC.
type Range struct {
	From time.Time // first day
	To   time.Time // day after the last
}

const day = 24 * time.Hour

// LastDays are the n days that end with the one of now.
func LastDays(n int, now time.Time) Range {
	to := now.UTC().Truncate(day).Add(day)
	return Range{to.Add(-time.Duration(n) * day), to}
}

// Month is the calendar month of t.
func Month(t time.Time) Range {
	t = t.UTC()
	from := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return Range{from, from.AddDate(0, 1, 0)}
}

// Days is how many days there are.
func (r Range) Days() int { return int(r.To.Sub(r.From) / day) }

// Verdicts in the order in which they stack, from the harmless to the worst.
var Verdicts = []mail.Verdict{mail.Clean, mail.Bulk, mail.Unjudged, mail.Suspicious, mail.Spam, mail.Phish, mail.Malware}

// A Report is what happened to a tenant's mail in a range.
type Report struct {
	Tenant  mail.Tenant
	Range   Range
	Made    time.Time
	Days    []Day // every day of the range, also those without mail
	All     int   // copies
	Bad     int   // of these, with a bad verdict
	Verdict map[mail.Verdict]int
	State   map[mail.State]int

	Targeted []store.Named // people by bad mail
	People   []store.Named // by all mail
	BadFrom  []store.Named // sending addresses by bad mail
	Senders  []store.Named
	BadSites []store.Named // sending domains by bad mail
	Domains  []store.Named
	Rules    []store.Named // that spoke against bad mail
	Nameless int           // days whose names are forgotten already

	Judging, Passing, Handled store.Spread
	Held                      map[mail.Verdict]store.Fates
	Fates                     store.Fates    // of all verdicts
	Wrong                     store.Accuracy // what people said was judged wrongly, by the day they said it
}

// A Day is one day's numbers.
type Day struct {
	At               time.Time
	N                int
	Verdict          map[mail.Verdict]int
	Judging, Passing store.Spread
}

// Bad are the verdicts that speak against a message.
func Bad(v mail.Verdict) bool {
	return v == mail.Suspicious || v == mail.Spam || v == mail.Phish || v == mail.Malware
}

const listed = 10 // names in each list

// Build makes a tenant's report from what was counted.
func Build(ctx context.Context, s *store.Store, t mail.Tenant, r Range, now time.Time) (*Report, error) {
	volumes, err := s.Counted(ctx, t.ID, r.From, r.To, day)
	if err != nil {
		return nil, err
	}
	counted, err := s.Days(ctx, t.ID, r.From, r.To)
	if err != nil {
		return nil, err
	}
	rep := &Report{Tenant: t, Range: r, Made: now.UTC(), Verdict: map[mail.Verdict]int{}, State: map[mail.State]int{}, Held: map[mail.Verdict]store.Fates{}}
	for at := r.From; at.Before(r.To) && !at.After(now); at = at.Add(day) {
		rep.Days = append(rep.Days, Day{At: at, Verdict: map[mail.Verdict]int{}})
	}
	rep.volumes(volumes)
	rep.details(counted)
	wrong, err := s.VerdictAccuracy(ctx, t.ID, r.From)
	if err != nil {
		return nil, err
	}
	for _, w := range wrong {
		if w.Day.Before(r.To) {
			rep.Wrong.FalsePositives += w.FalsePositives
			rep.Wrong.FalseNegatives += w.FalseNegatives
			rep.Wrong.OtherClass += w.OtherClass
		}
	}
	return rep, nil
}

// on is the day of at, nil outside the range.
func (rep *Report) on(at time.Time) *Day {
	i := int(at.Sub(rep.Range.From) / day)
	if i < 0 || i >= len(rep.Days) {
		return nil
	}
	return &rep.Days[i]
}

func (rep *Report) volumes(list []store.Volume) {
	for _, v := range list {
		d := rep.on(v.At)
		if d == nil {
			continue
		}
		d.N += v.N
		rep.All += v.N
		rep.State[v.State] += v.N
		if v.Verdict == "" {
			continue
		}
		d.Verdict[v.Verdict] += v.N
		rep.Verdict[v.Verdict] += v.N
		if Bad(v.Verdict) {
			rep.Bad += v.N
		}
	}
}

func (rep *Report) details(counted []store.DayCount) {
	people, senders, domains, rules := sum{}, sum{}, sum{}, sum{}
	for _, c := range counted {
		d := rep.on(c.At)
		if d == nil {
			continue
		}
		f := c.Figures
		d.Judging, d.Passing = f.Judging, f.Passing
		rep.Judging.Add(f.Judging)
		rep.Passing.Add(f.Passing)
		rep.Handled.Add(f.Handled)
		for v, x := range f.Held {
			rep.Held[v] = plus(rep.Held[v], x)
			rep.Fates = plus(rep.Fates, x)
		}
		for rule, n := range f.Rules {
			rules.add(store.Named{Name: rule, N: n, Bad: n})
		}
		if len(c.Names.People) == 0 && d.N > 0 {
			rep.Nameless++
		}
		people.add(c.Names.People...)
		senders.add(c.Names.Senders...)
		domains.add(c.Names.Domains...)
	}
	byBad, byAll := func(n store.Named) int { return n.Bad }, func(n store.Named) int { return n.N }
	rep.Targeted, rep.People = people.top(byBad), people.top(byAll)
	rep.BadFrom, rep.Senders = senders.top(byBad), senders.top(byAll)
	rep.BadSites, rep.Domains = domains.top(byBad), domains.top(byAll)
	rep.Rules = rules.top(byAll)
}

func plus(a, b store.Fates) store.Fates {
	return store.Fates{Held: a.Held + b.Held, Released: a.Released + b.Released, Deleted: a.Deleted + b.Deleted, Expired: a.Expired + b.Expired}
}

// sum adds names up.
type sum map[string]*store.Named

func (s sum) add(list ...store.Named) {
	for _, n := range list {
		if have := s[n.Name]; have != nil {
			have.N += n.N
			have.Bad += n.Bad
			continue
		}
		s[n.Name] = &n
	}
}

// top are the first names by some number, without those that have none.
func (s sum) top(by func(store.Named) int) []store.Named {
	var list []store.Named
	for n := range maps.Values(s) {
		if by(*n) > 0 {
			list = append(list, *n)
		}
	}
	slices.SortFunc(list, func(a, b store.Named) int { return cmp.Or(by(b)-by(a), strings.Compare(a.Name, b.Name)) })
	return list[:min(len(list), listed)]
}

// Share is part of whole in percent, 0 for no whole.
func Share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
