package login

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"
)

// The ids that Microsoft documents for Exchange Online.
const (
	Resource    string = "https://outlook.office365.com" // audience and prefix of scopes
	ManageAsApp string = "Exchange.ManageAsApp"          // app role dc50a0fb-09a3-484d-be87-e023b12c6440
	Manage      string = "Exchange.Manage"               // delegated scope ab4f2b77-0b06-4fc1-a9de-02113fc2ab7c
)

// An App is an application registration with its service principal in one tenant.
type App struct {
	ClientID     string
	Secrets      []Secret
	Certificates []*x509.Certificate // for client assertions
	Redirects    []string            // allowed redirect URIs; "http://localhost" allows any port
	Public       bool                // may use device code and authorization code without a credential
	AppRole      bool                // Exchange.ManageAsApp was granted
	Consented    bool                // an administrator consented to Exchange.Manage
	Roles        []string            // directory roles of the service principal ("Exchange Administrator")
}

// A Secret is a client secret.
type Secret struct {
	Value   string
	Expires time.Time // zero for never
}

// A User is an account of the tenant.
type User struct {
	UPN    string
	Roles  []string // directory roles
	Fail   int      // AADSTS code every sign-in of this user ends with: 50076, 53003 ...; 0 for none
	APIOff bool     // Set-User -EXOModuleEnabled $false
	Denies bool     // presses Cancel on every page
	MFA    bool     // signs in with a second factor, which the token says
}

// A Directory is the apps and users of one tenant. Its methods may be called at any time.
type Directory struct {
	TenantID string
	Domains  []string

	mu      sync.Mutex
	apps    []App
	users   []User
	revoked time.Time // refresh tokens from before no longer count
}

// PutApp adds an application or replaces the one with its id.
func (d *Directory) PutApp(a App) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apps = append(slices.DeleteFunc(d.apps, func(x App) bool { return strings.EqualFold(x.ClientID, a.ClientID) }), a)
}

// PutUser adds a user or replaces the one with its name.
func (d *Directory) PutUser(u User) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users = append(slices.DeleteFunc(d.users, func(x User) bool { return strings.EqualFold(x.UPN, u.UPN) }), u)
}

// App is the application with this id.
func (d *Directory) App(id string) (App, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.apps, func(a App) bool { return strings.EqualFold(a.ClientID, id) })
	if i < 0 {
		return App{}, false
	}
	return d.apps[i], true
}

// User is the user with this name; the first one for "".
func (d *Directory) User(upn string) (User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.users, func(u User) bool { return upn == "" || strings.EqualFold(u.UPN, upn) })
	if i < 0 {
		return User{}, false
	}
	return d.users[i], true
}

// Revoke ends every refresh token given out before now.
func (d *Directory) Revoke(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.revoked = now
}

func (d *Directory) revokedAt() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.revoked
}

func (d *Directory) consent(id string) {
	a, ok := d.App(id)
	if ok {
		a.Consented, a.AppRole = true, true
		d.PutApp(a)
	}
}

// Named reports whether name is the tenant's id or one of its domains.
func (d *Directory) Named(name string) bool {
	return strings.EqualFold(d.TenantID, name) || slices.ContainsFunc(d.Domains, func(s string) bool { return strings.EqualFold(s, name) })
}

// thumbprint is x5t#S256 of a certificate.
func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
