package digest

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/reason"
)

// Composer writes mail to recipients.
type Composer struct {
	Hostname string // of the relay, in Message-ID and List-Id
	URL      string // of the recipients' pages, without a final slash
	Signer   Signer
}

// A Reader is who a mail is for.
type Reader struct {
	Addr string
	Lang string         // "en" by default
	Zone *time.Location // UTC by default
}

func (r Reader) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// An Item is one held copy.
type Item struct {
	ID        mail.ID
	N         int
	From      string // "" for a bounce
	Subject   string
	Verdict   mail.Verdict
	Score     int
	Reason    string // the weightiest, as the ledger has it; "" if there is none
	HeldAt    time.Time
	ExpiresAt time.Time
}

// A Letter is a mail of our own, ready to be sent.
type Letter struct {
	ID        mail.ID
	Tenant    string
	To        string
	From      string // of the From field; the reverse-path is null, so that nothing comes back
	Subject   string
	MessageID string // without <>
	Content   []byte
	Why       string // a sentence for the trace
}

// row is an item as the templates show it.
type row struct {
	From, Subject template.HTML
	What, Held    string
	Why           template.HTML
	WhyLang       string // of Why
	Until         string
	Link, Do      string // "" where there is nothing to do
	plainFrom     string
	plainSubject  string
	plainWhy      string
}

// view is what the templates print.
type view struct {
	words
	Style  template.CSS
	Tenant string
	Title  string
	Lead   string
	Rows   []row
	More   bool
	Test   bool
	URL    string
	Never  string
	Why    string
}

//go:embed digest.html signin.html mail.css
var templates embed.FS

// Style is the style sheet within every mail, for a page that shows one.
func Style() string {
	b, _ := templates.ReadFile("mail.css") // embedded
	return string(b)
}

var parsed = template.Must(template.ParseFS(templates, "digest.html", "signin.html"))

// Digest writes the digest of items to a reader, with links that live until the
// items do, seven days at most. more says that there are others.
func (c *Composer) Digest(id mail.ID, t mail.Tenant, rules mail.Recipients, to Reader, items []Item, more bool, now time.Time) (Letter, error) {
	v := c.view(t, to, items, more)
	for _, it := range items {
		r, err := c.row(v.words, t, rules, to, it, now)
		if err != nil {
			return Letter{}, err
		}
		v.Rows = append(v.Rows, r)
	}
	l := c.letter(id, t, rules, to, v.Title)
	l.Why = "A digest of held mail, written by Postern itself."
	return l, c.fill(&l, t, rules, to, "digest.html", v, now)
}

// Sample is a digest with made-up messages, whose links lead nowhere.
func (c *Composer) Sample(id mail.ID, t mail.Tenant, rules mail.Recipients, to Reader, now time.Time) (Letter, error) {
	v := c.sample(t, rules, to, now)
	l := c.letter(id, t, rules, to, v.Title)
	l.Why = "A test digest, written by Postern itself."
	return l, c.fill(&l, t, rules, to, "digest.html", v, now)
}

// Preview is both parts of what Sample sends.
func (c *Composer) Preview(t mail.Tenant, rules mail.Recipients, to Reader, now time.Time) (page []byte, text string, err error) {
	v := c.sample(t, rules, to, now)
	var b bytes.Buffer
	if err := parsed.ExecuteTemplate(&b, "digest.html", v); err != nil {
		return nil, "", fmt.Errorf("preview of a digest: %w", err)
	}
	return b.Bytes(), v.text(), nil
}

func (c *Composer) sample(t mail.Tenant, rules mail.Recipients, to Reader, now time.Time) view {
	w := wordsIn(to.Lang)
	var items []Item
	for _, it := range []Item{
		{From: "offers@shop.example", Subject: w.T("Twelve pairs of socks for the price of eleven"), Verdict: mail.Spam, Reason: "It is marked as bulk mail: a newsletter or a mailing list.", HeldAt: now.Add(-3 * time.Hour), ExpiresAt: now.Add(30 * 24 * time.Hour)},
		{From: "accounts@supplier.example", Subject: w.T("Invoice 2041 (protected by a password)"), Verdict: mail.Suspicious,
			Reason: fmt.Sprintf("%s is encrypted, so that its content could not be checked.", fmt.Sprintf("The attachment %s", "“2041.zip”")), HeldAt: now.Add(-2 * time.Hour), ExpiresAt: now.Add(30 * 24 * time.Hour)},
	} {
		if rules.Lists(it.Verdict) {
			items = append(items, it)
		}
	}
	v := c.view(t, to, items, false)
	v.Test = true
	for _, it := range items {
		r := c.show(v.words, to, it)
		may := rules.Permission(it.Verdict, 0)
		r.Do = doing(v.words, may)
		if may != mail.MayNot {
			r.Link = c.URL + "/held/test"
		}
		v.Rows = append(v.Rows, r)
	}
	return v
}

