package guide

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
		names = append(names, val("Name", r.Name))
		domains = append(domains, val("Domains of “"+r.Name+"”", lines(r.Domains)))
	}
	key := secret("Email Relay key", p.Key)
	if p.Key == "" {
		key = val("Email Relay key", "the key from step G1.3")
	}
	first := Step{ID: "G1.34", Title: "Create a new rule", Do: []string{"Open Mail flow, Rules, and click “Add a rule”, “Create a new rule”."}, checks: on()}
	if len(p.RedirectRules) > 1 {
		first.Note = "The domains do not fit into one rule: do steps G1.34 to G1.58 once for each of the names below."
	}
	list := []Step{
		first,
		{ID: "G1.35", Title: "Name the rule", Do: []string{"Enter the name."}, Values: names, checks: on()},
		{ID: "G1.36", Title: "First condition: recipient domain", Do: []string{"Apply this rule if: “The recipient”, then “domain is”."}, checks: on("RecipientDomainIs")},
		{ID: "G1.37", Title: "Select the recipient domain", Do: []string{"Add each domain, then “Save”."}, Values: domains, checks: on("RecipientDomainIs")},
		{ID: "G1.38", Title: "Add a condition", Do: []string{"Click “+” next to the first condition."}, checks: on("SentToScope")},
		{ID: "G1.39", Title: "Second condition: recipient location", Do: []string{"“The recipient”, then “is external/internal”."}, checks: on("SentToScope")},
		{ID: "G1.40", Title: "Select the recipient location", Do: []string{"“Inside the organization”, then “Save”."}, checks: on("SentToScope")},
	}
	if !p.Internal {
		list = append(list, Step{ID: "P.4", Title: "Third condition: only mail from outside", Do: []string{"Click “+”, “The sender”, “is external/internal”, “Outside the organization”, then “Save”."},
			Note: "The guides redirect mail between your own people too; that breaks closed groups and meeting rooms.", checks: on("FromScope")})
	}
	list = append(list,
		Step{ID: "G1.41", Title: "First action: redirect to the connector", Do: []string{"Do the following: “Redirect the message to”, then “the following connector”."}, checks: on("RouteMessageOutboundConnector")},
		Step{ID: "G1.42", Title: "Select the connector", Do: []string{"Choose the send connector, then “Save”."}, Values: []Value{val("Connector", p.SendName)}, checks: on("RouteMessageOutboundConnector")},
		Step{ID: "G1.43", Title: "Add an action", Do: []string{"Click “+” next to the first action."}, checks: on("SetHeaderName")},
		Step{ID: "G1.44", Title: "Second action: set a message header", Do: []string{"“Modify the message properties”, then “set a message header”."}, checks: on("SetHeaderName")},
		Step{ID: "G1.45", Title: "Set the header name", Do: []string{"Click the first “Enter text”, enter the name, then “Save”."}, Values: []Value{val("Header", p.CredsHeader)}, checks: on("SetHeaderName")},
		Step{ID: "G1.46", Title: "Set the header value", Do: []string{"Click the second “Enter text”, enter the Email Relay key, then “Save”."}, Values: []Value{key}, checks: on("SetHeaderValue")},
		Step{ID: "G1.47", Title: "Third action: require TLS", Do: []string{"Click “+”, “Modify the message security”, then “Require TLS encryption”."}, checks: on("RouteMessageOutboundRequireTls")},
		Step{ID: "G1.48", Title: "Fourth action: bypass spam filtering", Do: []string{"Click “+”, “Modify the message properties”, then “set the spam confidence level (SCL)”."}, checks: on("SetSCL")},
		Step{ID: "G1.49", Title: "Select the bypass", Do: []string{"“Bypass spam filtering”, then “Save”."}, checks: on("SetSCL")},
	)
	list = append(list, p.exceptions(on)...)
	return section("Mail flow rule", rulesPage, append(list, p.settings(on)...))
}

