package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/provider"
	"postern/internal/store"
)

// A Provider is where people sign in elsewhere (OpenID Connect). There is one for
// each installation; local accounts stay possible beside it.
type Provider struct {
	Name        string      `json:"name"` // on the button
	Issuer      string      `json:"issuer"`
	ClientID    string      `json:"client_id"`
	Groups      string      `json:"groups,omitempty"`       // claim that lists groups, "groups" by default
	Roles       []GroupRole `json:"roles,omitempty"`        // the first that fits gives the role, at each sign-in; none: roles are given here
	Tenants     []string    `json:"tenants,omitempty"`      // tid of Microsoft Entra tenants that may sign in; none: all
	Domains     []string    `json:"domains,omitempty"`      // of verified addresses that may sign in; none: all
	Believe     Belief      `json:"believe"`                // its addresses
	Provision   bool        `json:"provision,omitempty"`    // makes an account for who has a role and none yet
	TrustFactor bool        `json:"trust_factor,omitempty"` // it asks for a second factor itself, even where its answer does not say so
}

// Belief says whether a provider's e-mail addresses link accounts.
type Belief string

const (
	BelieveNone     Belief = "none"     // an account is linked by who is signed in to it
	BelieveVerified Belief = "verified" // an address that the provider says it verified
	BelieveManaged  Belief = "managed"  // addresses are given by the organization itself, and nobody can choose one
)

// A GroupRole gives a role to the members of a group.
type GroupRole struct {
	Group  string `json:"group"` // "*" is everybody
	Role   string `json:"role"`
	Tenant string `json:"tenant,omitempty"` // of accounts made by it; "" sees all tenants
}

const (
	providerSetting = "provider"
	secretSetting   = "provider-secret"
)

// Provider returns the provider that is set; store.ErrNotFound if none is.
func (a *Admin) Provider(ctx context.Context) (p Provider, err error) {
	kept, err := a.Store.Setting(ctx, "", providerSetting)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(kept, &p); err != nil {
		return p, fmt.Errorf("provider: %w", err)
	}
	return p, nil
}

// ProviderSecret opens the client secret.
func (a *Admin) ProviderSecret(ctx context.Context) (string, error) {
	kept, err := a.Store.Setting(ctx, "", secretSetting)
	if err != nil {
		return "", err
	}
	secret, err := a.systemCipher("provider secret").Open(nil, nil, kept, nil)
	if err != nil {
		return "", fmt.Errorf("client secret of the provider cannot be read: %w", err)
	}
	return string(secret), nil
}

// SetProvider keeps a provider once it answers. An empty secret keeps the former
// one, of the same issuer and client.
func (a *Admin) SetProvider(ctx context.Context, p Provider, secret string) error {
	if err := a.checkProvider(ctx, &p); err != nil {
		return err
	}
	before, err := a.Provider(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if secret == "" && (before.Issuer != p.Issuer || before.ClientID != p.ClientID) {
		return mail.Refuse("the client secret is missing: the provider gives it with the client id")
	}
	if _, _, err := (&provider.Client{Issuer: p.Issuer, ID: p.ClientID}).Begin(ctx, false); err != nil {
		return mail.Refuse("%s does not answer as a provider of that name: check the issuer, which must be written exactly as the provider does: %w", p.Issuer, err)
	}
	kept, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if secret != "" {
		if err := a.Store.PutSetting(ctx, "", secretSetting, a.systemCipher("provider secret").Seal(nil, nil, []byte(secret), nil)); err != nil {
			return err
		}
	}
	if err := a.Store.PutSetting(ctx, "", providerSetting, kept); err != nil {
		return err
	}
	return a.note(ctx, "", "provider.set", p.Issuer, before.Issuer, string(kept))
}

func (a *Admin) checkProvider(ctx context.Context, p *Provider) error {
	p.Name, p.Issuer, p.ClientID = strings.TrimSpace(p.Name), strings.TrimSpace(p.Issuer), strings.TrimSpace(p.ClientID)
	u, err := url.Parse(p.Issuer)
	switch {
	case p.Name == "" || len(p.Name) > 40:
		return mail.Refuse("the provider needs a name of at most 40 letters, which the sign-in button shows")
	case err != nil || u.Host == "" || (u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"))):
		return mail.Refuse("issuer %q is not an https address", p.Issuer)
	case p.ClientID == "":
		return mail.Refuse("the client id is missing: the provider gives it when you register this portal there")
	case !slices.Contains([]Belief{BelieveNone, BelieveVerified, BelieveManaged}, p.Believe):
		return mail.Refuse("%q is no way to believe addresses: there are none, verified and managed", p.Believe)
	case p.Provision && (len(p.Roles) == 0 || p.Believe == BelieveNone):
		return mail.Refuse("accounts can only be made where groups give roles and the provider's addresses are believed")
	case len(p.Domains) > 0 && p.Believe == BelieveNone:
		return mail.Refuse("domains can only be checked where the provider's addresses are believed")
	}
	for i, g := range p.Roles {
		if g.Group == "" || !slices.Contains(Roles(), g.Role) {
			return mail.Refuse("role %q of group %q is not known: there are %s", g.Role, g.Group, strings.Join(Roles(), ", "))
		}
		if g.Tenant != "" {
			t, err := a.Tenant(ctx, g.Tenant)
			if err != nil {
				return err
			}
			p.Roles[i].Tenant = t.ID
		}
	}
	return nil
}

// RemoveProvider ends signing in elsewhere. Linked accounts stay linked, for the
// case that it is set again.
func (a *Admin) RemoveProvider(ctx context.Context) error {
	p, err := a.Provider(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(a.Store.PutSetting(ctx, "", providerSetting, nil), a.Store.PutSetting(ctx, "", secretSetting, nil)); err != nil {
		return err
	}
	return a.note(ctx, "", "provider.remove", p.Issuer, p.Name, "")
}

// ParseRoles reads one group a line: GROUP = ROLE, or GROUP = ROLE @ TENANT.
func ParseRoles(text string) (roles []GroupRole, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		i := strings.LastIndexByte(line, '=')
		if i < 1 {
			return nil, mail.Refuse("%q is no line of the form GROUP = ROLE, or GROUP = ROLE @ TENANT", line)
		}
		role, tenant, _ := strings.Cut(line[i+1:], "@")
		roles = append(roles, GroupRole{strings.TrimSpace(line[:i]), strings.TrimSpace(role), strings.TrimSpace(tenant)})
	}
	return roles, nil
}

// String is a line that ParseRoles reads.
func (g GroupRole) String() string {
	if g.Tenant == "" {
		return g.Group + " = " + g.Role
	}
	return g.Group + " = " + g.Role + " @ " + g.Tenant
}
