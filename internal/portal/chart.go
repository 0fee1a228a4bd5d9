package portal

import (
	"context"
	"time"

	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

// verdictsInOrder stack from the harmless to the worst.
var verdictsInOrder = report.Verdicts

const (
	dayHours  = 24
	weekHours = 7 * 24
	weekStep  = 6 // hours in a column of a week's plot
)

// lastDay are a week's volumes without those before the last 24 hours.
func lastDay(week []store.Volume, now time.Time) []store.Volume {
	begin := now.Truncate(time.Hour).Add(-(dayHours - 1) * time.Hour)
	for i, v := range week { // in the order of time
		if !v.At.Before(begin) {
			return week[i:]
		}
	}
	return nil
}

// draw makes the overview's plot: hours of a day, or quarters of a week's days.
func (page *dashboardPage) draw(week, today []store.Volume, now time.Time) {
	t, volumes, hours, step := page.T, today, dayHours, 1
	if page.Week {
		volumes, hours, step = week, weekHours, weekStep
	}
	begin := now.UTC().Truncate(time.Hour).Add(-time.Duration(hours-1) * time.Hour)
	columns := make([]report.Stack, hours/step)
	for i := range columns {
		at := begin.Add(time.Duration(i*step) * time.Hour)
		columns[i] = report.Stack{At: at, N: map[mail.Verdict]int{}, Query: "since=" + at.Format("2006-01-02T15:04") + "&until=" + at.Add(time.Duration(step)*time.Hour).Format("2006-01-02T15:04")}
		switch {
		case page.Week && at.Hour() < weekStep:
			columns[i].Label = at.Format("01-02")
		case !page.Week && i%4 == 1:
			columns[i].Label, columns[i].Timed = at.Format("15:04"), true
		}
	}
	sums := map[mail.Verdict]int{}
	for _, v := range volumes {
		i := int(v.At.Sub(begin)/time.Hour) / step
		if v.Verdict == "" || v.At.Before(begin) || i >= len(columns) {
			continue
		}
		columns[i].N[v.Verdict] += v.N
		sums[v.Verdict] += v.N
	}
	page.Chart, page.Shares = report.Stacked(t, columns), report.Shares(t, sums)
	for _, c := range columns {
		row := dayRow{Day: c.At.Format("2006-01-02 15:04")}
		for _, k := range page.Chart.Keys {
			row.N = append(row.N, c.N[k.Verdict])
			row.All += c.N[k.Verdict]
		}
		if row.All > 0 {
			page.Table = append(page.Table, row)
		}
	}
}

// targeted are the people at whom most bad mail of the last week was aimed.
func (p *Portal) targeted(ctx context.Context, tenant, base string) ([]rankedRow, error) {
	rep, err := report.Build(ctx, p.Store, mail.Tenant{ID: tenant}, report.LastDays(7, p.now()), p.now())
	if err != nil {
		return nil, err
	}
	rows := rankedRows(rep.Targeted, true, "v-phish", func(name string) string { return traceOf(base, "to", name) })
	return rows[:min(len(rows), 5)], nil
}
