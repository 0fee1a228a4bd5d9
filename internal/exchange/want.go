package exchange

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// Want is the desired state of a tenant: objects in the order in which they have
// to be made. It depends on nothing but spec. The error is a *Problem.
//
// With Options.Hardened it trusts less than the guides do: rules believe only the
// relay's address and no header at all, Microsoft's own safe list stays as it is,
// and spoofed senders are allowed only for the relay's reverse DNS name, never for
// a whole /24 that others may live in.
func Want(spec Spec) ([]Object, error) {
	s, err := spec.clean()
	if err != nil {
		return nil, err
	}
	return s.objects(ConnectorPartner), nil
}

// objects are all objects of a clean spec, with connectors of the sort auto unless
// the options choose.
func (s Spec) objects(auto Connector) []Object {
	if s.Options.Connectors != ConnectorAuto {
		auto = s.Options.Connectors
	}
	list := []Object{s.remoteDomain(), s.connectionFilter()}
	list = append(list, s.spoofItems()...)
	if s.Options.ArcSealer != "" {
		list = append(list, s.arcConfig())
	}
	list = append(list, s.inboundConnector(auto), s.outboundConnector(auto))
	list = append(list, s.stripRules()...)
	list = append(list, s.redirectRules()...)
	return append(list, s.clutterRule())
}

func (s Spec) remoteDomain() Object {
	return Object{
		ID: "remote-domain", Kind: RemoteDomain, Name: defaultObject, Where: "X3", Steps: steps("G1", 21, 25),
		Props: Values{"TNEFEnabled": false, "CharacterSet": "utf-8", "NonMimeCharacterSet": "utf-8", "AllowedOOFType": "ExternalLegacy"},
		Why:   mail.Say("Mail to the relay leaves the organization, so Exchange would turn rich text into winmail.dat and drop automatic replies; with these settings every kind of content comes through unharmed."),
	}
}

func (s Spec) connectionFilter() Object {
	o := Object{
		ID: "connection-filter", Kind: ConnectionFilter, Name: defaultObject, Where: "X5", Steps: steps("G1", 27, 29),
		Adds: map[string][]string{"IPAllowList": s.Addresses},
		Why:  mail.Say("Mail that comes back from the relay was judged already; without these entries Exchange would judge the relay's address as if it were the sender."),
	}
	if !s.Options.Hardened {
		o.Props = Values{"EnableSafeList": true}
	}
	return o
}

// spoofItems are the allowed pairs "*, infrastructure". Where the guide enters an
// address, the cmdlet takes a reverse DNS domain or <address>/24; the domain is
// better, since others may live in the /24.
func (s Spec) spoofItems() []Object {
	var list []Object
	for _, infra := range s.infrastructure() {
		for _, kind := range []string{"Internal", "External"} {
			step := steps("G1", 30, 32)
			if kind == "External" {
				step = []string{"G1.33"}
			}
			list = append(list, Object{
				ID: "spoof-" + strings.ToLower(kind) + "-" + infra, Kind: SpoofItem, Name: spoofName("*", infra, kind), Where: "X6", Steps: step,
				Props:  Values{"Action": "Allow"},
				Create: Values{"SpoofedUser": "*", "SendingInfrastructure": infra, "SpoofType": kind},
				Why:    mail.Say("Returned mail keeps its sender but comes from the relay, which looks like spoofing to Exchange; this pair says that it is not."),
			})
		}
	}
	return list
}

func (s Spec) infrastructure() []string {
	if s.Reverse != "" {
		return []string{s.Reverse}
	}
	if s.Options.Hardened {
		return nil
	}
	var list []string
	seen := map[netip.Prefix]bool{}
	for _, a := range s.Addresses {
		p, err := parseAddress(a)
		if err != nil {
			continue // clean has refused it
		}
		if net := netip.PrefixFrom(p.Addr(), 24).Masked(); !seen[net] {
			seen[net] = true
			list = append(list, p.Addr().String()+"/24")
		}
	}
	return list
}

