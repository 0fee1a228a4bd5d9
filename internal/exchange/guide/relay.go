package guide

import (
	"fmt"
	"strings"
)

// The ways to the admin centres' pages.
const (
	exchangeCenter = "https://admin.exchange.microsoft.com"
	connectorsPage = exchangeCenter + "/#/connectors – Mail flow, Connectors"
	remotePage     = exchangeCenter + "/#/remotedomains – Mail flow, Remote domains"
	acceptedPage   = exchangeCenter + "/#/accepteddomains – Mail flow, Accepted domains"
	rulesPage      = exchangeCenter + "/#/transportrules – Mail flow, Rules"
	threatPage     = "https://security.microsoft.com/threatpolicy – Email & collaboration, Policies & rules, Threat policies"
	antispamPage   = "https://security.microsoft.com/antispam – Threat policies, Anti-spam policies"
	allowPage      = "https://security.microsoft.com/tenantAllowBlockList?viewid=SpoofItem – Threat policies, Tenant allow/block lists"
)

// Steps are all steps for p.
func Steps(p Plan) []Step {
	var list []Step
	for _, part := range [][]Step{p.product(), p.receive(), p.send(), p.remote(), p.accepted(), p.filter(), p.spoofed(), p.arc(), p.strip(), p.redirect(), p.defender(), p.clutter()} {
		list = append(list, part...)
	}
	for i := range list {
		list[i].Status = Unknown
		if list[i].Values == nil {
			list[i].Values = []Value{}
		}
	}
	return list
}

// section gives all steps of a part the same heading, and place where none has one.
func section(name, place string, list []Step) []Step {
	for i := range list {
		list[i].Section = name
		if list[i].Where == "" {
			list[i].Where = place
		}
	}
	return list
}

func (p Plan) portal() string {
	if p.Portal == "" {
		return "Postern's portal – Inbound Management, Plan Settings"
	}
	return strings.TrimRight(p.Portal, "/") + " – Inbound Management, Plan Settings"
}

func (p Plan) product() []Step {
	domains := Step{ID: "G1.2", Title: "Add domain, MTA and port", Do: []string{
		"Enter each domain with its MTA. The port is usually 25. “Resolve host” fills in the MTA.",
		"Up to three MTAs for a domain: the first is used, the others when it fails."},
		Note: "Beside another mail gateway do not use “Resolve host”, or mail goes round in a loop: enter Exchange's own host by hand."}
	for _, d := range p.Domains {
		text := d
		if m := p.MTAs[d]; len(m) > 0 {
			text += " → " + strings.Join(m, ", ")
		}
		domains.Values = append(domains.Values, val("Domain", text))
	}
	key := secret("Email Relay key", p.Key)
	if p.Key == "" {
		key = val("Email Relay key", "shown once when the relay was enabled; rotate it to get a new one")
	}
	return section("Postern", p.portal(), []Step{
		{ID: "G1.1", Title: "Open the Email Relay integration", Do: []string{"Sign in as administrator and open Plan Settings.", "Make sure that the architecture is “via Email Relay”."}},
		domains,
		{ID: "G1.3", Title: "Enable the inbound Email Relay", Do: []string{"Switch on “Enable” and confirm.", "Copy the Email Relay key."}, Values: []Value{key},
			Note: "This changes nothing in the mail flow yet; mail goes through the relay only when connectors and rule are set up."},
		{ID: "G1.4", Title: "Open the connectors of the Exchange admin center", Where: connectorsPage, Do: []string{"Sign in as administrator and open Mail flow, Connectors."}},
	})
}

func (p Plan) scenario() string {
	if p.Organization {
		return "Your organization's email server"
	}
	return "Partner organization"
}

