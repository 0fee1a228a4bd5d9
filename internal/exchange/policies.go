package exchange

import (
	"regexp"
	"slices"

	"postern/internal/mail"
)

// Kinds of Microsoft's own protection.
const (
	presetRule       Kind = "EOPProtectionPolicyRule"
	presetATPRule    Kind = "ATPProtectionPolicyRule"
	builtInRule      Kind = "ATPBuiltInProtectionRule"
	spamRule         Kind = "HostedContentFilterRule"
	spamPolicy       Kind = "HostedContentFilterPolicy"
	phishRule        Kind = "AntiPhishRule"
	phishPolicy      Kind = "AntiPhishPolicy"
	malwareRule      Kind = "MalwareFilterRule"
	malwarePolicy    Kind = "MalwareFilterPolicy"
	linksRule        Kind = "SafeLinksRule"
	attachmentsRule  Kind = "SafeAttachmentRule"
	defaultPhish          = "Office365 AntiPhish Default"
	builtInName           = "ATP Built-In Protection Rule"
	protectionPrefix      = "protection-"
)

// A policy is one protection that can be switched off (policies.json), in the
// order in which that has to happen: presets, custom rules, defaults, exceptions.
type policy struct {
	id      string
	title   mail.Sentence
	explain mail.Sentence
	limit   mail.Sentence // what stays on all the same
	licence string        // "mdo1": needs Defender for Office 365 Plan 1
	rules   []Kind        // rules of this kind are switched off
	target  func(Spec, bool) []Object
}

// Targets of the policies that are not rules. licensed says whether the tenant has
// Defender for Office 365 Plan 1.

func spamDefault(s Spec, _ bool) []Object {
	return []Object{{Kind: spamPolicy, Name: defaultObject, Props: Values{
		"SpamAction": "AddXHeader", "HighConfidenceSpamAction": "AddXHeader", "PhishSpamAction": "AddXHeader", "BulkSpamAction": "NoAction",
		"MarkAsSpamBulkMail": "Off", "SpamZapEnabled": false, "PhishZapEnabled": false, "InlineSafetyTipsEnabled": false,
		"IntraOrgFilterState": "Disabled", "AddXHeaderValue": verdictHeader(s.Brand),
		"MarkAsSpamSpfRecordHardFail": "Off", // returned mail comes from the relay's address, which no sender's SPF names
	}}}
}

var notHeader = regexp.MustCompile(`[^A-Za-z0-9]+`)

// verdictHeader is the name of the header that Exchange adds instead of acting.
func verdictHeader(brand string) string {
	return "X-" + notHeader.ReplaceAllString(brand, "-") + "-Exo-Verdict"
}

func phishDefault(_ Spec, licensed bool) []Object {
	props := Values{}
	names := []string{"EnableSpoofIntelligence", "HonorDmarcPolicy", "EnableFirstContactSafetyTips", "EnableUnauthenticatedSender", "EnableViaTag"}
	if licensed {
		names = append(names, "EnableMailboxIntelligence", "EnableMailboxIntelligenceProtection", "EnableOrganizationDomainsProtection",
			"EnableTargetedDomainsProtection", "EnableTargetedUserProtection", "EnableSimilarUsersSafetyTips", "EnableSimilarDomainsSafetyTips", "EnableUnusualCharactersSafetyTips")
	}
	for _, n := range names {
		props[n] = false
	}
	return []Object{{Kind: phishPolicy, Name: defaultPhish, Props: props}}
}

func malwareDefault(Spec, bool) []Object {
	return []Object{{Kind: malwarePolicy, Name: defaultObject, Props: Values{"EnableFileFilter": false, "ZapEnabled": false}}}
}

func zapDefault(Spec, bool) []Object {
	return []Object{
		{Kind: spamPolicy, Name: defaultObject, Props: Values{"SpamZapEnabled": false, "PhishZapEnabled": false}},
		{Kind: malwarePolicy, Name: defaultObject, Props: Values{"ZapEnabled": false}},
	}
}

func builtInException(s Spec, _ bool) []Object {
	return []Object{{Kind: builtInRule, Name: builtInName, Adds: map[string][]string{"ExceptIfRecipientDomainIs": s.Domains}}}
}

