package sender

import (
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// nameAddress is a display name that holds an address or a domain of somebody
// else: many programs show nothing but the name.
func (l *look) nameAddress() *mail.Finding {
	name := scan.Fold(l.from.Name)
	if !strings.Contains(name, ".") || l.domain == "" || strings.Contains(name, " via ") || strings.Contains(name, " (via") {
		return nil
	}
	for _, w := range strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(" <>\"'()[],;:|/", r) }) {
		address := strings.Contains(w, "@")
		_, d := mail.SplitAddress(w)
		if !address {
			d = w
		}
		d = mail.DomainOf("x@" + strings.Trim(d, "."))
		if d == "" || !strings.Contains(d, ".") || scan.Organization(d) == l.org {
			continue
		}
		own := scan.Within(d, l.about.Domains)
		switch {
		case own:
			return finding("name.own", mail.Phish, 60, "From", "The name shown is %s, of your own domain, but the sender is %s.", scan.Quote(l.from.Name), l.from.Addr)
		case address && scan.Within(d, l.about.Protected):
			return finding("name.protected", mail.Phish, 60, "From", "The name shown is %s, but the sender is %s.", scan.Quote(l.from.Name), l.from.Addr)
		case address && !l.msg.Bulk && !l.repliesTo(d):
			return finding("name.address", mail.Phish, 40, "From", "The name shown is %s, an address of %s, but the sender is %s.", scan.Quote(l.from.Name), d, l.from.Addr)
		}
	}
	return nil
}

// repliesTo reports whether answers go to domain d, as forms on web sites do that
// send in a visitor's name.
func (l *look) repliesTo(d string) bool {
	for _, r := range l.msg.ReplyTo {
		if mail.DomainOf(r.Addr) == d {
			return true
		}
	}
	return false
}

// person is the name of somebody to protect, with an address outside.
func (l *look) person() *mail.Finding {
	if l.inside() || l.from.Name == "" || scan.Within(l.domain, l.about.Protected) {
		return nil
	}
	name := words(l.from.Name)
	if len(name) < 2 {
		return nil
	}
	match := func(list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return slices.Equal(words(p), name) })
	}
	private := func(p mail.Person) bool {
		return slices.Equal(words(p.Name), name) && slices.ContainsFunc(p.Addresses, func(a string) bool { return strings.EqualFold(a, l.from.Addr) })
	}
	switch {
	case l.proven() && slices.ContainsFunc(l.about.Private, private):
		return nil
	case match(l.about.People):
		return finding("person.protected", mail.Phish, 60, "From", "The name shown is that of %s, whose name is protected, but the address (%s) is outside your domains.", scan.Quote(l.from.Name), l.from.Addr)
	case match(l.about.Mailboxes):
		return finding("person.colleague", mail.Phish, 35, "From", "The name shown is that of a colleague, %s, but the address (%s) is outside your domains.", scan.Quote(l.from.Name), l.from.Addr)
	}
	for _, r := range l.about.Envelope.To {
		local, d := mail.SplitAddress(r.Addr)
		d, err := mail.FoldDomain(d)
		if err == nil && scan.Within(d, l.about.Domains) && slices.Equal(words(strings.NewReplacer(".", " ", "_", " ", "-", " ").Replace(local)), name) {
			return finding("person.self", mail.Phish, 30, "From", "The name shown is the recipient's own, %s, but the address (%s) is outside your domains.", scan.Quote(l.from.Name), l.from.Addr)
		}
	}
	return nil
}

// words are the folded words of a name in one order, so that "Smith, Ann" equals
// "Ann Smith". Titles in brackets are left out.
func words(name string) []string {
	if i := strings.IndexAny(name, "(["); i > 0 {
		name = name[:i]
	}
	w := strings.FieldsFunc(scan.Fold(name), func(r rune) bool { return strings.ContainsRune(" ,.;\"'|/", r) })
	w = slices.DeleteFunc(w, func(s string) bool {
		return s == "mr" || s == "mrs" || s == "ms" || s == "dr" || s == "prof" || s == "herr" || s == "frau"
	})
	slices.Sort(w)
	return w
}

// replyTo sends the answers elsewhere than to the sender.
func (l *look) replyTo() *mail.Finding {
	if len(l.msg.ReplyTo) == 0 || l.domain == "" || l.msg.Bulk {
		return nil
	}
	to := l.msg.ReplyTo[0]
	d := mail.DomainOf(to.Addr)
	if d == "" || scan.Organization(d) == l.org {
		return nil
	}
	switch {
	case l.inside() && !scan.Within(d, l.about.Domains) && !l.proven():
		return finding("reply.outside", mail.Phish, 30, "Reply-To", "The sender is in your domain, but answers go to %s.", to.Addr)
	case Freemail(d) && !Freemail(l.domain):
		return finding("reply.freemail", mail.Phish, 30, "Reply-To", "Answers go to an address that anybody can get (%s) instead of to the sender's domain %s.", to.Addr, l.domain)
	case Freemail(d) && !strings.EqualFold(to.Addr, l.from.Addr):
		return finding("reply.other", mail.Spam, 20, "Reply-To", "Answers go to another mailbox (%s) than the sender's.", to.Addr)
	}
	return nil
}
