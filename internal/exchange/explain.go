package exchange

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"postern/internal/exchange/adminapi"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
)

// Explain turns the error of a single call of cmdlet into a *Problem, a sentence of
// cause and one of mend. Errors that are explained already stay as they are.
func Explain(err error, cmdlet string) error { return explain(err, cmdlet) }

// explain turns an error of a call into a Problem. An error that is one already,
// or the end of ctx, is returned as it is.
func explain(err error, cmdlet string) error {
	var p *Problem
	if err == nil || errors.As(err, &p) || errors.Is(err, context.Canceled) {
		return err
	}
	var e *adminapi.Error
	var login *signin.Error
	switch {
	case errors.As(err, &login):
		return NewProblem(login.Kind, login.Cause, login.Mend, err)
	case errors.Is(err, signin.ErrEnded):
		return NewProblem("disconnected", mail.Say("The connection to Exchange was ended."), mail.Say("Connect again."), err)
	case errors.Is(err, adminapi.ErrNotAllowed):
		return NewProblem("not-allowed", mail.Say("Postern refused to call %s, which is not on its list of permitted cmdlets.", cmdlet), mail.Say("This is a fault of the program; report it."), err)
	case !errors.As(err, &e):
		return err
	}
	for _, k := range knownErrors {
		if k.match(e) {
			return NewProblem(k.code, k.cause.With(cmdlet, quoted(e)), k.mend, err)
		}
	}
	return NewProblem("exchange", mail.Say("Exchange did not accept %s%s (request-id %s).", cmdlet, quoted(e), orNone(e.RequestID)),
		mail.Say("Read Exchange's own words; if they do not help, give the request-id to Microsoft's support."), err)
}

func orNone(s string) any {
	if s == "" {
		return mail.Say("(none was sent)")
	}
	return s
}

// quoted is Exchange's own text, cut to a readable length.
func quoted(e *adminapi.Error) string {
	t := strings.Join(strings.Fields(e.Text+" "+e.Diagnostics), " ")
	if t == "" {
		return ""
	}
	if r := []rune(t); len(r) > 300 {
		t = string(r[:300]) + "…"
	}
	return ": “" + strings.TrimSuffix(t, ".") + "”"
}

// A knownError is a refusal that people meet. cause takes the cmdlet and
// Exchange's own words.
type knownError struct {
	code  string
	match func(*adminapi.Error) bool
	cause mail.Sentence
	mend  mail.Sentence
}

func says(pattern string) func(*adminapi.Error) bool {
	re := regexp.MustCompile(`(?i)` + pattern)
	return func(e *adminapi.Error) bool {
		return re.MatchString(e.Text) || re.MatchString(e.Diagnostics) || re.MatchString(e.Type)
	}
}

