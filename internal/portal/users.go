package portal

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// usersPage lists who may sign in.
type usersPage struct {
	*shell
	Users   []store.User
	Roles   []string
	System  bool // the visitor sees all tenants
	Why     string
	Given   addedUser // what was typed in when it was refused
	Invited invited
}

type addedUser struct{ Email, Tenant, Role string }

// invited is an invitation at the only moment it is shown.
type invited struct {
	Email, Token, Link string
	Until              time.Time
}

func (p *Portal) users(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showUsers(w, r, v, http.StatusOK, usersPage{})
}

func (p *Portal) showUsers(w http.ResponseWriter, r *http.Request, v *visit, status int, page usersPage) error {
	var err error
	page.shell, page.Roles, page.System = p.shell(r, v, "Users"), admin.Roles(), v.user.Tenant == ""
	if page.Users, err = p.Store.Users(r.Context(), v.user.Tenant); err != nil {
		return err
	}
	return p.render(w, status, "users", page)
}

func (p *Portal) addUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	given := addedUser{r.PostFormValue("email"), r.PostFormValue("tenant"), r.PostFormValue("role")}
	if v.user.Tenant != "" {
		given.Tenant = v.user.Tenant
	}
	u, err := v.AddUser(r.Context(), given.Email, given.Tenant, given.Role)
	if err != nil {
		return p.showUsers(w, r, v, http.StatusUnprocessableEntity, usersPage{Why: sentence(err), Given: given})
	}
	return p.invite(w, r, v, u.Email)
}

func (p *Portal) inviteUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	u, err := p.target(r, v)
	if err != nil {
		return err
	}
	if u.Email == v.user.Email {
		return p.showUsers(w, r, v, http.StatusUnprocessableEntity, usersPage{Why: v.words.T("You cannot invite yourself anew: change your password or your second factor under your account.")})
	}
	return p.invite(w, r, v, u.Email)
}

func (p *Portal) invite(w http.ResponseWriter, r *http.Request, v *visit, email string) error {
	token, until, err := v.Invite(r.Context(), email)
	if err != nil {
		return err
	}
	scheme := "https"
	if plain(r) {
		scheme = "http"
	}
	return p.showUsers(w, r, v, http.StatusOK, usersPage{Invited: invited{email, token, scheme + "://" + r.Host + "/invitation", until}})
}

// target is the user that a path names, if the visitor may change it.
func (p *Portal) target(r *http.Request, v *visit) (store.User, error) {
	u, err := p.Store.User(r.Context(), strings.ToLower(r.PathValue("email")))
	if errors.Is(err, store.ErrNotFound) || (err == nil && v.user.Tenant != "" && u.Tenant != v.user.Tenant) {
		return u, errMissing
	}
	return u, err
}

func (p *Portal) setRole(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.changeUser(w, r, v, func(u store.User) (string, error) {
		return v.words.T("The role is changed. The user signs in again."), v.SetRole(r.Context(), u.Email, r.PostFormValue("role"))
	})
}

func (p *Portal) disableUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.changeUser(w, r, v, func(u store.User) (string, error) {
		return v.words.T("%s may not sign in any more; open sessions are ended.", u.Email), v.SetDisabled(r.Context(), u.Email, true)
	})
}

func (p *Portal) enableUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.changeUser(w, r, v, func(u store.User) (string, error) {
		return v.words.T("%s may sign in again.", u.Email), v.SetDisabled(r.Context(), u.Email, false)
	})
}

func (p *Portal) changeUser(w http.ResponseWriter, r *http.Request, v *visit, do func(store.User) (string, error)) error {
	u, err := p.target(r, v)
	if err != nil {
		return err
	}
	done, err := do(u)
	if err != nil {
		return p.showUsers(w, r, v, http.StatusUnprocessableEntity, usersPage{Why: sentence(err)})
	}
	return tell(w, r, "/users", "good", done)
}
