package portal

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// tokensPage lists what programs show the API, and makes another.
type tokensPage struct {
	*shell
	Tokens []tokenRow
	Scopes []admin.Scope // that the visitor can give
	Danger []admin.Scope // likewise, and open what asks people for a second factor
	Whole  bool          // may make tokens for the whole system
	System bool          // sees all tenants
	Days   []int
	Why    string
	Given  admin.TokenWish // what was entered when it was refused
	From   string          // likewise
	Made   madeToken
}

type tokenRow struct {
	store.Token
	State string // "in use", "expired", "revoked"
}

// madeToken is a token at the only moment it is shown.
type madeToken struct {
	Secret, Name string
	Until        time.Time
	Header       string // as a request bears it
}

// Dangerous reports whether a scope is shown as such.
func (t tokensPage) Dangerous(scope string) bool { return admin.Dangerous(scope) }

// DangerDays is how long a token with a dangerous scope lasts at most.
func (t tokensPage) DangerDays() int { return admin.DangerDays }

// Chosen reports whether a scope was ticked when the form was refused.
func (t tokensPage) Chosen(scope string) bool { return slices.Contains(t.Given.Scopes, scope) }

func (p *Portal) tokens(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showTokens(w, r, v, http.StatusOK, tokensPage{Given: admin.TokenWish{Days: admin.TokenDays, Tenant: v.user.Tenant}})
}

func (p *Portal) showTokens(w http.ResponseWriter, r *http.Request, v *visit, status int, page tokensPage) error {
	page.shell, page.Days = p.shell(r, v, "API tokens"), []int{7, 30, 90, 180, 365}
	page.System = v.user.Tenant == ""
	page.Whole = page.System && v.user.Role == "owner"
	for _, s := range admin.Scopes() {
		switch {
		case !slices.Contains(s.Roles, v.user.Role):
		case admin.Dangerous(s.Name):
			page.Danger = append(page.Danger, s)
		default:
			page.Scopes = append(page.Scopes, s)
		}
	}
	all, err := p.Store.Tokens(r.Context(), v.user.Tenant)
	if err != nil {
		return err
	}
	for _, t := range all {
		row := tokenRow{t, "in use"}
		switch {
		case !t.RevokedAt.IsZero():
			row.State = "revoked"
		case !p.now().Before(t.ExpiresAt):
			row.State = "expired"
		}
		page.Tokens = append(page.Tokens, row)
	}
	return p.render(w, status, "tokens", page)
}

func (p *Portal) addToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	wish := admin.TokenWish{Name: r.PostFormValue("name"), Tenant: r.PostFormValue("tenant"), Scopes: r.PostForm["scope"]}
	wish.Days, _ = strconv.Atoi(r.PostFormValue("days"))
	if v.user.Tenant != "" {
		wish.Tenant = v.user.Tenant
	}
	var secret string
	var kept store.Token
	from, err := admin.ParseNetworks(r.PostFormValue("from"))
	if err == nil {
		wish.From = from
		secret, kept, err = v.AddToken(r.Context(), v.user, wish)
	}
	if err != nil {
		return p.showTokens(w, r, v, http.StatusUnprocessableEntity, tokensPage{Why: v.words.Wrong(err), Given: wish, From: r.PostFormValue("from")})
	}
	return p.showTokens(w, r, v, http.StatusOK, tokensPage{
		Given: admin.TokenWish{Days: admin.TokenDays, Tenant: v.user.Tenant},
		Made:  madeToken{secret, kept.Name, kept.ExpiresAt, "Authorization: Bearer " + secret},
	})
}

func (p *Portal) revokeToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	all, err := p.Store.Tokens(r.Context(), v.user.Tenant)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t store.Token) bool { return t.ID == r.PathValue("id") })
	if i < 0 {
		return errMissing
	}
	err = v.RevokeToken(r.Context(), all[i].Tenant, all[i].ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // revoked already
		return err
	}
	return tell(w, r, "/tokens", "good", v.words.T("The token %s is revoked. It counts no more from the next request on.", all[i].Name))
}
