package link

import (
	"bytes"
	"cmp"
	"strings"

	"golang.org/x/net/html"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

const (
	maxPage  = 1 << 20 // octets of one web page that are read
	maxPages = 20
)

// pages judges forms and addresses in web pages: the message's own, and those
// attached to it.
func (j *judge) pages() {
	n := 0
	for i := range j.msg.Parts {
		p := &j.msg.Parts[i]
		if !isPage(p) {
			continue
		}
		if n++; n > maxPages {
			return
		}
		data := p.Data[:min(len(p.Data), maxPage)]
		low := bytes.ToLower(data)
		attached := p.Disposition == "attachment" || p.Name != "" || strings.Contains(p.Path, "/")
		if bytes.Contains(low, []byte("<form")) || bytes.Contains(low, []byte("<input")) || attached && bytes.Contains(low, []byte("http-equiv")) {
			j.page(p, data, attached)
		}
	}
}

func isPage(p *mail.Part) bool {
	if p.Type == "text/html" || p.Sniffed == "text/html" || p.Type == "image/svg+xml" || p.Type == "application/xhtml+xml" {
		return true
	}
	low := strings.ToLower(p.Name)
	for _, e := range []string{".html", ".htm", ".shtml", ".xhtml", ".svg", ".shtm"} {
		if strings.HasSuffix(low, e) {
			return true
		}
	}
	return false
}

func (j *judge) page(p *mail.Part, data []byte, attached bool) {
	z := html.NewTokenizer(bytes.NewReader(data))
	z.SetMaxBuf(1 << 20)
	password, form := false, ""
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		name, more := z.TagName()
		tag := string(name)
		if tag != "form" && tag != "input" && tag != "meta" {
			continue
		}
		attrs := attributes(z, more)
		switch tag {
		case "form":
			form = attrs["action"]
		case "input":
			password = password || strings.EqualFold(attrs["type"], "password")
		case "meta":
			if attached && strings.EqualFold(attrs["http-equiv"], "refresh") && strings.Contains(strings.ToLower(attrs["content"]), "url=") {
				j.add("refresh", mail.Phish, 50, p.Path, "The attached page %s leads on to another one as soon as it is opened.", scan.Quote(cmp.Or(p.Name, p.Path)))
			}
		}
	}
	to, remote := scan.ParseTarget(form)
	sent := remote && form != ""
	where := to.Host
	if where == "" { // a mail that the browser writes, or a script
		where, _, _ = strings.Cut(to.Path, "?")
		where = scan.Quote(to.Scheme + ":" + where)
	}
	switch {
	case password && attached && sent:
		j.add("form.attached", mail.Phish, 70, p.Path, "The attached page %s asks for a password and sends it to %s.", scan.Quote(cmp.Or(p.Name, p.Path)), where)
	case password && attached:
		j.add("form.attached", mail.Phish, 70, p.Path, "The attached page %s asks for a password.", scan.Quote(cmp.Or(p.Name, p.Path)))
	case password && sent:
		j.add("form.password", mail.Phish, 50, p.Path, "The message itself asks for a password and sends it to %s.", where)
	case password:
		j.add("form.password", mail.Phish, 50, p.Path, "The message itself asks for a password.")
	case attached && sent:
		j.add("form.remote", mail.Phish, 30, p.Path, "The attached page %s sends what is typed into it to %s.", scan.Quote(cmp.Or(p.Name, p.Path)), where)
	}
}

// attributes are those of the tag at hand, in lower case, the first of each name.
func attributes(z *html.Tokenizer, more bool) map[string]string {
	m := make(map[string]string, 4)
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		if _, dup := m[string(k)]; !dup && len(m) < 50 {
			m[string(k)] = string(v)
		}
	}
	return m
}
