package twin

import (
	"fmt"
	"strings"
)

// A phrase ties a rule's property to its class and to its words in Description.
type phrase struct {
	prop, class, text string // text takes the value; "" text shows the class's name alone
	with              string // second property shown after the first
}

// ruleConditions are conditions; the same names with ExceptIf are exceptions.
var ruleConditions = []phrase{
	{"From", "FromPredicate", "Is received from %s", ""},
	{"FromMemberOf", "FromMemberOfPredicate", "Is received from a member of group %s", ""},
	{"FromScope", "FromScopePredicate", "Is received from '%s'", ""},
	{"SentTo", "SentToPredicate", "Is sent to %s", ""},
	{"SentToMemberOf", "SentToMemberOfPredicate", "Is sent to a member of group %s", ""},
	{"SentToScope", "SentToScopePredicate", "Is sent to '%s'", ""},
	{"RecipientDomainIs", "RecipientDomainIsPredicate", "recipient's address domain portion belongs to any of these domains: %s", ""},
	{"SenderDomainIs", "SenderDomainIsPredicate", "sender's address domain portion belongs to any of these domains: %s", ""},
	{"SenderIpRanges", "SenderIpRangesPredicate", "sender ip addresses belong to one of these ranges: %s", ""},
	{"HeaderContainsMessageHeader", "HeaderContainsPredicate", "'%s' header contains %s", "HeaderContainsWords"},
	{"HeaderMatchesMessageHeader", "HeaderMatchesPredicate", "'%s' header matches the following patterns: %s", "HeaderMatchesPatterns"},
	{"SubjectContainsWords", "SubjectContainsPredicate", "Includes these words in the message subject: %s", ""},
	{"SubjectOrBodyContainsWords", "SubjectOrBodyContainsPredicate", "Includes these words in the message subject or body: %s", ""},
	{"SubjectMatchesPatterns", "SubjectMatchesPredicate", "Includes these patterns in the message subject: %s", ""},
	{"FromAddressContainsWords", "FromAddressContainsPredicate", "Includes these words in the sender's address: %s", ""},
	{"FromAddressMatchesPatterns", "FromAddressMatchesPredicate", "Includes these patterns in the From address: %s", ""},
	{"RecipientAddressContainsWords", "RecipientAddressContainsWordsPredicate", "Includes these words in the recipient address: %s", ""},
	{"SCLOver", "SclOverPredicate", "Has a spam confidence level (SCL) that is greater than or equal to '%s'", ""},
	{"MessageSizeOver", "MessageSizeOverPredicate", "Has a size greater than or equal to '%s'", ""},
	{"AttachmentExtensionMatchesWords", "AttachmentExtensionMatchesWordsPredicate", "Has an attachment with a file extension that matches %s", ""},
	{"MessageTypeMatches", "MessageTypeMatchesPredicate", "Is message type '%s'", ""},
}

var ruleActions = []phrase{
	{"PrependSubject", "PrependSubjectAction", "Prepend the subject with '%s'", ""},
	{"SetAuditSeverity", "SetAuditSeverityAction", "Set audit severity level to '%s'", ""},
	{"ApplyHtmlDisclaimerText", "ApplyHtmlDisclaimerAction", "Append the message with the disclaimer '%s'", ""},
	{"RouteMessageOutboundConnector", "RouteMessageOutboundConnectorAction", "Route the message using the connector named '%s'.", ""},
	{"RouteMessageOutboundRequireTls", "RouteMessageOutboundRequireTlsAction", "Route the message using TLS encryption.", ""},
	{"SetSCL", "SetSclAction", "Set the spam confidence level (SCL) to '%s'", ""},
	{"SetHeaderName", "SetHeaderAction", "set message header '%s' with the value %s", "SetHeaderValue"},
	{"RemoveHeader", "RemoveHeaderAction", "remove header '%s'", ""},
	{"AddToRecipients", "AddToRecipientAction", "add recipient to the To: %s", ""},
	{"CopyTo", "CopyToAction", "add recipient to the Cc: %s", ""},
	{"BlindCopyTo", "BlindCopyToAction", "Blind carbon copy(Bcc) the message to %s", ""},
	{"RedirectMessageTo", "RedirectMessageAction", "Redirect the message to %s", ""},
	{"RejectMessageReasonText", "RejectMessageAction", "reject the message and include the explanation '%s'", ""},
	{"DeleteMessage", "DeleteMessageAction", "Delete the message without notifying the recipient or sender", ""},
	{"Quarantine", "QuarantineAction", "Deliver the message to the hosted quarantine.", ""},
	{"GenerateIncidentReport", "GenerateIncidentReportAction", "Send the incident report to %s", ""},
	{"StopRuleProcessing", "StopRuleProcessingAction", "Stop processing more rules", ""},
}

