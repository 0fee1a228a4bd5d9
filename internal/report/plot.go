package report

import (
	"fmt"
	"math"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Plot is a drawing in units of its own, the origin top left. Pages draw it as
// SVG with CSS classes, the PDF with the same classes' colours.
type Plot struct {
	Width, Height float64
	Left, Foot    float64 // margins that hold the labels
	Bars          []Bar
	Curves        []Curve
	Rows          []Mark // lines across with a label at the left
	Columns       []Mark // labels below
	Keys          []Key
	Empty         bool
}

// A Bar is one coloured rectangle.
type Bar struct {
	X, Y, W, H float64
	Class      string // "v-phish"
	Text       string // what it stands for, for a pointer over it
	Link       string // query of the trace that lists what it counts; "" if none
}

// A Curve is a line through points; a gap begins a new one.
type Curve struct {
	Class  string
	Points []Point
}

// A Point is a place in a plot.
type Point struct {
	X, Y float64
	Text string
}

// A Mark is a label at a place of an axis.
type Mark struct {
	At   float64
	Text string
	Time time.Time // set when Text is a time that a reader's zone changes
}

// A Key explains one colour.
type Key struct {
	Class   string
	Verdict mail.Verdict
	Text    string
	N       int
}

const (
	plotWidth  = 960.0
	plotHeight = 240.0
	plotLeft   = 56.0
	plotTop    = 12.0
	plotFoot   = 28.0
)

// X2 and Y2 are where the drawing area ends.
func (p *Plot) X2() float64 { return p.Width }

// Base is the height of the axis.
func (p *Plot) Base() float64 { return p.Height - p.Foot }

// Path is a curve's points as SVG's d attribute.
func (c Curve) Path() string {
	s := ""
	for i, p := range c.Points {
		op := "L"
		if i == 0 {
			op = "M"
		}
		s += fmt.Sprintf("%s%.1f %.1f", op, p.X, p.Y)
	}
	return s
}

// A Stack is one column of a stacked plot.
type Stack struct {
	At    time.Time
	Label string // below the column; "" for none
	Timed bool   // Label is a time of day
	Query string // of the trace, without the verdict; "" for no links
	N     map[mail.Verdict]int
}

// Stacked draws columns of verdicts.
func Stacked(t Words, columns []Stack) *Plot {
	p := &Plot{Width: plotWidth, Height: plotHeight, Left: plotLeft, Foot: plotFoot, Empty: true}
	sums := map[mail.Verdict]int{}
	most := 0
	for _, c := range columns {
		all := 0
		for v, n := range c.N {
			sums[v] += n
			all += n
		}
		most = max(most, all)
	}
	p.Empty = most == 0
	for _, v := range Verdicts {
		if sums[v] > 0 {
			p.Keys = append(p.Keys, Key{"v-" + string(v), v, t(string(v)), sums[v]})
		}
	}
	top := roundTop(most)
	area := p.Base() - plotTop
	slot := (plotWidth - plotLeft) / float64(max(len(columns), 1))
	wide := min(slot*0.72, 34)
	for i, c := range columns {
		x, y := plotLeft+slot*float64(i)+(slot-wide)/2, p.Base()
		for _, key := range p.Keys {
			n := c.N[key.Verdict]
			if n == 0 {
				continue
			}
			h := max(float64(n)*area/float64(top), 1.5) // one message shows too
			h = min(h, y-2)
			y -= h
			b := Bar{X: x, Y: y, W: wide, H: h, Class: key.Class, Text: fmt.Sprintf("%s: %s", key.Text, Number(n))}
			if c.Query != "" {
				b.Link = c.Query + "&verdict=" + string(key.Verdict)
			}
			p.Bars = append(p.Bars, b)
		}
		if c.Label != "" {
			m := Mark{At: plotLeft + slot*(float64(i)+0.5), Text: c.Label}
			if c.Timed {
				m.Time = c.At
			}
			p.Columns = append(p.Columns, m)
		}
	}
	for i := range 3 {
		p.Rows = append(p.Rows, Mark{At: p.Base() - float64(i)*area/2, Text: Number(top * i / 2)})
	}
	return p
}

// roundTop is a round even number that n fits under.
func roundTop(n int) int {
	for scale := 1; ; scale *= 10 {
		for _, s := range []int{2, 4, 10} {
			if n <= s*scale {
				return s * scale
			}
		}
	}
}

// volume draws a report's days.
func (rep *Report) volume(t Words) *Plot {
	columns := make([]Stack, len(rep.Days))
	every := (len(rep.Days) + 14) / 15
	for i, d := range rep.Days {
		columns[i] = Stack{At: d.At, N: d.Verdict, Query: "since=" + d.At.Format(time.DateOnly) + "&until=" + d.At.Add(day).Format(time.DateOnly)}
		if i%every == 0 {
			columns[i].Label = d.At.Format("01-02")
		}
	}
	return Stacked(t, columns)
}

// Volume draws how much mail came each day, by verdict.
func (rep *Report) Volume(t Words) *Plot { return rep.volume(t) }

// Quantiles that are drawn and listed.
var quantiles = []struct {
	Q     float64
	Name  string
	Class string
}{{0.5, "p50", "q-50"}, {0.95, "p95", "q-95"}, {0.99, "p99", "q-99"}}

// Latency draws quantiles of each day on a logarithmic scale, since the slowest
// hundredth is often a thousand times slower than the middle.
func (rep *Report) Latency(of func(Day) store.Spread) *Plot {
	p := &Plot{Width: plotWidth, Height: plotHeight, Left: plotLeft, Foot: plotFoot, Empty: true}
	low, high := math.Inf(1), 0.0
	for _, d := range rep.Days {
		if s := of(d); s.N() > 0 {
			low, high = min(low, s.Quantile(0.5).Seconds()), max(high, s.Quantile(0.99).Seconds())
		}
	}
	if high == 0 {
		return p
	}
	p.Empty = false
	bottom, top := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high)+0.001)
	y := func(seconds float64) float64 {
		return p.Base() - (math.Log10(seconds)-bottom)/(top-bottom)*(p.Base()-plotTop)
	}
	for e := bottom; e <= top; e++ {
		p.Rows = append(p.Rows, Mark{At: y(math.Pow(10, e)), Text: Brief(time.Duration(math.Pow(10, e) * float64(time.Second)))})
	}
	slot := (plotWidth - plotLeft) / float64(len(rep.Days))
	every := (len(rep.Days) + 14) / 15
	for i, d := range rep.Days {
		if i%every == 0 {
			p.Columns = append(p.Columns, Mark{At: plotLeft + slot*(float64(i)+0.5), Text: d.At.Format("01-02")})
		}
	}
	for _, q := range quantiles {
		p.Keys = append(p.Keys, Key{Class: q.Class, Text: q.Name})
		var c Curve
		for i, d := range rep.Days {
			s := of(d)
			if s.N() == 0 {
				p.keep(&c, q.Class)
				continue
			}
			at := s.Quantile(q.Q)
			c.Points = append(c.Points, Point{plotLeft + slot*(float64(i)+0.5), y(at.Seconds()), q.Name + ": " + Brief(at)})
		}
		p.keep(&c, q.Class)
	}
	return p
}

// keep ends a curve.
func (p *Plot) keep(c *Curve, class string) {
	if len(c.Points) > 0 {
		c.Class = class
		p.Curves = append(p.Curves, *c)
	}
	*c = Curve{}
}

// Judging and Passing choose what Latency draws.
func Judging(d Day) store.Spread { return d.Judging }

// Passing is the time from receipt to delivery.
func Passing(d Day) store.Spread { return d.Passing }

// A Slice is one verdict's share of all, for a bar that holds them all.
type Slice struct {
	Key
	From, Width, Percent float64 // From and Width of a whole of 100
}

// Shares are the verdicts' shares.
func (rep *Report) Shares(t Words) []Slice { return Shares(t, rep.Verdict) }

// Shares cuts a whole into its verdicts.
func Shares(t Words, counts map[mail.Verdict]int) []Slice {
	all := 0
	for _, v := range Verdicts {
		all += counts[v]
	}
	var list []Slice
	from := 0.0
	for _, v := range Verdicts {
		if n := counts[v]; n > 0 {
			w := Share(n, all)
			list = append(list, Slice{Key{"v-" + string(v), v, t(string(v)), n}, from, w, w})
			from += w
		}
	}
	return list
}
