// Package link judges where a message leads its reader: what a link shows against
// where it goes, addresses written to deceive, code in place of an address, forms
// that ask for passwords, and QR codes. It opens no link.
package link

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Scanner looks at links, web pages and pictures. The zero value works.
type Scanner struct{}

// Name is part of scan.Scanner.
func (*Scanner) Name() string { return "link" }

const (
	maxLinks  = 500 // of one message that are judged
	maxUnwrap = 4   // redirectors in one another
)

// Scan is part of scan.Scanner.
func (*Scanner) Scan(ctx context.Context, msg *mail.Message, about scan.About) ([]mail.Finding, error) {
	j := newJudge(msg, about)
	for i, l := range msg.Links {
		if i%64 == 0 && ctx.Err() != nil {
			return j.found, ctx.Err()
		}
		if i == maxLinks {
			break
		}
		j.link(l)
	}
	j.pages()
	err := j.codes(ctx)
	return j.found, err
}

// judge gathers findings; each rule is kept once, with its highest score.
type judge struct {
	msg   *mail.Message
	about scan.About
	org   string      // of the sender
	bait  func() bool // the text asks for what phishing asks for; found out when a link makes it matter
	at    map[string]int
	found []mail.Finding
}

func newJudge(msg *mail.Message, about scan.About) *judge {
	j := &judge{msg: msg, about: about, at: make(map[string]int)}
	if len(msg.From) > 0 {
		j.org = scan.Organization(mail.DomainOf(msg.From[0].Addr))
	}
	j.bait = sync.OnceValue(func() bool { return asks(about.Folded(msg)) })
	return j
}

// add keeps a finding. Of the same rule only the weightiest stays: a hundred bad
// links in one message are one message with bad links.
func (j *judge) add(rule string, class mail.Verdict, score int, where, format string, a ...any) {
	f := mail.Finding{Rule: "link." + rule, Class: class, Score: score, Where: where, Detail: fmt.Sprintf(format, a...)}
	if i, ok := j.at[rule]; ok {
		if j.found[i].Score < score {
			j.found[i] = f
		}
		return
	}
	j.at[rule] = len(j.found)
	j.found = append(j.found, f)
}

// link judges one link and what is wrapped in it.
func (j *judge) link(l mail.Link) {
	raw := l.URL
	for depth := range maxUnwrap {
		t, ok := scan.ParseTarget(raw)
		if !ok {
			return
		}
		if !j.scheme(t, l) {
			return
		}
		inner, protector := unwrap(t)
		if inner == "" || depth == maxUnwrap-1 {
			j.target(t, raw, l, depth > 0)
			return
		}
		if !protector && l.Kind != "img" {
			j.redirect(t, inner, l)
		}
		raw = inner
	}
}

// scheme judges what is no address of a page; it returns whether t is one.
func (j *judge) scheme(t scan.Target, l mail.Link) bool {
	switch t.Scheme {
	case "http", "https", "ftp":
		return true
	case "data":
		low := strings.ToLower(t.Path[:min(len(t.Path), 200)])
		if l.Kind != "img" && (strings.Contains(low, "html") || strings.Contains(low, "script") || strings.Contains(low, "svg")) {
			j.add("data", mail.Phish, 60, l.Path, "A link holds a whole web page in itself instead of an address, so that no filter can look it up.")
		}
	case "javascript", "vbscript":
		if strings.TrimSpace(strings.Trim(strings.ToLower(t.Path), ";")) != "" && !harmless(t.Path) {
			j.add("script", mail.Phish, 40, l.Path, "A link runs program code (%s:) instead of leading to an address.", t.Scheme)
		}
	case "file":
		if strings.HasPrefix(strings.TrimLeft(t.Path, "/"), "") && strings.HasPrefix(t.Path, "//") && !strings.HasPrefix(t.Path, "///") {
			j.add("file", mail.Suspicious, 50, l.Path, "A link makes Windows connect to a foreign server (file:).")
		}
	case "search-ms", "ms-msdt", "ms-officecmd", "ms-appinstaller", "search":
		j.add("handler", mail.Malware, 60, l.Path, "A link starts a Windows program (%s:).", t.Scheme)
	}
	return false
}

// harmless are the scripts of pages that were mailed from a browser.
func harmless(code string) bool {
	low := strings.ToLower(strings.Join(strings.Fields(code), ""))
	for _, p := range []string{"void(0)", "//", "window.close", "window.print", "history.", "popup", "openwin", "window.open", "newwindow", "self.close"} {
		if strings.Contains(low, p) {
			return true
		}
	}
	return false
}

// target judges an address. raw is how it is written, inner whether it was
// wrapped in another one.
func (j *judge) target(t scan.Target, raw string, l mail.Link, inner bool) {
	if l.Kind == "img" {
		return
	}
	j.address(t, raw, l)
	j.text(t, l, inner)
	j.host(t, l)
	j.recipient(raw, l)
}

