package signin

import "maps"

// known is what a code means to a person.
type known struct{ kind, cause, mend string }

const (
	consentPage = "Let an administrator open Postern's consent page, or choose “Grant admin consent” at the app registration's API permissions, and connect again."
	again       = "Connect again."
	policy      = "Exclude the app or account from that policy, or sign in from a place and device that the policy permits."
	newSecret   = "Make a new client secret at the app registration (Certificates & secrets), copy its value at once, and connect again with it."
	rightTenant = "Check the tenant's directory id or domain, and the cloud in Postern's configuration."
)

// codes are the refusals of Microsoft's sign-in service that people meet when they
// connect an administration tool.
func codes() map[string]known {
	m := grantCodes()
	maps.Copy(m, credentialCodes())
	maps.Copy(m, sessionCodes())
	maps.Copy(m, policyCodes())
	return m
}

// grantCodes are about who may use what in which tenant.
func grantCodes() map[string]known {
	return map[string]known{
		"AADSTS65001":   {"consent", "Consent is missing: nobody has allowed the app to use Exchange in this organization.", consentPage},
		"AADSTS65004":   {"declined", "The person declined consent.", "Connect again and choose “Accept”."},
		"AADSTS90094":   {"consent", "Only an administrator may grant what the app asks for.", consentPage},
		"AADSTS90095":   {"consent", "An administrator has to approve the app first.", consentPage},
		"AADSTS650056":  {"consent", "The app registration does not list the permission for Exchange, or consent is missing.", "Add Office 365 Exchange Online, Exchange.ManageAsApp (application) or Exchange.Manage (delegated) to its API permissions, grant admin consent and connect again."},
		"AADSTS650057":  {"consent", "The app registration does not list Office 365 Exchange Online among its API permissions.", "Add the permission, grant admin consent and connect again."},
		"AADSTS50105":   {"consent", "The account is not assigned to the app, and the app demands assignment.", "Assign the account under Enterprise applications, Users and groups, or switch “Assignment required” off."},
		"AADSTS650052":  {"licence-missing", "The organization has no subscription to Exchange Online, so its service is not known there.", "Assign a licence with Exchange Online to the organization, or connect another one."},
		"AADSTS500011":  {"licence-missing", "The organization's directory does not know Exchange Online.", "Check that the organization has Exchange Online and that the cloud in the configuration is the right one."},
		"AADSTS50034":   {"unknown-account", "The account does not exist in this organization.", "Sign in with an administrator's account of this organization."},
		"AADSTS50020":   {"wrong-tenant", "The account belongs to another organization.", "Sign in with an administrator's account of this organization, in a private browser window if the wrong one is chosen by itself."},
		"AADSTS90002":   {"wrong-tenant", "There is no tenant of that name in this cloud.", rightTenant},
		"AADSTS900023":  {"wrong-tenant", "The tenant is named neither by a directory id nor by a domain of its own.", rightTenant},
		"AADSTS90072":   {"wrong-tenant", "The account is one of another organization and is no guest of this one.", "Sign in with an administrator's account of this organization."},
		"AADSTS700016":  {"unknown-app", "The app registration does not exist in this tenant.", "Check the client id and the tenant; the registration must be made in the tenant that is connected."},
		"AADSTS700038":  {"unknown-app", "The client id is not the id of an app registration.", "Copy “Application (client) ID” from the app registration's overview page."},
		"AADSTS90013":   {"unknown-app", "The client id or the tenant has a form that is not valid.", "Copy both from the app registration's overview page."},
		"AADSTS7000112": {"unknown-app", "The app registration is disabled.", "Enable it under Enterprise applications, Properties."},
		"AADSTS7000229": {"consent", "The app registration has no service principal in this tenant.", "Open Postern's consent page once as an administrator; that makes it."},
		"AADSTS7000218": {"public-client", "The app registration is not set up for a sign-in without a secret.", "Switch on “Allow public client flows” under Authentication, or connect with a client secret or certificate."},
		"AADSTS7000113": {"unknown-app", "The app registration may not act in this tenant.", "Register the app in the tenant that is connected."},
		"AADSTS90010":   {"wrong-tenant", "This kind of sign-in needs the tenant's own name.", "Give the tenant's directory id or one of its domains."},
		"AADSTS50194":   {"wrong-tenant", "The app registration is for one organization only and was used without naming it.", "Give the tenant's directory id or one of its domains."},
	}
}

