package portal

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// told are sentences of the Exchange side that the wizard says in every language. Its
// other sentences stay English.
func told() []string {
	return []string{
		"API access is disabled in Exchange for this account (%s%s).",
		"An administrator must run Set-User -Identity ACCOUNT -EXOModuleEnabled $true, or connect with another account or with an app registration, and then try again.",
		"A conditional access policy of the tenant does not let Postern in (%s%s).",
		"Exclude the app registration from that policy, or sign in from a place and device that the policy permits.",
		"The organization was never customized, so Exchange refused %s%s.",
		"Apply again: Postern runs Enable-OrganizationCustomization first; it can take up to an hour until Exchange knows of it.",
		"Exchange has too many requests of this tenant at the moment and put %s off%s.",
		"Wait a few minutes and run the same again; what was done is kept and not done twice.",
		"Exchange did not accept the sign-in for %s%s: the access token is not valid, or consent was never given.",
		"Connect again; for an app registration, check that an administrator granted consent to Exchange.ManageAsApp.",
		"This organization does not have the licence that %s needs (Defender for Office 365 Plan 1)%s.",
		"Leave this policy out, or add the licence; everything else works without it.",
		"The signed-in account has insufficient permissions: its roles do not include %s%s.",
		"Give the account or the app's service principal the role Exchange Administrator (or the role group that the permissions page lists), wait 15 minutes and try again.",
		"Exchange did not answer %s as it should%s.",
		"It is most likely a passing fault: run the same again; what was done is kept and not done twice.",
		"%s is changing this Exchange (%s, since %s, on %s).",
		"Wait until it has ended. If its process was killed, the way is free after two minutes at most.",
		"The sign-in of %s has ended: a person's sign-in is kept in memory only, not beyond the process that took it.",
		"Sign in again with a new code. What is set up in Exchange is not touched by this.",
		"The client secret is wrong; perhaps its id was copied instead of its value.",
		"The client secret has expired.",
		"Make a new client secret at the app registration (Certificates & secrets), copy its value at once, and connect again with it.",
		"The person declined the sign-in.",
		"Connect again and choose “Accept”.",
		"The device code has expired.",
		"Connect again and enter the new code within 15 minutes.",
		"There is no tenant of that name in this cloud.",
		"Check the tenant's directory id or domain, and the cloud in Postern's configuration.",
		"No domain of this tenant is enabled.",
		"Add a domain and enable it first, then plan again.",
		"The script stopped: %s",
		"Mend the cause and run the script again; what was done is kept. For a run that shall be followed here download a new script.",
	}
}

func TestWhatTheWizardSaysOfExchangeIsStillSaid(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"../exchange/*.go", "../exchange/signin/*.go", "../admin/*.go", "*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	for _, sentence := range told() {
		if !strings.Contains(source.String(), strings.Trim(strconv.Quote(sentence), `"`)) {
			t.Errorf("nobody says %q any more", sentence)
		}
	}
}
