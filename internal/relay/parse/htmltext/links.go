package htmltext

import (
	"net/url"
	"strings"

	"golang.org/x/net/html/atom"

	"postern/internal/mail"
)

// links notes what a tag leads to.
func (x *extractor) links(tag atom.Atom, a attrs) {
	switch tag {
	case atom.Base:
		if x.base == nil && a.href != "" {
			x.base, _ = url.Parse(tidy(a.href))
		}
	case atom.A:
		x.endAnchor()
		if x.add(a.href, "", "href") {
			x.anchor = len(x.page.Links)
		}
	case atom.Area:
		x.add(a.href, a.alt, "href")
	case atom.Link:
		if !strings.Contains(strings.ToLower(a.rel), "stylesheet") {
			return
		}
		x.add(a.href, "", "img")
	case atom.Form, atom.Button, atom.Input:
		x.add(a.action, "", "form")
		if tag == atom.Input {
			x.add(a.src, a.alt, "img")
		}
	case atom.Img, atom.Image:
		if a.alt != "" && x.anchor > 0 && len(x.anchorText) == 0 {
			x.anchorText = append(x.anchorText, a.alt[:min(len(a.alt), maxAnchor)]...)
		}
		x.add(a.src, a.alt, "img")
		x.add(a.href, a.alt, "img")
	case atom.Meta:
		if strings.EqualFold(strings.TrimSpace(a.equiv), "refresh") {
			x.add(refresh(a.content), "", "refresh")
		}
	case atom.Iframe, atom.Frame, atom.Embed, atom.Object:
		x.add(a.src, "", "refresh")
	default:
		x.add(a.href, "", "href") // SVG and whatever else a client may follow
		x.add(a.src, "", "img")
		x.add(a.action, "", "form")
	}
}

// refresh is the address in the content of a meta refresh (HTML §4.2.5.3).
func refresh(content string) string {
	_, rest, ok := strings.Cut(content, ";")
	if !ok {
		_, rest, ok = strings.Cut(content, ",")
	}
	if !ok {
		return ""
	}
	rest = strings.TrimSpace(rest)
	if len(rest) > 3 && strings.EqualFold(rest[:3], "url") {
		rest = strings.TrimPrefix(strings.TrimSpace(rest[3:]), "=")
	}
	return strings.Trim(strings.TrimSpace(rest), `"'`)
}

func (x *extractor) add(raw, text, kind string) bool {
	raw = tidy(raw)
	if raw == "" || strings.HasPrefix(raw, "#") || strings.HasPrefix(raw, "cid:") {
		return false
	}
	if len(raw) > 5 && strings.EqualFold(raw[:5], "data:") && kind == "img" {
		return false
	}
	if len(x.page.Links) >= x.lim.Links {
		x.page.Cut = true
		return false
	}
	if x.base != nil {
		if u, err := url.Parse(raw); err == nil && !u.IsAbs() {
			raw = x.base.ResolveReference(u).String()
		}
	}
	x.page.Links = append(x.page.Links, mail.Link{URL: raw, Text: text, Kind: kind})
	return true
}

// tidy takes out of an address what browsers ignore in it: blanks around it, tabs
// and line ends anywhere (WHATWG URL §4.4).
func tidy(raw string) string {
	if raw == "" || raw[0] > ' ' && raw[len(raw)-1] > ' ' && !strings.ContainsAny(raw, "\t\r\n") {
		return raw
	}
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	if !strings.ContainsAny(raw, "\t\r\n") {
		return raw
	}
	return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(raw)
}

func (x *extractor) endAnchor() {
	if x.anchor > 0 && x.anchor <= len(x.page.Links) {
		x.page.Links[x.anchor-1].Text = strings.TrimSpace(string(x.anchorText))
	}
	x.anchor, x.anchorText = 0, nil
}
