package preview

import (
	"bytes"
	"encoding/base64"
	"image"
	_ "image/gif" // pictures that mail carries
	_ "image/jpeg"
	"image/png"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
)

const (
	maxPicture = 4 << 20 // octets of a picture as it came
	maxSide    = 4000    // pixels of its width and height
	maxShown   = 480     // pixels of either as it is shown
	maxDrawn   = 600_000 // octets of all pictures as they are written
)

// htmlOf is the text of a part that readers show as HTML.
func htmlOf(p *mail.Part) (string, bool) {
	if p.Reading != mail.Strict || p.Disposition == "attachment" || strings.Contains(p.Path, "/") {
		return "", false
	}
	if p.Type != "text/html" && p.Type != "application/xhtml+xml" {
		return "", false
	}
	s, _ := charset.Decode(p.Charset, p.Data[:min(len(p.Data), maxHTML)])
	return s, true
}

// picturesOf are the parts that HTML of the same message can name.
func picturesOf(m *mail.Message) map[string]mail.Part {
	byID := map[string]mail.Part{}
	for _, p := range m.Parts {
		if p.ContentID != "" && !p.Truncated && len(p.Data) <= maxPicture && strings.HasPrefix(p.Sniffed, "image/") && !strings.Contains(p.Path, "/") {
			byID[p.ContentID] = p
		}
	}
	return byID
}

// picture is a picture that the message carries, written anew, or its description.
func (c *copier) picture(n *html.Node) *html.Node {
	src := attr(n, "src")
	says := firstOf(attr(n, "alt"), attr(n, "title"))
	if len(src) > 4 && strings.EqualFold(src[:4], "cid:") && c.drawn < maxPictures {
		if part, ok := c.pictures[strings.Trim(src[4:], "<>")]; ok {
			if drawn, w, h := redraw(part.Data); drawn != "" && len(drawn) <= maxDrawn/maxPictures*2 {
				c.drawn++
				return element("img", html.Attribute{Key: "src", Val: "data:image/png;base64," + drawn},
					html.Attribute{Key: "alt", Val: clip(legible(says), 200)},
					html.Attribute{Key: "width", Val: strconv.Itoa(w)}, html.Attribute{Key: "height", Val: strconv.Itoa(h)})
			}
		}
	} else if src != "" && !strings.HasPrefix(strings.ToLower(src), "data:") || attr(n, "srcset") != "" {
		c.doc.Loads++
	}
	return note("picture", says)
}

// redraw reads a picture and writes its pixels as PNG, smaller if it is large: what
// else the file holds does not survive. It is "" if it cannot be read.
func redraw(data []byte) (encoded string, width, height int) {
	conf, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || conf.Width <= 0 || conf.Height <= 0 || conf.Width > maxSide || conf.Height > maxSide {
		return "", 0, 0
	}
	from, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", 0, 0
	}
	step := max(1, (max(conf.Width, conf.Height)+maxShown-1)/maxShown)
	b := from.Bounds()
	to := image.NewNRGBA(image.Rect(0, 0, max(1, b.Dx()/step), max(1, b.Dy()/step)))
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			to.Set(x, y, from.At(b.Min.X+x*step, b.Min.Y+y*step))
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, to); err != nil {
		return "", 0, 0
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), to.Rect.Dx(), to.Rect.Dy()
}
