package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/store"
)

type user struct {
	Email      string    `json:"email"`
	Tenant     string    `json:"tenant" doc:"Empty for all tenants."`
	Role       string    `json:"role"`
	Disabled   bool      `json:"disabled"`
	Factor     bool      `json:"second_factor" doc:"One is set up."`
	Invited    bool      `json:"invited" doc:"An invitation is open."`
	CreatedAt  time.Time `json:"created_at"`
	SignedInAt time.Time `json:"signed_in_at,omitzero"`
}

type invitation struct {
	User  user      `json:"user"`
	Token string    `json:"token" doc:"Sets the first password under /invitation of the portal. Shown this once; counts once."`
	Until time.Time `json:"until"`
}

// OfUser is the path of an operation on a user.
type OfUser struct {
	Email string `path:"email" maxLength:"254" example:"bob@contoso.com"`
}

func (a *API) users(api huma.API) {
	const one = "/users/{email}"
	read := operation{tag: "Administration", scope: "users:read", roles: owners}
	write := operation{tag: "Administration", scope: "users:write", roles: owners, danger: "danger:users"}
	const noOwners = " Owners are made and invited anew in the portal only, where a second factor is asked for."
	add(a, api, read.with("listUsers", "GET", "/users", "List users", "A token of one tenant sees that tenant's."), a.listUsers)
	invite := write.with("inviteUser", "POST", "/users", "Add a user and invite him", "The invitation is in the answer, this once."+noOwners)
	invite.status = http.StatusCreated
	add(a, api, invite, a.inviteUser)
	add(a, api, write.with("inviteUserAnew", "POST", one+"/invite", "Invite a user anew", "Voids password, second factor, sessions and API tokens, for who has lost them."+noOwners), a.inviteAnew)
	add(a, api, write.with("setRole", "PUT", one+"/role", "Change a user's role", "The user's sessions end, and his tokens may do less or more at once."+noOwners), a.setRole)
	add(a, api, write.with("resetFactor", "POST", one+"/factor/reset", "Take away a user's second factor", "For who has lost it. Passkeys and recovery codes go too, sessions end, and the next sign-in sets up a new one. Make sure first who asks. An owner's is taken away in the portal only, where a second factor is asked for."), a.resetFactor)
	less := write
	less.danger = ""
	add(a, api, less.with("disableUser", "POST", one+"/disable", "Disable a user", "Sessions end and tokens stop counting at once."), a.disableUser)
	add(a, api, write.with("enableUser", "POST", one+"/enable", "Enable a user", ""), a.enableUser)
}

func viewUser(u store.User) user {
	return user{u.Email, u.Tenant, u.Role, !u.DisabledAt.IsZero(), u.Factor != nil, len(u.Invite) > 0, u.CreatedAt, u.SignedInAt}
}

func (a *API) listUsers(ctx context.Context, v *visit, _ *none) (*answered[list[user]], error) {
	all, err := a.Store.Users(ctx, v.within())
	if err != nil {
		return nil, err
	}
	var views []user
	for _, u := range all {
		views = append(views, viewUser(u))
	}
	return listOf(views), nil
}

type newUser struct {
	Body struct {
		Email  string `json:"email" minLength:"3" maxLength:"254"`
		Tenant string `json:"tenant,omitempty" doc:"Empty for all tenants, which a token of one tenant cannot ask for."`
		Role   string `json:"role" enum:"security-admin,helpdesk,auditor,user"`
	}
}

func (a *API) inviteUser(ctx context.Context, v *visit, in *newUser) (*answered[invitation], error) {
	tenant := in.Body.Tenant
	if own := v.within(); own != "" {
		if tenant != "" && tenant != own {
			return nil, errNothing
		}
		tenant = own
	}
	u, err := v.AddUser(ctx, in.Body.Email, tenant, in.Body.Role)
	if err != nil {
		return nil, refused(err)
	}
	return a.invite(ctx, v, u)
}

func (a *API) invite(ctx context.Context, v *visit, u store.User) (*answered[invitation], error) {
	token, until, err := v.Invite(ctx, u.Email)
	if err != nil {
		return nil, refused(err)
	}
	u, err = a.Store.User(ctx, u.Email)
	return answer(invitation{viewUser(u), token, until}), err
}

// target is the user that a path names, if the caller may change it.
func (a *API) target(ctx context.Context, v *visit, email string) (store.User, error) {
	u, err := a.Store.User(ctx, strings.ToLower(email))
	if errors.Is(err, store.ErrNotFound) || (err == nil && v.within() != "" && u.Tenant != v.within()) {
		return u, errNothing
	}
	return u, err
}

var errOwner = problem(http.StatusForbidden, "Owners are made, changed and invited anew in the portal only, where a second factor is asked for.")

func (a *API) inviteAnew(ctx context.Context, v *visit, in *OfUser) (*answered[invitation], error) {
	u, err := a.target(ctx, v, in.Email)
	if err != nil {
		return nil, err
	}
	if u.Role == "owner" {
		return nil, errOwner
	}
	return a.invite(ctx, v, u)
}

type newRole struct {
	OfUser
	Body struct {
		Role string `json:"role" enum:"security-admin,helpdesk,auditor,user"`
	}
}

func (a *API) setRole(ctx context.Context, v *visit, in *newRole) (*answered[user], error) {
	return a.changeUser(ctx, v, in.Email, func(u store.User) error {
		if u.Role == "owner" {
			return errOwner
		}
		return v.SetRole(ctx, u.Email, in.Body.Role)
	})
}

func (a *API) disableUser(ctx context.Context, v *visit, in *OfUser) (*answered[user], error) {
	return a.changeUser(ctx, v, in.Email, func(u store.User) error { return v.SetDisabled(ctx, u.Email, true) })
}

func (a *API) enableUser(ctx context.Context, v *visit, in *OfUser) (*answered[user], error) {
	return a.changeUser(ctx, v, in.Email, func(u store.User) error { return v.SetDisabled(ctx, u.Email, false) })
}

func (a *API) resetFactor(ctx context.Context, v *visit, in *OfUser) (*answered[user], error) {
	return a.changeUser(ctx, v, in.Email, func(u store.User) error {
		if u.Role == "owner" {
			return errOwner
		}
		return v.ResetFactor(ctx, u)
	})
}

func (a *API) changeUser(ctx context.Context, v *visit, email string, change func(store.User) error) (*answered[user], error) {
	u, err := a.target(ctx, v, email)
	if err != nil {
		return nil, err
	}
	if err := change(u); err != nil {
		return nil, refused(err)
	}
	u, err = a.Store.User(ctx, u.Email)
	return answer(viewUser(u)), err
}
