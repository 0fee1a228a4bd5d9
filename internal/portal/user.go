package portal

import (
	"net/http"

	"postern/internal/admin"
	"postern/internal/store"
)

// userPage is one user, for owners.
type userPage struct {
	*shell
	User     userRow
	Sessions []store.Session
	History  []store.SignIn
	Linked   []store.Identity
	Roles    []string
	Why      string
}

func (p *Portal) user(w http.ResponseWriter, r *http.Request, v *visit) error {
	u, err := p.target(r, v)
	if err != nil {
		return err
	}
	return p.showUser(w, r, v, http.StatusOK, u, "")
}

func (p *Portal) showUser(w http.ResponseWriter, r *http.Request, v *visit, status int, u store.User, why string) error {
	ctx := r.Context()
	page := userPage{shell: p.shell(r, v, "User"), Roles: admin.Roles(), Why: why}
	keys, err := p.Store.Passkeys(ctx, u.Email)
	if err != nil {
		return err
	}
	page.User = userRow{u, len(keys)}
	if page.Sessions, err = p.Store.Sessions(ctx, u.Email); err != nil {
		return err
	}
	if page.History, err = p.Store.SignIns(ctx, u.Email, shownHistory); err != nil {
		return err
	}
	if page.Linked, err = p.Store.Identities(ctx, u.Email); err != nil {
		return err
	}
	return p.render(w, status, "user", page)
}

// askPage asks whether something is meant before it is done. With a script it is a
// pop-up over the page it was asked on.
type askPage struct {
	*shell
	Heading, Text, Action, Button, Back string
	Danger                              bool
}

// askUser asks before a user is changed.
func (p *Portal) askUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	u, err := p.target(r, v)
	if err != nil {
		return err
	}
	t, to := v.words.T, "/users/"+u.Email
	page := askPage{shell: p.shell(r, v, "Are you sure?"), Back: to, Danger: true}
	switch r.PathValue("do") {
	case "disable":
		page.Heading, page.Text, page.Action, page.Button = t("Disable %s?", u.Email), t("Open sessions end at once, and nobody signs in with this account until it is enabled again."), to+"/disable", t("Disable")
	case "enable":
		page.Heading, page.Text, page.Action, page.Button, page.Danger = t("Enable %s?", u.Email), t("The user signs in as before, with the same password and second factor."), to+"/enable", t("Enable"), false
	case "invite":
		page.Heading, page.Text, page.Action, page.Button = t("Invite %s anew?", u.Email), t("The former password, second factor and passkeys are void at once, and a new one-time token is shown to you."), to+"/invite", t("Invite anew")
	case "factor":
		page.Heading, page.Text, page.Action, page.Button = t("Take away the second factor of %s?", u.Email), t("Make sure on another way that the right person asks. Whoever knows the password sets up a new second factor at the next sign-in."), to+"/factor/reset", t("Take it away")
	case "sessions":
		page.Heading, page.Text, page.Action, page.Button = t("End all sessions of %s?", u.Email), t("The user is signed out everywhere at once and signs in again."), to+"/sessions/end", t("End all sessions")
	default:
		return errMissing
	}
	return p.render(w, http.StatusOK, "ask", page)
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

func (p *Portal) resetFactor(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.changeUser(w, r, v, func(u store.User) (string, error) {
		return v.words.T("The second factor of %s is taken away. The next sign-in sets up a new one.", u.Email), v.ResetFactor(r.Context(), u)
	})
}

func (p *Portal) endUserSessions(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.changeUser(w, r, v, func(u store.User) (string, error) {
		return v.words.T("All sessions of %s are ended.", u.Email), v.EndAll(r.Context(), u)
	})
}

func (p *Portal) endUserSession(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.changeUser(w, r, v, func(u store.User) (string, error) {
		return v.words.T("That session is ended."), v.EndSession(r.Context(), u, r.PathValue("id"))
	})
}

func (p *Portal) changeUser(w http.ResponseWriter, r *http.Request, v *visit, do func(store.User) (string, error)) error {
	u, err := p.target(r, v)
	if err != nil {
		return err
	}
	done, err := do(u)
	if err != nil {
		return p.showUser(w, r, v, http.StatusUnprocessableEntity, u, v.words.Wrong(err))
	}
	return tell(w, r, "/users/"+u.Email, "good", done)
}
