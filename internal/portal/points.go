package portal

import (
	"strconv"

	"postern/internal/mail"
	"postern/internal/replay"
	"postern/internal/report"
)

// A pointsChart is how many messages have how many points for a verdict, as columns
// of the verdicts they get, with the thresholds as lines.
type pointsChart struct {
	Width, Height int
	Bars          []bar
	Marks         []label // points below
	Lines         []label // numbers beside
	Legend        []legend
	Rows          []pointsRow // the same as a table
	Now, Was      int         // where the thresholds stand; Was is 0 if it is the same
	NowText       string
	WasText       string
	Top, Foot     int
	None          int // messages without a point
	Copies        int
	Empty         bool
}

type pointsRow struct {
	From string
	N    []int // in the legend's order
}

// drawPoints lays out a histogram with the threshold in the form and the one that
// counts now.
func drawPoints(h replay.Histogram, threshold, was int) pointsChart {
	c := pointsChart{Width: chartWidth, Height: chartHeight + 16, Top: chartTop + 16, Foot: chartHeight + 16 - chartFoot, None: h.None, Copies: h.Copies, Empty: h.Copies == h.None}
	column := (chartWidth - chartLeft) / len(h.Bins)
	most, sums := 0, map[mail.Verdict]int{}
	for _, b := range h.Bins {
		most = max(most, b.N)
		for v, n := range b.ByVerdict {
			sums[v] += n
		}
	}
	for _, v := range verdictsInOrder {
		if sums[v] > 0 {
			c.Legend = append(c.Legend, legend{v, sums[v]})
		}
	}
	top, plot := niceTop(most), c.Foot-c.Top
	for i, b := range h.Bins {
		y, done := c.Foot, 0
		text := strconv.Itoa(b.From) + "–" + strconv.Itoa(b.From+replay.BinWidth-1)
		if i == len(h.Bins)-1 {
			text = strconv.Itoa(b.From) + "+"
		}
		row := pointsRow{From: text}
		for _, l := range c.Legend {
			n := b.ByVerdict[l.Verdict]
			row.N = append(row.N, n)
			if n == 0 {
				continue
			}
			done += n
			next := min(c.Foot-done*plot/top, y-2) // one message shows too
			c.Bars = append(c.Bars, bar{X: chartLeft + i*column + 2, Y: next, W: column - 4, H: y - next, Verdict: l.Verdict, N: n})
			y = next
		}
		if done > 0 {
			c.Rows = append(c.Rows, row)
		}
		if i%5 == 0 {
			c.Marks = append(c.Marks, label{X: chartLeft + i*column, Y: c.Height - 8, Text: strconv.Itoa(b.From)})
		}
	}
	for i := range 3 {
		c.Lines = append(c.Lines, label{X: chartLeft, Y: c.Foot - i*plot/2, Text: report.Number(top * i / 2)})
	}
	at := func(points int) int {
		return min(chartLeft+points*column/replay.BinWidth, chartLeft+len(h.Bins)*column)
	}
	c.Now, c.NowText = at(threshold), strconv.Itoa(threshold)
	if was != threshold {
		c.Was, c.WasText = at(was), strconv.Itoa(was)
	}
	return c
}

type bar struct {
	X, Y, W, H int
	Verdict    mail.Verdict
	N          int
}

type label struct {
	X, Y int
	Text string
}

type legend struct {
	Verdict mail.Verdict
	N       int
}

const (
	chartWidth  = 960
	chartHeight = 240
	chartLeft   = 44
	chartTop    = 10
	chartFoot   = 28
)

// niceTop is a round even number that n fits under.
func niceTop(n int) int {
	for scale := 1; ; scale *= 10 {
		for _, step := range []int{2, 4, 10} {
			if n <= step*scale {
				return step * scale
			}
		}
	}
}