// credentialCodes are about the app registration's secret, certificate and
// addresses.
func credentialCodes() map[string]known {
	return map[string]known{
		"AADSTS7000215": {"bad-secret", "The client secret is wrong; perhaps its id was copied instead of its value.", newSecret},
		"AADSTS7000222": {"expired-secret", "The client secret has expired.", newSecret},
		"AADSTS700027":  {"certificate", "The certificate is not the one that was uploaded to the app registration, or it has expired.", "Upload the certificate (without its key) under Certificates & secrets and connect again."},
		"AADSTS700024":  {"clock", "The signed request is outside of its time; this machine's clock is wrong.", "Set the clock (NTP) and connect again."},
		"AADSTS700021":  {"certificate", "The signed request does not name the app registration.", "Check that client id and certificate belong together."},
		"AADSTS700023":  {"certificate", "The signed request was made for another address.", "Check the cloud in Postern's configuration."},
		"AADSTS50012":   {"certificate", "The signature of the certificate was not accepted.", "Upload the certificate again and check that it is the one Postern has."},
		"AADSTS50011":   {"redirect", "The address to come back to is not registered with the app.", "Add Postern's redirect address, exactly as shown, under Authentication of the app registration."},
		"AADSTS500113":  {"redirect", "The app registration has no address to come back to.", "Add Postern's redirect address, exactly as shown, under Authentication of the app registration."},
		"AADSTS900971":  {"redirect", "No address to come back to was given.", "Add Postern's redirect address under Authentication of the app registration."},
		"AADSTS9002325": {"redirect", "This kind of redirect address demands PKCE.", "Register Postern's address as “Web” or “Mobile and desktop applications”."},
		"AADSTS9002327": {"redirect", "The redirect address is registered as a single-page application.", "Register Postern's address as “Web” or “Mobile and desktop applications”."},
		"AADSTS70011":   {"configuration", "The scope that was asked for is not known.", "Check the cloud in Postern's configuration."},
	}
}

