package admin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// Roles are what a user may be (product.md O1).
func Roles() []string { return []string{"owner", "security-admin", "helpdesk", "auditor", "user"} }

// AddUser adds a user of the portal, without a password yet.
func (a *Admin) AddUser(ctx context.Context, email, tenant, role string) (store.User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if mail.DomainOf(email) == "" {
		return store.User{}, mail.Refuse("%q is not an e-mail address", email)
	}
	if !slices.Contains(Roles(), role) {
		return store.User{}, mail.Refuse("role %q is not known: there are %s", role, strings.Join(Roles(), ", "))
	}
	if tenant != "" {
		t, err := a.Tenant(ctx, tenant)
		if err != nil {
			return store.User{}, err
		}
		if err := a.roomForUser(ctx, t); err != nil {
			return store.User{}, err
		}
		tenant = t.ID
	}
	u := store.User{ID: string(mail.NewID()), Email: email, Tenant: tenant, Role: role, CreatedAt: a.now()}
	err := a.Store.AddUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		return u, mail.Refuse("user %s exists already", u.Email)
	}
	if err != nil {
		return u, err
	}
	return u, a.note(ctx, tenant, "user.add", u.Email, "", role)
}

// Invite makes a one-time token with which a user sets the password within three
// days. It voids the former password, second factor, sessions and API tokens, so that
// it also serves who has lost them or had them taken.
func (a *Admin) Invite(ctx context.Context, email string) (token string, until time.Time, err error) {
	token, until = rand.Text()+rand.Text()[:10], a.now().Add(inviteFor)
	sum := sha256.Sum256([]byte("invite\x00" + token))
	var tenant string
	err = a.Store.EditUser(ctx, email, func(u *store.User) error {
		u.Invite, u.InviteUntil = sum[:], until
		u.Password, u.Factor, u.FactorStep, u.FactorFails, u.Recovery = "", nil, 0, 0, nil
		tenant = u.Tenant
		return nil
	})
	if err != nil {
		return "", until, err
	}
	if err := errors.Join(a.Store.EndSessions(ctx, email, nil), a.Store.RemovePasskeys(ctx, email), a.Store.RemoveIdentities(ctx, email), a.Store.RevokeTokensOf(ctx, email, a.now())); err != nil {
		return "", until, err
	}
	return token, until, a.note(ctx, tenant, "user.invite", email, "", "")
}

// Accept sets the first password with an invitation and signs the user in. The
// error is ErrToken for a wrong token.
func (a *Admin) Accept(ctx context.Context, email, token, password string, v Visitor) (string, store.Session, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	try, err := a.try(ctx, "account", "", v) // nobody guesses an invitation, and so nobody is kept out by guesses
	if err != nil {
		return "", store.Session{}, err
	}
	try.email = cut(email, 254)
	sum := sha256.Sum256([]byte("invite\x00" + strings.TrimSpace(token)))
	fits := func(u *store.User) bool {
		return len(u.Invite) > 0 && hmac.Equal(u.Invite, sum[:]) && a.now().Before(u.InviteUntil) && u.DisabledAt.IsZero()
	}
	u, err := a.Store.User(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", store.Session{}, err
	}
	if err != nil || !fits(&u) {
		return "", store.Session{}, errors.Join(ErrToken, try.failed(ctx))
	}
	if err := try.right(ctx); err != nil {
		return "", store.Session{}, err
	}
	if err := checkPassword(password, email); err != nil {
		return "", store.Session{}, err
	}
	hash := hashPassword(password)
	err = a.Store.EditUser(ctx, email, func(u *store.User) error {
		if !fits(u) {
			return ErrToken
		}
		u.Password, u.Invite, u.InviteUntil = hash, nil, time.Time{}
		return nil
	})
	if err != nil {
		return "", store.Session{}, err
	}
	if err := a.noteAs(ctx, email, u.Tenant, "user.password", email, "set by invitation"); err != nil {
		return "", store.Session{}, err
	}
	return a.begin(ctx, u, StageEnrol, "password", v)
}

