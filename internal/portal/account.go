package portal

import (
	"bytes"
	"net/http"
	"net/url"

	"postern/internal/store"
)

// accountPage is the visitor's own account.
type accountPage struct {
	*shell
	User     store.User
	Sessions []sessionRow
	Why      string
}

type sessionRow struct {
	store.Session
	Here bool
}

func (p *Portal) account(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showAccount(w, r, v, http.StatusOK, "")
}

func (p *Portal) showAccount(w http.ResponseWriter, r *http.Request, v *visit, status int, why string) error {
	list, err := p.Store.Sessions(r.Context(), v.user.Email)
	if err != nil {
		return err
	}
	page := accountPage{shell: p.shell(r, v, "Your account"), User: v.user, Why: why}
	for _, s := range list {
		page.Sessions = append(page.Sessions, sessionRow{s, bytes.Equal(s.Hash, v.session.Hash)})
	}
	return p.render(w, status, "account", page)
}

func (p *Portal) changePassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	err := v.ChangePassword(r.Context(), v.session, r.PostFormValue("old"), r.PostFormValue("password"), visitor(r))
	if why, _ := refusal(err); why != "" {
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, v.words.T(why))
	}
	if err != nil {
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, sentence(err))
	}
	return tell(w, r, "/account", "good", v.words.T("The password is changed. Your other sessions were ended."))
}

func (p *Portal) endSession(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.EndSession(r.Context(), v.user, r.PathValue("id")); err != nil {
		return err
	}
	return tell(w, r, "/account", "good", v.words.T("That session is ended."))
}

func queryEscape(s string) string { return url.QueryEscape(s) }
