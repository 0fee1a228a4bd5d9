// Package sender finds mail that pretends to come from somebody else: by a
// forged address, by a display name, or by sending the answers elsewhere. It
// reads authentication's results and computes none of its own.
package sender

import (
	"context"
	"fmt"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Scanner looks at who a message says it is from. The zero value works.
type Scanner struct{}

// Name is part of scan.Scanner.
func (*Scanner) Name() string { return "sender" }

// Scan is part of scan.Scanner.
func (*Scanner) Scan(_ context.Context, msg *mail.Message, about scan.About) ([]mail.Finding, error) {
	l := newLook(msg, about)
	var found []mail.Finding
	for _, check := range []func() *mail.Finding{l.count, l.own, l.dmarc, l.spf, l.exchange, l.category, l.elsewhere, l.nameAddress, l.person, l.replyTo, l.null} {
		if f := check(); f != nil {
			found = append(found, *f)
		}
	}
	return found, nil
}

// look is a message with what several checks need of it.
type look struct {
	msg    *mail.Message
	about  scan.About
	from   mail.Mailbox // the first of the From field
	domain string       // of it, folded; "" if none
	org    string
}

func newLook(msg *mail.Message, about scan.About) *look {
	l := &look{msg: msg, about: about}
	if len(msg.From) > 0 {
		l.from = msg.From[0]
		l.domain = mail.DomainOf(l.from.Addr)
		l.org = scan.Organization(l.domain)
	}
	return l
}

// proven reports whether authentication vouches for the From field's domain.
func (l *look) proven() bool {
	d := l.about.Auth.DMARC
	return d.Result == mail.ResultPass || d.AlignedDKIM || d.AlignedSPF
}

// unknown reports whether authentication could not be evaluated, which is no
// sign of forgery.
func (l *look) unknown() bool {
	r := l.about.Auth.DMARC.Result
	return r == mail.ResultTempError || r == ""
}

func (l *look) inside() bool {
	return l.domain != "" && scan.Within(l.domain, l.about.Domains)
}

func finding(rule string, class mail.Verdict, score int, where, format string, a ...any) *mail.Finding {
	return &mail.Finding{Rule: "sender." + rule, Class: class, Score: score, Where: where, Detail: fmt.Sprintf(format, a...)}
}

// count judges the number of authors. That there is not one From field (RFC 5322
// §3.6) is parse's finding; this is about what stands in it.
func (l *look) count() *mail.Finding {
	switch {
	case len(l.msg.From) > 1 && l.msg.Header.First("Sender") == "":
		return finding("from.authors", mail.Suspicious, 30, "From", "It names %d senders, of which a reader may see only one.", len(l.msg.From))
	case l.domain == "":
		return finding("from.none", mail.Spam, 30, "From", "It does not say from whom it is: the From field has no valid address.")
	}
	return nil
}

// own is mail in the name of the tenant's own domain that is not from it.
func (l *look) own() *mail.Finding {
	if !l.inside() || l.about.Auth.Origin.Internal || l.proven() {
		return nil
	}
	if l.unknown() {
		return finding("own.unknown", mail.Phish, 40, "From", "It comes from outside in the name of your own domain %s, and whether it may could not be found out.", l.domain)
	}
	return finding("own", mail.Phish, 70, "From", "It comes from outside in the name of your own domain %s, which does not vouch for it: the sender is forged, or a service that sends for you is not set up in SPF or DKIM.", l.domain)
}

// dmarc is what the owner of the domain asks for. Lists break DMARC for honest
// mail; they count less.
func (l *look) dmarc() *mail.Finding {
	d := l.about.Auth.DMARC
	if d.Result != mail.ResultFail {
		return nil
	}
	score := map[string]int{"reject": 60, "quarantine": 50}[d.Policy]
	if l.msg.Bulk && score > 0 && l.about.Auth.ARC.Result == mail.ResultPass {
		score -= 30
	}
	if score == 0 {
		return finding("dmarc.none", mail.Phish, 10, "From", "The sender domain %s does not vouch for it (DMARC fails), but asks for nothing to be done.", d.Domain)
	}
	return finding("dmarc", mail.Phish, score, "From", "The sender is forged: %s does not vouch for this message and asks to %s such mail (DMARC).", d.Domain, d.Policy)
}

// spf is a client that the reverse-path's domain does not allow, where nothing
// else speaks for the message.
func (l *look) spf() *mail.Finding {
	a := l.about.Auth
	if l.proven() || a.DMARC.Result == mail.ResultFail && a.DMARC.Policy != "" {
		return nil
	}
	for _, k := range a.DKIM {
		if k.Result == mail.ResultPass {
			return nil
		}
	}
	switch a.SPF.Result {
	case mail.ResultFail:
		return finding("spf", mail.Spam, 25, "", "The server %s may not send mail for %s (SPF), and no signature vouches for it.", ipText(a), a.SPF.Domain)
	case mail.ResultSoftFail:
		return finding("spf.soft", mail.Spam, 10, "", "The server %s probably may not send mail for %s (SPF), and no signature vouches for it.", ipText(a), a.SPF.Domain)
	}
	return nil
}

func ipText(a mail.Auth) string {
	if !a.Origin.IP.IsValid() {
		return "it came from"
	}
	return a.Origin.IP.String()
}

// elsewhere is a private mailbox's address whose provider had no part in it. The
// big providers sign what they send, so this is for the case that nothing is
// known of signatures.
func (l *look) elsewhere() *mail.Finding {
	a := l.about.Auth
	if !Freemail(l.domain) || l.proven() || l.msg.Bulk || a.Origin.HELO == "" || a.Origin.Internal || mail.DomainOf(l.about.Envelope.From) != l.domain {
		return nil
	}
	for _, k := range a.DKIM {
		if k.Result == mail.ResultPass {
			return nil
		}
	}
	name, _, _ := strings.Cut(l.domain, ".")
	helo := strings.ToLower(a.Origin.HELO)
	if a.SPF.Result == mail.ResultPass || strings.Contains(helo, name) || kin(name, helo) {
		return nil
	}
	return finding("freemail.elsewhere", mail.Spam, 25, "From", "It says to come from %s, but was handed in by %s, which is none of that provider's servers.", l.domain, scan.Quote(a.Origin.HELO))
}

// exchange is Microsoft's composite authentication, which also knows the
// sender's history.
func (l *look) exchange() *mail.Finding {
	x := l.about.Auth.Exchange
	if x == nil || x.CompAuth != "fail" || l.proven() {
		return nil
	}
	if strings.HasPrefix(x.CompAuthReason, "00") && x.CompAuthReason != "001" {
		return finding("exchange.compauth", mail.Phish, 40, "From", "Exchange Online found the sender to be forged (compauth=fail, reason %s).", x.CompAuthReason)
	}
	return finding("exchange.compauth", mail.Phish, 25, "From", "Exchange Online could not authenticate the sender (compauth=fail, reason %s).", x.CompAuthReason)
}

// category is what Microsoft's own filter took the message for.
func (l *look) category() *mail.Finding {
	x := l.about.Auth.Exchange
	if x == nil {
		return nil
	}
	switch strings.ToUpper(x.Category) {
	case "PHSH", "HPHSH", "HPHISH", "SPOOF", "UIMP", "DIMP", "GIMP", "BIMP":
		return finding("exchange.phish", mail.Phish, 50, "", "Exchange Online took it for phishing or impersonation (category %s).", x.Category)
	case "MALW", "AMP":
		return finding("exchange.malware", mail.Malware, 60, "", "Exchange Online took it for malware (category %s).", x.Category)
	case "HSPM":
		return finding("exchange.spam", mail.Spam, 50, "", "Exchange Online is sure that it is spam.")
	case "SPM", "OSPM":
		return finding("exchange.spam", mail.Spam, 30, "", "Exchange Online took it for spam.")
	case "BULK":
		return finding("exchange.bulk", mail.Bulk, 30, "", "Exchange Online took it for bulk mail.")
	}
	return nil
}

// null is a bounce that is none. Only notices have no return path (RFC 5321
// §4.5.5).
func (l *look) null() *mail.Finding {
	if l.about.Envelope.From != "" || len(l.about.Envelope.To) == 0 || l.msg.Bulk {
		return nil
	}
	if a := l.msg.Header.First("Auto-Submitted"); a != "" && !strings.EqualFold(a, "no") {
		return nil
	}
	kind := strings.ToLower(l.msg.Header.First("Content-Type"))
	local, _ := mail.SplitAddress(strings.ToLower(l.from.Addr))
	switch {
	case strings.HasPrefix(kind, "multipart/report"), strings.Contains(local, "daemon"), strings.Contains(local, "postmaster"), strings.Contains(local, "bounce"), strings.HasPrefix(local, "noreply"), strings.HasPrefix(local, "no-reply"), local == "":
		return nil
	case strings.HasPrefix(kind, "text/calendar"), l.msg.Header.First("X-Auto-Response-Suppress") != "", l.msg.Header.First("Disposition-Notification-To") != "":
		return nil
	case len(l.msg.Links) == 0:
		return nil
	}
	return finding("null", mail.Spam, 25, "", "It has no return path, as only bounces and automatic notices have, but is none of them.")
}
