package guide

import "postern/internal/mail"

// redirect are the steps of the relay rule. When the domains need several rules,
// the steps are the same for each; the names and domains of all are given.
func (p Plan) redirect() []Step {
	on := func(fields ...string) []check {
		var list []check
		for _, r := range p.RedirectRules {
			list = append(list, of(r.ID, fields...)...)
		}
		return list
	}
	var names, domains []Value
	for _, r := range p.RedirectRules {
		names = append(names, val(mail.Say("Name"), r.Name))
		domains = append(domains, val(mail.Say("Domains of “%s”", r.Name), lines(r.Domains)))
	}
	var key []Value
	if p.Key != "" {
		key = []Value{secret(mail.Say("Email Relay key"), p.Key)}
	}
	first := Step{ID: "G1.34", Title: mail.Say("Create a new rule"), Do: do("Open Mail flow, Rules, and click “Add a rule”, “Create a new rule”."), checks: on()}
	if len(p.RedirectRules) > 1 {
		first.Note = mail.Say("The domains do not fit into one rule: do steps G1.34 to G1.58 once for each of the names below.")
	}
	list := []Step{
		first,
		{ID: "G1.35", Title: mail.Say("Name the rule"), Do: do("Enter the name."), Values: names, checks: on()},
		{ID: "G1.36", Title: mail.Say("First condition: recipient domain"), Do: do("Apply this rule if: “The recipient”, then “domain is”."), checks: on("RecipientDomainIs")},
		{ID: "G1.37", Title: mail.Say("Select the recipient domain"), Do: do("Add each domain, then “Save”."), Values: domains, checks: on("RecipientDomainIs")},
		{ID: "G1.38", Title: mail.Say("Add a condition"), Do: do("Click “+” next to the first condition."), checks: on("SentToScope")},
		{ID: "G1.39", Title: mail.Say("Second condition: recipient location"), Do: do("“The recipient”, then “is external/internal”."), checks: on("SentToScope")},
		{ID: "G1.40", Title: mail.Say("Select the recipient location"), Do: do("“Inside the organization”, then “Save”."), checks: on("SentToScope")},
	}
	if !p.Internal {
		list = append(list, Step{ID: "P.4", Title: mail.Say("Third condition: only mail from outside"), Do: do("Click “+”, “The sender”, “is external/internal”, “Outside the organization”, then “Save”."),
			Note: mail.Say("The guides redirect mail between your own people too; that breaks closed groups and meeting rooms."), checks: on("FromScope")})
	}
	list = append(list,
		Step{ID: "G1.41", Title: mail.Say("First action: redirect to the connector"), Do: do("Do the following: “Redirect the message to”, then “the following connector”."), checks: on("RouteMessageOutboundConnector")},
		Step{ID: "G1.42", Title: mail.Say("Select the connector"), Do: do("Choose the send connector, then “Save”."), Values: []Value{val(mail.Say("Connector"), p.SendName)}, checks: on("RouteMessageOutboundConnector")},
		Step{ID: "G1.43", Title: mail.Say("Add an action"), Do: do("Click “+” next to the first action."), checks: on("SetHeaderName")},
		Step{ID: "G1.44", Title: mail.Say("Second action: set a message header"), Do: do("“Modify the message properties”, then “set a message header”."), checks: on("SetHeaderName")},
		Step{ID: "G1.45", Title: mail.Say("Set the header name"), Do: do("Click the first “Enter text”, enter the name, then “Save”."), Values: []Value{val(mail.Say("Header"), p.CredsHeader)}, checks: on("SetHeaderName")},
		Step{ID: "G1.46", Title: mail.Say("Set the header value"), Do: do("Click the second “Enter text”, enter the Email Relay key from step G1.3, then “Save”."), Values: key, checks: on("SetHeaderValue")},
		Step{ID: "G1.47", Title: mail.Say("Third action: require TLS"), Do: do("Click “+”, “Modify the message security”, then “Require TLS encryption”."), checks: on("RouteMessageOutboundRequireTls")},
		Step{ID: "G1.48", Title: mail.Say("Fourth action: bypass spam filtering"), Do: do("Click “+”, “Modify the message properties”, then “set the spam confidence level (SCL)”."), checks: on("SetSCL")},
		Step{ID: "G1.49", Title: mail.Say("Select the bypass"), Do: do("“Bypass spam filtering”, then “Save”."), checks: on("SetSCL")},
	)
	list = append(list, p.exceptions(on)...)
	return section(mail.Say("Mail flow rule"), place(rulesPage), append(list, p.settings(on)...))
}

