package portal

import (
	"errors"
	"net/http"
	"strings"

	"postern/internal/admin"
	"postern/internal/store"
)

// signInPage asks for address and password.
type signInPage struct {
	*shell
	Address   string
	Next      string
	Why       string     // the last try failed
	Ask       passkeyAsk // for a passkey instead
	Elsewhere string     // name of the provider, "" for none
}

func (p *Portal) showSignIn(w http.ResponseWriter, r *http.Request, v *visit, status int, page signInPage) error {
	page.shell = p.shell(r, v, "Sign in")
	var err error
	if page.Elsewhere, err = p.providerName(r); err != nil {
		return err
	}
	if site := p.site(r); site.Host != "" {
		c, err := v.AskPasskey(site)
		if err != nil {
			return err
		}
		page.Ask = passkeyAsk{Challenge: c, Action: "/sign-in/passkey", Next: page.Next, Label: v.words.T("Sign in with a passkey"), Words: v.words}
	}
	return p.render(w, status, "sign-in", page)
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
	return p.showSignIn(w, r, v, http.StatusOK, signInPage{Next: local(r.FormValue("next"))})
}

func (p *Portal) signIn(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := signInPage{Address: r.PostFormValue("email"), Next: local(r.PostFormValue("next"))}
	if unsafe(r) {
		page.Why = v.words.T(noTLS)
		return p.showSignIn(w, r, v, http.StatusForbidden, page)
	}
	token, s, err := v.SignIn(r.Context(), page.Address, r.PostFormValue("password"), visitor(r))
	if why, status := refusal(err); why != "" {
		page.Why = v.words.T(why)
		return p.showSignIn(w, r, v, status, page)
	}
	if err != nil {
		return err
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
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
	case errors.Is(err, admin.ErrCodeLocked):
		return sentence(admin.ErrCodeLocked), http.StatusUnauthorized
	case errors.Is(err, admin.ErrCode):
		return sentence(admin.ErrCode), http.StatusUnauthorized
	case errors.Is(err, admin.ErrToken):
		return sentence(admin.ErrToken), http.StatusUnauthorized
	case errors.Is(err, admin.ErrCloned):
		return sentence(admin.ErrCloned), http.StatusUnauthorized
	case errors.Is(err, admin.ErrPasskey):
		return sentence(admin.ErrPasskey), http.StatusUnauthorized
	case errors.Is(err, admin.ErrNoSite):
		return sentence(admin.ErrNoSite), http.StatusUnprocessableEntity
	case errors.Is(err, admin.ErrCeremony):
		return sentence(admin.ErrCeremony), http.StatusUnauthorized
	}
	return "", 0
}

// codePage asks for the second factor.
type codePage struct {
	*shell
	Next string
	Why  string
	App  bool // there is an authenticator app
	Ask  passkeyAsk
}

func (p *Portal) codeForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showCode(w, r, v, http.StatusOK, local(r.FormValue("next")), "")
}

func (p *Portal) showCode(w http.ResponseWriter, r *http.Request, v *visit, status int, next, why string) error {
	ask, err := p.askOwn(r, v, "/sign-in/code", next)
	if err != nil {
		return err
	}
	return p.render(w, status, "code", codePage{p.shell(r, v, "Second factor"), next, why, v.user.Factor != nil, ask})
}

func (p *Portal) code(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return redirect(w, r, "/sign-in")
	}
	next := local(r.PostFormValue("next"))
	token, s, err := p.prove(r, v, c.Value)
	if why, status := refusal(err); why != "" {
		return p.showCode(w, r, v, status, next, v.words.T(why))
	}
	if err != nil {
		return err
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
	return redirect(w, r, next)
}

// prove takes the second factor that came with a form: a passkey or a code.
func (p *Portal) prove(r *http.Request, v *visit, token string) (string, store.Session, error) {
	if r.PostFormValue("passkey") != "" {
		return v.ProveByPasskey(r.Context(), p.site(r), token, answer(r), visitor(r))
	}
	return v.Prove(r.Context(), token, r.PostFormValue("factor"), visitor(r))
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
	token, s, err := v.FirstOwner(r.Context(), page.Token, page.Address, r.PostFormValue("password"), visitor(r))
	if err != nil {
		why, status := refusal(err)
		if why == "" {
			why, status = v.words.Wrong(err), http.StatusUnprocessableEntity
		}
		page.Why = v.words.T(why)
		return p.render(w, status, "setup", page)
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
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
	token, s, err := v.Accept(r.Context(), page.Address, page.Token, r.PostFormValue("password"), visitor(r))
	if err != nil {
		why, status := refusal(err)
		if why == "" {
			why, status = v.words.Wrong(err), http.StatusUnprocessableEntity
		}
		page.Why = v.words.T(why)
		return p.render(w, status, "invitation", page)
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
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
