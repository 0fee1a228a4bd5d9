package replay

import (
	"fmt"

	"postern/internal/mail"
	"postern/internal/relay/policy"
)

// A Change is how mail of the book would fare under new rules, against old ones.
// Held means that it is not delivered: held, dropped, or judged again later.
type Change struct {
	Copies  int
	HeldOld int
	HeldNew int
	Freed   int     // held under the old rules, delivered under the new
	Caught  int     // the other way
	Renamed int     // same fate, another verdict
	Moves   []Moved // the newest of Freed and of Caught, at most so many of each as asked for
}

// Moved is one copy whose fate differs.
type Moved struct {
	ID       string // of the copy: "MESSAGE.N"
	To       string
	Caught   bool
	Old, New mail.Verdict
	Points   int // for the verdict under which it is held
}

// Compare measures every copy by both rules. Of the changed ones it lists the newest
// of each kind, list at most.
func (b *Book) Compare(old, new mail.Rules, list int) Change {
	was, now := b.scales(old), b.scales(new)
	c := Change{Copies: len(b.copies)}
	freed, caught := 0, 0
	for i := range b.copies {
		w := &b.copies[i]
		v1, a1 := w.Outcome(was[w.rcpt])
		v2, a2 := w.Outcome(now[w.rcpt])
		held, holds := a1 != mail.Deliver, a2 != mail.Deliver
		if held {
			c.HeldOld++
		}
		if holds {
			c.HeldNew++
		}
		switch {
		case held && !holds:
			if c.Freed++; freed < list {
				freed++
				c.Moves = append(c.Moves, b.moved(w, false, v1, v2))
			}
		case !held && holds:
			if c.Caught++; caught < list {
				caught++
				c.Moves = append(c.Moves, b.moved(w, true, v1, v2))
			}
		case v1 != v2:
			c.Renamed++
		}
	}
	return c
}

func (b *Book) moved(w *weighed, caught bool, was, now mail.Verdict) Moved {
	m := Moved{ID: fmt.Sprintf("%s.%d", w.id, w.n), To: b.rcpts[w.rcpt], Caught: caught, Old: was, New: now, Points: w.Of(was)}
	if caught {
		m.Points = w.Of(now)
	}
	return m
}

// scales are what each recipient is measured by; recipients for whom nobody chose
// apart share one.
func (b *Book) scales(rules mail.Rules) []*policy.Scale {
	all := make([]*policy.Scale, len(b.rcpts))
	made := map[policy.Scale]*policy.Scale{}
	for i, rcpt := range b.rcpts {
		s := policy.ScaleFor(rules, rcpt)
		if made[s] == nil {
			made[s] = &s
		}
		all[i] = made[s]
	}
	return all
}

const (
	BinWidth = 5  // points
	bins     = 41 // as far as thresholds go; the last takes all above
)

// A Histogram is how many copies have how many points for a verdict.
type Histogram struct {
	Bins   []Bin
	None   int // copies without a point for it
	Copies int // in the scope
}

// A Bin is the copies with From or more points, and fewer than the next bin's.
type Bin struct {
	From, N   int
	ByVerdict map[mail.Verdict]int // under the rules
}

// Histogram counts the copies for recipients in a scope by their points for v, with
// the verdicts that rules give them.
func (b *Book) Histogram(rules mail.Rules, in mail.Scope, v mail.Verdict) Histogram {
	h := Histogram{Bins: make([]Bin, bins)}
	for i := range h.Bins {
		h.Bins[i].From = i * BinWidth
		h.Bins[i].ByVerdict = map[mail.Verdict]int{}
	}
	scales, inside := b.scales(rules), b.inside(rules, in)
	for i := range b.copies {
		w := &b.copies[i]
		if !inside[w.rcpt] {
			continue
		}
		h.Copies++
		points := w.Of(v)
		if points <= 0 {
			h.None++
			continue
		}
		bin := &h.Bins[min(points/BinWidth, bins-1)]
		verdict, _ := w.Outcome(scales[w.rcpt])
		bin.N++
		bin.ByVerdict[verdict]++
	}
	return h
}

// inside tells for each recipient whether it is in the scope.
func (b *Book) inside(rules mail.Rules, in mail.Scope) []bool {
	all := make([]bool, len(b.rcpts))
	for i, rcpt := range b.rcpts {
		switch in.Kind {
		case mail.ScopePerson:
			all[i] = policy.SameAddress(in.Name, rcpt)
		case mail.ScopeGroup:
			for g := range rules.Groups {
				all[i] = all[i] || rules.Groups[g].Name == in.Name && policy.Member(&rules.Groups[g], rcpt)
			}
		default:
			all[i] = true
		}
	}
	return all
}
