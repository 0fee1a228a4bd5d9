package portal

import "slices"

// Access is what a route asks of its visitor before roles count.
type access string

const (
	public   access = "public"   // anybody
	proving  access = "proving"  // password given, second factor not yet
	enrolled access = "enrolled" // may still have to set up a second factor
	signedIn access = "signed in"
	system   access = "system" // signed in, and not of one tenant alone
)

// Roles, as lists for the table.
var (
	everybody = []string{"owner", "security-admin", "helpdesk", "auditor", "user"}
	staff     = []string{"owner", "security-admin", "helpdesk", "auditor"}
	readers   = []string{"owner", "security-admin", "auditor"}
	changers  = []string{"owner", "security-admin"}
	releasers = []string{"owner", "security-admin", "helpdesk"}
	owners    = []string{"owner"}
)

// A route is one thing that can be asked. A path with {tenant} is answered only to
// who may see that tenant; to others there is no such page.
type route struct {
	method, path string
	access       access
	roles        []string // of those signed in; empty means nobody
	fresh        bool     // asks for the second factor again when it was not given lately
	handle       handler
}

func (rt route) allows(role string) bool { return slices.Contains(rt.roles, role) }

// routes are all there are: what is not listed is 404, and a role that is not
// listed is 403.
func (p *Portal) routes() []route {
	return []route{
		{"GET", "/sign-in", public, nil, false, p.signInForm},
		{"POST", "/sign-in", public, nil, false, p.signIn},
		{"GET", "/sign-in/code", proving, nil, false, p.codeForm},
		{"POST", "/sign-in/code", proving, nil, false, p.code},
		{"POST", "/sign-in/passkey", public, nil, false, p.passkeySignIn},
		{"GET", "/sign-in/provider", public, nil, false, p.toProvider},
		{"GET", "/sign-in/provider/return", public, nil, false, p.fromProvider},
		{"POST", "/sign-in/provider/again", signedIn, everybody, false, p.proveAtProvider},
		{"GET", "/setup", public, nil, false, p.setupForm},
		{"POST", "/setup", public, nil, false, p.setup},
		{"GET", "/invitation", public, nil, false, p.invitationForm},
		{"POST", "/invitation", public, nil, false, p.invitation},
		{"POST", scriptReportPath, public, nil, false, p.takeReport},
		{"POST", "/appearance", public, nil, false, p.appearance},
		{"GET", "/second-factor", enrolled, everybody, false, p.factorForm},
		{"POST", "/second-factor", enrolled, everybody, false, p.factor},
		{"GET", "/second-factor/passkey", enrolled, everybody, false, p.passkeyForm},
		{"POST", "/second-factor/passkey", enrolled, everybody, false, p.addPasskey},
		{"POST", "/sign-out", enrolled, everybody, false, p.signOut},

		{"GET", "/{$}", signedIn, everybody, false, p.home},
		{"GET", "/account", signedIn, everybody, false, p.account},
		{"POST", "/account/password", signedIn, everybody, false, p.changePassword},
		{"POST", "/account/sessions/{id}/end", signedIn, everybody, false, p.endSession},
		{"POST", "/account/passkeys/{id}/remove", signedIn, everybody, true, p.removePasskey},
		{"POST", "/account/recovery", signedIn, everybody, true, p.renewRecovery},
		{"POST", "/account/sessions/end", signedIn, everybody, false, p.endOthers},
		{"POST", "/account/link", signedIn, everybody, true, p.linkProvider},
		{"GET", "/design", signedIn, everybody, false, p.design},

		{"GET", "/users", signedIn, owners, false, p.users},
		{"POST", "/users", signedIn, owners, true, p.addUser},
		{"GET", "/users/{email}", signedIn, owners, false, p.user},
		{"GET", "/users/{email}/ask/{do}", signedIn, owners, false, p.askUser},
		{"POST", "/users/{email}/factor/reset", signedIn, owners, true, p.resetFactor},
		{"POST", "/users/{email}/sessions/end", signedIn, owners, false, p.endUserSessions},
		{"POST", "/users/{email}/sessions/{id}/end", signedIn, owners, false, p.endUserSession},
		{"POST", "/users/{email}/invite", signedIn, owners, true, p.inviteUser},
		{"POST", "/users/{email}/role", signedIn, owners, true, p.setRole},
		{"POST", "/users/{email}/disable", signedIn, owners, true, p.disableUser},
		{"POST", "/users/{email}/enable", signedIn, owners, true, p.enableUser},

		{"GET", "/provider", system, owners, false, p.providerForm},
		{"POST", "/provider", system, owners, true, p.saveProvider},
		{"POST", "/provider/remove", system, owners, true, p.removeProvider},

		{"GET", "/tenants", system, staff, false, p.tenants},
		{"POST", "/tenants", system, changers, false, p.addTenant},
		{"GET", "/approvals", signedIn, releasers, false, p.approvals},
		{"POST", "/approvals", system, owners, true, p.setFourEyes},
		{"POST", "/approvals/{id}/{do}", signedIn, releasers, true, p.decide},
		{"GET", "/tenants/{tenant}", system, readers, false, p.tenantPage},
		{"POST", "/tenants/{tenant}", system, changers, true, p.setTenant},
		{"POST", "/tenants/{tenant}/export", system, owners, true, p.exportTenant},
		{"POST", "/tenants/{tenant}/remove", system, owners, true, p.removeTenant},
		{"GET", "/brand/{tenant}/{id}/{file}", public, nil, false, p.brandFile},
		{"GET", "/t/{tenant}/look", signedIn, readers, false, p.look},
		{"POST", "/t/{tenant}/look", signedIn, changers, false, p.setLook},
		{"GET", "/audit", system, readers, false, p.audit},
		{"GET", "/tokens", signedIn, changers, false, p.tokens},
		{"POST", "/tokens", signedIn, changers, true, p.addToken},
		{"POST", "/tokens/{id}/revoke", signedIn, changers, true, p.revokeToken},

		{"GET", "/t/{tenant}/{$}", signedIn, staff, false, p.dashboard},
		{"GET", "/t/{tenant}/quarantine", signedIn, staff, false, p.quarantine},
		{"POST", "/t/{tenant}/quarantine", signedIn, releasers, false, p.act},
		{"GET", "/t/{tenant}/mail/{id}", signedIn, staff, false, p.message},
		{"GET", "/t/{tenant}/mail/{id}/similar", signedIn, staff, false, p.similar},
		{"GET", "/t/{tenant}/mail/{id}/preview", signedIn, changers, false, p.preview},
		{"POST", "/t/{tenant}/mail/{id}/report", signedIn, changers, false, p.reportVerdict},
		{"GET", "/t/{tenant}/verdict-reports", signedIn, readers, false, p.verdictReports},
		{"POST", "/t/{tenant}/mail/{id}/read", signedIn, changers, false, p.readMessage},
		{"POST", "/t/{tenant}/mail/{id}/download", signedIn, changers, false, p.download},
		{"GET", "/t/{tenant}/status", signedIn, staff, false, p.status},
		{"POST", "/t/{tenant}/status/look", signedIn, changers, false, p.lookAgain},
		{"GET", "/t/{tenant}/reports", signedIn, staff, false, p.reports},
		{"GET", "/t/{tenant}/reports/schedule", signedIn, readers, false, p.schedule},
		{"POST", "/t/{tenant}/reports/schedule", signedIn, changers, false, p.saveSchedule},
		{"POST", "/t/{tenant}/reports/send", signedIn, changers, false, p.sendReport},
		{"GET", "/t/{tenant}/reports/report.pdf", signedIn, staff, false, p.reportPDF},
		{"GET", "/t/{tenant}/reports/report.csv", signedIn, staff, false, p.reportCSV},
		{"POST", "/t/{tenant}/filters", signedIn, staff, false, p.saveFilter},
		{"POST", "/t/{tenant}/filters/remove", signedIn, staff, false, p.removeFilter},
		{"GET", "/t/{tenant}/trace", signedIn, staff, false, p.trace},
		{"GET", "/t/{tenant}/queue", signedIn, staff, false, p.queue},
		{"POST", "/t/{tenant}/queue/{id}/retry", signedIn, changers, false, p.retry},
		{"GET", "/t/{tenant}/audit", signedIn, readers, false, p.audit},
		{"GET", "/t/{tenant}/inbound/plan", signedIn, readers, false, p.plan},
		{"POST", "/t/{tenant}/inbound/domain", signedIn, changers, false, p.saveDomain},
		{"POST", "/t/{tenant}/inbound/test/{domain}", signedIn, changers, false, p.testDomain},
		{"GET", "/t/{tenant}/inbound/domain/{domain}/{do}", signedIn, changers, false, p.domainForm},
		{"POST", "/t/{tenant}/inbound/domain/{domain}/{do}", signedIn, changers, true, p.switchDomain},
		{"POST", "/t/{tenant}/inbound/key/rotate", signedIn, changers, true, p.rotateKey},
		{"POST", "/t/{tenant}/inbound/key/retire", signedIn, changers, true, p.retireKey},
		{"GET", "/t/{tenant}/exchange", signedIn, readers, false, p.exchange},
		{"GET", "/t/{tenant}/exchange/connect", signedIn, changers, false, p.connectForm},
		{"GET", "/t/{tenant}/exchange/ask/rollback", signedIn, changers, false, p.askExchange},
		{"GET", "/t/{tenant}/exchange/ask/disconnect", signedIn, changers, false, p.askExchange},
		{"GET", "/t/{tenant}/exchange/script", signedIn, readers, false, p.scriptPage},
		{"GET", "/t/{tenant}/exchange/script/live", signedIn, readers, false, p.whileSignedIn(p.scriptLive)},
		{"POST", "/t/{tenant}/exchange/script/report", signedIn, changers, false, p.uploadReport},
		{"GET", "/t/{tenant}/inbound/key/rotate", signedIn, changers, false, p.askKey},
		{"GET", "/t/{tenant}/inbound/key/retire", signedIn, changers, false, p.askKey},
		{"POST", "/t/{tenant}/exchange/connect", signedIn, changers, false, p.connect},
		{"POST", "/t/{tenant}/exchange/disconnect", signedIn, changers, true, p.exchangeDisconnect},
		{"GET", "/t/{tenant}/exchange/plan", signedIn, readers, false, p.exchangePlan},
		{"GET", "/t/{tenant}/exchange/verify", signedIn, readers, false, p.exchangeVerify},
		{"POST", "/t/{tenant}/exchange/apply", signedIn, changers, false, p.exchangeApply},
		{"POST", "/t/{tenant}/exchange/rollback", signedIn, changers, true, p.exchangeRollback},
		{"POST", "/t/{tenant}/exchange/script", signedIn, changers, true, p.script},
		{"GET", "/t/{tenant}/exchange/guide", signedIn, changers, false, p.guide},
		{"GET", "/t/{tenant}/probe", signedIn, staff, false, p.probe},
		{"GET", "/t/{tenant}/probe/live", signedIn, staff, false, p.whileSignedIn(p.probeLive)},
		{"GET", "/t/{tenant}/exchange/run", signedIn, readers, false, p.runPage},
		{"GET", "/t/{tenant}/exchange/live", signedIn, readers, false, p.whileSignedIn(p.live)},
		{"GET", "/t/{tenant}/exchange/protection", signedIn, changers, false, p.protection},
		{"POST", "/t/{tenant}/exchange/protection", signedIn, changers, true, p.setProtection},
		{"GET", "/t/{tenant}/requests", signedIn, staff, false, p.requests},
		{"POST", "/t/{tenant}/requests/{id}", signedIn, releasers, false, p.answerRequest},
		{"GET", "/t/{tenant}/inbound/recipients", signedIn, readers, false, p.recipients},
		{"POST", "/t/{tenant}/inbound/recipients", signedIn, changers, false, p.setRecipients},
		{"GET", "/t/{tenant}/inbound/recipients/preview", signedIn, readers, false, p.previewDigest},
		{"POST", "/t/{tenant}/inbound/recipients/test", signedIn, changers, false, p.testDigest},
		{"GET", "/t/{tenant}/senders", signedIn, readers, false, p.senders},
		{"POST", "/t/{tenant}/senders", signedIn, changers, false, p.addSender},
		{"POST", "/t/{tenant}/senders/{id}/remove", signedIn, changers, false, p.removeSender},
		{"GET", "/t/{tenant}/policies", signedIn, readers, false, p.policies},
		{"POST", "/t/{tenant}/policies", signedIn, changers, false, p.savePolicies},
		{"POST", "/t/{tenant}/policies/undo", signedIn, changers, false, p.undoPolicies},
		{"POST", "/t/{tenant}/policies/scope", signedIn, changers, false, p.changeScope},
		{"POST", "/t/{tenant}/policies/bypass", signedIn, changers, true, p.switchBypass},
		{"GET", "/t/{tenant}/draft", signedIn, readers, false, p.draft},
		{"POST", "/t/{tenant}/draft", signedIn, changers, false, p.changeDraft},
		{"POST", "/t/{tenant}/observe", signedIn, changers, true, p.observe},
		{"POST", "/t/{tenant}/policies/again", signedIn, changers, true, p.judgeAgain},
		{"POST", "/t/{tenant}/policies/again/stop", signedIn, changers, false, p.stopAgain},
		{"GET", "/t/{tenant}/people", signedIn, readers, false, p.people},
		{"POST", "/t/{tenant}/people", signedIn, changers, false, p.savePeople},
		{"GET", "/t/{tenant}/retention", signedIn, readers, false, p.retention},
		{"POST", "/t/{tenant}/retention", signedIn, changers, true, p.saveRetention},
		{"GET", "/t/{tenant}/notifications", signedIn, readers, false, p.notifications},
		{"POST", "/t/{tenant}/notifications", signedIn, changers, false, p.changeNotifications},
		{"POST", "/t/{tenant}/alarms/clear", signedIn, changers, false, p.clearAlarm},
	}
}
