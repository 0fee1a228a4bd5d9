package report

import (
	"fmt"
	"io"
	"time"

	"postern/internal/store"
)

// PDF writes the report as it is handed on: a title, the plots as vectors, tables,
// numbered pages.
func (rep *Report) PDF(w io.Writer, t Words, product string) error {
	p := newPaper(t)
	p.SetTitle(t("Mail report")+" – "+rep.Tenant.Name, true)
	p.SetAuthor(product, true)
	p.SetCreationDate(rep.Made)
	p.SetFooterFunc(func() {
		p.SetLineWidth(0.15)
		p.stroke("line")
		p.Line(edge, paperHigh-14, paperWide-edge, paperHigh-14)
		p.write(edge, paperHigh-12, inner*0.7, "L", "", typeSmall, "soft", rep.Tenant.Name+" · "+rep.between()+" · "+t("made on %s", rep.Made.Format("2006-01-02 15:04 UTC")))
		p.write(edge+inner*0.7, paperHigh-12, inner*0.3, "R", "", typeSmall, "soft", t("Page %s", fmt.Sprintf("%d / {pages}", p.PageNo())))
	})
	p.AddPage()
	y := rep.title(p, product)
	y = rep.tiles(p, y+6)
	y = rep.overview(p, y+9)
	y = rep.lists(p, y)
	y = rep.speed(p, y)
	rep.quarantine(p, y)
	return p.Output(w)
}

// between are the first and the last day.
func (rep *Report) between() string {
	return rep.Range.From.Format(time.DateOnly) + " – " + rep.Range.To.Add(-day).Format(time.DateOnly)
}

func (rep *Report) title(p *paper, product string) float64 {
	const high = 44.0
	p.fill("side")
	p.Rect(0, 0, paperWide, high, "F")
	p.fill("light")
	p.Rect(0, high, paperWide, 1.1, "F")
	p.write(edge, 11, inner, "L", "B", 10, "side-soft", product)
	p.write(edge, 18, inner, "L", "B", 22, "white", p.t("Mail report"))
	p.write(edge, 30, inner, "L", "", 12, "white", rep.Tenant.Name)
	p.write(edge, 30, inner, "R", "", 12, "white", rep.between())
	return high
}

// A Figure is one number that says much.
type Figure struct {
	Value, Label, Note string
	Kind               string // "good", "bad", "warn" or ""
}

// Figures are the report's first numbers.
func (rep *Report) Figures(t Words) []Figure {
	bad := Figure{Number(rep.Bad), t("spam, phishing, malware, suspicious"), t("%.1f %% of all", Share(rep.Bad, rep.All)), "bad"}
	if rep.Bad == 0 {
		bad.Kind = ""
	}
	return []Figure{
		{Number(rep.All), t("messages, by recipient"), t("%s a day", Number(rep.All/max(len(rep.Days), 1))), ""},
		bad,
		{Number(rep.Fates.Held), t("held in quarantine"), t("%d released by people, %d deleted", rep.Fates.Released, rep.Fates.Deleted), ""},
		{t("%.2f %%", rep.FalseAlarms()), t("estimate of false alarms"), t("good mail held, by what people released"), ""},
	}
}

// FalseAlarms estimates the share of good mail that was held: what people released,
// of that and all mail with a good verdict, in percent.
func (rep *Report) FalseAlarms() float64 {
	return Share(rep.Fates.Released, rep.Fates.Released+rep.Verdict["clean"]+rep.Verdict["bulk"])
}

func (rep *Report) tiles(p *paper, y float64) float64 {
	const high, gap = 28.0, 4.0
	figures := rep.Figures(p.t)
	wide := (inner - gap*float64(len(figures)-1)) / float64(len(figures))
	for i, f := range figures {
		x := edge + float64(i)*(wide+gap)
		p.fill("raised")
		p.stroke("line")
		p.SetLineWidth(0.2)
		p.RoundedRect(x, y, wide, high, 2, "1234", "FD")
		colour := f.Kind
		if colour == "" {
			colour = "ink"
		}
		p.write(x+3.5, y+3.5, wide-7, "L", "B", 17, colour, f.Value)
		p.SetXY(x+3.5, y+12)
		p.lines(x+3.5, y+12.5, wide-7, 7.5, "ink", f.Label)
		p.lines(x+3.5, y+19.5, wide-7, 6.8, "soft", f.Note)
	}
	return y + high
}

func (rep *Report) overview(p *paper, y float64) float64 {
	t := p.t
	y = p.head(edge, y, inner, t("Mail by day and verdict"), t("Each recipient's copy counts. Days are those of UTC."))
	plot := rep.Volume(t)
	if plot.Empty {
		return y + p.lines(edge, y, inner, typeText, "soft", t("No mail was judged in this time."))
	}
	y += p.keys(plot.Keys, edge, y, inner) + 1
	y += p.draw(plot, edge, y, inner) + 8
	y = p.head(edge, y, inner, t("Share of each verdict"), "")
	for _, s := range rep.Shares(t) {
		p.fill(s.Class)
		p.Rect(edge+s.From*inner/100, y, max(s.Width*inner/100, 0.3), 7, "F")
	}
	y += 10
	for i, s := range rep.Shares(t) {
		x := edge + float64(i%4)*inner/4
		p.write(x, y+float64(i/4)*5.5, inner/4, "L", "", typeSmall, "ink", fmt.Sprintf("%s  %.1f %%", s.Text, s.Percent))
	}
	return y + 17
}

