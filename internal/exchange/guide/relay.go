package guide

import (
	"fmt"
	"strings"

	"postern/internal/mail"
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
	arcPage        = "https://security.microsoft.com/authentication?viewid=ARC – Threat policies, Email authentication settings, ARC"
)

// place is a page of Microsoft's admin centres; the names of its menu stay English,
// as the guides have them.
func place(page string) mail.Sentence { return mail.Sentence{Format: "%s", Args: []any{page}} }

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
func section(name, place mail.Sentence, list []Step) []Step {
	for i := range list {
		list[i].Section = name
		if list[i].Where.Format == "" {
			list[i].Where = place
		}
	}
	return list
}

func (p Plan) portal() mail.Sentence {
	if p.Portal == "" {
		return mail.Say("Postern's portal – Inbound Management, Plan Settings")
	}
	return mail.Say("%s – Inbound Management, Plan Settings", strings.TrimRight(p.Portal, "/"))
}

func (p Plan) product() []Step {
	domains := Step{ID: "G1.2", Title: mail.Say("Add domain, MTA and port"), Do: do(
		"Enter each domain with its MTA. The port is usually 25. “Resolve host” fills in the MTA.",
		"Up to three MTAs for a domain: the first is used, the others when it fails."),
		Note: mail.Say("Beside another mail gateway do not use “Resolve host”, or mail goes round in a loop: enter Exchange's own host by hand.")}
	for _, d := range p.Domains {
		text := d
		if m := p.MTAs[d]; len(m) > 0 {
			text += " → " + strings.Join(m, ", ")
		}
		domains.Values = append(domains.Values, val(mail.Say("Domain"), text))
	}
	key := Step{ID: "G1.3", Title: mail.Say("Enable the inbound Email Relay"), Do: do("Switch on “Enable” and confirm.", "Copy the Email Relay key: it is shown this once; rotate it to get a new one."),
		Note: mail.Say("This changes nothing in the mail flow yet; mail goes through the relay only when connectors and rule are set up.")}
	if p.Key != "" {
		key.Values = []Value{secret(mail.Say("Email Relay key"), p.Key)}
	}
	return section(mail.Say("Postern"), p.portal(), []Step{
		{ID: "G1.1", Title: mail.Say("Open the Email Relay integration"), Do: do("Sign in as administrator and open Plan Settings.", "Make sure that the architecture is “via Email Relay”.")},
		domains,
		key,
		{ID: "G1.4", Title: mail.Say("Open the connectors of the Exchange admin center"), Where: place(connectorsPage), Do: do("Sign in as administrator and open Mail flow, Connectors.")},
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
	auth := Step{ID: "G1.8", Title: mail.Say("Authenticating sent email"), Do: do(
		"Select “By verifying that the IP address of the sending server matches one of these IP addresses that belong to your organization”.",
		"Add each address and click “+”, then “Next”."), Values: []Value{val(mail.Say("IP addresses"), lines(p.Addresses))}, checks: of(id, "SenderIPAddresses", "SenderDomains")}
	if p.CertBound {
		auth.Do = do("Select “By verifying that the subject name on the certificate that the sending server uses matches this domain name”.", "Enter the name, then “Next”.")
		auth.Values = []Value{val(mail.Say("Certificate name"), p.TLSName)}
		auth.checks = of(id, "TlsSenderCertificateName", "SenderDomains")
	}
	return section(mail.Say("Receive connector"), place(connectorsPage), []Step{
		{ID: "G1.5", Title: mail.Say("Create the “receive” connector"), Do: do("Click “Add a connector”."), checks: of(id)},
		{ID: "G1.6", Title: mail.Say("Select the mail flow scenario"), Do: []mail.Sentence{mail.Say("Connection from: “%s”. Connection to: “%s”.", p.scenario(), "Office 365"), mail.Say("Click “Next”.")}, checks: of(id, "ConnectorType")},
		{ID: "G1.7", Title: mail.Say("Name and describe the connector"), Do: do("Enter the name; a description is optional.", "Make sure that “Turn it on” is checked, then “Next”."), Values: []Value{val(mail.Say("Name"), p.ReceiveName)}, checks: of(id, "Enabled")},
		auth,
		{ID: "G1.9", Title: mail.Say("Security restrictions"), Do: do("Check “Reject email messages if they aren't sent over TLS”.", "Leave “Reject email messages if they aren't sent from within this IP address range” unchecked.", "Click “Next”."),
			Note: mail.Say("With the second box checked, Exchange would reject all other mail from the Internet."), checks: of(id, "RequireTls", "RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate")},
		{ID: "G1.10", Title: mail.Say("Review the connector"), Do: do("Confirm that all settings are right and click “Create connector”."), checks: of(id)},
		{ID: "G1.11", Title: mail.Say("Confirm that the connector was added"), Do: do("Find it in the list of connectors."), Values: []Value{val(mail.Say("Name"), p.ReceiveName)}, checks: of(id)},
	})
}

func (p Plan) send() []Step {
	const id = "outbound-connector"
	return section(mail.Say("Send connector"), place(connectorsPage), []Step{
		{ID: "G1.12", Title: mail.Say("Create the “send” connector"), Do: do("Click “Add a connector”."), checks: of(id)},
		{ID: "G1.13", Title: mail.Say("Select the mail flow scenario"), Do: []mail.Sentence{mail.Say("Connection from: “%s”. Connection to: “%s”.", "Office 365", p.scenario()), mail.Say("Click “Next”.")}, checks: of(id, "ConnectorType")},
		{ID: "G1.14", Title: mail.Say("Name and describe the connector"), Do: do("Enter the name; a description is optional.", "Make sure that “Turn it on” is checked, then “Next”."), Values: []Value{val(mail.Say("Name"), p.SendName)}, checks: of(id, "Enabled")},
		{ID: "G1.15", Title: mail.Say("Use of the connector"), Do: do("Select “Only when I have a transport rule set up that redirects messages to this connector”, then “Next”."), checks: of(id, "IsTransportRuleScoped")},
		{ID: "G1.16", Title: mail.Say("Routing"), Do: do("Enter the smart host, click “+”, then “Next”."), Values: []Value{val(mail.Say("Smart host"), p.SmartHost)}, checks: of(id, "SmartHosts", "UseMXRecord")},
		{ID: "G1.17", Title: mail.Say("Security restrictions"), Do: do("Check “Always use Transport Layer Security (TLS)”.", "Select “Issued by a trusted certificate authority (CA)”.",
			"Check “Add the subject name or subject alternative name (SAN) matches this domain name” and enter the name."), Values: []Value{val(mail.Say("Domain name"), p.TLSName)}, checks: of(id, "TlsSettings", "TlsDomain")},
		{ID: "G1.18", Title: mail.Say("Validate the connector"), Do: do("Enter the address of an active mailbox, click “+”, then “Validate”."), Values: []Value{val(mail.Say("Mailbox"), p.Mailbox)}, checks: of(id, "IsValidated")},
		{ID: "G1.19", Title: mail.Say("Validation results"), Do: do("“Check connectivity” must succeed. If it fails, check the smart host's name.",
			"“Send test email” may fail, because no rule uses the connector yet.", "Click “Next”; if a warning comes, “Yes”."), checks: of(id, "IsValidated")},
		{ID: "G1.20", Title: mail.Say("Review the connector"), Do: do("Confirm that all settings are right and click “Create connector”."), checks: of(id)},
	})
}

func (p Plan) remote() []Step {
	const id = "remote-domain"
	return section(mail.Say("Remote domains"), place(remotePage), []Step{
		{ID: "G1.21", Title: mail.Say("Open the default remote domain"), Do: do("Open “Remote domains” and click “Default”."), checks: of(id)},
		{ID: "G1.22", Title: mail.Say("Open the text settings"), Do: do("Click “Edit text and character set”."), checks: of(id, "TNEFEnabled", "CharacterSet", "NonMimeCharacterSet")},
		{ID: "G1.23", Title: mail.Say("Change the text settings"), Do: do("Use rich-text format: “Never”.", "MIME character set: “Unicode (UTF-8)”.", "Non-MIME character set: “Unicode (UTF-8)”.", "Click “Save”."), checks: of(id, "TNEFEnabled", "CharacterSet", "NonMimeCharacterSet")},
		{ID: "G1.24", Title: mail.Say("Open the reply types"), Do: do("Click “Edit reply types”."), checks: of(id, "AllowedOOFType")},
		{ID: "G1.25", Title: mail.Say("Change the reply types"), Do: do("Out of Office automatic reply types: “Allow external and legacy out of office replies”.", "Click “Save”."), checks: of(id, "AllowedOOFType")},
	})
}

func (p Plan) accepted() []Step {
	s := Step{ID: "G1.26", Title: mail.Say("Check the accepted domains"), Do: do("Find each domain and check that its type is “Authoritative”, not “Internal relay”."),
		Note: mail.Say("“Internal relay” is for domains with a mail server outside of Microsoft 365; if that is so, it may stay."), checks: []check{{"accepted-domain", "DomainType"}}}
	for _, d := range p.Domains {
		s.Values = append(s.Values, val(mail.Say("Domain"), d))
	}
	return section(mail.Say("Accepted domains"), place(acceptedPage), []Step{s})
}

func (p Plan) filter() []Step {
	const id = "connection-filter"
	last := Step{ID: "G1.29", Title: mail.Say("Allow the relay's addresses"), Where: place(antispamPage), Do: do("Click “Edit connection filter policy”.",
		"Add the addresses under “Always allow messages from the following IP addresses or address range”; leave what is there.", "Click “Save”."),
		Values: []Value{val(mail.Say("IP addresses"), lines(p.Addresses))}, checks: of(id, "IPAllowList")}
	if p.SafeList {
		last.Do = append(last.Do[:2:2], do("Check “Turn on safe list”.", "Click “Save”.")...)
		last.checks = of(id, "IPAllowList", "EnableSafeList")
	}
	return section(mail.Say("Connection filter"), place(threatPage), []Step{
		{ID: "G1.27", Title: mail.Say("Open the threat policies"), Do: do("Open Policies & rules, Threat policies."), checks: of(id)},
		{ID: "G1.28", Title: mail.Say("Open the connection filter policy"), Where: place(antispamPage), Do: do("Open “Anti-spam policies”, then “Connection filter policy (Default)”."), checks: of(id)},
		last,
	})
}

func (p Plan) spoofed() []Step {
	pairs := func(kind string) []check {
		return []check{{"spoof-" + kind, ""}, {"spoof-" + kind, "Action"}}
	}
	values := []Value{val(mail.Say("Domain pairs"), lines(p.Pairs))}
	return section(mail.Say("Spoofed senders"), place(allowPage), []Step{
		{ID: "G1.30", Title: mail.Say("Open the tenant allow/block lists"), Where: place(threatPage), Do: do("Under “Rules”, open “Tenant Allow/Block Lists”."), checks: pairs("internal")},
		{ID: "G1.31", Title: mail.Say("Add an allow entry"), Do: do("Open the tab “Spoofed senders” and click “Add”."), checks: pairs("internal")},
		{ID: "G1.32", Title: mail.Say("Allow internal senders"), Do: do("Add the pairs, one on each line (20 lines at once).", "Spoof type: “Internal”. Action: “Allow”.", "Click “Add”."), Values: values, checks: pairs("internal")},
		{ID: "G1.33", Title: mail.Say("Allow external senders"), Do: do("Click “Add” and add the same pairs once more.", "Spoof type: “External”. Action: “Allow”.", "Click “Add”."), Values: values, checks: pairs("external")},
	})
}

func (p Plan) arc() []Step {
	if p.ArcSealer == "" {
		return nil
	}
	return section(mail.Say("Trusted ARC sealer"), place(arcPage), []Step{
		{ID: "P.1", Title: mail.Say("Trust the relay's ARC seals"), Do: do("Click “Edit” and add the domain; leave what is there.", "Click “Save”."), Values: []Value{val(mail.Say("Trusted sealer"), p.ArcSealer)},
			Note: mail.Say("The guides do not have this step; it keeps authentication green when the relay changes a message."), checks: of("arc-trust", "ArcTrustedSealers")},
	})
}

func (p Plan) strip() []Step {
	var list []Step
	for i, s := range p.Strip {
		list = append(list, Step{ID: fmt.Sprintf("P.%d", i+2), Title: mail.Say("Create the rule “%s”", s.Name), Do: do(
			"Click “Add a rule”, “Create a new rule”, and enter the name.",
			"Apply this rule if: “Apply to all messages”.",
			"Do the following: “Modify the message properties”, “remove a message header”, and enter the header.",
			"Except if: “The sender”, “IP address is in any of these ranges or exactly matches”, and enter the addresses.",
			"Finish, enable the rule, and move it to the top of the list."),
			Values: []Value{val(mail.Say("Name"), s.Name), val(mail.Say("Header"), s.Header), val(mail.Say("IP addresses"), lines(p.Addresses))},
			Note:   mail.Say("The guides do not have this step; without it anybody can write this header into a message."), checks: of(s.ID, "RemoveHeader", "ExceptIfSenderIpRanges", "State", "Priority")})
	}
	return section(mail.Say("Protection against forged headers"), place(rulesPage), list)
}