// sessionCodes are about accounts, sessions that ended, and passing faults.
func sessionCodes() map[string]known {
	return map[string]known{
		"AADSTS70008":  {"expired", "The authorization code or refresh token has expired.", again},
		"AADSTS70000":  {"sign-in-again", "The authorization code or refresh token is not valid.", again},
		"AADSTS54005":  {"sign-in-again", "The authorization code was used before.", again},
		"AADSTS501481": {"sign-in-again", "The answer does not belong to the sign-in that was begun (PKCE).", "Connect again from the beginning, in one browser window."},
		"AADSTS700082": {"sign-in-again", "The sign-in was not used for so long that it has expired.", "Connect again. For standing access, use an app registration with a certificate."},
		"AADSTS700084": {"sign-in-again", "The sign-in has reached the end of its fixed life of 24 hours.", "Connect again. Register the redirect address as “Web” or “Mobile and desktop applications”."},
		"AADSTS70043":  {"sign-in-again", "A policy of the tenant ended the sign-in after a fixed time.", again},
		"AADSTS70044":  {"sign-in-again", "A policy of the tenant ended the session.", again},
		"AADSTS50173":  {"sign-in-again", "The sign-in was revoked, because the password changed or an administrator revoked it.", again},
		"AADSTS50132":  {"sign-in-again", "The sign-in was revoked, because the password changed or an administrator revoked it.", again},
		"AADSTS50133":  {"sign-in-again", "The session has ended, because the password expired or was changed.", again},
		"AADSTS50089":  {"sign-in-again", "The session has expired.", again},
		"AADSTS50078":  {"sign-in-again", "The second factor has to be shown again.", again},
		"AADSTS50058":  {"sign-in-again", "There is no session to continue.", again},
		"AADSTS70016":  {"pending", "The person has not finished the sign-in yet.", "Finish it in the browser."},
		"AADSTS70018":  {"expired", "The device code is not valid or has expired.", "Connect again and enter the new code within 15 minutes."},
		"AADSTS70019":  {"expired", "The device code has expired.", "Connect again and enter the new code within 15 minutes."},
		"AADSTS70020":  {"expired", "The device code has expired.", "Connect again and enter the new code within 15 minutes."},
		"AADSTS50057":  {"account", "The account is disabled.", "Sign in with another administrator's account, or enable this one."},
		"AADSTS50055":  {"account", "The password has expired.", "Set a new password and connect again."},
		"AADSTS50056":  {"account", "The account has no password here, or a wrong one.", "Sign in at https://portal.office.com to see what is wrong."},
		"AADSTS50126":  {"account", "User name or password is wrong.", "Sign in again with the right ones."},
		"AADSTS50053":  {"account", "The account is locked after too many failed sign-ins, or the address is known for attacks.", "Wait 15 minutes, or let an administrator look into the sign-in log."},
		"AADSTS50144":  {"account", "The password of the on-premises directory has expired.", "Set a new password and connect again."},
		"AADSTS16000":  {"account", "More than one account is signed in, or it has no access.", "Choose the administrator's account, in a private browser window."},
		"AADSTS50196":  {"throttled", "The app asks for tokens in a loop and was stopped for a while.", "Wait a few minutes and try again."},
		"AADSTS90033":  {"unreachable", "Microsoft's sign-in service has a passing fault.", "Try again in a few minutes."},
		"AADSTS90055":  {"throttled", "Microsoft's sign-in service has too many requests.", "Try again in a few minutes."},
	}
}

// policyCodes are about conditional access.
func policyCodes() map[string]known {
	m := map[string]known{}
	for code, cause := range map[string]string{
		"AADSTS50074":  "A second factor is demanded.",
		"AADSTS50076":  "A conditional access policy demands a second factor.",
		"AADSTS50079":  "The account must set up a second factor first.",
		"AADSTS50072":  "The account must set up a second factor first.",
		"AADSTS50158":  "A policy demands a further proof from another provider.",
		"AADSTS500121": "The second factor was not shown in time or was declined.",
	} {
		m[code] = known{"conditional-access", cause, "Connect again by signing in as a person in the browser, or use an app registration with a certificate, which needs no second factor."}
	}
	for code, cause := range map[string]string{
		"AADSTS53000":  "A conditional access policy demands a compliant device.",
		"AADSTS53001":  "A conditional access policy demands a device that is joined to the domain.",
		"AADSTS53002":  "A conditional access policy demands an approved app.",
		"AADSTS53003":  "A conditional access policy does not let the sign-in through.",
		"AADSTS53004":  "The account is at risk and must be proved first.",
		"AADSTS53009":  "A conditional access policy demands an app protection policy.",
		"AADSTS530003": "A conditional access policy demands a managed device.",
		"AADSTS530032": "A security policy of the tenant blocks the sign-in.",
		"AADSTS530034": "The account was blocked because of its risk.",
		"AADSTS530035": "Security defaults of the tenant block the sign-in.",
		"AADSTS50005":  "A conditional access policy does not know this machine's platform.",
		"AADSTS50097":  "A conditional access policy demands proof of the device.",
		"AADSTS50131":  "A conditional access policy does not let this machine or place in.",
		"AADSTS53011":  "The app's risk was found too high by a policy of the tenant.",
	} {
		m[code] = known{"conditional-access", cause, policy}
	}
	return m
}
