package twin

import (
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// A Caller is who runs a cmdlet.
type Caller struct {
	Name  string   // UPN or application name, shown as CreatedBy
	Roles []string // directory roles (RoleExchangeAdministrator ...) or management roles ("Transport Rules" ...)
}

// Directory roles that bear on Exchange.
const (
	RoleExchangeAdministrator string = "Exchange Administrator"
	RoleGlobalAdministrator   string = "Global Administrator"
	RoleSecurityAdministrator string = "Security Administrator"
	RoleGlobalReader          string = "Global Reader"
	RoleSecurityReader        string = "Security Reader"
)

// Admin is a caller who may do everything.
func Admin() Caller { return Caller{Name: "admin", Roles: []string{RoleExchangeAdministrator}} }

// may reports whether one of the caller's roles holds the cmdlet.
func (c Caller) may(name string) bool {
	verb, noun := cmdlet.Split(name)
	return slices.ContainsFunc(c.Roles, func(role string) bool { return holds(role, verb, noun) })
}

// holds says which cmdlets a role has. Reading connectors needs more than Security
// Reader; Global Reader is enough to read everything (seen on live tenants).
func holds(role, verb, noun string) bool {
	read := verb == "Get"
	switch role {
	case RoleExchangeAdministrator, RoleGlobalAdministrator:
		return true
	case RoleGlobalReader, "View-Only Configuration":
		return read
	case RoleSecurityReader:
		return read && !strings.HasSuffix(noun, "boundConnector")
	case RoleSecurityAdministrator:
		return hygiene(noun) || read && !strings.HasSuffix(noun, "boundConnector")
	case "Transport Rules":
		return noun == "TransportRule"
	case "Remote and Accepted Domains":
		return slices.Contains([]string{"RemoteDomain", "AcceptedDomain", "InboundConnector", "OutboundConnector"}, noun)
	case "Transport Hygiene":
		return hygiene(noun)
	case "Organization Transport Settings":
		return noun == "TransportConfig" || noun == "OrganizationConfig" && read
	case "Tenant AllowBlockList Manager":
		return strings.HasPrefix(noun, "TenantAllowBlockList")
	case "Organization Configuration":
		return noun == "OrganizationConfig" || noun == "OrganizationCustomization"
	case "View-Only Recipients":
		return read && (noun == "Mailbox" || noun == "Recipient" || strings.HasPrefix(noun, "MessageTrace"))
	}
	return false
}

// hygiene reports whether a noun is one of the anti-spam and anti-malware ones.
func hygiene(noun string) bool {
	for _, prefix := range []string{"Hosted", "Malware", "AntiPhish", "SafeLinks", "SafeAttachment", "EOPProtection", "ATP", "Atp", "TenantAllowBlockList", "ArcConfig", "Quarantine"} {
		if strings.HasPrefix(noun, prefix) {
			return true
		}
	}
	return false
}

// licensed reports whether the tenant's licence brings the cmdlet.
func (t *Tenant) licensed(name string) bool {
	_, noun := cmdlet.Split(name)
	defender := strings.HasPrefix(noun, "SafeLinks") || strings.HasPrefix(noun, "SafeAttachment") || strings.HasPrefix(noun, "ATP") || strings.HasPrefix(noun, "AtpPolicy")
	return !defender || !t.Options.NoDefender
}

// licensedParameters refuses the impersonation settings of anti-phishing policies
// where Defender for Office 365 is missing: the service does not show them then.
func (t *Tenant) licensedParameters(name string, params map[string]any) error {
	if !t.Options.NoDefender || !strings.HasSuffix(name, "-AntiPhishPolicy") || strings.HasPrefix(name, "Get-") {
		return nil
	}
	for p := range params {
		l := strings.ToLower(p)
		for _, part := range []string{"mailboxintelligence", "organizationdomains", "targeteddomain", "targeteduser", "enablesimilar", "unusualcharacters", "phishthreshold", "impersonation"} {
			if strings.Contains(l, part) {
				return cmdlet.Refuse(cmdlet.AmbiguousType, "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. %s", p)
			}
		}
	}
	return nil
}

// hydrated refuses what a tenant without customization may not do yet.
func (c *call) hydrated() error {
	if c.verb == "Get" || !(hygiene(c.noun) || c.noun == "RemoteDomain" || c.noun == "RoleGroup") {
		return nil
	}
	if !c.t.objects("OrganizationConfig")[0].Bool("IsDehydrated") {
		return nil
	}
	return cmdlet.Refuse("Microsoft.Exchange.Configuration.Tasks.InvalidOperationInDehydratedContextException",
		"The command you tried to run isn't currently allowed in your organization. To run this command, you first need to run the command: Enable-OrganizationCustomization.")
}

func (c *call) enableCustomization() ([]Object, error) {
	org := c.t.objects("OrganizationConfig")[0]
	if !org.Bool("IsDehydrated") {
		return nil, cmdlet.Refuse("Microsoft.Exchange.Data.Directory.SystemConfiguration.OrganizationAlreadyCustomizedException",
			"This operation is not required. Organization is already enabled for customization.")
	}
	now := org.clone()
	now["IsDehydrated"] = false
	c.t.replace("OrganizationConfig", org, now)
	return []Object{}, nil
}
