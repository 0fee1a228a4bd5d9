package signin

import "fmt"

// A Permission is one thing the app registration or account must be allowed to
// do, and why.
type Permission struct {
	Name string `json:"name"`
	ID   string `json:"id,omitempty"` // of the permission or role in the directory
	Kind string `json:"kind"`         // "application", "delegated", "directory-role", "exchange-role"
	Why  string `json:"why"`
	Need string `json:"need"` // "always", "app", "person", "instead"
}

// Ids of Office 365 Exchange Online and its permissions (exchange.md §1.4).
const (
	ResourceID    = "00000002-0000-0ff1-ce00-000000000000"
	ManageAsAppID = "dc50a0fb-09a3-484d-be87-e023b12c6440" // application permission Exchange.ManageAsApp
	ManageID      = "ab4f2b77-0b06-4fc1-a9de-02113fc2ab7c" // delegated permission Exchange.Manage
	// ExchangeAdministrator is the template id of the directory role that is enough for everything here.
	ExchangeAdministrator = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	govResourceID         = "00000007-0000-0ff1-ce00-000000000000"
	govManageAsAppID      = "455e5cd2-84e8-4751-8344-5672145dfa17"
)

// Permissions lists what is needed and why, least privilege last: whoever does not
// want to give a directory role makes a role group of the "instead" ones. gov is
// true for GCC High and DoD, whose ids differ.
func Permissions(gov bool) []Permission {
	app := ManageAsAppID
	if gov {
		app = govManageAsAppID
	}
	list := []Permission{
		{"Exchange.ManageAsApp", app, "application", "Lets the app registration call Exchange's admin interface at all. By itself it allows nothing: what the app may do is decided by its role.", "app"},
		{"Exchange.Manage", ManageID, "delegated", "Lets Postern call Exchange's admin interface in the name of the person who signed in, within that person's own roles.", "person"},
		{"Exchange Administrator", ExchangeAdministrator, "directory-role", "The one directory role that is enough for everything here. Global Administrator is more than is needed; Security Administrator is not enough.", "always"},
	}
	for _, r := range [][2]string{
		{"Transport Rules", "Create, change, order and remove the mail flow rules."},
		{"Remote and Accepted Domains", "Connectors, the default remote domain, and reading the accepted domains."},
		{"Transport Hygiene", "The connection filter, ARC trusted sealers, and Exchange's own protection policies."},
		{"Organization Transport Settings", "Reading the settings of the organization that decide about direct send."},
		{"Tenant AllowBlockList Manager", "The allowed pairs for spoofed senders."},
		{"View-Only Configuration", "Reading everything before changing anything, and verifying it afterwards."},
	} {
		list = append(list, Permission{r[0], "", "exchange-role", r[1], "instead"})
	}
	return list
}

// Revoke says, step by step, how a person takes away on Microsoft's side what was
// given: Postern has forgotten its part, but only the tenant can end the grant.
func Revoke(cfg Config, kind Kind) []string {
	page := fmt.Sprintf("https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/%s", cfg.ClientID)
	switch kind {
	case Secret:
		return []string{"Open " + page + ".", "Delete the client secret that was made for Postern; it is worthless from then on.", "Tokens given out before end within about an hour."}
	case Certificate:
		return []string{"Open " + page + ".", "Delete the certificate that was made for Postern; it is worthless from then on.", "Tokens given out before end within about an hour."}
	}
	return []string{"Open https://entra.microsoft.com, Users, the account that signed in, and choose “Revoke sessions”; its refresh tokens are worthless from then on.",
		"To end it for everybody, open Enterprise applications, the app, Properties, and set “Enabled for users to sign-in” to No.", "Tokens given out before end within about an hour."}
}
