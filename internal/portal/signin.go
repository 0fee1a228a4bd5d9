package portal

import (
	"errors"
	"net/http"
	"strings"

	"postern/internal/admin"
)

// signInPage asks for address and password.
type signInPage struct {
	*shell
	Address string
	Next    string
	Why     string // the last try failed
}

func (p *Portal) signInForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	needed, err := v.NeedsOwner(r.Context())
	if err != nil {
		return err
	}
	if needed {
		return redirect(w, r, "/setup")
	}
	if v.signedIn() {
		return redirect(w, r, local(r.FormValue("next")))
	}
	return p.render(w, http.StatusOK, "sign-in", signInPage{shell: p.shell(r, v, "Sign in"), Next: local(r.FormValue("next"))})
}

func (p *Portal) signIn(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := signInPage{shell: p.shell(r, v, "Sign in"), Address: r.PostFormValue("email"), Next: local(r.PostFormValue("next"))}
	if unsafe(r) {
		page.Why = v.words.T(noTLS)
		return p.render(w, http.StatusForbidden, "sign-in", page)
	}
	token, s, err := v.SignIn(r.Context(), page.Address, r.PostFormValue("password"), visitor(r))
	if why, status := refusal(err); why != "" {
		page.Why = v.words.T(why)
		return p.render(w, status, "sign-in", page)
	}
	if err != nil {
		return err
	}
	enter(w, r, token)
	if s.Stage == admin.StageEnrol {
		return redirect(w, r, "/second-factor")
	}
	return redirect(w, r, "/sign-in/code?next="+queryEscape(page.Next))
}

const noTLS = "This page came without encryption, so a password sent here could be read on the way. Open the portal through https, or on the machine itself."

// unsafe reports that the browser's connection is neither encrypted nor local.
func unsafe(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Origin"), "http://") && !plain(r)
}

// refusal is what a visitor is told of a failed sign-in, "" for other errors.
func refusal(err error) (text string, status int) {
	var wait *admin.WaitError
	switch {
	case errors.As(err, &wait):
		return sentence(wait), http.StatusTooManyRequests
	case errors.Is(err, admin.ErrSignIn):
		return sentence(admin.ErrSignIn), http.StatusUnauthorized
	case errors.Is(err, admin.ErrCode):
		return sentence(admin.ErrCode), http.StatusUnauthorized
	case errors.Is(err, admin.ErrToken):
		return sentence(admin.ErrToken), http.StatusUnauthorized
	}
	return "", 0
}

// codePage asks for the second factor.
type codePage struct {
	*shell
	Next string
	Why  string
}

func (p *Portal) codeForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.render(w, http.StatusOK, "code", codePage{shell: p.shell(r, v, "Second factor"), Next: local(r.FormValue("next"))})
}

func (p *Portal) code(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return redirect(w, r, "/sign-in")
	}
	next := local(r.PostFormValue("next"))
	token, _, err := v.Prove(r.Context(), c.Value, r.PostFormValue("factor"), visitor(r))
	if why, status := refusal(err); why != "" {
		return p.render(w, status, "code", codePage{p.shell(r, v, "Second factor"), next, v.words.T(why)})
	}
	if err != nil {
		return err
	}
	enter(w, r, token)
	return redirect(w, r, next)
}

func (p *Portal) signOut(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.SignOut(r.Context(), v.session); err != nil {
		return err
	}
	setCookie(w, r, cookieName(r), "", -1)
	return tell(w, r, "/sign-in", "good", v.words.T("You are signed out."))
}

// setupPage makes the first owner.
type setupPage struct {
	*shell
	Token   string
	Address string
	Why     string
}

func (p *Portal) setupForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	needed, err := v.NeedsOwner(r.Context())
	if err != nil {
		return err
	}
	if !needed {
		return redirect(w, r, "/sign-in")
	}
	return p.render(w, http.StatusOK, "setup", setupPage{shell: p.shell(r, v, "Welcome")})
}

func (p *Portal) setup(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := setupPage{shell: p.shell(r, v, "Welcome"), Token: r.PostFormValue("token"), Address: r.PostFormValue("email")}
	if unsafe(r) {
		page.Why = v.words.T(noTLS)
		return p.render(w, http.StatusForbidden, "setup", page)
	}
	token, _, err := v.FirstOwner(r.Context(), page.Token, page.Address, r.PostFormValue("password"), visitor(r))
	if err != nil {
		why, status := refusal(err)
		if why == "" {
			why, status = sentence(err), http.StatusUnprocessableEntity
		}
		page.Why = v.words.T(why)
		return p.render(w, status, "setup", page)
	}
	enter(w, r, token)
	return redirect(w, r, "/second-factor")
}

// invitationPage sets the first password.
type invitationPage struct {
	*shell
	Token, Address, Why string
}

func (p *Portal) invitationForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.render(w, http.StatusOK, "invitation", invitationPage{shell: p.shell(r, v, "Your invitation")})
}

func (p *Portal) invitation(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := invitationPage{shell: p.shell(r, v, "Your invitation"), Token: r.PostFormValue("token"), Address: r.PostFormValue("email")}
	if unsafe(r) {
		page.Why = v.words.T(noTLS)
		return p.render(w, http.StatusForbidden, "invitation", page)
	}
	token, _, err := v.Accept(r.Context(), page.Address, page.Token, r.PostFormValue("password"), visitor(r))
	if err != nil {
		why, status := refusal(err)
		if why == "" {
			why, status = sentence(err), http.StatusUnprocessableEntity
		}
		page.Why = v.words.T(why)
		return p.render(w, status, "invitation", page)
	}
	enter(w, r, token)
	return redirect(w, r, "/second-factor")
}

// home sends a visitor to the page that fits: the own tenant's, the only one's, or
// the list.
func (p *Portal) home(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.user.Role == "user" {
		return redirect(w, r, "/account")
	}
	if v.user.Tenant != "" {
		return redirect(w, r, "/t/"+v.user.Tenant+"/")
	}
	all, err := p.Store.Tenants(r.Context())
	if err != nil {
		return err
	}
	if len(all) == 1 {
		return redirect(w, r, "/t/"+all[0].ID+"/")
	}
	return redirect(w, r, "/tenants")
}