// knownErrors are looked at in order; the first that matches tells.
var knownErrors = []knownError{
	{"api-disabled", says(`EXOModuleEnabled|RemotePowerShellEnabled|(remote powershell|powershell|API) (access )?(is|has been|isn't) (disabled|not enabled|enabled|blocked)|not allowed to (access|use).*(powershell|api)`),
		mail.Say("API access is disabled in Exchange for this account (%s%s)."),
		mail.Say("An administrator must run Set-User -Identity ACCOUNT -EXOModuleEnabled $true, or connect with another account or with an app registration, and then try again.")},
	{"conditional-access", says(`AADSTS53003|conditional access`),
		mail.Say("A conditional access policy of the tenant does not let Postern in (%s%s)."),
		mail.Say("Exclude the app registration from that policy, or sign in from a place and device that the policy permits.")},
	{"not-hydrated", says(`Enable-OrganizationCustomization`),
		mail.Say("The organization was never customized, so Exchange refused %s%s."),
		mail.Say("Apply again: Postern runs Enable-OrganizationCustomization first; it can take up to an hour until Exchange knows of it.")},
	{"throttled", (*adminapi.Error).Throttled,
		mail.Say("Exchange has too many requests of this tenant at the moment and put %s off%s."),
		mail.Say("Wait a few minutes and run the same again; what was done is kept and not done twice.")},
	{"sign-in", func(e *adminapi.Error) bool { return e.Status == 401 },
		mail.Say("Exchange did not accept the sign-in for %s%s: the access token is not valid, or consent was never given."),
		mail.Say("Connect again; for an app registration, check that an administrator granted consent to Exchange.ManageAsApp.")},
	{"licence-missing", func(e *adminapi.Error) bool {
		return e.Denied() && needsLicence(e.Cmdlet) || says(`(licen[cs]e|subscription).*(requir|need|missing|does not|doesn't)`)(e)
	},
		mail.Say("This organization does not have the licence that %s needs (Defender for Office 365 Plan 1)%s."),
		mail.Say("Leave this policy out, or add the licence; everything else works without it.")},
	{"developer-tenant", says(`developer (subscription|tenant)|E5 developer|creation of inbound connectors is restricted`),
		mail.Say("This is a Microsoft 365 developer subscription, in which Exchange does not let anyone create inbound connectors (%s%s)."),
		mail.Say("Use an ordinary tenant; Microsoft's support does not lift this restriction.")},
	{"insufficient-role", (*adminapi.Error).Denied,
		mail.Say("The signed-in account has insufficient permissions: its roles do not include %s%s."),
		mail.Say("Give the account or the app's service principal the role Exchange Administrator (or the role group that the permissions page lists), wait 15 minutes and try again.")},
	{"connector-in-use", says(`connector.*(is|being|it's) (in use|used|referenced)|ConnectorInUse|used by .*(transport|mail flow) rule`),
		mail.Say("The connector cannot be removed, because a mail flow rule still sends mail through it (%s%s)."),
		mail.Say("Remove or change that rule first; Postern's own rules are removed by Roll back before the connector.")},
	{"ip-list-full", says(`(IP ?(allow|address)|IPAllowList).*(maximum|limit|exceed|too many)|\b1273\b`),
		mail.Say("The connection filter's list of allowed addresses is full (%s%s)."),
		mail.Say("Remove entries that are no longer needed from the IP allow list (the limit is 1273), then apply again.")},
	{"spoof-list-full", says(`(spoof|tenant allow).*(maximum|limit|exceed|too many|1024)`),
		mail.Say("The tenant allow/block list for spoofed senders is full (%s%s)."),
		mail.Say("Remove pairs that are no longer needed (the limit is 1024), then apply again.")},
	{"rule-too-large", says(`(rule|size).*(8192|8 ?KB|too (large|long|big)|exceeds? the (maximum )?(size|length))`),
		mail.Say("A mail flow rule would be larger than Exchange allows (%s%s)."),
		mail.Say("Disable domains that do not need the relay, or write fewer and larger networks in relay.egress_ips; the limit is 8 KB for one rule.")},
	{"rule-limit", says(`(maximum|limit).*(number of )?(transport |mail flow )?rules|too many (transport |mail flow )?rules`),
		mail.Say("The organization has as many mail flow rules as Exchange allows (%s%s)."),
		mail.Say("Remove rules that are no longer needed (the limit is 300), then apply again.")},
	{"name-taken", (*adminapi.Error).Exists,
		mail.Say("An object of this name is there already, and it is not ours (%s%s)."),
		mail.Say("Rename or remove that object in the Exchange admin center, or choose another brand name for Postern's objects.")},
	{"lost", (*adminapi.Error).NotFound,
		mail.Say("Exchange does not find an object that %s needs%s; somebody removed it, or it was made a moment ago and is not known everywhere yet."),
		mail.Say("Wait a minute and run the same again.")},
	{"unreachable", func(e *adminapi.Error) bool { return e.Temporary() },
		mail.Say("Exchange did not answer %s as it should%s."),
		mail.Say("It is most likely a passing fault: run the same again; what was done is kept and not done twice.")},
}

// needsLicence reports whether a cmdlet exists only with Defender for Office 365.
func needsLicence(cmdlet string) bool {
	for _, noun := range []string{"ATP", "SafeLinks", "SafeAttachment"} {
		if strings.Contains(cmdlet, "-"+noun) {
			return true
		}
	}
	return false
}