// ChangePassword replaces a password by who knows it, and ends the user's other
// sessions. The error is ErrSignIn when the old one is wrong.
func (a *Admin) ChangePassword(ctx context.Context, s store.Session, old, password string, v Visitor) error {
	try, err := a.try(ctx, "factor", s.Email, v) // of who is signed in: guesses from outside do not count here
	if err != nil {
		return err
	}
	u, err := a.Store.User(ctx, s.Email)
	if err != nil {
		return err
	}
	if !passwordFits(u.Password, old) {
		return errors.Join(ErrSignIn, try.failed(ctx))
	}
	if err := try.right(ctx); err != nil {
		return err
	}
	if err := checkPassword(password, u.Email); err != nil {
		return err
	}
	hash := hashPassword(password)
	if err := a.Store.EditUser(ctx, u.Email, func(u *store.User) error { u.Password = hash; return nil }); err != nil {
		return err
	}
	if err := a.Store.EndSessions(ctx, u.Email, s.Hash); err != nil {
		return err
	}
	return a.note(ctx, u.Tenant, "user.password", u.Email, "", "changed")
}

// SetRole changes what a user may do, and ends the user's sessions. The last owner
// of everything stays one.
func (a *Admin) SetRole(ctx context.Context, email, role string) error {
	if !slices.Contains(Roles(), role) {
		return mail.Refuse("role %q is not known: there are %s", role, strings.Join(Roles(), ", "))
	}
	if role != "owner" {
		if err := a.keepsOwner(ctx, email); err != nil {
			return err
		}
	}
	return a.changeUser(ctx, email, "user.role", func(u *store.User) (before, after string) {
		before, u.Role = u.Role, role
		return before, role
	})
}

// SetDisabled says whether a user may sign in; sessions end at once. The last
// owner of everything stays able to.
func (a *Admin) SetDisabled(ctx context.Context, email string, disabled bool) error {
	if disabled {
		if err := a.keepsOwner(ctx, email); err != nil {
			return err
		}
	}
	return a.changeUser(ctx, email, "user.disable", func(u *store.User) (before, after string) {
		before, after, u.DisabledAt = "may sign in", "may sign in", time.Time{}
		if disabled {
			after, u.DisabledAt = "may not sign in", a.now()
		}
		return before, after
	})
}

func (a *Admin) changeUser(ctx context.Context, email, action string, change func(u *store.User) (before, after string)) error {
	var tenant, before, after string
	err := a.Store.EditUser(ctx, email, func(u *store.User) error {
		tenant = u.Tenant
		before, after = change(u)
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.Store.EndSessions(ctx, email, nil); err != nil {
		return err
	}
	return a.note(ctx, tenant, action, email, before, after)
}

// keepsOwner refuses to take away the last owner who can sign in.
func (a *Admin) keepsOwner(ctx context.Context, email string) error {
	users, err := a.Store.Users(ctx, "")
	if err != nil {
		return err
	}
	var is, other bool
	for _, u := range users {
		owner := u.Role == "owner" && u.Tenant == "" && u.Password != "" && u.DisabledAt.IsZero()
		is = is || (owner && u.Email == email)
		other = other || (owner && u.Email != email)
	}
	if is && !other {
		return mail.Refuse("%s is the last owner: make another user an owner first", email)
	}
	return nil
}

// EndSession ends a session of a user by its id.
func (a *Admin) EndSession(ctx context.Context, u store.User, id string) error {
	if err := a.Store.EndSession(ctx, u.Email, nil, id); err != nil {
		return err
	}
	return a.note(ctx, u.Tenant, "user.end-session", u.Email, id, "")
}

// Refuse records that somebody signed in asked for what the role does not allow.
func (a *Admin) Refuse(ctx context.Context, tenant, what string) error {
	return a.note(ctx, tenant, "access.refused", what, "", "")
}
