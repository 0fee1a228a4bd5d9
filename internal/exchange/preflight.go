package exchange

import (
	"context"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// A Check is one finding of the preflight. Critical means that the plan cannot
// succeed, or would harm the mail flow, until it is mended.
type Check struct {
	ID       string        `json:"id"` // "accepted-domain"
	Severity Severity      `json:"severity"`
	Text     mail.Sentence `json:"text"` // what was found
	Mend     mail.Sentence `json:"mend"` // what to do; empty if nothing
}

// Probes look at the world outside Exchange. A nil function is not asked.
type Probes struct {
	// MX are the hosts a domain's mail goes to, best first.
	MX func(ctx context.Context, domain string) ([]string, error)
	// Relay connects to host as Exchange would (port 25, STARTTLS) and checks that a
	// public CA issued its certificate for name.
	Relay func(ctx context.Context, host, name string) error
	// Roles are the directory roles and permissions in the access token: role
	// template ids and names such as "Exchange.ManageAsApp".
	Roles func(ctx context.Context) ([]string, error)
}

// Role template ids of the directory (wire.json, token.claims).
const (
	roleExchangeAdmin = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	roleGlobalAdmin   = "62e90394-69f5-4237-9190-012177145e10"
	roleSecurityAdmin = "194ae4cb-b126-40b2-bd5b-6091b380977d"
)

// preflight looks for what would make the plan fail or surprise.
func preflight(ctx context.Context, spec Spec, cur *Current, state *State, probes Probes) []Check {
	f := &flight{spec: spec, cur: cur, state: state}
	f.roles(ctx, probes)
	f.organization()
	f.domains()
	f.mx(ctx, probes)
	f.relay(ctx, probes)
	f.connectors()
	f.rules()
	f.limits()
	f.names()
	if state.Interrupted() {
		f.warn("interrupted", mail.Say("The last run (%s, begun %s) was cut off at %s.", state.Run.What, state.Run.Started.Format(time.DateTime), orNone(state.Run.Doing)),
			mail.Say("Nothing is half done: apply again to finish it, or roll back."))
	}
	if spec.Options.PlainYes {
		f.warn("plain-yes", mail.Say("The rule believes the plain word “yes” in %s, which anybody can write; only the rule that removes the header from outside mail protects against it.", spec.processedHeader()),
			mail.Say("Switch the compatibility option off as soon as nothing sends the plain word any more."))
	}
	return f.checks
}

type flight struct {
	spec   Spec
	cur    *Current
	state  *State
	checks []Check
}

func (f *flight) add(sev Severity, id string, text, mend mail.Sentence) {
	f.checks = append(f.checks, Check{id, sev, text, mend})
}
func (f *flight) info(id string, text, mend mail.Sentence) { f.add(Info, id, text, mend) }
func (f *flight) warn(id string, text, mend mail.Sentence) { f.add(Warning, id, text, mend) }
func (f *flight) stop(id string, text, mend mail.Sentence) { f.add(Critical, id, text, mend) }

func (f *flight) roles(ctx context.Context, p Probes) {
	if p.Roles == nil {
		return
	}
	roles, err := p.Roles(ctx)
	switch {
	case err != nil:
		f.warn("roles", mail.Say("The roles in the access token could not be read: %s.", err), mail.Say("Connect again if the next steps fail."))
	case slices.Contains(roles, roleExchangeAdmin), slices.Contains(roles, roleGlobalAdmin):
	case slices.Contains(roles, roleSecurityAdmin):
		f.stop("roles", mail.Say("The signed-in account is a Security Administrator only, which may not create connectors and rules."), mail.Say("Give it the role Exchange Administrator."))
	default:
		f.info("roles", mail.Say("The token names no directory role that is known to be enough; a custom role group may be."), mail.Say("If a step is refused, give the account the role Exchange Administrator."))
	}
}

func (f *flight) organization() {
	if boolOf(f.cur.Organization["IsDehydrated"]) == "true" {
		f.info("dehydrated", mail.Say("The organization was never customized; the plan begins with Enable-OrganizationCustomization, which cannot be undone and changes nothing in the mail flow."), mail.Sentence{})
	}
	if boolOf(f.cur.Organization["RejectDirectSend"]) == "true" {
		f.warn("direct-send", mail.Say("RejectDirectSend is on: mail from your own domains that comes back is taken only if Exchange recognises the relay by the receive connector."),
			mail.Say("Leave it on, and send a test message between two of your own people's outside accounts after applying."))
	}
	created, known := f.tenantCreated()
	if f.spec.Options.Connectors == ConnectorOrganization && known && !created.Before(organizationConnectorsEnd) {
		f.warn("organization-connector", mail.Say("This tenant seems to date from %s; Exchange creates “Your organization” connectors only switched off in tenants from 2023 on.", created.Format(time.DateOnly)), mail.Say("Use partner connectors, which work in every tenant."))
	}
}

// organizationConnectorsEnd is from when on Exchange creates OnPremises connectors
// switched off (inbound-connector-faq; the guide's first note).
var organizationConnectorsEnd = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

// tenantCreated is the oldest date that the tenant's own first objects bear.
func (f *flight) tenantCreated() (time.Time, bool) {
	var oldest time.Time
	objects := append([]map[string]any{f.cur.Remote, f.cur.Organization}, f.cur.Accepted...)
	for _, o := range objects {
		for _, field := range []string{"WhenCreatedUTC", "WhenCreated"} {
			if t, err := time.Parse(time.RFC3339, text(o[field])); err == nil && (oldest.IsZero() || t.Before(oldest)) {
				oldest = t
			}
		}
	}
	return oldest, !oldest.IsZero()
}

func (f *flight) domains() {
	for _, d := range f.spec.Domains {
		a := f.accepted(d)
		switch {
		case a == nil:
			f.stop("accepted-domain", mail.Say("The domain %s is not an accepted domain of this tenant, so Exchange takes no mail for it.", d), mail.Say("Add and verify it in the Microsoft 365 admin center, or take it out of Postern."))
		case strings.EqualFold(text(a["DomainType"]), "InternalRelay"):
			f.warn("internal-relay", mail.Say("The domain %s is an internal relay domain, which is meant for domains with mailboxes outside of Exchange Online; mail for unknown people goes on to another server.", d),
				mail.Say("Set it to Authoritative if every mailbox is in Exchange Online; otherwise this is right and may stay."))
		case !strings.EqualFold(text(a["DomainType"]), "Authoritative"):
			f.warn("accepted-domain", mail.Say("The domain %s is of type %s, not Authoritative.", d, text(a["DomainType"])), mail.Say("Check its type in the Exchange admin center under Accepted domains."))
		}
	}
}

// accepted is the accepted domain that takes mail for d; a parent domain does if
// it matches subdomains.
func (f *flight) accepted(d string) map[string]any {
	for _, a := range f.cur.Accepted {
		name := fold(text(a["DomainName"]))
		if name == d || strings.HasSuffix(d, "."+name) && boolOf(a["MatchSubDomains"]) == "true" {
			return a
		}
	}
	return nil
}

func (f *flight) mx(ctx context.Context, p Probes) {
	if p.MX == nil {
		return
	}
	for _, d := range f.spec.Domains {
		hosts, err := p.MX(ctx, d)
		switch {
		case err != nil:
			f.warn("mx", mail.Say("The MX records of %s could not be read: %s.", d, err), mail.Say("Check the domain's DNS."))
		case len(hosts) == 0:
			f.warn("mx", mail.Say("The domain %s has no MX record.", d), mail.Say("Without one it gets no mail from the Internet; add the record that the Microsoft 365 admin center names."))
		case !isExchangeHost(hosts[0]):
			f.warn("mx", mail.Say("Mail for %s goes to %s first, not to Exchange Online: another gateway stands in front.", d, hosts[0]), mail.Say("Enter Exchange's own host as MTA by hand, never the MX, or mail goes round in a loop."))
		}
	}
}

func isExchangeHost(h string) bool {
	h = fold(strings.TrimSuffix(h, "."))
	for _, suffix := range []string{".mail.protection.outlook.com", ".mx.microsoft", ".mail.protection.outlook.us", ".mail.protection.partner.outlook.cn", ".mail.protection.office365.us"} {
		if strings.HasSuffix(h, suffix) {
			return true
		}
	}
	return false
}

func (f *flight) relay(ctx context.Context, p Probes) {
	if p.Relay == nil {
		return
	}
	if err := p.Relay(ctx, f.spec.SmartHost, f.spec.TLSName); err != nil {
		f.stop("relay", mail.Say("The relay %s was not reached as Exchange would reach it: %s.", f.spec.SmartHost, err),
			mail.Say("Make port 25 reachable and give the relay a certificate of a public CA for %s; with a wrong one Exchange keeps all inbound mail waiting.", f.spec.TLSName))
	}
}

func (f *flight) connectors() {
	ours := f.spec.inboundConnector(ConnectorPartner).Name
	for _, c := range append(slices.Clone(f.cur.Inbound), f.cur.Outbound...) {
		if strings.EqualFold(text(c["ConnectorSource"]), "HybridWizard") {
			f.warn("hybrid", mail.Say("The tenant has a hybrid connector (%s), so some mailboxes may be on premises.", nameOf(c)), mail.Say("Check after applying that mail still reaches them."))
		}
	}
	for _, c := range f.cur.Inbound {
		if strings.EqualFold(nameOf(c), ours) {
			continue
		}
		if shared := common(f.spec.Addresses, listOf(c["SenderIPAddresses"])); len(shared) > 0 {
			f.warn("shared-address", mail.Say("The connector %s also names the relay's address %s, so Exchange may recognise returned mail by the wrong one.", nameOf(c), strings.Join(shared, ", ")),
				mail.Say("Take the address out of that connector."))
		}
		locks := boolOf(c["RestrictDomainsToIPAddresses"]) == "true" || boolOf(c["RestrictDomainsToCertificate"]) == "true"
		if locks && boolOf(c["Enabled"]) == "true" && slices.Contains(folded(listOf(c["SenderDomains"])), "*") {
			f.warn("lock-down", mail.Say("The connector %s makes Exchange reject mail of every sender that does not come through it, the relay's included.", nameOf(c)), mail.Say("Make sure that the relay's addresses are in it, or switch its restriction off."))
		}
	}
}

func (f *flight) rules() {
	p := &planner{spec: f.spec, cur: f.cur}
	first := len(f.cur.Rules)
	for i, r := range f.cur.Rules {
		if p.isOurRedirect(nameOf(r)) {
			first = min(first, i)
		}
	}
	for _, r := range f.cur.Rules[:first] {
		if !enabled(r) || f.isOurs(nameOf(r)) || p.isOutboundRelay(r) || strings.EqualFold(text(r["FromScope"]), "InOrganization") {
			continue
		}
		switch {
		case boolOf(r["StopRuleProcessing"]) == "true":
			f.warn("earlier-rule-stops", mail.Say("The rule “%s” comes before the relay rule and stops processing, so mail that it matches does not go to the relay.", nameOf(r)), mail.Say("Move it after the relay rule, or take “Stop processing more rules” out of it, if that mail should be judged."))
		case !empty(r["RouteMessageOutboundConnector"]) || !empty(r["RedirectMessageTo"]):
			f.warn("earlier-rule-reroutes", mail.Say("The rule “%s” comes before the relay rule and sends mail elsewhere.", nameOf(r)), mail.Say("Check that mail to your people does not match it."))
		}
	}
}

func (f *flight) isOurs(name string) bool {
	for _, o := range f.spec.objects(ConnectorPartner) {
		if o.Kind == TransportRule && strings.EqualFold(o.Name, name) {
			return true
		}
	}
	return false
}

func (f *flight) limits() {
	allowed := union(listOf(f.cur.Filter["IPAllowList"]), f.spec.Addresses)
	if len(allowed) > maxAllowedIPs {
		f.stop("ip-list-full", mail.Say("The connection filter's allow list would have %d entries; Exchange takes %d.", len(allowed), maxAllowedIPs), mail.Say("Remove entries that are no longer needed."))
	}
	if blocked := common(f.spec.Addresses, listOf(f.cur.Filter["IPBlockList"])); len(blocked) > 0 {
		f.warn("ip-blocked", mail.Say("The connection filter blocks relay address %s; an allow entry is stronger, so mail comes back nevertheless.", strings.Join(blocked, ", ")), mail.Say("Remove it from the block list."))
	}
	newRules, newPairs := 0, 0
	for _, o := range f.spec.objects(ConnectorPartner) {
		if f.cur.Object(o.Kind, o.Name) != nil {
			continue
		}
		switch o.Kind {
		case TransportRule:
			newRules++
		case SpoofItem:
			newPairs++
		}
	}
	if n := len(f.cur.Rules) + newRules; newRules > 0 && n > maxRules {
		f.stop("rule-limit", mail.Say("The organization would have %d mail flow rules; Exchange takes %d.", n, maxRules), mail.Say("Remove rules that are no longer needed."))
	}
	if n := len(f.cur.Spoof) + newPairs; newPairs > 0 && n > maxSpoofPairs {
		f.stop("spoof-list-full", mail.Say("The list of allowed spoofed senders would have %d entries; Exchange takes %d.", n, maxSpoofPairs), mail.Say("Remove pairs that are no longer needed."))
	}
	if f.spec.Reverse == "" && !f.spec.Options.Hardened {
		f.info("reverse-dns", mail.Say("Spoofed senders are allowed for the whole /24 around each relay address, because no reverse DNS name is configured."), mail.Say("Give the relay's addresses reverse DNS names under one domain of your own and configure it."))
	}
	if f.spec.Reverse == "" && f.spec.Options.Hardened {
		f.warn("reverse-dns", mail.Say("No reverse DNS name is configured, so the hardened profile makes no pairs for spoofed senders; Exchange may mark returned mail as spoofed."), mail.Say("Give the relay's addresses reverse DNS names under one domain of your own and configure it."))
	}
	if s := f.redirectSize(); s > maxRuleBytes {
		f.stop("rule-too-large", mail.Say("The relay rule would have about %d octets; Exchange takes %d.", s, maxRuleBytes), mail.Say("Write the relay's addresses as fewer networks."))
	}
}

// Octets that a rule has besides its lists, and around each entry of a list, as
// Exchange stores it. Untested: estimates from samples with a known Size.
const (
	ruleFrame  = 1800
	entryFrame = 24
)

func (f *flight) redirectSize() int {
	worst := 0
	for _, o := range f.spec.redirectRules() {
		n := ruleFrame
		for _, list := range [][]string{listOf(o.Props["RecipientDomainIs"]), listOf(o.Props["ExceptIfSenderIpRanges"])} {
			for _, e := range list {
				n += len(e) + domainFrame
			}
		}
		worst = max(worst, n+entryFrame)
	}
	return worst
}

// names finds objects of others under names that we need.
func (f *flight) names() {
	for _, o := range f.spec.objects(ConnectorPartner) {
		if len(o.Name) > maxObjectName && o.Kind != SpoofItem {
			f.stop("name-too-long", mail.Say("The name “%s” is longer than Exchange takes.", o.Name), mail.Say("Choose a shorter brand name."))
		}
		if other := f.otherConnector(o); other != "" {
			f.stop("name-taken", mail.Say("The name “%s” belongs to a connector of the other direction already.", o.Name), mail.Say("Rename that connector, or choose another brand name."))
			continue
		}
		current := f.cur.Object(o.Kind, o.Name)
		p := &planner{spec: f.spec}
		if current == nil || o.Kind.single() || o.Kind == SpoofItem || f.state.of(o.Kind, o.Name) != nil || p.marked(current) {
			continue
		}
		f.warn("taken-over", mail.Say("There is an object “%s” that Postern did not make; it will be changed as the plan shows, and put back as it was on roll back.", o.Name), mail.Say("Rename it first if it must stay as it is."))
	}
}

// otherConnector is the name of a connector of the opposite direction with o's
// name: both sorts share one container, so Exchange would refuse.
func (f *flight) otherConnector(o Object) string {
	switch o.Kind {
	case InboundConnector:
		return nameOf(byName(f.cur.Outbound, o.Name))
	case OutboundConnector:
		return nameOf(byName(f.cur.Inbound, o.Name))
	}
	return ""
}
