package portal

import (
	"errors"
	"net/http"
	"strings"

	"postern/internal/admin"
	"postern/internal/store"
)

// providerPage sets where people sign in elsewhere.
type providerPage struct {
	*shell
	Given     admin.Provider
	Roles     string // one a line
	TenantIDs string
	Domains   string
	Return    string // to register at the provider
	Set       bool
	Why       string
}

func (p *Portal) providerForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	set, err := v.Provider(r.Context())
	if errors.Is(err, store.ErrNotFound) {
		set, err = admin.Provider{Believe: admin.BelieveNone}, nil
	}
	if err != nil {
		return err
	}
	return p.showProvider(w, r, v, http.StatusOK, set, roleLines(set), "")
}

func roleLines(set admin.Provider) string {
	var lines []string
	for _, g := range set.Roles {
		lines = append(lines, g.String())
	}
	return strings.Join(lines, "\n")
}

func (p *Portal) showProvider(w http.ResponseWriter, r *http.Request, v *visit, status int, given admin.Provider, roles, why string) error {
	name, err := p.providerName(r)
	if err != nil {
		return err
	}
	return p.render(w, status, "provider", providerPage{shell: p.shell(r, v, "Sign-in elsewhere"), Given: given, Roles: roles, TenantIDs: strings.Join(given.Tenants, " "),
		Domains: strings.Join(given.Domains, " "), Return: p.base(r) + "/sign-in/provider/return", Set: name != "", Why: why})
}

func (p *Portal) saveProvider(w http.ResponseWriter, r *http.Request, v *visit) error {
	given := admin.Provider{
		Name: r.PostFormValue("name"), Issuer: r.PostFormValue("issuer"), ClientID: r.PostFormValue("client"), Groups: strings.TrimSpace(r.PostFormValue("groups")),
		Tenants: strings.Fields(r.PostFormValue("tids")), Domains: strings.Fields(strings.ToLower(r.PostFormValue("domains"))),
		Believe: admin.Belief(r.PostFormValue("believe")), Provision: r.PostFormValue("provision") != "", TrustFactor: r.PostFormValue("trust") != "",
	}
	var err error
	if given.Roles, err = admin.ParseRoles(r.PostFormValue("roles")); err == nil {
		err = v.SetProvider(r.Context(), given, r.PostFormValue("secret"))
	}
	if err != nil {
		return p.showProvider(w, r, v, http.StatusUnprocessableEntity, given, r.PostFormValue("roles"), v.words.Wrong(err))
	}
	return tell(w, r, "/provider", "good", v.words.T("The provider answers and is kept. The sign-in page shows its button now."))
}

func (p *Portal) removeProvider(w http.ResponseWriter, r *http.Request, v *visit) error {
	err := v.RemoveProvider(r.Context())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return tell(w, r, "/provider", "good", v.words.T("Nobody signs in elsewhere any more. Local accounts go on."))
}