func (p Plan) receive() []Step {
	const id = "inbound-connector"
	auth := Step{ID: "G1.8", Title: "Authenticating sent email", Do: []string{
		"Select “By verifying that the IP address of the sending server matches one of these IP addresses that belong to your organization”.",
		"Add each address and click “+”, then “Next”."}, Values: []Value{val("IP addresses", lines(p.Addresses))}, checks: of(id, "SenderIPAddresses", "SenderDomains")}
	if p.CertBound {
		auth.Do = []string{"Select “By verifying that the subject name on the certificate that the sending server uses matches this domain name”.", "Enter the name, then “Next”."}
		auth.Values = []Value{val("Certificate name", p.TLSName)}
		auth.checks = of(id, "TlsSenderCertificateName", "SenderDomains")
	}
	return section("Receive connector", connectorsPage, []Step{
		{ID: "G1.5", Title: "Create the “receive” connector", Do: []string{"Click “Add a connector”."}, checks: of(id)},
		{ID: "G1.6", Title: "Select the mail flow scenario", Do: []string{"Connection from: “" + p.scenario() + "”. Connection to: “Office 365”.", "Click “Next”."}, checks: of(id, "ConnectorType")},
		{ID: "G1.7", Title: "Name and describe the connector", Do: []string{"Enter the name; a description is optional.", "Make sure that “Turn it on” is checked, then “Next”."}, Values: []Value{val("Name", p.ReceiveName)}, checks: of(id, "Enabled")},
		auth,
		{ID: "G1.9", Title: "Security restrictions", Do: []string{"Check “Reject email messages if they aren't sent over TLS”.", "Leave “Reject email messages if they aren't sent from within this IP address range” unchecked.", "Click “Next”."},
			Note: "With the second box checked, Exchange would reject all other mail from the Internet.", checks: of(id, "RequireTls", "RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate")},
		{ID: "G1.10", Title: "Review the connector", Do: []string{"Confirm that all settings are right and click “Create connector”."}, checks: of(id)},
		{ID: "G1.11", Title: "Confirm that the connector was added", Do: []string{"Find it in the list of connectors."}, Values: []Value{val("Name", p.ReceiveName)}, checks: of(id)},
	})
}

func (p Plan) send() []Step {
	const id = "outbound-connector"
	return section("Send connector", connectorsPage, []Step{
		{ID: "G1.12", Title: "Create the “send” connector", Do: []string{"Click “Add a connector”."}, checks: of(id)},
		{ID: "G1.13", Title: "Select the mail flow scenario", Do: []string{"Connection from: “Office 365”. Connection to: “" + p.scenario() + "”.", "Click “Next”."}, checks: of(id, "ConnectorType")},
		{ID: "G1.14", Title: "Name and describe the connector", Do: []string{"Enter the name; a description is optional.", "Make sure that “Turn it on” is checked, then “Next”."}, Values: []Value{val("Name", p.SendName)}, checks: of(id, "Enabled")},
		{ID: "G1.15", Title: "Use of the connector", Do: []string{"Select “Only when I have a transport rule set up that redirects messages to this connector”, then “Next”."}, checks: of(id, "IsTransportRuleScoped")},
		{ID: "G1.16", Title: "Routing", Do: []string{"Enter the smart host, click “+”, then “Next”."}, Values: []Value{val("Smart host", p.SmartHost)}, checks: of(id, "SmartHosts", "UseMXRecord")},
		{ID: "G1.17", Title: "Security restrictions", Do: []string{"Check “Always use Transport Layer Security (TLS)”.", "Select “Issued by a trusted certificate authority (CA)”.",
			"Check “Add the subject name or subject alternative name (SAN) matches this domain name” and enter the name."}, Values: []Value{val("Domain name", p.TLSName)}, checks: of(id, "TlsSettings", "TlsDomain")},
		{ID: "G1.18", Title: "Validate the connector", Do: []string{"Enter the address of an active mailbox, click “+”, then “Validate”."}, Values: []Value{val("Mailbox", p.Mailbox)}, checks: of(id, "IsValidated")},
		{ID: "G1.19", Title: "Validation results", Do: []string{"“Check connectivity” must succeed. If it fails, check the smart host's name.",
			"“Send test email” may fail, because no rule uses the connector yet.", "Click “Next”; if a warning comes, “Yes”."}, checks: of(id, "IsValidated")},
		{ID: "G1.20", Title: "Review the connector", Do: []string{"Confirm that all settings are right and click “Create connector”."}, checks: of(id)},
	})
}

func (p Plan) remote() []Step {
	const id = "remote-domain"
	return section("Remote domains", remotePage, []Step{
		{ID: "G1.21", Title: "Open the default remote domain", Do: []string{"Open “Remote domains” and click “Default”."}, checks: of(id)},
		{ID: "G1.22", Title: "Open the text settings", Do: []string{"Click “Edit text and character set”."}, checks: of(id, "TNEFEnabled", "CharacterSet", "NonMimeCharacterSet")},
		{ID: "G1.23", Title: "Change the text settings", Do: []string{"Use rich-text format: “Never”.", "MIME character set: “Unicode (UTF-8)”.", "Non-MIME character set: “Unicode (UTF-8)”.", "Click “Save”."}, checks: of(id, "TNEFEnabled", "CharacterSet", "NonMimeCharacterSet")},
		{ID: "G1.24", Title: "Open the reply types", Do: []string{"Click “Edit reply types”."}, checks: of(id, "AllowedOOFType")},
		{ID: "G1.25", Title: "Change the reply types", Do: []string{"Out of Office automatic reply types: “Allow external and legacy out of office replies”.", "Click “Save”."}, checks: of(id, "AllowedOOFType")},
	})
}

