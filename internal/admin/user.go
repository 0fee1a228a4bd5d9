package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
)

// Roles are what a user may be (product.md O1).
var roles = []string{"owner", "security-admin", "helpdesk", "auditor", "user"}

// AddUser adds a user of the portal, without a password yet.
func (a *Admin) AddUser(ctx context.Context, email, tenant, role string) (store.User, error) {
	if mail.DomainOf(email) == "" {
		return store.User{}, fmt.Errorf("%q is not an e-mail address", email)
	}
	if !slices.Contains(roles, role) {
		return store.User{}, fmt.Errorf("role %q is not known: there are %s", role, strings.Join(roles, ", "))
	}
	if tenant != "" {
		t, err := a.Tenant(ctx, tenant)
		if err != nil {
			return store.User{}, err
		}
		tenant = t.ID
	}
	u := store.User{ID: string(mail.NewID()), Email: strings.ToLower(email), Tenant: tenant, Role: role, CreatedAt: a.now()}
	err := a.Store.AddUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		return u, fmt.Errorf("user %s exists already", u.Email)
	}
	if err != nil {
		return u, err
	}
	return u, a.note(ctx, tenant, "user.add", u.Email, "", role)
}
