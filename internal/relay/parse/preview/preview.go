package preview

import (
	"strings"

	"golang.org/x/net/html"

	"postern/internal/mail"
)

// A Document is what may be looked at.
type Document struct {
	Body   string `json:"body"`   // HTML of plain elements with our classes; "" if the message has none
	Loads  int    `json:"loads"`  // pictures, styles and others that the original would have fetched
	Active int    `json:"active"` // scripts, forms, frames and programs that were left out
	Hidden int    `json:"hidden"` // stretches of text that the original hides from its reader
	Cut    bool   `json:"cut"`    // there was more
}

// Bounds on what is shown; a letter has a hundredth of them.
const (
	maxHTML     = 2 << 20 // octets read of one part
	maxParts    = 3       // HTML parts shown, one below the other
	maxNodes    = 20_000
	maxDepth    = 60 // elements within each other; deeper ones lose their element, not their text
	maxBody     = 1 << 20
	maxAddress  = 160 // characters of a link's address
	maxRowSpan  = 100
	maxPictures = 12
)

// Of is the preview of a message that was parsed.
func Of(m *mail.Message) (doc Document) {
	defer func() { // a bug here must not keep the text from being read
		if recover() != nil {
			doc = Document{Cut: true}
		}
	}()
	c := &copier{pictures: picturesOf(m)}
	var b strings.Builder
	for i := range m.Parts {
		text, ok := htmlOf(&m.Parts[i])
		if !ok {
			continue
		}
		if c.parts++; c.parts > maxParts {
			c.doc.Cut = true
			break
		}
		b.WriteString(c.part(text))
	}
	c.doc.Body = b.String()
	if len(c.doc.Body) > maxBody {
		c.doc.Body, c.doc.Cut = "", true // never cut within markup
	}
	return c.doc
}

// HTML is the preview of one HTML text.
func HTML(text string) Document {
	c := &copier{}
	c.doc.Body = c.part(text)
	return c.doc
}

// copier makes the new tree.
type copier struct {
	doc      Document
	pictures map[string]mail.Part // by Content-ID
	drawn    int                  // pictures written so far
	parts    int
	nodes    int
}

func (c *copier) part(text string) string {
	if len(text) > maxHTML {
		text, c.doc.Cut = strings.ToValidUTF8(text[:maxHTML], ""), true
	}
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		c.doc.Cut = true
		return ""
	}
	out := element("div")
	c.children(out, root, 0)
	var b strings.Builder
	if err := html.Render(&b, out); err != nil {
		c.doc.Cut = true
		return ""
	}
	return allowList().Sanitize(b.String())
}

// children copies what is in from to the end of to.
func (c *copier) children(to, from *html.Node, depth int) {
	for n := from.FirstChild; n != nil; n = n.NextSibling {
		if c.nodes++; c.nodes > maxNodes {
			c.doc.Cut = true
			return
		}
		switch n.Type {
		case html.TextNode:
			to.AppendChild(text(legible(n.Data)))
		case html.ElementNode:
			c.element(to, n, depth)
		case html.DocumentNode:
			c.children(to, n, depth)
		}
	}
}

// element copies one element, or what stands for it. What is not named in kept,
// and not dealt with here, leaves its text only.
func (c *copier) element(to, n *html.Node, depth int) {
	if n.Namespace != "" { // SVG and MathML, where HTML's rules end
		c.doc.Active++
		to.AppendChild(note("picture", attr(n, "aria-label")))
		return
	}
	if attr(n, "background") != "" || strings.Contains(strings.ToLower(attr(n, "style")), "url(") {
		c.doc.Loads++
	}
	if dropped[n.Data] {
		c.countDropped(n)
		return
	}
	as, keep := kept[n.Data]
	switch n.Data {
	case "a":
		c.link(to, n, depth)
		return
	case "img", "image":
		to.AppendChild(c.picture(n))
		return
	case "input", "select", "textarea", "button":
		c.doc.Active++
		to.AppendChild(note("field", legible(firstOf(attr(n, "value"), attr(n, "placeholder"), inner(n)))))
		return
	case "form":
		c.doc.Active++
	}
	if hides(n) {
		c.doc.Hidden++
		if !keep {
			as, keep = "span", true
		}
	}
	if !keep || depth > maxDepth {
		c.children(to, n, depth+1)
		return
	}
	copied := element(as, attributes(n)...)
	to.AppendChild(copied)
	c.children(copied, n, depth+1)
}

// link is the text of a link, and where it leads as text.
func (c *copier) link(to, n *html.Node, depth int) {
	label := element("span", html.Attribute{Key: "class", Val: "link"})
	to.AppendChild(label)
	c.children(label, n, depth+1)
	if where := attr(n, "href"); where != "" {
		to.AppendChild(address(where))
	}
}

func (c *copier) countDropped(n *html.Node) {
	switch n.Data {
	case "script", "iframe", "object", "embed", "applet", "frame", "portal", "fencedframe":
		c.doc.Active++
	case "link", "style", "meta", "video", "audio", "base", "source", "track":
		if n.Data != "style" || strings.Contains(inner(n), "url(") || strings.Contains(inner(n), "@import") {
			c.doc.Loads++
		}
	}
}