func (p Plan) accepted() []Step {
	s := Step{ID: "G1.26", Title: "Check the accepted domains", Do: []string{"Find each domain and check that its type is “Authoritative”, not “Internal relay”."},
		Note: "“Internal relay” is for domains with a mail server outside of Microsoft 365; if that is so, it may stay.", checks: []check{{"accepted-domain", "DomainType"}}}
	for _, d := range p.Domains {
		s.Values = append(s.Values, val("Domain", d))
	}
	return section("Accepted domains", acceptedPage, []Step{s})
}

func (p Plan) filter() []Step {
	const id = "connection-filter"
	last := Step{ID: "G1.29", Title: "Allow the relay's addresses", Where: antispamPage, Do: []string{"Click “Edit connection filter policy”.",
		"Add the addresses under “Always allow messages from the following IP addresses or address range”; leave what is there.", "Click “Save”."},
		Values: []Value{val("IP addresses", lines(p.Addresses))}, checks: of(id, "IPAllowList")}
	if p.SafeList {
		last.Do = append(last.Do[:2:2], "Check “Turn on safe list”.", "Click “Save”.")
		last.checks = of(id, "IPAllowList", "EnableSafeList")
	}
	return section("Connection filter", threatPage, []Step{
		{ID: "G1.27", Title: "Open the threat policies", Do: []string{"Open Policies & rules, Threat policies."}, checks: of(id)},
		{ID: "G1.28", Title: "Open the connection filter policy", Where: antispamPage, Do: []string{"Open “Anti-spam policies”, then “Connection filter policy (Default)”."}, checks: of(id)},
		last,
	})
}

func (p Plan) spoofed() []Step {
	pairs := func(kind string) []check {
		return []check{{"spoof-" + kind, ""}, {"spoof-" + kind, "Action"}}
	}
	values := []Value{val("Domain pairs", lines(p.Pairs))}
	return section("Spoofed senders", allowPage, []Step{
		{ID: "G1.30", Title: "Open the tenant allow/block lists", Where: threatPage, Do: []string{"Under “Rules”, open “Tenant Allow/Block Lists”."}, checks: pairs("internal")},
		{ID: "G1.31", Title: "Add an allow entry", Do: []string{"Open the tab “Spoofed senders” and click “Add”."}, checks: pairs("internal")},
		{ID: "G1.32", Title: "Allow internal senders", Do: []string{"Add the pairs, one on each line (20 lines at once).", "Spoof type: “Internal”. Action: “Allow”.", "Click “Add”."}, Values: values, checks: pairs("internal")},
		{ID: "G1.33", Title: "Allow external senders", Do: []string{"Click “Add” and add the same pairs once more.", "Spoof type: “External”. Action: “Allow”.", "Click “Add”."}, Values: values, checks: pairs("external")},
	})
}

func (p Plan) arc() []Step {
	if p.ArcSealer == "" {
		return nil
	}
	return section("Trusted ARC sealer", "https://security.microsoft.com/authentication?viewid=ARC – Threat policies, Email authentication settings, ARC", []Step{
		{ID: "P.1", Title: "Trust the relay's ARC seals", Do: []string{"Click “Edit” and add the domain; leave what is there.", "Click “Save”."}, Values: []Value{val("Trusted sealer", p.ArcSealer)},
			Note: "The guides do not have this step; it keeps authentication green when the relay changes a message.", checks: of("arc-trust", "ArcTrustedSealers")},
	})
}

func (p Plan) strip() []Step {
	var list []Step
	for i, s := range p.Strip {
		list = append(list, Step{ID: fmt.Sprintf("P.%d", i+2), Title: "Create the rule “" + s.Name + "”", Do: []string{
			"Click “Add a rule”, “Create a new rule”, and enter the name.",
			"Apply this rule if: “Apply to all messages”.",
			"Do the following: “Modify the message properties”, “remove a message header”, and enter the header.",
			"Except if: “The sender”, “IP address is in any of these ranges or exactly matches”, and enter the addresses.",
			"Finish, enable the rule, and move it to the top of the list."},
			Values: []Value{val("Name", s.Name), val("Header", s.Header), val("IP addresses", lines(p.Addresses))},
			Note:   "The guides do not have this step; without it anybody can write this header into a message.", checks: of(s.ID, "RemoveHeader", "ExceptIfSenderIpRanges", "State", "Priority")})
	}
	return section("Protection against forged headers", rulesPage, list)
}
