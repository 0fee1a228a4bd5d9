package replay

import (
	"fmt"
	"slices"

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
	made := map[policy.Scale]*policy.Scale{} // what is measured alike is one
	was, now, names := b.scales(old, made), b.scales(new, made), policy.Verdicts()
	c := Change{Copies: len(b.copies)}
	freed, caught := 0, 0
	for i := range b.copies {
		w := &b.copies[i]
		v1, passed := w.Class(was[w.rcpt])
		v2, passes := v1, passed
		if was[w.rcpt] != now[w.rcpt] {
			v2, passes = w.Class(now[w.rcpt])
		}
		if !passed {
			c.HeldOld++
		}
		if !passes {
			c.HeldNew++
		}
		switch {
		case !passed && passes:
			if c.Freed++; freed < list {
				freed++
				c.Moves = append(c.Moves, b.moved(w, false, names[v1], names[v2]))
			}
		case passed && !passes:
			if c.Caught++; caught < list {
				caught++
				c.Moves = append(c.Moves, b.moved(w, true, names[v1], names[v2]))
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
// apart share one of made.
func (b *Book) scales(rules mail.Rules, made map[policy.Scale]*policy.Scale) []*policy.Scale {
	all := make([]*policy.Scale, len(b.rcpts))
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
	scales, inside, names := b.scales(rules, map[policy.Scale]*policy.Scale{}), b.inside(rules, in), policy.Verdicts()
	var counts [bins][len(names)]int
	class := slices.Index(names[:], v)
	if class < 0 || class >= len(policy.Weight{}.Points) {
		return h
	}
	for i := range b.copies {
		w := &b.copies[i]
		if !inside[w.rcpt] {
			continue
		}
		h.Copies++
		points := int(w.Points[class])
		if points <= 0 {
			h.None++
			continue
		}
		verdict, _ := w.Class(scales[w.rcpt])
		counts[min(points/BinWidth, bins-1)][verdict]++
	}
	for i := range counts {
		for c, n := range counts[i] {
			if n > 0 {
				h.Bins[i].N += n
				h.Bins[i].ByVerdict[names[c]] = n
			}
		}
	}
	return h
}

// inside tells for each recipient whether it is in the scope.
func (b *Book) inside(rules mail.Rules, in mail.Scope) []bool {
	all := make([]bool, len(b.rcpts))
	for i, rcpt := range b.rcpts {
		all[i] = policy.InScope(rules, in, rcpt)
	}
	return all
}
