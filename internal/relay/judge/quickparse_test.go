package judge

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	stdmail "net/mail"
	"regexp"
	"strings"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/html"

	"postern/internal/mail"
)

// quickParse stands in for the parse stage in this package's tests, so that
// rates can be measured apart from it. It is enmime's reading and no more: no
// second reading, no limits.
func quickParse(octets []byte) *mail.Message {
	m := &mail.Message{}
	m.Header, _ = mail.SplitHeader(octets)
	m.Bulk = m.Header.First("List-Id") != "" || m.Header.First("List-Unsubscribe") != "" || strings.EqualFold(m.Header.First("Precedence"), "bulk")
	env, err := enmime.ReadEnvelope(bytes.NewReader(octets))
	if err != nil {
		return m
	}
	m.Subject = strings.Join(strings.Fields(env.GetHeader("Subject")), " ")
	m.From, m.ReplyTo, m.To = boxes(env, "From"), boxes(env, "Reply-To"), append(boxes(env, "To"), boxes(env, "Cc")...)
	var text strings.Builder
	n := 0
	env.Root.DepthMatchAll(func(p *enmime.Part) bool {
		if p.FirstChild != nil {
			return false
		}
		n++
		path := fmt.Sprint(n)
		m.Parts = append(m.Parts, unpack(path, p.FileName, p.ContentType, p.Disposition, p.Content, 0)...)
		switch p.ContentType {
		case "text/html":
			t, links := readHTML(p.Content, path)
			if p.FileName == "" || p.Disposition != "attachment" {
				text.WriteString(t + "\n")
			}
			m.Links = append(m.Links, links...)
		case "text/plain", "":
			if p.FileName == "" || p.Disposition != "attachment" {
				text.Write(p.Content)
				text.WriteByte('\n')
				for _, u := range bare.FindAllString(string(p.Content), 200) {
					m.Links = append(m.Links, mail.Link{URL: strings.TrimRight(u, ".,;:)>"), Kind: "text", Path: path})
				}
			}
		}
		return false
	})
	m.Text = text.String()
	return m
}

var bare = regexp.MustCompile(`https?://[^\s<>"']+`)

func boxes(env *enmime.Envelope, field string) []mail.Mailbox {
	raw := env.GetHeader(field)
	if raw == "" {
		return nil
	}
	list, err := enmime.ParseAddressList(raw)
	if err != nil {
		if a, e := stdmail.ParseAddress(raw); e == nil {
			return []mail.Mailbox{{Name: a.Name, Addr: a.Address}}
		}
		if i, j := strings.LastIndexByte(raw, '<'), strings.LastIndexByte(raw, '>'); i >= 0 && j > i {
			return []mail.Mailbox{{Name: strings.Trim(raw[:i], ` "`), Addr: raw[i+1 : j]}}
		}
		return []mail.Mailbox{{Addr: raw}}
	}
	var out []mail.Mailbox
	for _, a := range list {
		out = append(out, mail.Mailbox{Name: a.Name, Addr: a.Address})
	}
	return out
}

func unpack(path, name, mediaType, disposition string, data []byte, depth int) []mail.Part {
	p := mail.Part{Path: path, Reading: mail.Strict, Type: mediaType, Name: name, Disposition: disposition, Data: data, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	out := []mail.Part{p}
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) || depth > 3 {
		return out
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return out
	}
	out[0].Container = "zip"
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			out[0].Encrypted = true
			continue
		}
		r, err := f.Open()
		if err != nil {
			continue
		}
		inner, _ := io.ReadAll(io.LimitReader(r, 8<<20))
		r.Close()
		base := path + "/" + name
		if depth > 0 {
			base = path
		}
		out = append(out, unpack(base+"/"+f.Name, f.Name, "application/octet-stream", "", inner, depth+1)...)
	}
	return out
}

func readHTML(data []byte, path string) (string, []mail.Link) {
	var text strings.Builder
	var links []mail.Link
	z := html.NewTokenizer(bytes.NewReader(data))
	skip, open := 0, -1
	start := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return text.String(), links
		case html.TextToken:
			if skip == 0 {
				text.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			attr := func(k string) string {
				for _, a := range t.Attr {
					if a.Key == k {
						return a.Val
					}
				}
				return ""
			}
			switch t.Data {
			case "style", "script", "head", "title":
				if t.Type == html.StartTagToken {
					skip++
				}
			case "a", "area":
				if h := attr("href"); h != "" {
					links = append(links, mail.Link{URL: h, Kind: "href", Path: path})
					open, start = len(links)-1, text.Len()
				}
			case "form":
				if h := attr("action"); h != "" {
					links = append(links, mail.Link{URL: h, Kind: "form", Path: path})
				}
			case "img":
				if h := attr("src"); h != "" {
					links = append(links, mail.Link{URL: h, Kind: "img", Path: path})
				}
			case "br", "p", "div", "td", "tr", "li":
				text.WriteByte('\n')
			}
		case html.EndTagToken:
			switch t := z.Token(); t.Data {
			case "style", "script", "head", "title":
				skip = max(skip-1, 0)
			case "a":
				if open >= 0 {
					links[open].Text = strings.Join(strings.Fields(text.String()[start:]), " ")
					open = -1
				}
			}
		}
	}
}
