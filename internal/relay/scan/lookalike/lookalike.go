// Package lookalike finds domains that are made to be taken for others: for the
// tenant's own, for those it protects, and for some brands that are imitated
// most. It compares names; what a domain's owner did before is not its business.
package lookalike

import (
	"context"
	"fmt"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Scanner looks at the domains of From, Reply-To and links. The zero value works.
type Scanner struct{}

// Name is part of scan.Scanner.
func (*Scanner) Name() string { return "lookalike" }

// maxDomains is how many different domains of one message are compared.
const maxDomains = 300

// Scan is part of scan.Scanner.
func (*Scanner) Scan(ctx context.Context, msg *mail.Message, about scan.About) ([]mail.Finding, error) {
	c := newComparer(about)
	var found []mail.Finding
	seen := make(map[string]bool)
	check := func(domain, where, what string, score int) {
		if domain == "" || seen[domain] || len(seen) >= maxDomains {
			return
		}
		seen[domain] = true
		if f, ok := c.compare(domain, where, what, score); ok {
			found = append(found, f)
		}
	}
	for _, m := range msg.From {
		check(mail.DomainOf(m.Addr), "From", "The sender's domain %s", 0)
	}
	for _, m := range msg.ReplyTo {
		check(mail.DomainOf(m.Addr), "Reply-To", "The domain %s that answers go to", 0)
	}
	links := 0
	for _, l := range msg.Links {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if l.Kind == "img" {
			continue
		}
		t, ok := scan.ParseTarget(l.URL)
		if !ok || t.IP.IsValid() || links > 1 {
			continue
		}
		before := len(found)
		check(t.Host, l.Path, "The domain %s that a link leads to", -10)
		links += len(found) - before
	}
	if f, ok := brand(msg, about); ok {
		found = append(found, f)
	}
	return found, nil
}

// A target is a domain that others may imitate.
type target struct {
	domain string
	org    string // Organization of domain
	dashed string // domain with hyphens for full stops
	name   string // the label that people know it by: "contoso" of contoso.co.uk
	looks  string // skeleton of name
	brand  bool   // one of brands, not the tenant's choice
}

func newTarget(domain string) target {
	org := scan.Organization(domain)
	name := label(org)
	return target{domain: domain, org: org, dashed: strings.ReplaceAll(domain, ".", "-"), name: name, looks: skeleton(name)}
}

type comparer struct {
	targets []target
	good    []string // never taken for look-alikes
}

func newComparer(about scan.About) *comparer {
	c := &comparer{}
	for _, list := range [][]string{about.Domains, about.Protected} {
		for _, d := range list {
			c.good = append(c.good, d)
			c.targets = append(c.targets, newTarget(d))
		}
	}
	c.targets = append(c.targets, brandTargets()...)
	return c
}

// label is the first label of a domain.
func label(domain string) string {
	l, _, _ := strings.Cut(domain, ".")
	return l
}

// compare returns the strongest thing to say about domain. what is a format that
// names it; less is added to the score, because a link is a weaker sign than a
// sender.
func (c *comparer) compare(domain, where, what string, less int) (mail.Finding, bool) {
	if scan.Within(domain, c.good) {
		return mail.Finding{}, false
	}
	org := scan.Organization(domain)
	name := label(org)
	if isBrandName(name) {
		return mail.Finding{}, false // a brand's own name under whatever top-level domain
	}
	looks := skeleton(name)
	front := strings.TrimSuffix(strings.TrimSuffix(domain, org), ".") // what stands before the organization
	var best mail.Finding
	for _, t := range c.targets {
		if org == t.org {
			return mail.Finding{}, false
		}
		rule, score, how := t.imitated(domain, front, name, looks)
		if score > best.Score {
			best = mail.Finding{
				Rule: "lookalike." + rule, Class: mail.Phish, Score: score, Where: where,
				Detail: fmt.Sprintf(how, fmt.Sprintf(what, shown(domain)), t.domain),
			}
		}
	}
	if best.Score == 0 {
		return mixedFinding(domain, where, what, less)
	}
	best.Score += less
	return best, true
}

func mixedFinding(domain, where, what string, less int) (mail.Finding, bool) {
	for l := range strings.SplitSeq(domain, ".") {
		if mixed(l) {
			return mail.Finding{
				Rule: "lookalike.mixed", Class: mail.Phish, Score: 50 + less, Where: where,
				Detail: fmt.Sprintf("%s mixes letters of several scripts that look alike.", fmt.Sprintf(what, shown(domain))),
			}, true
		}
	}
	return mail.Finding{}, false
}

// shown is domain with its Unicode form beside it.
func shown(domain string) string {
	if !strings.Contains(domain, "xn--") {
		return domain
	}
	labels := strings.Split(domain, ".")
	for i := range labels {
		labels[i] = unicodeLabel(labels[i])
	}
	return fmt.Sprintf("%s (%s)", domain, scan.Quote(strings.Join(labels, ".")))
}

// imitated says how domain imitates t: the rule, its points, and the format of a
// sentence about both.
func (t target) imitated(domain, front, name, looks string) (rule string, score int, how string) {
	if t.embedded(front) {
		return "subdomain", 60, "%s only begins like that of %s."
	}
	if len(t.name) < 4 {
		if looks == t.looks && name != t.name && strings.Contains(domain, "xn--") {
			return "confusable", 70, "%s looks like %s."
		}
		return "", 0, ""
	}
	switch {
	case name == t.name && !t.brand:
		return "tld", 30, "%s differs only in its ending from %s."
	case name == t.name:
		return "", 0, ""
	case looks == t.looks && (len(name) >= 5 || strings.Contains(domain, "xn--")):
		return "confusable", 70, "%s is hard to tell from %s."
	case strings.Contains(looks, t.looks) && strings.Contains(name, "xn--"):
		return "confusable", 60, "%s contains letters that look like %s."
	}
	if score := t.combined(name); score > 0 {
		return "combined", score, "%s puts words around the name of %s."
	}
	if t.typo(name) {
		score := 50
		if t.brand {
			score = 40
		}
		return "typo", score, "%s is one letter away from %s."
	}
	if !t.brand && len(t.name) >= 10 && distance(name, t.name, 2) == 2 {
		return "typo", 35, "%s is two letters away from %s."
	}
	return "", 0, ""
}

// embedded reports whether the whole target stands in front of another
// organization's domain: "contoso.com.evil.example", "contoso-com.evil.example".
func (t target) embedded(front string) bool {
	return front != "" && (hasLabels(front, t.domain) || len(t.dashed) > 6 && hasLabels(front, t.dashed))
}

// hasLabels reports whether the labels of part stand somewhere in domain.
func hasLabels(domain, part string) bool {
	for from := 0; ; {
		i := strings.Index(domain[from:], part)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(part)
		if (i == 0 || domain[i-1] == '.') && (end == len(domain) || domain[end] == '.') {
			return true
		}
		from = i + 1
	}
}

// bait are words that are put around a name to make it look official.
var bait = func() map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(`login signin logon secure security verify verification account accounts support service services update updates
		billing invoice invoices payment payments pay payroll hr helpdesk help office online portal mail webmail email alert alerts notice notification
		confirm auth authentication password reset unlock restore customer client team admin it docs document documents share sharepoint drive cloud
		mfa otp wallet refund claim recovery center id access sso vpn my web app info`) {
		m[w] = true
	}
	return m
}()

// combined is the points for the target's name with bait around it.
func (t target) combined(name string) int {
	i := strings.Index(name, t.name)
	if i < 0 || len(t.name) < 5 {
		return 0
	}
	before, after := strings.Trim(name[:i], "-"), strings.Trim(name[i+len(t.name):], "-")
	dashed := name[max(i-1, 0):i] == "-" || strings.HasPrefix(name[i+len(t.name):], "-")
	baited := false
	for _, side := range []string{before, after} {
		for w := range strings.SplitSeq(side, "-") {
			baited = baited || bait[w]
		}
	}
	switch {
	case baited:
		return 50
	case dashed && !t.brand:
		return 25
	}
	return 0
}

// typo reports whether one letter was changed. Short names have honest
// neighbours.
func (t target) typo(name string) bool {
	least := 6
	if t.brand {
		least = 7
	}
	return len(t.name) >= least && len(name) >= least && distance(name, t.name, 1) == 1 && !plural(name, t.name)
}

// plural reports whether two names differ in a final s.
func plural(a, b string) bool { return a+"s" == b || b+"s" == a }
