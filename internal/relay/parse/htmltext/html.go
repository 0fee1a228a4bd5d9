package htmltext

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"postern/internal/mail"
)

// Limits bound what Extract keeps.
type Limits struct {
	Text  int // octets of visible text
	Links int
}

const (
	maxToken    = 4 << 20 // octets of one tag, comment or script; beyond it reading stops
	maxStack    = 512     // open elements that are remembered
	maxAnchor   = 1024    // octets of a link's text
	maxURL      = 16 << 10
	maxSearch   = 64 // open elements that an end tag looks back through
	maxHidden   = 64 << 10
	maxAttrs    = 256 // attributes of one tag that are read
	smallEnough = 24  // attribute names longer than this are none of ours
)

// Page is what Extract found.
type Page struct {
	Text   string
	Hidden string // what the sender hid, the first 64 KiB
	Unseen int    // octets of hidden text in all
	Links  []mail.Link
	Cut    bool // a limit was reached
}

// Extract reads an HTML text in UTF-8.
func Extract(src []byte, lim Limits) Page {
	x := extractor{lim: lim, z: html.NewTokenizer(bytes.NewReader(src)), text: make([]byte, 0, min(len(src)/3, lim.Text)), stack: make([]element, 0, 32)}
	x.page.Links = make([]mail.Link, 0, min(len(src)/256, 64))
	x.z.SetMaxBuf(maxToken)
	for {
		switch x.z.Next() {
		case html.ErrorToken:
			if x.z.Err() == html.ErrBufferExceeded {
				x.page.Cut = true
			}
			x.endAnchor()
			x.page.Text = strings.TrimSpace(string(x.text))
			x.page.Hidden = strings.TrimSpace(string(x.hidden))
			return x.page
		case html.TextToken:
			x.chars(x.z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			x.start()
		case html.EndTagToken:
			name, _ := x.z.TagName()
			x.end(atom.Lookup(name), name)
		}
	}
}

type element struct {
	tag  atom.Atom
	look look
}

type extractor struct {
	lim    Limits
	z      *html.Tokenizer
	page   Page
	text   []byte
	hidden []byte
	stack  []element
	deep   int // open elements beyond maxStack
	base   *url.URL
	silent int  // inside how many elements whose content is no text
	space  bool // a blank is due before the next word
	line   bool // text ends with a line end

	anchor     int // index in page.Links plus 1 of the open <a>
	anchorText []byte
}

func (x *extractor) now() look {
	if len(x.stack) == 0 {
		return look{}
	}
	return x.stack[len(x.stack)-1].look
}

func (x *extractor) chars(b []byte) {
	if x.silent > 0 {
		return
	}
	l := x.now()
	if l.unseen() {
		b = bytes.TrimSpace(b)
		x.page.Unseen += len(b)
		if len(x.hidden) < maxHidden && len(b) > 0 {
			x.hidden = append(append(x.hidden, b[:min(len(b), maxHidden-len(x.hidden))]...), ' ')
		}
		return
	}
	for len(b) > 0 {
		i := bytes.IndexAny(b, " \t\r\n\f")
		word := b
		if i >= 0 {
			word, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if len(word) > 0 {
			x.word(word)
		}
		if i >= 0 {
			x.space = true
		}
	}
}

func (x *extractor) word(w []byte) {
	if len(x.text)+len(w) >= x.lim.Text {
		x.page.Cut = true
		return
	}
	if x.space && !x.line && len(x.text) > 0 {
		x.text = append(x.text, ' ')
	}
	x.text = append(x.text, w...)
	if x.anchor > 0 && len(x.anchorText) < maxAnchor {
		if x.space && len(x.anchorText) > 0 {
			x.anchorText = append(x.anchorText, ' ')
		}
		x.anchorText = append(x.anchorText, w[:min(len(w), maxAnchor-len(x.anchorText))]...)
	}
	x.space, x.line = false, false
}

func (x *extractor) newline() {
	if !x.line && len(x.text) > 0 && len(x.text) < x.lim.Text {
		x.text = append(x.text, '\n')
	}
	x.line, x.space = true, x.anchor > 0
}

// attrs are the attributes of one tag that matter here.
type attrs struct{ href, src, action, alt, style, color, bg, rel, equiv, content, kind string }

func (x *extractor) readAttrs() (a attrs, hidden bool) {
	for n := 0; ; n++ {
		key, val, more := x.z.TagAttr()
		if len(key) <= smallEnough && n < maxAttrs {
			set := func(dst *string) {
				if *dst == "" { // the first of equal attributes counts (HTML §13.2.5.33)
					*dst = string(val[:min(len(val), maxURL)])
				}
			}
			switch string(key) {
			case "href", "xlink:href":
				set(&a.href)
			case "src", "background", "data", "poster":
				set(&a.src)
			case "action", "formaction":
				set(&a.action)
			case "alt":
				set(&a.alt)
			case "style":
				set(&a.style)
			case "color":
				set(&a.color)
			case "bgcolor":
				set(&a.bg)
			case "http-equiv":
				set(&a.equiv)
			case "content":
				set(&a.content)
			case "hidden":
				hidden = true
			case "rel":
				set(&a.rel)
			case "type":
				set(&a.kind)
			}
		}
		if !more || n > 100*maxAttrs {
			return a, hidden
		}
	}
}

func (x *extractor) start() {
	name, hasAttr := x.z.TagName()
	tag := atom.Lookup(name)
	var a attrs
	x.closeImplied(tag)
	l := x.now()
	if hasAttr {
		var hidden bool
		a, hidden = x.readAttrs()
		l.hidden = l.hidden || hidden && tag != atom.Input
		if c := colour(a.color); c != "" {
			l.fg = c
		}
		if c := colour(a.bg); c != "" {
			l.bg = c
		}
		if a.style != "" {
			l.style(a.style)
		}
	}
	if block[tag] {
		x.newline()
	}
	x.links(tag, a)
	if void[tag] {
		return
	}
	if quiet[tag] {
		x.silent++
	}
	if len(x.stack) < maxStack {
		x.stack = append(x.stack, element{tag, l})
	} else {
		x.deep++
	}
}

func (x *extractor) end(tag atom.Atom, name []byte) {
	if tag == atom.A {
		x.endAnchor()
	}
	if block[tag] {
		x.newline()
	}
	if tag == 0 && len(name) == 0 || void[tag] {
		return
	}
	if x.deep > 0 {
		x.deep--
		if quiet[tag] && x.silent > 0 {
			x.silent--
		}
		return
	}
	for i := len(x.stack) - 1; i >= 0 && i >= len(x.stack)-maxSearch; i-- {
		if x.stack[i].tag == tag {
			x.cut(i)
			return
		}
	}
}

// cut closes every element from the i-th on.
func (x *extractor) cut(i int) {
	for _, e := range x.stack[i:] {
		if quiet[e.tag] && x.silent > 0 {
			x.silent--
		}
	}
	x.stack = x.stack[:i]
}

// closeImplied ends the elements whose end tag may be left out (HTML §13.1.2.4).
func (x *extractor) closeImplied(tag atom.Atom) {
	if len(x.stack) == 0 {
		return
	}
	top := x.stack[len(x.stack)-1].tag
	switch {
	case top == atom.P && block[tag],
		top == atom.Li && tag == atom.Li,
		top == atom.Option && tag == atom.Option,
		(top == atom.Td || top == atom.Th) && (tag == atom.Td || tag == atom.Th || tag == atom.Tr),
		(top == atom.Dt || top == atom.Dd) && (tag == atom.Dt || tag == atom.Dd),
		top == atom.Tr && tag == atom.Tr,
		top == atom.Head && tag == atom.Body:
		x.cut(len(x.stack) - 1)
		x.closeImplied(tag)
	}
}

var (
	void  = set(atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta, atom.Source, atom.Track, atom.Wbr, atom.Param)
	quiet = set(atom.Script, atom.Style, atom.Title, atom.Template)
	block = set(atom.P, atom.Div, atom.Br, atom.Hr, atom.Tr, atom.Li, atom.Ul, atom.Ol, atom.Table, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6,
		atom.Blockquote, atom.Pre, atom.Center, atom.Form, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Dt, atom.Dd, atom.Body, atom.Option, atom.Address)
)

func set(tags ...atom.Atom) map[atom.Atom]bool {
	m := make(map[atom.Atom]bool, len(tags))
	for _, t := range tags {
		m[t] = true
	}
	return m
}
