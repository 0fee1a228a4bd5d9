package preview

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"postern/internal/relay/parse/htmltext"
)

// kept are the elements that are copied, and as what.
var kept = map[string]string{
	"p": "p", "div": "div", "span": "span", "br": "br", "hr": "hr", "font": "span", "center": "div", "form": "div",
	"b": "b", "strong": "strong", "i": "i", "em": "em", "u": "u", "s": "s", "strike": "s", "del": "s", "ins": "u", "sub": "sub", "sup": "sup", "small": "small", "big": "span",
	"h1": "h1", "h2": "h2", "h3": "h3", "h4": "h4", "h5": "h5", "h6": "h6",
	"ul": "ul", "ol": "ol", "li": "li", "dl": "dl", "dt": "dt", "dd": "dd",
	"table": "table", "caption": "caption", "thead": "thead", "tbody": "tbody", "tfoot": "tfoot", "tr": "tr", "td": "td", "th": "th",
	"blockquote": "blockquote", "pre": "pre", "code": "code",
	"section": "div", "article": "div", "header": "div", "footer": "div", "main": "div", "address": "div", "fieldset": "div",
}

// dropped are the elements whose content is not text for a reader.
var dropped = map[string]bool{
	"script": true, "style": true, "template": true, "iframe": true, "object": true, "embed": true, "applet": true, "frame": true, "frameset": true,
	"noframes": true, "noembed": true, "xmp": true, "plaintext": true, "title": true, "audio": true, "video": true, "canvas": true, "map": true, "area": true,
	"base": true, "link": true, "meta": true, "param": true, "source": true, "track": true, "portal": true, "fencedframe": true, "datalist": true,
}

// attributes are those of an element that say how it is arranged.
func attributes(n *html.Node) (list []html.Attribute) {
	if class := classOf(n); class != "" {
		list = append(list, html.Attribute{Key: "class", Val: class})
	}
	switch n.Data {
	case "td", "th":
		for _, key := range []string{"colspan", "rowspan"} {
			if v, err := strconv.Atoi(attr(n, key)); err == nil && v > 1 && v <= maxRowSpan {
				list = append(list, html.Attribute{Key: key, Val: strconv.Itoa(v)})
			}
		}
	}
	if dir := strings.ToLower(attr(n, "dir")); dir == "rtl" || dir == "ltr" {
		list = append(list, html.Attribute{Key: "dir", Val: dir})
	}
	return list
}

// classOf is the one of our classes that an element gets.
func classOf(n *html.Node) string {
	switch {
	case hides(n):
		return "hidden"
	case n.Data == "form":
		return "form"
	case n.Data == "center", strings.EqualFold(attr(n, "align"), "center"), strings.Contains(compact(attr(n, "style")), "text-align:center"):
		return "center"
	case strings.EqualFold(attr(n, "align"), "right"), strings.Contains(compact(attr(n, "style")), "text-align:right"):
		return "right"
	}
	return ""
}

// hides reports whether the sender's own style keeps the element from its reader.
func hides(n *html.Node) bool {
	for _, a := range n.Attr {
		if a.Namespace == "" && (a.Key == "hidden" || a.Key == "style" && htmltext.Hides(a.Val)) {
			return true
		}
	}
	return false
}

func compact(s string) string {
	return strings.ReplaceAll(strings.ToLower(s[:min(len(s), 2000)]), " ", "")
}

func element(name string, attrs ...html.Attribute) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: name, Attr: attrs}
}

func text(s string) *html.Node { return &html.Node{Type: html.TextNode, Data: s} }

// note is a line in the place of something that is not shown.
func note(class, says string) *html.Node {
	n := element("span", html.Attribute{Key: "class", Val: class})
	n.AppendChild(text(clip(legible(says), 200)))
	return n
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == key {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

// inner is the text directly within an element.
func inner(n *html.Node) string {
	if n.FirstChild != nil && n.FirstChild.Type == html.TextNode {
		return n.FirstChild.Data
	}
	return ""
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