const classes string = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."

// predicates are the classes and the words of the phrases that o sets; name, ""
// or "ExceptIf", stands before the property.
func predicates(o Object, phrases []phrase, name string) (class, text []string) {
	for _, p := range phrases {
		v := o[name+p.prop]
		if unset(v) {
			continue
		}
		class = append(class, classes+p.class)
		shown := shownValue(v, p)
		switch {
		case p.with != "":
			text = append(text, fmt.Sprintf(p.text, shown, quotedList(o[name+p.with])))
		case strings.Contains(p.text, "%s"):
			text = append(text, fmt.Sprintf(p.text, shown))
		default:
			text = append(text, p.text)
		}
	}
	return class, text
}

func shownValue(v any, p phrase) string {
	switch v := v.(type) {
	case []string:
		return quotedList(v)
	case string:
		switch {
		case v == "InOrganization" && strings.HasSuffix(p.prop, "Scope"):
			return "Inside the organization"
		case v == "NotInOrganization" && strings.HasSuffix(p.prop, "Scope"):
			return "Outside the organization"
		}
		return v
	}
	return fmt.Sprint(v)
}

// quotedList is 'a' or 'b'.
func quotedList(v any) string {
	list, ok := v.([]string)
	if !ok {
		return "'" + fmt.Sprint(v) + "'"
	}
	return "'" + strings.Join(list, "' or '") + "'"
}

// describe writes a mail flow rule's computed properties.
func describe(o Object) {
	conditions, iff := predicates(o, ruleConditions, "")
	exceptions, except := predicates(o, ruleConditions, "ExceptIf")
	actions, do := predicates(o, ruleActions, "")
	o["Conditions"], o["Exceptions"], o["Actions"] = orNull(conditions), orNull(exceptions), orNull(actions)
	var b strings.Builder
	if len(iff) > 0 {
		fmt.Fprintf(&b, "If the message:\r\n\t%s\r\n", strings.Join(iff, "\r\n\tand "))
	}
	fmt.Fprintf(&b, "Take the following actions:\r\n\t%s\r\n", strings.Join(do, "\r\n\tand "))
	if len(except) > 0 {
		fmt.Fprintf(&b, "Except if the message:\r\n\t%s\r\n", strings.Join(except, "\r\n\tor "))
	}
	o["Description"] = b.String()
	o["Size"] = size(o)
}

// size estimates the octets of the rule's XML, by which Microsoft limits rules: a
// rule with one condition and one action is about 380, and each word of a list
// stands in an element of its own.
func size(o Object) int {
	n := 240
	for _, list := range [][]phrase{ruleConditions, ruleActions} {
		for _, p := range list {
			for _, prop := range []string{p.prop, p.with, "ExceptIf" + p.prop} {
				if v := o[prop]; prop != "" && !unset(v) {
					n += 50 + valueSize(v)
				}
			}
			if p.with != "" && !unset(o["ExceptIf"+p.with]) {
				n += 50 + valueSize(o["ExceptIf"+p.with])
			}
		}
	}
	return n + len(o.String("Name")) + len(o.String("Comments"))
}

func valueSize(v any) int {
	list, ok := v.([]string)
	if !ok {
		return len(fmt.Sprint(v))
	}
	n := 0
	for _, s := range list {
		n += len(s) + len("<value></value>")
	}
	return n
}
