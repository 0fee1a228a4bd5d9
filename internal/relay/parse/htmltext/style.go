package htmltext

import (
	"strconv"
	"strings"
)

// look is how text stands on the page, as far as the sender's own styles tell.
type look struct {
	hidden bool
	fg, bg string // colours as #rrggbb, "" if not set
}

// maxStyle bounds how much of one style attribute is read; longer ones are no
// longer written by any program for a purpose.
const maxStyle = 8 << 10

// style applies declarations of CSS to a look.
func (l *look) style(css string) {
	css = strings.ToLower(css[:min(len(css), maxStyle)])
	var clipped, zeroHeight bool
	for decl := range strings.SplitSeq(css, ";") {
		name, value, ok := strings.Cut(decl, ":")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		value = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "!important"))
		switch name {
		case "display":
			if value == "none" {
				l.hidden = true
			}
		case "visibility":
			l.hidden = l.hidden || value == "hidden" || value == "collapse"
		case "mso-hide":
			l.hidden = l.hidden || value == "all"
		case "opacity":
			f, err := strconv.ParseFloat(value, 64)
			l.hidden = l.hidden || err == nil && f <= 0.05
		case "font-size":
			l.hidden = l.hidden || tiny(value)
		case "overflow":
			clipped = clipped || value == "hidden"
		case "max-height", "height", "max-width", "width":
			zeroHeight = zeroHeight || tiny(value)
		case "text-indent", "left", "top", "margin-left", "margin-top":
			f, ok := number(value)
			l.hidden = l.hidden || ok && f <= -900
		case "color":
			l.fg = colour(value)
		case "background-color", "background":
			if c := colour(value); c != "" {
				l.bg = c
			}
		}
	}
	l.hidden = l.hidden || clipped && zeroHeight
}

// unseen reports whether text of this look cannot be read.
func (l *look) unseen() bool { return l.hidden || l.fg != "" && l.fg == l.bg }

// number reads the number at the start of a length.
func number(v string) (float64, bool) {
	end := 0
	for end < len(v) && (v[end] == '-' || v[end] == '+' || v[end] == '.' || v[end] >= '0' && v[end] <= '9') {
		end++
	}
	f, err := strconv.ParseFloat(v[:end], 64)
	return f, err == nil
}

// tiny reports a length of at most one pixel.
func tiny(v string) bool {
	f, ok := number(v)
	if !ok || f < 0 {
		return false
	}
	unit := strings.TrimLeft(v, "+-.0123456789")
	return f == 0 || f <= 1 && (strings.HasPrefix(unit, "px") || strings.HasPrefix(unit, "pt") || unit == "%")
}

var named = map[string]string{"white": "#ffffff", "black": "#000000", "red": "#ff0000", "green": "#008000", "blue": "#0000ff",
	"yellow": "#ffff00", "gray": "#808080", "grey": "#808080", "silver": "#c0c0c0", "transparent": ""}

// colour is a colour's one form, "" for those that say nothing.
func colour(v string) string {
	v = strings.TrimSpace(strings.ToLower(v))
	if !strings.HasPrefix(v, "rgb(") {
		v, _, _ = strings.Cut(v, " ")
	}
	if c, ok := named[v]; ok {
		return c
	}
	if strings.HasPrefix(v, "#") && len(v) == 4 {
		return "#" + strings.Repeat(v[1:2], 2) + strings.Repeat(v[2:3], 2) + strings.Repeat(v[3:4], 2)
	}
	if strings.HasPrefix(v, "#") && len(v) == 7 {
		return v
	}
	if strings.HasPrefix(v, "rgb(") {
		out := "#"
		for part := range strings.SplitSeq(strings.TrimSuffix(v[4:], ")"), ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil || n < 0 || n > 255 {
				return ""
			}
			out += string("0123456789abcdef"[n>>4]) + string("0123456789abcdef"[n&15])
		}
		return out
	}
	return ""
}

// Hides reports whether declarations of CSS keep text from a reader's eye.
func Hides(css string) bool {
	var l look
	l.style(css)
	return l.unseen()
}
