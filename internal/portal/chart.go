package portal

import (
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// A chart is a day's mail as columns of verdicts, drawn as SVG rectangles.
type chart struct {
	Width, Height int
	Bars          []bar
	Hours         []label
	Lines         []label
	Legend        []legend
	Rows          []chartRow // the same as a table
	Empty         bool
}

type bar struct {
	X, Y, W, H int
	Verdict    mail.Verdict
	N          int
	At         time.Time
}

type label struct {
	X, Y int
	Text string
	At   time.Time
}

type legend struct {
	Verdict mail.Verdict
	N       int
}

type chartRow struct {
	At time.Time
	N  []int // in the legend's order
}

// verdictsInOrder stack from the harmless to the worst.
var verdictsInOrder = []mail.Verdict{mail.Clean, mail.Bulk, mail.Unjudged, mail.Suspicious, mail.Spam, mail.Phish, mail.Malware}

const (
	chartHours  = 24
	chartWidth  = 960
	chartHeight = 240
	chartLeft   = 44
	chartTop    = 10
	chartFoot   = 28
)

// drawChart lays out the last day's volumes.
func drawChart(volumes []store.Volume, now time.Time) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Empty: true}
	begin := now.Truncate(time.Hour).Add(-(chartHours - 1) * time.Hour)
	var table [chartHours]map[mail.Verdict]int
	var totals [chartHours]int
	sums := map[mail.Verdict]int{}
	most := 0
	for _, v := range volumes {
		hour := int(v.At.Sub(begin) / time.Hour)
		if hour < 0 || hour >= chartHours || v.Verdict == "" {
			continue
		}
		if table[hour] == nil {
			table[hour] = map[mail.Verdict]int{}
		}
		table[hour][v.Verdict] += v.N
		totals[hour] += v.N
		sums[v.Verdict] += v.N
		most, c.Empty = max(most, totals[hour]), false
	}
	for _, v := range verdictsInOrder {
		if sums[v] > 0 {
			c.Legend = append(c.Legend, legend{v, sums[v]})
		}
	}
	top := niceTop(most)
	plot := chartHeight - chartTop - chartFoot
	column := (chartWidth - chartLeft) / chartHours
	for hour := range chartHours {
		y := chartHeight - chartFoot
		at := begin.Add(time.Duration(hour) * time.Hour)
		row := chartRow{At: at}
		done := 0
		for _, l := range c.Legend {
			n := table[hour][l.Verdict]
			row.N = append(row.N, n)
			if n == 0 {
				continue
			}
			done += n
			next := chartHeight - chartFoot - done*plot/top
			next = min(next, y-2) // one message shows too
			c.Bars = append(c.Bars, bar{chartLeft + hour*column + 4, next, column - 8, y - next, l.Verdict, n, at})
			y = next
		}
		if done > 0 {
			c.Rows = append(c.Rows, row)
		}
		if hour%4 == 1 {
			c.Hours = append(c.Hours, label{X: chartLeft + hour*column + column/2, Y: chartHeight - 8, At: at})
		}
	}
	for i := range 3 {
		c.Lines = append(c.Lines, label{X: chartLeft, Y: chartHeight - chartFoot - i*plot/2, Text: number(top * i / 2)})
	}
	return c
}

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