func (p Plan) exceptions(on func(...string) []check) []Step {
	header := []string{"ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderContainsWords"}
	list := []Step{
		{ID: "G1.50", Title: mail.Say("First exception: custom header"), Do: do("Except if: “The message headers”, then “includes any of these words”."), checks: on(header...)},
		{ID: "G1.51", Title: mail.Say("Set the exception's header name"), Do: do("Click the first “Enter text”, enter the name, then “Save”."), Values: []Value{val(mail.Say("Header"), p.Processed)}, checks: on(header[0])},
		{ID: "G1.52", Title: mail.Say("Set the exception's header value"), Do: do("Click “Enter words”, enter the word, click “+”, then “Save”."), Values: []Value{p.word()}, checks: on(header[1]), Note: p.wordNote()},
	}
	if p.Word == "" {
		for i := range list {
			list[i].Do, list[i].Values = do("Leave this out: the hardened profile believes no header, only the relay's address."), nil
		}
	}
	return append(list,
		Step{ID: "G1.53", Title: mail.Say("Second exception: sender address"), Do: do("Click “+” next to the first exception.", "“The sender”, then “IP address is in any of these ranges or exactly matches”."), checks: on("ExceptIfSenderIpRanges")},
		Step{ID: "G1.54", Title: mail.Say("Add the exception's addresses"), Do: do("Enter each address, then “Save”."), Values: []Value{val(mail.Say("IP addresses"), lines(p.Addresses))}, checks: on("ExceptIfSenderIpRanges")},
	)
}

func (p Plan) word() Value {
	if p.Word == "yes" {
		return val(mail.Say("Word"), "yes")
	}
	return secret(mail.Say("Word"), p.Word)
}

func (p Plan) wordNote() mail.Sentence {
	switch p.Word {
	case "":
		return mail.Sentence{}
	case "yes":
		return mail.Say("Anybody can write this word into a message. Use this organization's own word as soon as you can.")
	}
	return mail.Say("The guide has “yes” here, which anybody can write into a message; this word is known only to this organization and the relay.")
}

func (p Plan) settings(on func(...string) []check) []Step {
	all := on("RecipientDomainIs", "SentToScope", "FromScope", "RouteMessageOutboundConnector", "SetHeaderName", "SetHeaderValue", "SetSCL", "ExceptIfHeaderContainsWords", "ExceptIfSenderIpRanges")
	order := mail.Say("If there is an outbound relay's rule, this one must come after it.")
	if p.OutboundRule != "" {
		order = mail.Say("This rule must come after “%s”.", p.OutboundRule)
	}
	return []Step{
		{ID: "G1.55", Title: mail.Say("Verify the settings"), Do: do("Check conditions, actions and exceptions, then “Next”."), checks: all},
		{ID: "G1.56", Title: mail.Say("Rule settings"), Do: do("Rule mode: “Enforce”. Severity: “High”.", "Check “Stop processing more rules” and “Defer the message if rule processing doesn't complete”.",
			"Match sender address in message: “Header or envelope”.", "Click “Next”."), checks: on("Mode", "SetAuditSeverity", "StopRuleProcessing", "RuleErrorAction", "SenderAddressLocation")},
		{ID: "G1.57", Title: mail.Say("Review and finish"), Do: do("Look over the summary and click “Finish”.", "Send a test message through the relay, then enable the rule in the list."), checks: on("State")},
		{ID: "G1.58", Title: mail.Say("Verify the order of the rules"), Do: []mail.Sentence{order, mail.Say("No earlier rule that matches inbound mail may stop processing.")}, checks: on("Priority")},
	}
}