func policies() []policy {
	return []policy{
		{id: "preset", title: mail.Say("Preset security policies"), rules: []Kind{presetRule, presetATPRule},
			explain: mail.Say("The Standard and Strict presets come before every other policy, so they must be off for any other choice to count. Their policies are not changed, only switched off.")},
		{id: "antispam-custom", title: mail.Say("Custom anti-spam policies"), rules: []Kind{spamRule},
			explain: mail.Say("Policies that your administrators made are switched off; they keep their settings and their order.")},
		{id: "antiphish-custom", title: mail.Say("Custom anti-phishing policies"), rules: []Kind{phishRule},
			explain: mail.Say("Policies that your administrators made are switched off; they keep their settings and their order.")},
		{id: "antimalware-custom", title: mail.Say("Custom anti-malware policies"), rules: []Kind{malwareRule},
			explain: mail.Say("Policies that your administrators made are switched off; they keep their settings and their order."),
			limit:   mail.Say("Malware is still detected and quarantined by the default policy.")},
		{id: "safelinks", title: mail.Say("Safe Links"), licence: "mdo1", rules: []Kind{linksRule},
			explain: mail.Say("Links are no longer rewritten by your policies."), limit: mail.Say("The built-in protection still applies; add its exception as well.")},
		{id: "safeattachments", title: mail.Say("Safe Attachments"), licence: "mdo1", rules: []Kind{attachmentsRule},
			explain: mail.Say("Attachments are no longer detonated by your policies, which delays mail."), limit: mail.Say("The built-in protection still applies; add its exception as well.")},
		{id: "antispam-default", title: mail.Say("Default anti-spam policy"), target: spamDefault,
			explain: mail.Say("Spam and bulk are marked with a header instead of being quarantined, and nothing is moved after delivery."),
			limit:   mail.Say("Exchange has no setting that delivers spam to the inbox: what it calls spam still goes to Junk Email unless a rule lets it pass, and high-confidence phishing is always quarantined.")},
		{id: "antiphish-default", title: mail.Say("Default anti-phishing policy"), target: phishDefault,
			explain: mail.Say("Spoof intelligence, DMARC policy, impersonation protection and safety tips are switched off.")},
		{id: "antimalware-default", title: mail.Say("Default anti-malware policy"), target: malwareDefault,
			explain: mail.Say("The file type filter and removal after delivery are switched off."), limit: mail.Say("Malware detection itself cannot be switched off.")},
		{id: "zap", title: mail.Say("Zero-hour auto purge"), target: zapDefault,
			explain: mail.Say("Exchange no longer moves mail out of mailboxes after delivery."), limit: mail.Say("Presets have their own switch for it; switch the presets off first.")},
		{id: "builtin", title: mail.Say("Built-in protection"), licence: "mdo1", target: builtInException,
			explain: mail.Say("Your domains become an exception of the built-in Safe Links and Safe Attachments protection, which cannot be switched off.")},
	}
}

// Unswitchable says, in sentences, what Exchange does not let anybody switch off.
func Unswitchable() []mail.Sentence {
	return []mail.Sentence{
		mail.Say("Malware is always detected and quarantined."),
		mail.Say("High-confidence phishing is always quarantined as long as the MX record leads to Microsoft, whatever a rule or an allow list says; the only softening is to redirect it to a mailbox."),
		mail.Say("Spam and high-confidence spam have no “deliver to inbox” action: only the rule for mail from the relay's addresses and the IP allow list let it pass."),
		mail.Say("The built-in protection of Safe Links and Safe Attachments has no switch, only exceptions."),
		mail.Say("The quarantine itself is not a switch; it is empty when nothing is sent there."),
		mail.Say("Outbound spam protection is never touched: it protects your own reputation."),
	}
}

// ProtectionCmdlets are those that listing, disabling and enabling Exchange's own
// protection needs.
func ProtectionCmdlets() []string {
	list := []string{"Get-OrganizationConfig"}
	for _, k := range []Kind{presetRule, presetATPRule, spamRule, phishRule, malwareRule, linksRule, attachmentsRule} {
		list = append(list, "Get-"+string(k), "Enable-"+string(k), "Disable-"+string(k))
		if k != presetRule && k != presetATPRule {
			list = append(list, "Set-"+string(k)) // for its place in the order
		}
	}
	for _, k := range []Kind{spamPolicy, phishPolicy, malwarePolicy, builtInRule} {
		list = append(list, "Get-"+string(k), "Set-"+string(k))
	}
	slices.Sort(list)
	return list
}
