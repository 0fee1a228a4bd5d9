package exchange

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// A Kind is a sort of Exchange object: the noun of its cmdlets.
type Kind string

const (
	RemoteDomain      Kind = "RemoteDomain"
	ConnectionFilter  Kind = "HostedConnectionFilterPolicy"
	SpoofItem         Kind = "TenantAllowBlockListSpoofItems"
	ArcConfig         Kind = "ArcConfig"
	InboundConnector  Kind = "InboundConnector"
	OutboundConnector Kind = "OutboundConnector"
	TransportRule     Kind = "TransportRule"
	Organization      Kind = "OrganizationConfig"
)

// An Object is one desired object of Exchange. Property names are those of the
// cmdlet's parameters.
type Object struct {
	ID       string // stable name in plans: "inbound-connector"
	Kind     Kind
	Name     string              // identity
	Props    Values              // values it must have
	Defaults Values              // values a new object has by itself and must keep; not sent when creating
	Create   Values              // sent only when creating: comment, and the like
	Adds     map[string][]string // entries that lists shared with others must contain
	Active   bool                // transport rule: enabled in the end
	Steps    []string            // of the reference guides that it fulfils
	Why      mail.Sentence
	Where    string // section of product.md: "X1"
}

// key names an object among all of a tenant.
func (o Object) key() string { return objectKey(o.Kind, o.Name) }

func objectKey(k Kind, name string) string { return string(k) + "/" + strings.ToLower(name) }

// single reports whether every tenant has exactly one, so that it can neither be
// made nor removed.
func (k Kind) single() bool { return k == RemoteDomain || k == ConnectionFilter || k == ArcConfig }

// all are Props and Defaults together: what is compared.
func (o Object) all() Values {
	v := make(Values, len(o.Props)+len(o.Defaults))
	for k, x := range o.Defaults {
		v[k] = x
	}
	for k, x := range o.Props {
		v[k] = x
	}
	return v
}

// A Field is one difference between an object as wanted and as read.
type Field struct {
	Name string
	Want any
	Have any
}

// differences are the fields of current that are not as o wants them, by name.
func (o Object) differences(current map[string]any) []Field {
	var out []Field
	wanted := o.all()
	for name, want := range wanted {
		if !same(name, want, current[name]) {
			out = append(out, Field{name, want, current[name]})
		}
	}
	if o.Kind == TransportRule {
		out = append(out, strangePredicates(wanted, current)...)
	}
	for name, entries := range o.Adds {
		if missing := without(entries, listOf(current[name])); len(missing) > 0 {
			out = append(out, Field{name, entries, current[name]})
		}
	}
	slices.SortFunc(out, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// strangePredicates are conditions, exceptions and actions that a rule has and
// should not: somebody's edit, which could open a way round the relay.
func strangePredicates(wanted Values, current map[string]any) []Field {
	var out []Field
	for _, name := range rulePredicates {
		have := current[name]
		if _, ours := wanted[name]; ours || empty(have) {
			continue
		}
		var zero any
		if _, isBool := have.(bool); isBool {
			zero = false
		}
		out = append(out, Field{name, zero, have})
	}
	return out
}

// rulePredicates are the properties of a transport rule that are conditions,
// exceptions or actions and that Set-TransportRule can clear (cmdlets.json).
var rulePredicates = predicateNames()

func predicateNames() []string {
	conditions := strings.Fields(`From FromMemberOf FromScope SentTo SentToMemberOf SentToScope BetweenMemberOf1 BetweenMemberOf2
		ManagerAddresses ManagerForEvaluatedUser SenderManagementRelationship ADComparisonAttribute ADComparisonOperator
		SenderADAttributeContainsWords SenderADAttributeMatchesPatterns RecipientADAttributeContainsWords RecipientADAttributeMatchesPatterns
		AnyOfToHeader AnyOfToHeaderMemberOf AnyOfCcHeader AnyOfCcHeaderMemberOf AnyOfToCcHeader AnyOfToCcHeaderMemberOf
		HasClassification HasNoClassification SubjectContainsWords SubjectOrBodyContainsWords HeaderContainsMessageHeader HeaderContainsWords
		FromAddressContainsWords SenderDomainIs RecipientDomainIs SubjectMatchesPatterns SubjectOrBodyMatchesPatterns
		HeaderMatchesMessageHeader HeaderMatchesPatterns FromAddressMatchesPatterns AttachmentNameMatchesPatterns
		AttachmentExtensionMatchesWords AttachmentPropertyContainsWords ContentCharacterSetContainsWords HasSenderOverride
		MessageContainsDataClassifications SenderIpRanges SCLOver AttachmentSizeOver MessageSizeOver WithImportance MessageTypeMatches
		RecipientAddressContainsWords RecipientAddressMatchesPatterns SenderInRecipientList RecipientInSenderList AttachmentContainsWords
		AttachmentMatchesPatterns AttachmentIsUnsupported AttachmentProcessingLimitExceeded AttachmentHasExecutableContent
		AttachmentIsPasswordProtected`)
	names := strings.Fields(`ActivationDate ExpiryDate AnyOfRecipientAddressContainsWords AnyOfRecipientAddressMatchesPatterns
		ExceptIfAnyOfRecipientAddressContainsWords ExceptIfAnyOfRecipientAddressMatchesPatterns
		PrependSubject SetAuditSeverity ApplyClassification ApplyHtmlDisclaimerLocation ApplyHtmlDisclaimerText ApplyHtmlDisclaimerFallbackAction
		ApplyRightsProtectionTemplate ApplyRightsProtectionCustomizationTemplate SetSCL SetHeaderName SetHeaderValue RemoveHeader AddToRecipients
		CopyTo BlindCopyTo AddManagerAsRecipientType ModerateMessageByUser ModerateMessageByManager RedirectMessageTo
		RejectMessageEnhancedStatusCode RejectMessageReasonText DeleteMessage Disconnect Quarantine SmtpRejectMessageRejectText
		SmtpRejectMessageRejectStatusCode LogEventText StopRuleProcessing GenerateIncidentReport IncidentReportContent
		RouteMessageOutboundConnector RouteMessageOutboundRequireTls ApplyOME RemoveOME RemoveOMEv2 RemoveRMSAttachmentEncryption GenerateNotification`)
	for _, c := range conditions {
		names = append(names, c, "ExceptIf"+c)
	}
	slices.Sort(names)
	return names
}
