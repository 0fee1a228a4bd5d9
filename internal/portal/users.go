package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// usersPage lists who may sign in.
type usersPage struct {
	*shell
	Users   []userRow
	Filter  userFilter
	Total   int // that the filter lets through
	Pages   pager
	Roles   []string
	System  bool // the visitor sees all tenants
	Why     string
	Given   addedUser // what was typed in when it was refused
	Invited invited
}

type userRow struct {
	store.User
	Passkeys int
}

// HasFactor reports whether the user has any second factor.
func (u userRow) HasFactor() bool { return u.Factor != nil || u.Passkeys > 0 }

type userFilter struct{ Q, Role, Tenant string }

func (f userFilter) fits(u store.User) bool {
	return strings.Contains(u.Email, strings.ToLower(strings.TrimSpace(f.Q))) && (f.Role == "" || u.Role == f.Role) && (f.Tenant == "" || u.Tenant == f.Tenant)
}

// Empty reports whether it lets everybody through.
func (f userFilter) Empty() bool { return f == userFilter{} }

type addedUser struct{ Email, Tenant, Role string }

// invited is an invitation at the only moment it is shown.
type invited struct {
	Email, Token, Link string
	Until              time.Time
}

// A pager leads through a long list.
type pager struct{ Before, After string } // queries; "" where the list ends

const usersShown = 50

// page cuts one page out of a list and says how to go on.
func page[T any](all []T, q url.Values, size int) ([]T, pager) {
	n, err := strconv.Atoi(q.Get("page"))
	if err != nil || n < 0 || n*size >= max(len(all), 1) {
		n = 0
	}
	to := func(n int) string {
		c := url.Values{}
		for name, values := range q {
			c[name] = values
		}
		c.Set("page", strconv.Itoa(n))
		return "?" + c.Encode()
	}
	var p pager
	if n > 0 {
		p.Before = to(n - 1)
	}
	if (n+1)*size < len(all) {
		p.After = to(n + 1)
	}
	return all[n*size : min((n+1)*size, len(all))], p
}

func (p *Portal) users(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showUsers(w, r, v, http.StatusOK, usersPage{})
}

func (p *Portal) showUsers(w http.ResponseWriter, r *http.Request, v *visit, status int, pg usersPage) error {
	q := r.URL.Query()
	pg.shell, pg.Roles, pg.System = p.shell(r, v, "Users"), admin.Roles(), v.user.Tenant == ""
	pg.Filter = userFilter{q.Get("q"), q.Get("role"), q.Get("tenant")}
	all, err := p.Store.Users(r.Context(), v.user.Tenant)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(u store.User) bool { return !pg.Filter.fits(u) })
	pg.Total = len(all)
	all, pg.Pages = page(all, q, usersShown)
	for _, u := range all {
		keys, err := p.Store.Passkeys(r.Context(), u.Email)
		if err != nil {
			return err
		}
		pg.Users = append(pg.Users, userRow{u, len(keys)})
	}
	return p.render(w, status, "users", pg)
}

func (p *Portal) addUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	given := addedUser{r.PostFormValue("email"), r.PostFormValue("tenant"), r.PostFormValue("role")}
	if v.user.Tenant != "" {
		given.Tenant = v.user.Tenant
	}
	u, err := v.AddUser(r.Context(), given.Email, given.Tenant, given.Role)
	if err != nil {
		return p.showUsers(w, r, v, http.StatusUnprocessableEntity, usersPage{Why: v.words.Wrong(err), Given: given})
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
	return p.showUsers(w, r, v, http.StatusOK, usersPage{Invited: invited{email, token, p.base(r) + "/invitation", until}})
}

// target is the user that a path names, if the visitor may change it.
func (p *Portal) target(r *http.Request, v *visit) (store.User, error) {
	u, err := p.Store.User(r.Context(), strings.ToLower(r.PathValue("email")))
	if errors.Is(err, store.ErrNotFound) || (err == nil && v.user.Tenant != "" && u.Tenant != v.user.Tenant) {
		return u, errMissing
	}
	return u, err
}
