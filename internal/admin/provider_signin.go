package admin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/provider"
	"postern/internal/store"
)

// Why somebody whom the provider knows does not get in here, each a sentence.
var (
	ErrNoAccount  = mail.Refuse("nobody here has this account: ask an owner for an invitation, or sign in with your password and link it under your account")
	ErrUnverified = mail.Refuse("the provider does not say that your e-mail address is verified, so it opens no account: sign in with your password and link it under your account")
	ErrNoRole     = mail.Refuse("none of your groups has a role here: ask an owner")
	ErrOutside    = mail.Refuse("people of your organization may not sign in here")
	ErrDisabled   = mail.Refuse("this account may not sign in any more: ask an owner")
	ErrLinked     = mail.Refuse("that account is linked to somebody here already")
)

// SignInFrom signs in whom the provider named. The session's stage says whether a
// second factor is still to be proved here. The error is one of those above.
func (a *Admin) SignInFrom(ctx context.Context, p Provider, who provider.Person, v Visitor) (string, store.Session, error) {
	u, err := a.userOf(ctx, p, who)
	if err == nil && !u.DisabledAt.IsZero() {
		err = ErrDisabled
	}
	if err == nil {
		u, err = a.followRole(ctx, p, who, u)
	}
	if err != nil {
		return "", store.Session{}, errors.Join(err, a.noteAs(ctx, cut(who.Issuer+" "+who.Subject, 254), u.Tenant, "user.sign-in-failed", cut(who.Email, 254), cut(err.Error(), 200)))
	}
	if p.TrustFactor || who.Proved() {
		return a.enter(ctx, u, "provider", v)
	}
	stage, err := a.nextStage(ctx, u)
	if err != nil {
		return "", store.Session{}, err
	}
	return a.begin(ctx, u, stage, "provider", v)
}

// userOf is the account that a person opens: by issuer and subject, or the first
// time by an address that may be believed.
func (a *Admin) userOf(ctx context.Context, p Provider, who provider.Person) (store.User, error) {
	if len(p.Tenants) > 0 && !slices.Contains(p.Tenants, who.Tenant) {
		return store.User{}, ErrOutside
	}
	believed := who.Email != "" && (p.Believe == BelieveVerified && who.Verified != nil && *who.Verified || p.Believe == BelieveManaged && (who.Verified == nil || *who.Verified))
	if len(p.Domains) > 0 && !(believed && slices.ContainsFunc(p.Domains, func(d string) bool { return strings.EqualFold(d, mail.DomainOf(who.Email)) })) {
		return store.User{}, ErrOutside
	}
	known, err := a.Store.Identity(ctx, who.Issuer, who.Subject)
	if err == nil {
		return a.Store.User(ctx, known.Email)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	if !believed {
		if p.Believe == BelieveNone || who.Email == "" {
			return store.User{}, ErrNoAccount
		}
		return store.User{}, ErrUnverified
	}
	u, err := a.Store.User(ctx, who.Email)
	if errors.Is(err, store.ErrNotFound) && p.Provision {
		u, err = a.provision(ctx, p, who)
	}
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, ErrNoAccount
	}
	if err != nil {
		return u, err
	}
	linked, err := a.Store.Identities(ctx, u.Email)
	if err != nil {
		return u, err
	}
	if slices.ContainsFunc(linked, func(x store.Identity) bool { return x.Issuer == who.Issuer }) {
		return u, ErrNoAccount // the address was given to another person there
	}
	return u, a.link(ctx, u, who)
}

func (a *Admin) link(ctx context.Context, u store.User, who provider.Person) error {
	err := a.Store.AddIdentity(ctx, store.Identity{Issuer: who.Issuer, Subject: who.Subject, Email: u.Email, CreatedAt: a.now()})
	if errors.Is(err, store.ErrExists) {
		return ErrLinked
	}
	if err != nil {
		return err
	}
	return a.noteAs(ctx, u.Email, u.Tenant, "user.link", u.Email, who.Issuer+" "+who.Subject)
}

// Link lets an account elsewhere open the account of who is signed in. The error is
// ErrLinked or ErrOutside.
func (a *Admin) Link(ctx context.Context, p Provider, u store.User, who provider.Person) error {
	if len(p.Tenants) > 0 && !slices.Contains(p.Tenants, who.Tenant) {
		return ErrOutside
	}
	return a.link(ctx, u, who)
}

// roleOf is the first role that a person's groups give; for an account that exists,
// only within its tenant.
func roleOf(p Provider, who provider.Person, tenant *string) (GroupRole, bool) {
	i := slices.IndexFunc(p.Roles, func(g GroupRole) bool {
		return (g.Group == "*" || slices.Contains(who.Groups, g.Group)) && (tenant == nil || g.Tenant == *tenant)
	})
	if i < 0 {
		return GroupRole{}, false
	}
	return p.Roles[i], true
}

func (a *Admin) provision(ctx context.Context, p Provider, who provider.Person) (store.User, error) {
	g, ok := roleOf(p, who, nil)
	if !ok {
		return store.User{}, ErrNoRole
	}
	as := *a
	as.Actor = "provider " + p.Name
	return as.AddUser(ctx, who.Email, g.Tenant, g.Role)
}

// followRole gives a user the role that the provider's groups say now. The last
// owner stays one, so that somebody can always mend the settings.
func (a *Admin) followRole(ctx context.Context, p Provider, who provider.Person, u store.User) (store.User, error) {
	if len(p.Roles) == 0 {
		return u, nil
	}
	g, ok := roleOf(p, who, &u.Tenant)
	if !ok {
		return u, ErrNoRole
	}
	if g.Role == u.Role || (g.Role != "owner" && a.keepsOwner(ctx, u.Email) != nil) {
		return u, nil
	}
	as := *a
	as.Actor = "provider " + p.Name
	if err := as.SetRole(ctx, u.Email, g.Role); err != nil {
		return u, err
	}
	return a.Store.User(ctx, u.Email)
}
