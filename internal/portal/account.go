package portal

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"postern/internal/store"
)

// accountPage is the visitor's own account.
type accountPage struct {
	*shell
	User     store.User
	Passkeys []passkeyRow
	Sessions []sessionRow
	History  []store.SignIn
	Unknown  []store.SignIn // lately, from where the visitor had not been before
	Linked   []store.Identity
	Provider string // name of the provider that can be linked, "" for none
	Why      string
}

type passkeyRow struct {
	store.Passkey
	Key  string // in paths
	Only bool   // the only second factor
}

type sessionRow struct {
	store.Session
	Here bool
}

const (
	shownHistory = 20
	unknownFor   = 7 * 24 * time.Hour // how long a sign-in from somewhere new is pointed out
)

func (p *Portal) account(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showAccount(w, r, v, http.StatusOK, "")
}

func (p *Portal) showAccount(w http.ResponseWriter, r *http.Request, v *visit, status int, why string) error {
	ctx, email := r.Context(), v.user.Email
	page := accountPage{shell: p.shell(r, v, "Your account"), User: v.user, Why: why}
	list, err := p.Store.Sessions(ctx, email)
	if err != nil {
		return err
	}
	for _, s := range list {
		page.Sessions = append(page.Sessions, sessionRow{s, bytes.Equal(s.Hash, v.session.Hash)})
	}
	keys, err := p.Store.Passkeys(ctx, email)
	if err != nil {
		return err
	}
	for _, k := range keys {
		page.Passkeys = append(page.Passkeys, passkeyRow{k, base64.RawURLEncoding.EncodeToString(k.ID), len(keys) == 1 && v.user.Factor == nil})
	}
	if page.History, err = p.Store.SignIns(ctx, email, shownHistory); err != nil {
		return err
	}
	for _, x := range page.History {
		if x.Unknown && x.Session != v.session.ID && p.now().Sub(x.At) < unknownFor {
			page.Unknown = append(page.Unknown, x)
		}
	}
	if page.Linked, err = p.Store.Identities(ctx, email); err != nil {
		return err
	}
	if page.Provider, err = p.providerName(r); err != nil {
		return err
	}
	return p.render(w, status, "account", page)
}

func (p *Portal) changePassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	err := v.ChangePassword(r.Context(), v.session, r.PostFormValue("old"), r.PostFormValue("password"), visitor(r))
	if why, _ := refusal(err); why != "" {
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, v.words.T(why))
	}
	if err != nil {
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, v.words.Wrong(err))
	}
	if err := p.know(w, r, v.session); err != nil {
		return err
	}
	return tell(w, r, "/account", "good", v.words.T("The password is changed. Your other sessions were ended."))
}

func (p *Portal) endSession(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.EndSession(r.Context(), v.user, r.PathValue("id")); err != nil {
		return err
	}
	return tell(w, r, "/account", "good", v.words.T("That session is ended."))
}

func (p *Portal) endOthers(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.EndOthers(r.Context(), v.session); err != nil {
		return err
	}
	if err := p.know(w, r, v.session); err != nil {
		return err
	}
	return tell(w, r, "/account", "good", v.words.T("All your other sessions are ended."))
}

// renewRecovery shows new recovery codes; the old ones open nothing any more.
func (p *Portal) renewRecovery(w http.ResponseWriter, r *http.Request, v *visit) error {
	recovery, err := v.RenewRecovery(r.Context(), v.user.Email)
	if err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "factor", factorPage{shell: p.shell(r, v, "Recovery codes"), Recovery: recovery, Renewed: true})
}

func queryEscape(s string) string { return url.QueryEscape(s) }
