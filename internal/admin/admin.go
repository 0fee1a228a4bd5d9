package admin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/seal"
	"postern/internal/store"
	"postern/internal/webhook"
)

// Admin makes changes in the name of Actor.
type Admin struct {
	Store    *store.Store
	Root     *seal.Root
	Resolver Resolver
	Own      func(host string, at netip.AddrPort) bool // whether a next hop is this relay itself
	Actor    string                                    // who acts: "command line", or a user's address
	Now      func() time.Time                          // time.Now by default
	NewPlace func(store.SignIn)                        // told of sign-ins from where the user had not been before, one a quarter of an hour; must not wait; may be nil
	Notify   func(webhook.Event)                       // told of reports; must not wait; nil: nobody is told
}

// Resolver is what checking domains and MTAs needs of DNS; the errors are
// *net.DNSError.
type Resolver interface {
	deliver.Resolver
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

func (a *Admin) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// note writes a change that was made into the audit log.
func (a *Admin) note(ctx context.Context, tenant, action, object, before, after string) error {
	err := a.Store.Audit(ctx, store.AuditEntry{
		At: a.now(), Actor: a.Actor, Tenant: tenant, Action: action, Object: object, Before: before, After: after,
	})
	if err != nil {
		return fmt.Errorf("%s %s was done, but the audit log could not be written: %w", action, object, err)
	}
	return nil
}

var tenantForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$|^[a-z0-9]$`)

// AddTenant adds a tenant. Its id is name in lower case with hyphens for what is
// neither letter nor digit.
func (a *Admin) AddTenant(ctx context.Context, name string) (mail.Tenant, error) {
	name = strings.TrimSpace(name)
	id := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-"), "-")
	if !tenantForm.MatchString(id) {
		return mail.Tenant{}, mail.Refuse("tenant name %q gives no usable id: use letters and digits, at most 63", name)
	}
	wrapped, key, err := a.Root.NewTenantKey()
	if err != nil {
		return mail.Tenant{}, fmt.Errorf("make the key of tenant %s: %w", id, err)
	}
	t := mail.Tenant{ID: id, Name: name, Token: newToken()}
	kept := t
	kept.Token = key.SealText(mail.ID(id), seal.ProcessedToken, t.Token)
	err = a.Store.AddTenant(ctx, store.Tenant{Tenant: kept, WrappedKey: wrapped, CreatedAt: a.now()})
	if errors.Is(err, store.ErrExists) {
		return mail.Tenant{}, mail.Refuse("tenant %s exists already: choose another name", id)
	}
	if err != nil {
		return mail.Tenant{}, err
	}
	return t, a.note(ctx, id, "tenant.add", id, "", name)
}

// Tenant returns a tenant by id or name.
func (a *Admin) Tenant(ctx context.Context, name string) (mail.Tenant, error) {
	all, err := a.Store.Tenants(ctx)
	if err != nil {
		return mail.Tenant{}, err
	}
	var known []string
	for _, t := range all {
		if t.ID == name || strings.EqualFold(t.Name, name) {
			return t.Tenant, nil
		}
		known = append(known, t.ID)
	}
	if len(known) == 0 {
		return mail.Tenant{}, mail.Refuse("tenant %q is not known: there is none yet, add it with postern tenant add NAME", name)
	}
	return mail.Tenant{}, mail.Refuse("tenant %q is not known: there are %s", name, strings.Join(known, ", "))
}
