package admin

import (
	"context"
	"fmt"
	"strings"

	"postern/internal/mail"
)

// SetTenant changes a tenant's name and limits.
func (a *Admin) SetTenant(ctx context.Context, id, name string, limits mail.Limits) (mail.Tenant, error) {
	t, err := a.Tenant(ctx, id)
	if err != nil {
		return t, err
	}
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 63 {
		return t, mail.Refuse("a tenant's name has 1 to 63 letters, this one has %d", len(name))
	}
	for what, n := range map[string]int64{"messages an hour": int64(limits.Messages), "recipients an hour": int64(limits.Recipients), "held octets": limits.HeldOctets, "users": int64(limits.Users)} {
		if n < 0 {
			return t, mail.Refuse("the limit of %s is below zero: give a number from 1 on, or 0 for none", what)
		}
	}
	before := tenantText(t)
	t.Name, t.Limits = name, limits
	if err := a.Store.SetTenant(ctx, t); err != nil {
		return t, err
	}
	return t, a.note(ctx, t.ID, "tenant.set", t.ID, before, tenantText(t))
}

func tenantText(t mail.Tenant) string {
	l := t.Limits
	return fmt.Sprintf("%s; messages/h %d, recipients/h %d, held octets %d, users %d", t.Name, l.Messages, l.Recipients, l.HeldOctets, l.Users)
}

// roomForUser refuses one user more than a tenant may have.
func (a *Admin) roomForUser(ctx context.Context, t mail.Tenant) error {
	if t.Limits.Users == 0 {
		return nil
	}
	users, err := a.Store.Users(ctx, t.ID)
	if err != nil {
		return err
	}
	if len(users) >= t.Limits.Users {
		return mail.Refuse("tenant %s has %d users, which is its limit: ask who provides Postern to you for a higher one", t.Name, len(users))
	}
	return nil
}
