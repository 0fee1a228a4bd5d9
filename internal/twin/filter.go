package twin

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// A Verdict is what Exchange's filters think of a message's content.
type Verdict string

const (
	Clean     Verdict = ""
	Bulk      Verdict = "Bulk"
	Spam      Verdict = "Spam"
	HighSpam  Verdict = "HighConfSpam"
	Phish     Verdict = "Phish"
	HighPhish Verdict = "HighConfPhish"
	Malware   Verdict = "Malware"
	spoofed   Verdict = "Spoof" // comes from authentication, not from content
)

// JudgeBySignature knows the public test signatures and words of its own, which
// say in a message what Exchange's filters are to think of it.
func JudgeBySignature(_ string, raw []byte) Verdict {
	for _, s := range []struct {
		text    string
		verdict Verdict
	}{
		{`X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`, Malware},
		{"WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FS", Malware}, // the same in base64
		{"TWIN-MALWARE-TEST", Malware},
		{"TWIN-HIGH-CONFIDENCE-PHISH-TEST", HighPhish},
		{"TWIN-PHISH-TEST", Phish},
		{"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", HighSpam},
		{"TWIN-SPAM-TEST", Spam},
		{"TWIN-BULK-TEST", Bulk},
	} {
		if bytes.Contains(raw, []byte(s.text)) {
			return s.verdict
		}
	}
	return Clean
}

// judge asks for the verdict on the content.
func (m *transit) judge() Verdict {
	if m.t.twin.opt.NoFiltering {
		return Clean
	}
	f := m.t.twin.opt.Judge
	if f == nil {
		f = JudgeBySignature
	}
	return f(m.env.From, m.head.bytes(m.blank, m.body))
}

// policy is the one in force for a recipient: strict preset, standard preset, custom
// rules by priority, default.
func (t *Tenant) policy(noun, rcpt string) Object {
	nouns := []string{"EOPProtectionPolicyRule", strings.TrimSuffix(noun, "Policy") + "Rule"}
	for _, n := range nouns {
		for _, r := range t.Objects(n) {
			if r.String("State") == "Enabled" && t.ruleCovers(r, rcpt) {
				if p := t.Object(noun, r.String(noun)); p != nil {
					return p
				}
			}
		}
	}
	for _, p := range t.Objects(noun) {
		if p.Bool("IsDefault") {
			return p
		}
	}
	return Object{}
}

// ruleCovers: conditions of different kinds are ANDed, values of one kind ORed.
func (t *Tenant) ruleCovers(r Object, rcpt string) bool {
	covers := func(kind string) (set, hit bool) {
		d, to := r.List(kind+"RecipientDomainIs"), r.List(kind+"SentTo")
		hit = (len(d) == 0 || inDomains(domainOf(rcpt), d)) && within(to, rcpt)
		return len(d)+len(to) > 0, hit
	}
	if _, hit := covers(""); !hit {
		return false
	}
	set, hit := covers("ExceptIf")
	return !set || !hit
}

// A fate is what filtering decides for one recipient.
type fate struct {
	action  string // "inbox", "junk", "quarantine", "delete", "redirect"
	verdict Verdict
	to      []string // of redirect
	mark    string   // header field that says the verdict, for the action AddXHeader
	prefix  string   // put before the subject, for the action ModifySubject
}

