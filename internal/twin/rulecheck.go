package twin

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// Limits of mail flow rules (Microsoft: journal, transport and inbox rule limits).
const (
	maxRules     int = 300
	maxRuleBytes int = 8192
	maxComments  int = 1024
)

// checkTransportRule holds a mail flow rule to the service's limits and fills in
// what the service computes: Conditions, Actions, Exceptions, Description, Size.
func (c *call) checkTransportRule(o, old Object) error {
	if old == nil && len(c.t.objects("TransportRule")) >= maxRules {
		return cmdlet.Refuse("Microsoft.Exchange.Management.MessagingPolicies.Rules.TooManyRulesException", "The maximum number of mail flow rules (%d) has been reached.", maxRules)
	}
	if len(o.String("Comments")) > maxComments {
		return invalid("The property Comments is too long. The maximum length is %d and the length of the value provided is %d.", maxComments, len(o.String("Comments")))
	}
	if err := c.checkRoute(o); err != nil {
		return err
	}
	for _, pair := range [][2]string{{"SetHeaderName", "SetHeaderValue"}, {"HeaderContainsMessageHeader", "HeaderContainsWords"}, {"ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderContainsWords"},
		{"HeaderMatchesMessageHeader", "HeaderMatchesPatterns"}, {"ExceptIfHeaderMatchesMessageHeader", "ExceptIfHeaderMatchesPatterns"}} {
		if unset(o[pair[0]]) != unset(o[pair[1]]) {
			return cmdlet.Refuse(cmdlet.ArgumentType, "The parameters %s and %s must be used together.", pair[0], pair[1])
		}
	}
	for _, p := range []string{"SenderIpRanges", "ExceptIfSenderIpRanges"} {
		for _, ip := range o.List(p) {
			if !anyBlock(ip) {
				return cmdlet.Refuse(cmdlet.ArgumentType, "The IP address or range '%s' isn't valid.", ip)
			}
		}
	}
	if o.String("SenderAddressLocation") == "" {
		o["SenderAddressLocation"] = "Header"
	}
	describe(o)
	if len(o.List("Actions")) == 0 {
		return cmdlet.Refuse(cmdlet.ArgumentType, "The rule must have at least one action.")
	}
	if o.Int("Size") > maxRuleBytes { // text unverified
		return cmdlet.Refuse("Microsoft.Exchange.Management.MessagingPolicies.Rules.RuleTooLargeException", "The rule can't be saved because its size of %d bytes exceeds the maximum of %d bytes.", o.Int("Size"), maxRuleBytes)
	}
	if old == nil {
		o["CreatedBy"], o["LastModifiedBy"] = c.caller.Name, c.caller.Name
	}
	return nil
}

// checkRoute: the connector must be there, be on, and be for rules (texts unverified).
func (c *call) checkRoute(o Object) error {
	name := o.String("RouteMessageOutboundConnector")
	if name == "" {
		return nil
	}
	conn := c.t.find("OutboundConnector", name)
	if conn == nil {
		return cmdlet.Refuse(cmdlet.NotFoundType, "The outbound connector '%s' couldn't be found.", name)
	}
	if !conn.Bool("Enabled") || !conn.Bool("IsTransportRuleScoped") {
		return cmdlet.Refuse(cmdlet.ArgumentType, "The outbound connector '%s' is disabled or isn't scoped to mail flow rules.", name)
	}
	o["RouteMessageOutboundConnector"] = conn.String("Name")
	return nil
}

// anyBlock is an address, a range or a CIDR range, of either IP version.
func anyBlock(s string) bool {
	_, err := netip.ParsePrefix(s)
	if err == nil {
		return true
	}
	if _, err = netip.ParseAddr(s); err == nil {
		return true
	}
	first, last, ok := strings.Cut(s, "-")
	a, err1 := netip.ParseAddr(strings.TrimSpace(first))
	b, err2 := netip.ParseAddr(strings.TrimSpace(last))
	return ok && err1 == nil && err2 == nil && !b.Less(a)
}

// unset reports whether a rule's property says nothing.
func unset(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	}
	return false
}

// checkPolicyRule: a rule that applies policies names ones that are there and that
// no other rule applies.
func (c *call) checkPolicyRule(o, old Object) error {
	for _, noun := range []string{"HostedContentFilterPolicy", "AntiPhishPolicy", "MalwareFilterPolicy", "SafeLinksPolicy", "SafeAttachmentPolicy", "HostedOutboundSpamFilterPolicy"} {
		name := o.String(noun)
		if name == "" {
			continue
		}
		if c.t.find(noun, name) == nil {
			return cmdlet.NotFound(name, server)
		}
		for _, r := range c.t.objects(c.noun) {
			if strings.EqualFold(r.String(noun), name) && r.String("Guid") != o.String("Guid") {
				return cmdlet.Refuse("Microsoft.Exchange.Management.Tasks.PolicyAlreadyAssociatedException", "The policy '%s' is already associated with the rule '%s'.", name, r.String("Name"))
			}
		}
	}
	return c.policyRuleText(o, old)
}

func (c *call) policyRuleText(o, old Object) error {
	conditions, text := predicates(o, ruleConditions, "")
	exceptions, except := predicates(o, ruleConditions, "ExceptIf")
	if len(conditions) == 0 && !strings.Contains(c.noun, "Protection") && old == nil {
		return cmdlet.Refuse(cmdlet.ArgumentType, "You need to specify at least one condition for the rule.")
	}
	o["Conditions"], o["Exceptions"] = orNull(conditions), orNull(exceptions)
	var b strings.Builder
	if len(text) > 0 {
		fmt.Fprintf(&b, "If the message:\r\n\t%s\r\n", strings.Join(text, "\r\n\tand "))
	}
	b.WriteString("Take the following actions:\r\n\tApply the policy.\r\n")
	if len(except) > 0 {
		fmt.Fprintf(&b, "Except if the message:\r\n\t%s\r\n", strings.Join(except, "\r\n\tor "))
	}
	o["Description"] = b.String()
	return nil
}

func orNull(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