func (p Plan) exceptions(on func(...string) []check) []Step {
	header := []string{"ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderContainsWords"}
	list := []Step{
		{ID: "G1.50", Title: "First exception: custom header", Do: []string{"Except if: “The message headers”, then “includes any of these words”."}, checks: on(header...)},
		{ID: "G1.51", Title: "Set the exception's header name", Do: []string{"Click the first “Enter text”, enter the name, then “Save”."}, Values: []Value{val("Header", p.Processed)}, checks: on(header[0])},
		{ID: "G1.52", Title: "Set the exception's header value", Do: []string{"Click “Enter words”, enter the word, click “+”, then “Save”."}, Values: []Value{p.word()}, checks: on(header[1]), Note: p.wordNote()},
	}
	if p.Word == "" {
		for i := range list {
			list[i].Do, list[i].Values = []string{"Leave this out: the hardened profile believes no header, only the relay's address."}, nil
		}
	}
	return append(list,
		Step{ID: "G1.53", Title: "Second exception: sender address", Do: []string{"Click “+” next to the first exception.", "“The sender”, then “IP address is in any of these ranges or exactly matches”."}, checks: on("ExceptIfSenderIpRanges")},
		Step{ID: "G1.54", Title: "Add the exception's addresses", Do: []string{"Enter each address, then “Save”."}, Values: []Value{val("IP addresses", lines(p.Addresses))}, checks: on("ExceptIfSenderIpRanges")},
	)
}

func (p Plan) word() Value {
	if p.Word == "yes" {
		return val("Word", "yes")
	}
	return secret("Word", p.Word)
}

func (p Plan) wordNote() string {
	switch p.Word {
	case "":
		return ""
	case "yes":
		return "Anybody can write this word into a message. Use this organization's own word as soon as you can."
	}
	return "The guide has “yes” here, which anybody can write into a message; this word is known only to this organization and the relay."
}

func (p Plan) settings(on func(...string) []check) []Step {
	all := on("RecipientDomainIs", "SentToScope", "FromScope", "RouteMessageOutboundConnector", "SetHeaderName", "SetHeaderValue", "SetSCL", "ExceptIfHeaderContainsWords", "ExceptIfSenderIpRanges")
	order := "If there is an outbound relay's rule, this one must come after it."
	if p.OutboundRule != "" {
		order = "This rule must come after “" + p.OutboundRule + "”."
	}
	return []Step{
		{ID: "G1.55", Title: "Verify the settings", Do: []string{"Check conditions, actions and exceptions, then “Next”."}, checks: all},
		{ID: "G1.56", Title: "Rule settings", Do: []string{"Rule mode: “Enforce”. Severity: “High”.", "Check “Stop processing more rules” and “Defer the message if rule processing doesn't complete”.",
			"Match sender address in message: “Header or envelope”.", "Click “Next”."}, checks: on("Mode", "SetAuditSeverity", "StopRuleProcessing", "RuleErrorAction", "SenderAddressLocation")},
		{ID: "G1.57", Title: "Review and finish", Do: []string{"Look over the summary and click “Finish”.", "Send a test message through the relay, then enable the rule in the list."}, checks: on("State")},
		{ID: "G1.58", Title: "Verify the order of the rules", Do: []string{order, "No earlier rule that matches inbound mail may stop processing."}, checks: on("Priority")},
	}
}

