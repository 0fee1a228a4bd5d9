package portal

import (
	"encoding/base64"
	"errors"
	"net/http"

	"postern/internal/admin"
	"postern/internal/store"
)

// A passkeyAsk is a question that a page's script puts to the browser; without
// Options there is none.
type passkeyAsk struct {
	admin.Challenge
	Action, Next, Form, Label string
	Fields                    []field
	Words                     *words
	Refused                   bool // the browser's own reason was sent along
}

// askOwn is the question for one of the visitor's own passkeys.
func (p *Portal) askOwn(r *http.Request, v *visit, action, next string) (passkeyAsk, error) {
	c, ok, err := v.AskPasskeyOf(r.Context(), p.site(r), v.user)
	if err != nil || !ok {
		return passkeyAsk{}, err
	}
	return passkeyAsk{Challenge: c, Action: action, Next: next, Form: p.Exchange.FormToken(v.session), Label: v.words.T("Use a passkey"), Words: v.words}, nil
}

func answer(r *http.Request) admin.Answer {
	return admin.Answer{Sealed: r.PostFormValue("passkey-ask"), Response: r.PostFormValue("passkey")}
}

// passkeySignIn signs in by a passkey alone.
func (p *Portal) passkeySignIn(w http.ResponseWriter, r *http.Request, v *visit) error {
	token, s, err := v.SignInByPasskey(r.Context(), p.site(r), answer(r), visitor(r))
	if why, status := refusal(err); why != "" {
		return p.showSignIn(w, r, v, status, signInPage{Why: v.words.T(why), Next: local(r.PostFormValue("next"))})
	}
	if err != nil {
		return err
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
	return redirect(w, r, local(r.PostFormValue("next")))
}

// passkeyPage makes a passkey, and at the end shows recovery codes if they are new.
type passkeyPage struct {
	*shell
	Ask  passkeyAsk
	Why  string
	More bool // there is a second factor already
}

func (p *Portal) passkeyForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showPasskey(w, r, v, http.StatusOK, "")
}

func (p *Portal) showPasskey(w http.ResponseWriter, r *http.Request, v *visit, status int, why string) error {
	page := passkeyPage{shell: p.shell(r, v, "Add a passkey"), Why: why, More: v.signedIn()}
	if p.site(r).Host != "" {
		c, err := v.NewPasskey(r.Context(), p.site(r), v.user)
		if err != nil {
			return err
		}
		page.Ask = passkeyAsk{Challenge: c, Action: "/second-factor/passkey", Form: page.Form, Words: v.words}
	}
	return p.render(w, status, "passkey", page)
}

func (p *Portal) addPasskey(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.signedIn() { // one more factor needs one that was there before
		if asked, err := p.askAgain(w, r, v); asked || err != nil {
			return err
		}
	}
	recovery, err := v.AddPasskey(r.Context(), p.site(r), v.session, r.PostFormValue("name"),
		admin.Answer{Sealed: r.PostFormValue("new-ask"), Response: r.PostFormValue("new-passkey")})
	if err != nil {
		why, status := refusal(err)
		if why == "" {
			why, status = v.words.Wrong(err), http.StatusUnprocessableEntity
		}
		return p.showPasskey(w, r, v, status, v.words.T(why))
	}
	token, s, err := v.Renew(r.Context(), v.session, visitor(r))
	if err != nil {
		return err
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
	v.session = s
	if recovery == nil {
		return tell(w, r, "/account", "good", v.words.T("The passkey is added. Your other sessions were ended."))
	}
	return p.render(w, http.StatusOK, "factor", factorPage{shell: p.shell(r, v, "Second factor"), Recovery: recovery})
}

func (p *Portal) removePasskey(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := base64.RawURLEncoding.DecodeString(r.PathValue("id"))
	if err != nil {
		return errMissing
	}
	err = v.RemovePasskey(r.Context(), v.session, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errMissing
	case err != nil:
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, v.words.Wrong(err))
	}
	if err := p.know(w, r, v.session); err != nil {
		return err
	}
	return tell(w, r, "/account", "good", v.words.T("The passkey is removed and opens nothing any more."))
}
