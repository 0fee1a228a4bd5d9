package policy

import (
	"strings"
	"testing"

	"postern/internal/mail"
)

func TestOnesOwnEntries(t *testing.T) {
	pass := mail.Auth{DMARC: mail.DMARC{Result: mail.ResultPass, Domain: "good.example", AlignedDKIM: true}}
	allow := mail.ListEntry{Allow: true, Domain: "good.example", Recipient: "ann@contoso.example"}
	block := mail.ListEntry{Address: "ben@good.example", Recipient: "ann@contoso.example"}
	spam := []mail.Finding{finding(mail.Spam, 60)}
	for _, tt := range []struct {
		name   string
		own    []mail.ListEntry
		tenant []mail.ListEntry
		may    map[mail.Verdict]mail.Permission
		found  []mail.Finding
		auth   mail.Auth
		rcpt   string
		want   mail.Verdict
		action mail.Action
		says   string
	}{
		{name: "an allowed and proved sender of spam", own: []mail.ListEntry{allow}, found: spam, auth: pass, want: mail.Clean, action: mail.Deliver, says: "recipient's own allow list"},
		{name: "in any case of the address", own: []mail.ListEntry{allow}, found: spam, auth: pass, rcpt: "Ann@Contoso.Example", want: mail.Clean, action: mail.Deliver},
		{name: "for somebody else it does not count", own: []mail.ListEntry{allow}, found: spam, auth: pass, rcpt: "bob@contoso.example", want: mail.Spam, action: mail.Hold},
		{name: "a forged sender", own: []mail.ListEntry{allow}, found: spam, want: mail.Spam, action: mail.Hold},
		{name: "a forged sender with an entry that asks for no proof", own: []mail.ListEntry{{Allow: true, Domain: "good.example", AnyAuth: true}}, found: spam, want: mail.Spam, action: mail.Hold},
		{name: "malware", own: []mail.ListEntry{allow}, found: []mail.Finding{finding(mail.Malware, 90)}, auth: pass, want: mail.Malware, action: mail.Hold},
		{name: "malware that is set to release", own: []mail.ListEntry{allow}, may: map[mail.Verdict]mail.Permission{mail.Malware: mail.MayRelease}, found: []mail.Finding{finding(mail.Malware, 90)}, auth: pass, want: mail.Malware, action: mail.Hold},
		{name: "phishing", own: []mail.ListEntry{allow}, found: []mail.Finding{finding(mail.Phish, 60)}, auth: pass, want: mail.Phish, action: mail.Hold},
		{name: "phishing where people may release it", own: []mail.ListEntry{allow}, may: map[mail.Verdict]mail.Permission{mail.Phish: mail.MayRelease}, found: []mail.Finding{finding(mail.Phish, 60)}, auth: pass, want: mail.Clean, action: mail.Deliver},
		{name: "high phishing even there", own: []mail.ListEntry{allow}, may: map[mail.Verdict]mail.Permission{mail.Phish: mail.MayRelease}, found: []mail.Finding{finding(mail.Phish, 100)}, auth: pass, want: mail.Phish, action: mail.Hold},
		{name: "suspicious is only to be asked for", own: []mail.ListEntry{allow}, found: []mail.Finding{finding(mail.Suspicious, 60)}, auth: pass, want: mail.Suspicious, action: mail.Hold},
		{name: "not judged", own: []mail.ListEntry{allow}, found: []mail.Finding{finding(mail.Unjudged, 60), finding(mail.Spam, 60)}, auth: pass, want: mail.Spam, action: mail.Hold},
		{name: "a blocked sender", own: []mail.ListEntry{block}, want: mail.Spam, action: mail.Hold, says: "recipient's own block list"},
		{name: "a blocked sender of phishing stays phishing", own: []mail.ListEntry{block}, found: []mail.Finding{finding(mail.Phish, 60)}, want: mail.Phish, action: mail.Hold},
		{name: "the tenant's block comes first", own: []mail.ListEntry{allow}, tenant: []mail.ListEntry{{Domain: "good.example"}}, auth: pass, want: mail.Spam, action: mail.Hold, says: "The sender is on the block list"},
		{name: "the tenant's allow comes first", own: []mail.ListEntry{block}, tenant: []mail.ListEntry{{Allow: true, Domain: "good.example"}}, auth: pass, want: mail.Clean, action: mail.Deliver},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rcpt := tt.rcpt
			if rcpt == "" {
				rcpt = "ann@contoso.example"
			}
			rules := mail.Rules{Lists: tt.tenant, Personal: map[string][]mail.ListEntry{"ann@contoso.example": tt.own}, Recipients: mail.Recipients{May: tt.may}}
			d := Decide(rules, Input{Findings: tt.found, Auth: tt.auth, HeaderFrom: "ben@good.example", Rcpt: rcpt})
			if d.Verdict != tt.want || d.Action != tt.action {
				t.Errorf("got %s, %s; want %s, %s (%q)", d.Verdict, d.Action, tt.want, tt.action, d.Reasons)
			}
			if !strings.Contains(strings.Join(d.Reasons, " "), tt.says) {
				t.Errorf("reasons %q do not say %q", d.Reasons, tt.says)
			}
		})
	}
}