// filter decides for one recipient. Malware and high-confidence phishing are held
// whatever the SCL (secure by default); everything else yields to SCL -1.
func (m *transit) filter(rcpt string) fate {
	content := m.t.policy("HostedContentFilterPolicy", rcpt)
	v := m.verdict
	switch {
	case v == Malware:
		return fate{action: "quarantine", verdict: v}
	case v == HighPhish:
		return acted(content.String("HighConfidencePhishAction"), v, content)
	case m.allowed && m.scl == "":
		m.scl, m.skipped = "-1", "SKN"
	}
	if listed(content.List("AllowedSenders"), m.env.From) || listed(content.List("AllowedSenderDomains"), domainOf(m.env.From)) {
		m.scl, m.skipped = "-1", "SKA"
	}
	if m.scl == "-1" {
		return fate{action: "inbox"}
	}
	switch {
	case listed(content.List("BlockedSenders"), m.env.From), listed(content.List("BlockedSenderDomains"), domainOf(m.env.From)):
		v = HighSpam
	case v == Clean && m.spoof(rcpt):
		return acted(m.t.policy("AntiPhishPolicy", rcpt).String("AuthenticationFailAction"), spoofed, content)
	case v == Clean && m.auth.SPF == "fail" && content.String("MarkAsSpamSpfRecordHardFail") == "On":
		v = HighSpam
	}
	switch v {
	case Phish:
		return acted(content.String("PhishSpamAction"), v, content)
	case HighSpam:
		return acted(content.String("HighConfidenceSpamAction"), v, content)
	case Spam:
		return acted(content.String("SpamAction"), v, content)
	case Bulk:
		if content.String("MarkAsSpamBulkMail") == "On" {
			return acted(content.String("BulkSpamAction"), v, content)
		}
	}
	if m.internal && content.String("IntraOrgFilterState") == "Disabled" {
		return fate{action: "inbox"}
	}
	return fate{action: "inbox", verdict: v}
}

// acted turns a policy's action into a fate. AddXHeader and ModifySubject move spam
// to Junk as well; only for phishing and bulk do they mean delivery.
func acted(action string, v Verdict, policy Object) fate {
	delivered := "junk"
	if v == Phish || v == Bulk {
		delivered = "inbox"
	}
	switch action {
	case "Quarantine":
		return fate{action: "quarantine", verdict: v}
	case "Redirect":
		return fate{action: "redirect", verdict: v, to: policy.List("RedirectToRecipients")}
	case "Delete":
		return fate{action: "delete", verdict: v}
	case "AddXHeader":
		return fate{action: delivered, verdict: v, mark: policy.String("AddXHeaderValue")}
	case "ModifySubject":
		return fate{action: delivered, verdict: v, prefix: policy.String("ModifySubjectValue")}
	case "NoAction":
		return fate{action: "inbox", verdict: v}
	}
	return fate{action: "junk", verdict: v}
}

// spoof reports whether spoof intelligence acts: authentication fails for a domain
// that asks to be protected, or for one of our own, and no list entry allows it.
func (m *transit) spoof(rcpt string) bool {
	if m.internal || m.auth.CompAuth != "fail" || m.auth.Reason == "001" {
		return false
	}
	return m.t.policy("AntiPhishPolicy", rcpt).Bool("EnableSpoofIntelligence") && !m.t.spoofAllowed(m)
}

// spoofAllowed reports whether the Tenant Allow/Block List allows the pair of the
// sender and the peer: by its reverse name's domain, its /24, or a DKIM domain.
func (t *Tenant) spoofAllowed(m *transit) bool {
	from := m.head.fromAddress()
	kind := "External"
	if _, own := t.accepted(domainOf(from)); own {
		kind = "Internal"
	}
	return slices.ContainsFunc(t.Objects("TenantAllowBlockListSpoofItems"), func(o Object) bool {
		user := strings.ToLower(o.String("SpoofedUser"))
		return o.String("Action") == "Allow" && o.String("SpoofType") == kind &&
			(user == "*" || user == strings.ToLower(from) || user == domainOf(from)) && m.sentFrom(o.String("SendingInfrastructure"))
	})
}

func (m *transit) sentFrom(infra string) bool {
	infra = strings.ToLower(infra)
	if _, err := netip.ParsePrefix(infra); err == nil {
		return inBlocks(m.env.Peer, []string{infra})
	}
	ptr := strings.ToLower(m.t.twin.opt.PTR[m.env.Peer])
	return infra == "*" || ptr != "" && (ptr == infra || strings.HasSuffix(ptr, "."+infra)) || m.auth.DKIM == "pass" && m.auth.DKIMDomain == infra
}