// spoofName is how we name a pair; infrastructure in /24 form by its network, so
// that "192.0.2.7/24" and "192.0.2.0/24" are one.
func spoofName(user, infra, kind string) string {
	if p, err := netip.ParsePrefix(infra); err == nil {
		infra = p.Masked().String()
	}
	return user + ", " + strings.ToLower(infra) + ", " + kind
}

func (s Spec) arcConfig() Object {
	return Object{
		ID: "arc-trust", Kind: ArcConfig, Name: defaultObject, Where: "M13",
		Adds: map[string][]string{"ArcTrustedSealers": {s.Options.ArcSealer}},
		Why:  mail.Say("When the relay changes a message, the sender's DKIM signature breaks; Exchange then believes the relay's ARC seal of what was true before."),
	}
}

// inboundConnector never restricts: with SenderDomains "*" that would make
// Exchange reject every other sender of the Internet.
func (s Spec) inboundConnector(c Connector) Object {
	o := Object{
		ID: "inbound-connector", Kind: InboundConnector, Name: s.Brand + " Inbound Connector (Receive)", Where: "X1", Steps: steps("G1", 5, 11),
		Props: Values{
			"ConnectorType": connectorType(c), "SenderDomains": []string{"*"}, "SenderIPAddresses": s.Addresses, "RequireTls": true,
			"RestrictDomainsToIPAddresses": false, "RestrictDomainsToCertificate": false, "CloudServicesMailEnabled": false, "Enabled": true,
		},
		Defaults: Values{"TlsSenderCertificateName": nil, "TreatMessagesAsInternal": false, "AssociatedAcceptedDomains": []string{}, "EFSkipLastIP": false},
		Create:   Values{"ConnectorSource": "Default", "Comment": s.comment("Takes mail back from the relay.")},
		Why:      mail.Say("Exchange knows mail from the relay by this connector and takes it only over TLS."),
	}
	if s.Options.CertificateBound {
		delete(o.Defaults, "TlsSenderCertificateName")
		o.Props["TlsSenderCertificateName"] = s.TLSName
		o.Props["SenderIPAddresses"] = []string{}
	}
	return o
}

func (s Spec) outboundConnector(c Connector) Object {
	return Object{
		ID: "outbound-connector", Kind: OutboundConnector, Name: s.sendConnector(), Where: "X2", Steps: append(steps("G1", 12, 17), "G1.20"),
		Props: Values{
			"ConnectorType": connectorType(c), "IsTransportRuleScoped": true, "UseMXRecord": false, "SmartHosts": []string{s.SmartHost},
			"TlsSettings": "DomainValidation", "TlsDomain": s.TLSName, "CloudServicesMailEnabled": false, "Enabled": true,
		},
		Defaults: Values{"RouteAllMessagesViaOnPremises": false, "AllAcceptedDomains": false, "RecipientDomains": []string{}, "TestMode": false},
		Create:   Values{"ConnectorSource": "Default", "Comment": s.comment("Hands mail to the relay, only when a mail flow rule says so.")},
		Why:      mail.Say("Mail that the redirect rule picks goes through this connector to the relay, over TLS to a proven name."),
	}
}

func connectorType(c Connector) string {
	if c == ConnectorOrganization {
		return "OnPremises"
	}
	return "Partner"
}

// stripRules take our control headers out of mail that is not from the relay, so
// that nobody outside can claim to have been judged (safety.md R5). A rule can
// remove one header, so there are two.
func (s Spec) stripRules() []Object {
	var list []Object
	for _, h := range []struct{ id, name, header string }{
		{"rule-strip-processed", "Remove Processed Mark", s.processedHeader()},
		{"rule-strip-key", "Remove Key Header", s.credsHeader()},
	} {
		list = append(list, Object{
			ID: h.id, Kind: TransportRule, Name: s.Brand + " Inbound " + h.name, Where: "X14", Active: true,
			Props:  Values{"RemoveHeader": h.header, "ExceptIfSenderIpRanges": s.Addresses, "Mode": "Enforce"},
			Create: Values{"Comments": s.comment("Takes " + h.header + " out of mail that does not come from the relay. Must be among the first rules.")},
			Why:    mail.Say("An outside sender can write %s into a message; it is removed before another rule can believe it.", h.header),
		})
	}
	return list
}