// SignIn writes the mail with a sign-in link.
func (c *Composer) SignIn(id mail.ID, t mail.Tenant, rules mail.Recipients, to Reader, link string, now time.Time) (Letter, error) {
	w := wordsIn(to.Lang)
	v := view{words: w, Style: template.CSS(Style()), Tenant: t.Name, Title: w.T("Your link to your held mail"), URL: link,
		Lead:  w.T("Somebody, probably you, asked to see the mail that is held for %s.", mail.Shown(to.Addr)),
		Never: w.T("If it was not you, do nothing: nobody gets in without this link, and we never ask for a password.")}
	l := c.letter(id, t, rules, to, v.Title)
	l.Why = "A sign-in link, written by Postern itself."
	return l, c.fill(&l, t, rules, to, "signin.html", v, now)
}

func (c *Composer) view(t mail.Tenant, to Reader, items []Item, more bool) view {
	w := wordsIn(to.Lang)
	v := view{words: w, Style: template.CSS(Style()), Tenant: t.Name, URL: c.URL + "/", More: more,
		Lead:  w.T("These messages to %s were not delivered. Nothing is lost: each is kept until the day shown.", mail.Shown(to.Addr)),
		Never: w.T("A link only shows a page; nothing happens until you press the button there. We never ask for a password."),
		Why:   w.T("You get this mail because %s checks incoming mail and holds what looks unwanted. On your own page you see all of it, choose how often this mail comes, or stop it:", t.Name)}
	switch {
	case more:
		v.Title = w.T("More than %d messages are held for you", len(items))
	case len(items) == 1:
		v.Title = w.T("One message is held for you")
	default:
		v.Title = w.T("%d messages are held for you", len(items))
	}
	return v
}

func (c *Composer) row(w words, t mail.Tenant, rules mail.Recipients, to Reader, it Item, now time.Time) (row, error) {
	r := c.show(w, to, it)
	may := rules.Permission(it.Verdict, it.Score)
	r.Do = doing(w, may)
	if may == mail.MayNot {
		return r, nil
	}
	until := now.Add(MaxLife)
	if !it.ExpiresAt.IsZero() && it.ExpiresAt.Before(until) {
		until = it.ExpiresAt
	}
	token, err := c.Signer.Sign(Ticket{Tenant: t.ID, Rcpt: to.Addr, ID: it.ID, N: it.N, Action: may, Until: until})
	r.Link = c.URL + "/held/" + token
	return r, err
}

func doing(w words, may mail.Permission) string {
	switch may {
	case mail.MayRelease:
		return w.T("Show it, to have it delivered")
	case mail.MayAsk:
		return w.T("Show it, to ask for it")
	}
	return w.T("Only your administrators can release it.")
}

// show is an item without its link.
func (c *Composer) show(w words, to Reader, it Item) row {
	r := row{What: w.T(verdicts[string(it.Verdict)]), Held: w.when(it.HeldAt, to.zone()), From: inertWho(it.From), Subject: inert(it.Subject), plainFrom: who(it.From), plainSubject: plain(it.Subject, maxSubject)}
	if it.From == "" {
		r.plainFrom = w.T("no sender (a bounce)")
		r.From = template.HTML(template.HTMLEscapeString(r.plainFrom))
	}
	if strings.TrimSpace(it.Subject) == "" {
		r.plainSubject = w.T("no subject")
		r.Subject = template.HTML(template.HTMLEscapeString(r.plainSubject))
	}
	if !it.ExpiresAt.IsZero() {
		r.Until = w.when(it.ExpiresAt, to.zone())
	}
	why, ok := reason.Say(w.lang, it.Reason)
	if r.WhyLang = w.lang; !ok {
		r.WhyLang = "en"
	}
	r.plainWhy = plain(why, maxReason)
	r.Why = apart(r.plainWhy)
	return r
}

// fill writes both parts of a letter.
func (c *Composer) fill(l *Letter, t mail.Tenant, rules mail.Recipients, to Reader, name string, v view, now time.Time) error {
	var page bytes.Buffer
	if err := parsed.ExecuteTemplate(&page, name, v); err != nil {
		return fmt.Errorf("write %s for %s: %w", name, t.ID, err)
	}
	text := v.text()
	if name == "signin.html" {
		text = v.signInText()
	}
	content, err := l.octets(c.Hostname, t, rules, wordsIn(to.Lang).lang, text, page.Bytes(), now)
	l.Content = content
	return err
}