// defender are the steps of guide 2 in Postern and in the consent page.
func (p Plan) defender() []Step {
	place := "Postern's portal – Inbound Management, Plan Settings, Integrations"
	return section("Bypass Microsoft Defender", place, []Step{
		{ID: "G2.1", Title: "Open the integrations", Do: []string{"Open Plan Settings, Integrations, and click “Connect” at “Exchange Server PowerShell”."}},
		{ID: "G2.2", Title: "Connect", Do: []string{"Click “Connect” in the pop-up."}},
		{ID: "G2.3", Title: "Choose the way", Do: []string{"“via Graph API (recommended)” or “via PowerShell script”, then “Next”."}},
		{ID: "G2.4", Title: "Sign in at Microsoft", Do: []string{"Sign in as Exchange administrator and accept the permissions."}},
		{ID: "G2.5", Title: "Wait for the integration", Do: []string{"Each step is shown as it happens; the window may be closed."}},
		{ID: "G2.6", Title: "Read the result", Do: []string{"On success the text is green. On failure it names the cause: most often insufficient permissions, or API access that is disabled in Exchange."}},
		{ID: "G2.7", Title: "Check the status", Do: []string{"Click “OK”; the status is “Connected”."}},
		{ID: "G2.8", Title: "Open “Disable Exchange Protection”", Do: []string{"Click “Configure” in that section."}},
		{ID: "G2.9", Title: "General information", Do: []string{"Read what will happen, and what Exchange does not let anybody switch off, then “Next”."}},
		{ID: "G2.10", Title: "Configuration", Do: []string{"Choose the policies to disable, at least one, then “Configure”."}},
		{ID: "G2.11", Title: "Summary", Do: []string{"The chosen policies are shown while they are applied."}},
		{ID: "G2.12", Title: "Confirm", Do: []string{"When the text is green, click “OK”."}},
	})
}

func (p Plan) clutter() []Step {
	const id = "rule-clutter"
	return section("Bypass Microsoft clutter", rulesPage, []Step{
		{ID: "G2.c1", Title: "Create a new rule", Do: []string{"Open Mail flow, Rules, and click “Add a rule”, “Create a new rule”."}, checks: of(id)},
		{ID: "G2.c2", Title: "Name the rule", Do: []string{"Enter the name."}, Values: []Value{val("Name", p.ClutterName)}, checks: of(id)},
		{ID: "G2.c3", Title: "Condition", Do: []string{"Apply this rule if: “The sender”, “IP address is in any of these ranges or exactly matches”."}, checks: of(id, "SenderIpRanges")},
		{ID: "G2.c4", Title: "Add the addresses", Do: []string{"Enter each address, then “Save”."}, Values: []Value{val("IP addresses", lines(p.Addresses))}, Note: "The guide lists four of six addresses here; all of the relay's are needed.", checks: of(id, "SenderIpRanges")},
		{ID: "G2.c5", Title: "First action", Do: []string{"“Modify the message properties”, “set the spam confidence level (SCL)”."}, checks: of(id, "SetSCL")},
		{ID: "G2.c6", Title: "Select the bypass", Do: []string{"“Bypass spam filtering”, then “Save”."}, checks: of(id, "SetSCL")},
		{ID: "G2.c7", Title: "Second action", Do: []string{"Click “+”, “Modify the message properties”, “set a message header”."}, checks: of(id, "SetHeaderName")},
		{ID: "G2.c8", Title: "Header name", Do: []string{"Enter it exactly, then “Save”."}, Values: []Value{val("Header", "X-MS-Exchange-Organization-BypassClutter")}, checks: of(id, "SetHeaderName")},
		{ID: "G2.c9", Title: "Header value", Do: []string{"Enter it exactly, then “Save”."}, Values: []Value{val("Value", "true")}, checks: of(id, "SetHeaderValue")},
		{ID: "G2.c10", Title: "Go on", Do: []string{"Click “Next”."}, checks: of(id)},
		{ID: "G2.c11", Title: "Rule settings", Do: []string{"Check “Stop processing more rules”, then “Next”."}, checks: of(id, "StopRuleProcessing", "Mode")},
		{ID: "G2.c12", Title: "Review", Do: []string{"Look over the settings and click “Finish”."}, checks: of(id)},
		{ID: "G2.c13", Title: "Enable and order", Do: []string{"Enable the rule. It must come after the relay rule."}, Values: []Value{val("Name", p.ClutterName)}, checks: of(id, "State", "Priority")},
	})
}
