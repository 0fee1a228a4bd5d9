package twin

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// check holds a new or changed object to its noun's rules and writes its values as
// the service stores them. old is nil for a new one.
func (c *call) check(o, old Object) error {
	switch c.noun {
	case "InboundConnector":
		return c.checkInbound(o, old)
	case "OutboundConnector":
		return c.checkOutbound(o)
	case "HostedConnectionFilterPolicy":
		return checkConnectionFilter(o)
	case "HostedContentFilterPolicy":
		return checkContentFilter(o)
	case "ArcConfig":
		// it reads back as one text, and a single blank clears it
		o["ArcTrustedSealers"] = strings.TrimSpace(strings.Join(o.List("ArcTrustedSealers"), ","))
		return nil
	case "TransportRule":
		return c.checkTransportRule(o, old)
	case "RemoteDomain":
		if o.String("DomainName") == "" {
			return cmdlet.Refuse(cmdlet.MissingType, "Cannot process command because of one or more missing mandatory parameters: DomainName.")
		}
	}
	if ordered(c.noun) {
		return c.checkPolicyRule(o, old)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return cmdlet.Refuse("Microsoft.Exchange.Data.DataValidationException", format, args...)
}

func (c *call) checkInbound(o, old Object) error {
	if c.t.Options.Developer {
		return cmdlet.Refuse(cmdlet.TaskType, "Creation of inbound connectors is restricted in this subscription.")
	}
	domains := make([]string, 0, 1)
	for _, d := range o.List("SenderDomains") {
		d, err := storedDomain(d)
		if err != nil {
			return err
		}
		domains = append(domains, d)
	}
	if len(domains) == 0 {
		return invalid("SenderDomains can't be empty.")
	}
	o["SenderDomains"] = domains
	for _, ip := range o.List("SenderIPAddresses") {
		if !ipv4Block(ip) {
			return invalid("The IP address or range '%s' isn't valid. Use a single IPv4 address or a CIDR range between /24 and /32.", ip)
		}
	}
	if o.String("ConnectorType") == "" {
		o["ConnectorType"] = "OnPremises"
	}
	if o.Bool("RestrictDomainsToIPAddresses") && len(o.List("SenderIPAddresses")) == 0 {
		return invalid("When RestrictDomainsToIPAddresses is $true, SenderIPAddresses can't be empty.")
	}
	if o.Bool("RestrictDomainsToCertificate") && o.String("TlsSenderCertificateName") == "" {
		return invalid("When RestrictDomainsToCertificate is $true, TlsSenderCertificateName can't be empty.")
	}
	if o.String("ConnectorType") == "OnPremises" && !c.t.Options.Old && o.Bool("Enabled") {
		o["Enabled"] = false
		if old == nil {
			c.warn("Inbound connector for this service offering is created in a disabled state. Contact Support to enable it.")
		} else {
			c.warn("For this service offering, you can't enable an inbound connector. Contact Support to enable it.")
		}
	}
	return nil
}

var (
	storedForm = regexp.MustCompile(`^smtp:[^;]+;[0-9]+$`)
	domainForm = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
)

// storedDomain is a sender domain as the service stores it: "smtp:contoso.com;1".
func storedDomain(d string) (string, error) {
	if storedForm.MatchString(d) {
		return d, nil
	}
	if d != "*" && !domainForm.MatchString(d) {
		return "", invalid("The domain '%s' isn't a valid SMTP domain.", d)
	}
	return "smtp:" + d + ";1", nil
}

// ipv4Block is a single IPv4 address or a CIDR range of /24 to /32.
func ipv4Block(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is4()
	}
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is4() && p.Bits() >= 24
}

func (c *call) checkOutbound(o Object) error {
	hosts := o.List("SmartHosts")
	if !o.Bool("UseMXRecord") && len(hosts) == 0 {
		return invalid("SmartHosts is required when UseMXRecord is $false.")
	}
	if o.Bool("UseMXRecord") && len(hosts) > 0 {
		return invalid("SmartHosts can't be used when UseMXRecord is $true.")
	}
	for _, h := range hosts {
		bare := strings.Trim(h, "[]")
		if _, err := netip.ParseAddr(bare); err != nil && (!domainForm.MatchString(h) || strings.HasPrefix(h, "*")) {
			return invalid("The smart host '%s' isn't valid.", h)
		}
	}
	tls, domain := o.String("TlsSettings"), o.String("TlsDomain")
	if tls == "DomainValidation" && domain == "" {
		return invalid("TlsDomain is required when TlsSettings is DomainValidation.")
	}
	if domain != "" && (tls != "DomainValidation" || !domainForm.MatchString(domain)) {
		return invalid("TlsDomain '%s' needs TlsSettings DomainValidation and may have one wildcard, at its front.", domain)
	}
	if o.Bool("IsTransportRuleScoped") && len(o.List("RecipientDomains")) > 0 {
		return invalid("RecipientDomains can't be used when IsTransportRuleScoped is $true.")
	}
	if !o.Bool("IsTransportRuleScoped") && !o.Bool("AllAcceptedDomains") && len(o.List("RecipientDomains")) == 0 {
		return invalid("RecipientDomains is required unless the connector is scoped to mail flow rules.")
	}
	if o.String("ConnectorType") == "Partner" && (o.Bool("RouteAllMessagesViaOnPremises") || o.Bool("CloudServicesMailEnabled")) {
		return invalid("RouteAllMessagesViaOnPremises and CloudServicesMailEnabled need the connector type OnPremises.")
	}
	return nil
}

// The connection filter's limits (Microsoft: configure the connection filter policy).
const (
	maxFilterEntries int = 1273
	maxRangeLength   int = 256 // addresses in one range
)

func checkConnectionFilter(o Object) error {
	for _, list := range []string{"IPAllowList", "IPBlockList"} {
		if len(o.List(list)) > maxFilterEntries {
			return invalid("%s has %d entries; the maximum is %d.", list, len(o.List(list)), maxFilterEntries)
		}
		for _, ip := range o.List(list) {
			if !ipv4Block(ip) && !ipv4Range(ip) {
				return invalid("'%s' isn't a valid IPv4 address, range of at most %d addresses, or CIDR range between /24 and /32.", ip, maxRangeLength)
			}
		}
	}
	return nil
}

func ipv4Range(s string) bool {
	first, last, ok := strings.Cut(s, "-")
	a, err1 := netip.ParseAddr(strings.TrimSpace(first))
	b, err2 := netip.ParseAddr(strings.TrimSpace(last))
	if !ok || err1 != nil || err2 != nil || !a.Is4() || !b.Is4() || b.Less(a) {
		return false
	}
	return number(b)-number(a) < uint32(maxRangeLength)
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// checkContentFilter: AddXHeaderValue is the name of a header field.
func checkContentFilter(o Object) error {
	if v := o.String("AddXHeaderValue"); strings.ContainsAny(v, " :\r\n\t") || len(v) > 255 {
		return invalid("AddXHeaderValue '%s' must be a header field name of at most 255 characters without spaces and colons.", v)
	}
	if r := o.List("RedirectToRecipients"); len(r) == 0 && slices.Contains([]string{o.String("SpamAction"), o.String("HighConfidenceSpamAction"), o.String("PhishSpamAction"), o.String("HighConfidencePhishAction"), o.String("BulkSpamAction")}, "Redirect") {
		return invalid("RedirectToRecipients is required when an action is Redirect.")
	}
	return nil
}