// address judges how the address is written.
func (j *judge) address(t scan.Target, raw string, l mail.Link) {
	switch {
	case t.User != "" && strings.Contains(t.User, "."):
		j.add("userinfo", mail.Phish, 60, l.Path, "A link pretends to lead to %s, but leads to %s: what stands before “@” is not the address.", scan.Quote(t.User), t.Host)
	case t.User != "":
		j.add("user", mail.Phish, 25, l.Path, "A link to %s carries a user name before the address.", t.Host)
	}
	if t.IP.IsValid() && !t.IP.IsPrivate() && !t.IP.IsLoopback() {
		if strings.Contains(raw, t.Host) {
			j.add("ip", mail.Phish, 30, l.Path, "A link leads to a bare IP address (%s) instead of a name.", t.Host)
		} else {
			j.add("ip.disguised", mail.Phish, 60, l.Path, "A link leads to an IP address (%s) that is written so as not to look like one.", t.Host)
		}
	}
	if labels := strings.Count(t.Host, ".") + 1; !t.IP.IsValid() && (labels >= 7 || len(t.Host) > 100) {
		j.add("long", mail.Phish, 20, l.Path, "A link leads to a host with a very long name (%s), of which little is shown.", scan.Quote(t.Host))
	}
	if strings.Contains(raw, `\`) && strings.HasPrefix(strings.ToLower(raw), "http") && !strings.Contains(raw, `\n`) {
		j.add("backslash", mail.Phish, 15, l.Path, "A link is written with backslashes, which filters and browsers read differently.")
	}
}

// text judges a link whose text is another address than its target.
func (j *judge) text(t scan.Target, l mail.Link, inner bool) {
	if l.Kind != "href" || l.Text == "" {
		return
	}
	shown := addressIn(l.Text)
	if shown == "" {
		return
	}
	org := scan.Organization(shown)
	if t.IP.IsValid() && shown == t.Host || org == scan.Organization(t.Host) {
		return
	}
	ours := scan.Within(shown, j.about.Domains) || scan.Within(shown, j.about.Protected)
	switch {
	case ours:
		j.add("text.own", mail.Phish, 60, l.Path, "A link shows %s, but leads to %s.", shown, t.Host)
	case j.msg.Bulk || inner || org == j.org:
		// Senders of newsletters count clicks through a server of their service.
		j.add("text.tracked", "", 0, l.Path, "A link shows %s, but leads to %s.", shown, t.Host)
	default:
		j.add("text", mail.Phish, 25, l.Path, "A link shows %s, but leads to %s.", shown, t.Host)
	}
}

// addressIn is the host that a link's text shows, "" if it shows none. Text with
// more than the address in it is a sentence.
func addressIn(text string) string {
	text = strings.Trim(strings.TrimSpace(text), "<>()[]\"'.,:;")
	if text == "" || len(text) > 300 || strings.ContainsAny(text, " \t\n@") {
		return ""
	}
	if t, ok := scan.ParseTarget(text); ok {
		if t.Scheme == "http" || t.Scheme == "https" {
			return t.Host
		}
		return ""
	}
	host, _, _ := strings.Cut(text, "/")
	d := mail.DomainOf("x@" + host)
	if i := strings.LastIndexByte(d, '.'); i < 1 || !topLevel(d[i+1:]) {
		return ""
	}
	return d
}

// topLevel are endings that make a bare word an address to a reader.
func topLevel(s string) bool {
	switch s {
	case "com", "net", "org", "edu", "gov", "info", "biz", "io", "co", "de", "fr", "es", "it", "uk", "nl", "be", "at", "ch", "pl", "se", "no", "dk", "fi", "us", "ca", "au", "eu", "jp", "cn", "in", "br", "mx", "ru", "app", "online":
		return true
	}
	return false
}

// recipient is the reader's own address in the link, with which pages greet
// their victim by name.
func (j *judge) recipient(raw string, l mail.Link) {
	if j.msg.Bulk {
		return
	}
	low := strings.ToLower(raw)
	for _, r := range j.about.Envelope.To {
		addr := strings.ToLower(r.Addr)
		if len(addr) < 6 {
			continue
		}
		for _, form := range []string{addr, strings.ReplaceAll(addr, "@", "%40"), base64Of(addr), base64Of(r.Addr)} {
			hay := low
			if form == base64Of(addr) || form == base64Of(r.Addr) {
				hay = raw
			}
			if i := strings.Index(hay, form); i > 0 {
				score := 15
				if hay[i-1] == '#' || form != addr && hay[i-1] != '=' {
					score = 30
				}
				j.add("recipient", mail.Phish, score, l.Path, "A link carries the recipient's address, so that the page it leads to can greet its victim by name.")
				return
			}
		}
	}
}