// defender are the steps of guide 2 in Postern and in the consent page.
func (p Plan) defender() []Step {
	where := mail.Say("Postern's portal – Inbound Management, Plan Settings, Integrations")
	return section(mail.Say("Bypass Microsoft Defender"), where, []Step{
		{ID: "G2.1", Title: mail.Say("Open the integrations"), Do: do("Open Plan Settings, Integrations, and click “Connect” at “Exchange Server PowerShell”.")},
		{ID: "G2.2", Title: mail.Say("Connect"), Do: do("Click “Connect” in the pop-up.")},
		{ID: "G2.3", Title: mail.Say("Choose the way"), Do: do("“via Graph API (recommended)” or “via PowerShell script”, then “Next”.")},
		{ID: "G2.4", Title: mail.Say("Sign in at Microsoft"), Do: do("Sign in as Exchange administrator and accept the permissions.")},
		{ID: "G2.5", Title: mail.Say("Wait for the integration"), Do: do("Each step is shown as it happens; the window may be closed.")},
		{ID: "G2.6", Title: mail.Say("Read the result"), Do: do("On success the text is green. On failure it names the cause: most often insufficient permissions, or API access that is disabled in Exchange.")},
		{ID: "G2.7", Title: mail.Say("Check the status"), Do: do("Click “OK”; the status is “Connected”.")},
		{ID: "G2.8", Title: mail.Say("Open “Disable Exchange Protection”"), Do: do("Click “Configure” in that section.")},
		{ID: "G2.9", Title: mail.Say("General information"), Do: do("Read what will happen, and what Exchange does not let anybody switch off, then “Next”.")},
		{ID: "G2.10", Title: mail.Say("Configuration"), Do: do("Choose the policies to disable, at least one, then “Configure”.")},
		{ID: "G2.11", Title: mail.Say("Summary"), Do: do("The chosen policies are shown while they are applied.")},
		{ID: "G2.12", Title: mail.Say("Confirm"), Do: do("When the text is green, click “OK”.")},
	})
}

func (p Plan) clutter() []Step {
	const id = "rule-clutter"
	return section(mail.Say("Bypass Microsoft clutter"), place(rulesPage), []Step{
		{ID: "G2.c1", Title: mail.Say("Create a new rule"), Do: do("Open Mail flow, Rules, and click “Add a rule”, “Create a new rule”."), checks: of(id)},
		{ID: "G2.c2", Title: mail.Say("Name the rule"), Do: do("Enter the name."), Values: []Value{val(mail.Say("Name"), p.ClutterName)}, checks: of(id)},
		{ID: "G2.c3", Title: mail.Say("Condition"), Do: do("Apply this rule if: “The sender”, “IP address is in any of these ranges or exactly matches”."), checks: of(id, "SenderIpRanges")},
		{ID: "G2.c4", Title: mail.Say("Add the addresses"), Do: do("Enter each address, then “Save”."), Values: []Value{val(mail.Say("IP addresses"), lines(p.Addresses))}, Note: mail.Say("The guide lists four of six addresses here; all of the relay's are needed."), checks: of(id, "SenderIpRanges")},
		{ID: "G2.c5", Title: mail.Say("First action"), Do: do("“Modify the message properties”, “set the spam confidence level (SCL)”."), checks: of(id, "SetSCL")},
		{ID: "G2.c6", Title: mail.Say("Select the bypass"), Do: do("“Bypass spam filtering”, then “Save”."), checks: of(id, "SetSCL")},
		{ID: "G2.c7", Title: mail.Say("Second action"), Do: do("Click “+”, “Modify the message properties”, “set a message header”."), checks: of(id, "SetHeaderName")},
		{ID: "G2.c8", Title: mail.Say("Header name"), Do: do("Enter it exactly, then “Save”."), Values: []Value{val(mail.Say("Header"), "X-MS-Exchange-Organization-BypassClutter")}, checks: of(id, "SetHeaderName")},
		{ID: "G2.c9", Title: mail.Say("Header value"), Do: do("Enter it exactly, then “Save”."), Values: []Value{val(mail.Say("Value"), "true")}, checks: of(id, "SetHeaderValue")},
		{ID: "G2.c10", Title: mail.Say("Go on"), Do: do("Click “Next”."), checks: of(id)},
		{ID: "G2.c11", Title: mail.Say("Rule settings"), Do: do("Check “Stop processing more rules”, then “Next”."), checks: of(id, "StopRuleProcessing", "Mode")},
		{ID: "G2.c12", Title: mail.Say("Review"), Do: do("Look over the settings and click “Finish”."), checks: of(id)},
		{ID: "G2.c13", Title: mail.Say("Enable and order"), Do: do("Enable the rule. It must come after the relay rule."), Values: []Value{val(mail.Say("Name"), p.ClutterName)}, checks: of(id, "State", "Priority")},
	})
}