// redirectRules send inbound mail to the relay: one rule, or several when the
// domains do not fit into one.
func (s Spec) redirectRules() []Object {
	var list []Object
	for i, domains := range splitDomains(s.Domains) {
		id, name := "rule-redirect", s.Brand+" Inbound Relay"
		if i > 0 {
			id, name = id+"-"+strconv.Itoa(i+1), name+" "+strconv.Itoa(i+1)
		}
		props := Values{
			"RecipientDomainIs": domains, "SentToScope": "InOrganization",
			"RouteMessageOutboundConnector": s.sendConnector(), "RouteMessageOutboundRequireTls": true,
			"SetHeaderName": s.credsHeader(), "SetHeaderValue": s.keyValue(), "SetSCL": -1,
			"ExceptIfSenderIpRanges": s.Addresses, "SetAuditSeverity": "High", "StopRuleProcessing": true,
			"RuleErrorAction": "Defer", "SenderAddressLocation": "HeaderOrEnvelope", "Mode": "Enforce",
		}
		if !s.Options.IncludeInternal {
			props["FromScope"] = "NotInOrganization"
		}
		if !s.Options.Hardened || s.Options.PlainYes {
			props["ExceptIfHeaderContainsMessageHeader"] = s.processedHeader()
			props["ExceptIfHeaderContainsWords"] = []string{s.trustedWord()}
		}
		list = append(list, Object{
			ID: id, Kind: TransportRule, Name: name, Where: "X7-X11", Steps: steps("G1", 34, 58), Active: true, Props: props,
			Create: Values{"Comments": s.comment("Redirects inbound mail to the relay. Made disabled; enabled when the connector was validated.")},
			Why:    mail.Say("This rule hands inbound mail to the relay, marked with the relay key, and leaves alone what the relay has returned."),
		})
	}
	return list
}

func (s Spec) clutterRule() Object {
	return Object{
		ID: "rule-clutter", Kind: TransportRule, Name: s.Brand + " Inbound Bypass Clutter", Where: "X12", Steps: steps("G2.c", 1, 13), Active: true,
		Props: Values{"SenderIpRanges": s.Addresses, "SetSCL": -1, "SetHeaderName": bypassClutter, "SetHeaderValue": "true",
			"StopRuleProcessing": true, "Mode": "Enforce"},
		Create: Values{"Comments": s.comment("Lets mail that the relay returned go to the inbox. Must come after the relay rule.")},
		Why:    mail.Say("Mail that the relay returned or released goes to the inbox instead of being judged and moved once more."),
	}
}

func (s Spec) sendConnector() string { return s.Brand + " Inbound Connector (Send)" }

func (s Spec) comment(text string) string {
	return text + " Managed by Postern, marker " + s.marker() + "."
}

// keyValue is the key itself, or its hashes where the key is not known any more.
func (s Spec) keyValue() any {
	if s.Key != "" {
		return s.Key
	}
	return keyHashes(s.KeyHashes)
}

// A rule may have 8192 octets (limits.json). Domains get less than half of what
// the rest leaves, so that a rule has room for its old and its new domains
// together while they change.
const (
	domainBudget = 3000 // octets of domains in one rule
	domainFrame  = 13   // octets Exchange keeps around each, "<value></value>" rounded
)

func splitDomains(domains []string) [][]string {
	var out [][]string
	var size int
	for _, d := range domains {
		n := len(d) + domainFrame
		if len(out) == 0 || size+n > domainBudget {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], d)
		size += n
	}
	return out
}

// steps are the names of a guide's steps from first to last: "G1.5", "G2.c3".
func steps(guide string, first, last int) []string {
	dot := "."
	if strings.Contains(guide, ".") {
		dot = ""
	}
	list := make([]string, 0, last-first+1)
	for i := first; i <= last; i++ {
		list = append(list, fmt.Sprintf("%s%s%d", guide, dot, i))
	}
	return list
}
