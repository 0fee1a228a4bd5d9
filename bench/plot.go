package main

import (
	"fmt"
	"strings"
)

// plot draws two bars for each peer: messages delivered a second, and CPU seconds
// for a thousand, each against the largest.
func (r *report) plot() string {
	const left, wide, high, gap = 130, 330, 16, 10
	var rate, cost float64
	for _, p := range peers() {
		if f, ok := r.median(p.name); ok {
			rate, cost = max(rate, f.Delivered), max(cost, f.CPU)
		}
	}
	var b strings.Builder
	y := 30
	text := func(x, y int, s string) { fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", x, y, s) }
	bar := func(x, y int, part float64, colour string) {
		fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"%d\" fill=\"%s\"/>\n", x, y, max(1, part*(wide-70)), high, colour)
	}
	text(left, 18, "delivered a second")
	text(left+wide, 18, "CPU seconds for 1,000")
	for _, p := range peers() {
		f, ok := r.median(p.name)
		if !ok {
			continue
		}
		text(4, y+high-3, p.name)
		bar(left, y, f.Delivered/rate, "#2f6f9f")
		text(left+8+int(f.Delivered/rate*(wide-70)), y+high-3, fmt.Sprintf("%.0f", f.Delivered))
		bar(left+wide, y, f.CPU/cost, "#b5651d")
		text(left+wide+8+int(f.CPU/cost*(wide-70)), y+high-3, fmt.Sprintf("%.2f", f.CPU))
		y += high + gap
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s</svg>\n", left+2*wide, y, b.String())
}