func (rep *Report) lists(p *paper, y float64) float64 {
	t := p.t
	half := (inner - 8) / 2
	right := edge + half + 8
	note := ""
	if rep.Nameless > 0 {
		note = t("%d days are older than the trace is kept: their names are gone.", rep.Nameless)
	}
	y = p.room(y, 70)
	left := rep.ranked(p, edge, y, half, t("People most targeted"), t("By mail with a bad verdict."), rep.Targeted, true)
	other := rep.ranked(p, right, y, half, t("Domains that sent bad mail"), t("As the From field says."), rep.BadSites, true)
	y = p.room(max(left, other)+9, 70)
	left = rep.ranked(p, edge, y, half, t("Senders of bad mail"), "", rep.BadFrom, true)
	other = rep.ranked(p, right, y, half, t("Senders of all mail"), "", rep.Senders, false)
	y = p.room(max(left, other)+9, 70)
	rules := make([]store.Named, len(rep.Rules))
	for i, r := range rep.Rules {
		rules[i] = store.Named{Name: Rule(t, r.Name) + " (" + r.Name + ")", N: r.N, Bad: r.Bad}
	}
	y = rep.ranked(p, edge, y, inner, t("What spoke against bad mail"), t("Messages for which a rule counted; one message counts for several."), rules, true)
	if note != "" {
		y += p.lines(edge, y+2, inner, typeSmall, "soft", note) + 2
	}
	return y + 9
}

// ranked draws a list with a bar for each name.
func (rep *Report) ranked(p *paper, x, y, wide float64, title, below string, list []store.Named, bad bool) float64 {
	y = p.head(x, y, wide, title, below)
	if len(list) == 0 {
		return y + p.lines(x, y, wide, typeSmall, "soft", p.t("None in this time."))
	}
	most := 0
	for _, n := range list {
		most = max(most, count(n, bad))
	}
	for _, n := range list {
		class := "v-clean"
		if bad {
			class = "v-phish"
		}
		p.write(x, y, wide*0.62, "L", "", typeSmall, "ink", n.Name)
		p.fill(class)
		p.Rect(x+wide*0.65, y+0.7, max(wide*0.2*float64(count(n, bad))/float64(most), 0.3), 2.4, "F")
		p.write(x+wide*0.86, y, wide*0.14, "R", "", typeSmall, "ink", Number(count(n, bad)))
		y += 5.2
		p.SetLineWidth(0.1)
		p.stroke("line")
		p.Line(x, y-0.6, x+wide, y-0.6)
	}
	return y
}

func count(n store.Named, bad bool) int {
	if bad {
		return n.Bad
	}
	return n.N
}

func (rep *Report) speed(p *paper, y float64) float64 {
	t := p.t
	for _, part := range []struct {
		title, below string
		of           func(Day) store.Spread
		all          store.Spread
	}{
		{t("Time until a message was judged"), t("From its arrival to the verdict. Half of all took no longer than p50, 99 of 100 no longer than p99."), Judging, rep.Judging},
		{t("Time until a message was delivered"), t("From its arrival to the mailbox server's answer, without mail that was held."), Passing, rep.Passing},
	} {
		y = p.room(y, 75)
		y = p.head(edge, y, inner, part.title, part.below)
		plot := rep.Latency(part.of)
		if plot.Empty {
			y += p.lines(edge, y, inner, typeText, "soft", t("No mail was judged in this time.")) + 8
			continue
		}
		for i := range plot.Keys {
			plot.Keys[i].Text += "  " + Brief(part.all.Quantile(quantiles[i].Q))
		}
		y += p.keys(plot.Keys, edge, y, inner) + 1
		y += p.draw(plot, edge, y, inner) + 9
	}
	return y
}

func (rep *Report) quarantine(p *paper, y float64) float64 {
	t := p.t
	y = p.room(y, 65)
	y = p.head(edge, y, inner, t("Quarantine"), t("What became of held mail that arrived in this time. Half of what people released or deleted waited no longer than %s.", Brief(rep.Handled.Quantile(0.5))))
	columns := []string{t("Verdict"), t("Held"), t("Released"), t("Deleted"), t("Expired")}
	wide := inner / float64(len(columns))
	p.fill("raised")
	p.Rect(edge, y-0.8, inner, 6, "F")
	line := func(cells []string, style, colour string) {
		for i, c := range cells {
			align := "R"
			if i == 0 {
				align = "L"
			}
			p.write(edge+1.5+float64(i)*wide, y, wide-3, align, style, typeSmall, colour, c)
		}
		y += 5.6
		p.SetLineWidth(0.1)
		p.stroke("line")
		p.Line(edge, y-0.8, paperWide-edge, y-0.8)
	}
	line(columns, "B", "soft")
	for _, v := range Verdicts {
		if f, ok := rep.Held[v]; ok {
			line([]string{t(string(v)), Number(f.Held), Number(f.Released), Number(f.Deleted), Number(f.Expired)}, "", "ink")
		}
	}
	f := rep.Fates
	line([]string{t("All"), Number(f.Held), Number(f.Released), Number(f.Deleted), Number(f.Expired)}, "B", "ink")
	w := rep.Wrong
	return y + p.lines(edge, y+2, inner, typeSmall, "soft", t("People reported %d messages as wanted that were held, %d as bad that were let through, and %d as held for the wrong reason.", w.FalsePositives, w.FalseNegatives, w.OtherClass))
}
