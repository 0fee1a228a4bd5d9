package admin

import (
	"fmt"
	"math"
	"strings"

	"postern/internal/mail"
)

// A Colour is sRGB, 0 to 1 each.
type Colour [3]float64

// Accents are a tenant's colour as the portal and its mail use it: against light
// and dark grounds, each with what is written upon it and a soft ground of its hue.
// Text of one upon the other has 4.5:1 or more (WCAG 2.2, 1.4.3).
type Accents struct {
	Light, Dark Accent
}

// An Accent is one of them, as "#rrggbb".
type Accent struct{ Main, Ink, Soft string }

const enoughContrast = 4.5

// Grounds that an accent is written on; the portal's stylesheet has them too.
var (
	lightGrounds = []string{"#f5f3ee", "#ffffff", "#faf8f4"}
	darkGrounds  = []string{"#111716", "#1a2221", "#202a28"}
)

// ParseColour reads "#rrggbb".
func ParseColour(s string) (c Colour, err error) {
	var r, g, b uint8
	s = strings.ToLower(strings.TrimSpace(s))
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &r, &g, &b); n != 3 || err != nil || len(s) != 7 {
		return c, mail.Refuse("colour %q is not of the form #rrggbb, such as #0b5f58", s)
	}
	return Colour{float64(r) / 255, float64(g) / 255, float64(b) / 255}, nil
}

// String is "#rrggbb".
func (c Colour) String() string {
	f := func(x float64) int { return int(math.Round(max(0, min(1, x)) * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", f(c[0]), f(c[1]), f(c[2]))
}

// luminance is the relative luminance of WCAG 2.2.
func (c Colour) luminance() float64 {
	f := func(x float64) float64 {
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*f(c[0]) + 0.7152*f(c[1]) + 0.0722*f(c[2])
}

// Contrast is the contrast ratio of two colours, 1 to 21.
func Contrast(a, b Colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// mix is c with a share of d.
func (c Colour) mix(d Colour, share float64) Colour {
	for i := range c {
		c[i] += (d[i] - c[i]) * share
	}
	return c
}

// legible moves c towards a pole until it can be read on every ground, and on a soft
// ground of its own.
func (c Colour) legible(grounds []string, pole Colour) Accent {
	for step := 0.0; ; step += 0.02 {
		d := c.mix(pole, min(step, 1))
		d, _ = ParseColour(d.String()) // as it will be written
		paper, _ := ParseColour(grounds[1])
		soft, _ := ParseColour(paper.mix(d, 0.12).String())
		good := Contrast(d, soft) >= enoughContrast
		for _, g := range grounds {
			ground, _ := ParseColour(g)
			good = good && Contrast(d, ground) >= enoughContrast
		}
		if good || step >= 1 {
			ink := Colour{1, 1, 1}
			if dark := (Colour{0.02, 0.05, 0.05}); Contrast(d, dark) > Contrast(d, ink) {
				ink = dark
			}
			return Accent{d.String(), ink.String(), soft.String()}
		}
	}
}

// AccentsOf makes the two variants of a colour. The error names the nearest colour
// that can be read, when this one is too light for white paper.
func AccentsOf(text string) (Accents, error) {
	c, err := ParseColour(text)
	if err != nil {
		return Accents{}, err
	}
	a := Accents{c.legible(lightGrounds, Colour{0, 0, 0}), c.legible(darkGrounds, Colour{1, 1, 1})}
	if a.Light.Main != c.String() {
		return a, mail.Refuse("text in %s cannot be read well on a light ground (4.5:1 is needed): %s is near it and can", c, a.Light.Main)
	}
	return a, nil
}
