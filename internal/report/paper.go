package report

import (
	"strings"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// colours are the light theme's tokens of portal.css.
var colours = map[string][3]int{
	"ink": {28, 35, 33}, "soft": {90, 98, 94}, "line": {220, 216, 206}, "raised": {250, 248, 244}, "side": {18, 56, 52}, "side-soft": {169, 194, 188},
	"light": {240, 180, 76}, "white": {255, 255, 255}, "good": {23, 105, 63}, "warn": {133, 81, 10}, "bad": {163, 34, 43}, "accent": {11, 95, 88},
	"v-clean": {47, 143, 91}, "v-bulk": {125, 143, 138}, "v-unjudged": {163, 157, 144}, "v-suspicious": {217, 161, 59}, "v-spam": {207, 122, 44},
	"v-phish": {194, 67, 75}, "v-malware": {123, 34, 67}, "q-50": {11, 95, 88}, "q-95": {207, 122, 44}, "q-99": {163, 34, 43},
}

// Sizes of the paper in millimetres (A4), and of type in points.
const (
	paperWide, paperHigh = 210.0, 297.0
	edge                 = 16.0
	inner                = paperWide - 2*edge
	typeSmall, typeText  = 8.0, 9.5
	typeHead             = 12.5
)

// paper draws on pages.
type paper struct {
	*fpdf.Fpdf
	t Words
}

func newPaper(t Words) *paper {
	p := &paper{fpdf.New("P", "mm", "A4", ""), t}
	p.AddUTF8FontFromBytes("Go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("Go", "B", gobold.TTF)
	p.SetMargins(edge, edge, edge)
	p.SetAutoPageBreak(false, edge)
	p.SetCellMargin(0)
	p.AliasNbPages("{pages}")
	return p
}

func (p *paper) fill(name string)   { c := colours[name]; p.SetFillColor(c[0], c[1], c[2]) }
func (p *paper) stroke(name string) { c := colours[name]; p.SetDrawColor(c[0], c[1], c[2]) }

// write puts one line at a place; style is "" or "B".
func (p *paper) write(x, y, wide float64, align, style string, size float64, colour, text string) {
	p.SetFont("Go", style, size)
	c := colours[colour]
	p.SetTextColor(c[0], c[1], c[2])
	p.SetXY(x, y)
	p.CellFormat(wide, size*0.45, p.fit(text, wide), "", 0, align, false, 0, "")
}

// fit shortens a text to a width in the font that is set.
func (p *paper) fit(s string, wide float64) string {
	s = printable(s)
	if p.GetStringWidth(s) <= wide {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && p.GetStringWidth(string(r)+"…") > wide {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// printable keeps what the fonts have and what does not hide or turn a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u00a0', r == '…', r == '–', r == '→', r == '≤', r == '·', r == '€':
			return r
		case r > 0x52f, unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return '?'
		}
		return r
	}, s)
}

// draw puts a plot into a box of that width and returns its height.
func (p *paper) draw(plot *Plot, x, y, wide float64) float64 {
	k := wide / plot.Width
	p.SetLineWidth(0.15)
	p.stroke("line")
	for _, r := range plot.Rows {
		p.Line(x+plot.Left*k, y+r.At*k, x+wide, y+r.At*k)
		p.write(x, y+r.At*k-1.6, plot.Left*k-1.5, "R", "", 7, "soft", r.Text)
	}
	for _, b := range plot.Bars {
		p.fill(b.Class)
		p.Rect(x+b.X*k, y+b.Y*k, b.W*k, b.H*k, "F")
	}
	p.SetLineWidth(0.5)
	for _, c := range plot.Curves {
		p.stroke(c.Class)
		p.fill(c.Class)
		for i, to := range c.Points {
			if i > 0 {
				from := c.Points[i-1]
				p.Line(x+from.X*k, y+from.Y*k, x+to.X*k, y+to.Y*k)
			}
			p.Circle(x+to.X*k, y+to.Y*k, 0.55, "F")
		}
	}
	for _, c := range plot.Columns {
		p.write(x+c.At*k-8, y+plot.Base()*k+1.2, 16, "C", "", 7, "soft", c.Text)
	}
	return plot.Height * k
}

// keys puts a plot's legend on one line, or more, and returns their height.
func (p *paper) keys(keys []Key, x, y, wide float64) float64 {
	at, line := x, 0.0
	for _, key := range keys {
		text := key.Text
		if key.N > 0 {
			text += "  " + Number(key.N)
		}
		p.SetFont("Go", "", typeSmall)
		w := p.GetStringWidth(text) + 4 + 6
		if at+w > x+wide && at > x {
			at, line = x, line+5
		}
		p.fill(key.Class)
		p.RoundedRect(at, y+line+0.4, 2.8, 2.8, 0.6, "1234", "F")
		p.write(at+4, y+line, w-4, "L", "", typeSmall, "ink", text)
		at += w
	}
	return line + 5
}

// room begins a new page when what follows would not fit on this one.
func (p *paper) room(y, high float64) float64 {
	if y+high < paperHigh-16 {
		return y
	}
	p.AddPage()
	return edge
}

// head writes a section's heading and returns where it ends.
func (p *paper) head(x, y, wide float64, title, below string) float64 {
	p.write(x, y, wide, "L", "B", typeHead, "ink", title)
	y += 6
	if below != "" {
		y += p.lines(x, y, wide, typeSmall, "soft", below) + 1
	}
	return y + 1
}

// lines writes a text over as many lines as it needs and returns their height.
func (p *paper) lines(x, y, wide, size float64, colour, text string) float64 {
	p.SetFont("Go", "", size)
	c := colours[colour]
	p.SetTextColor(c[0], c[1], c[2])
	p.SetXY(x, y)
	p.MultiCell(wide, size*0.47, printable(text), "", "L", false)
	return p.GetY() - y
}
