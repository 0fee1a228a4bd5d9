package portal

import (
	"errors"
	"net/http"

	"postern/internal/admin"
	"postern/internal/store"
)

// ownRoutes are all that recipients can ask for, on a listener of their own. None
// of the portal's routes is there (safety.md R48).
func (p *Portal) ownRoutes() []route {
	return []route{
		{"GET", "/sign-in", public, nil, false, p.ownSignInForm},
		{"POST", "/sign-in", public, nil, false, p.ownSignIn},
		{"GET", "/enter/{token}", public, nil, false, p.enterForm},
		{"POST", "/enter/{token}", public, nil, false, p.enterOwn},
		{"GET", "/held/{token}", public, nil, false, p.linkPage},
		{"POST", "/held/{token}", public, nil, false, p.useLink},
		{"POST", "/appearance", public, nil, false, p.appearance},

		{"GET", "/{$}", signedIn, nil, false, p.ownHeld},
		{"GET", "/mail/{id}", signedIn, nil, false, p.ownMail},
		{"POST", "/mail/{id}", signedIn, nil, false, p.ownAct},
		{"GET", "/senders", signedIn, nil, false, p.ownSenders},
		{"POST", "/senders", signedIn, nil, false, p.addOwnSender},
		{"POST", "/senders/{id}/remove", signedIn, nil, false, p.removeOwnSender},
		{"GET", "/settings", signedIn, nil, false, p.ownSettings},
		{"POST", "/settings", signedIn, nil, false, p.setOwn},
		{"POST", "/sign-out", signedIn, nil, false, p.ownSignOut},
	}
}

// Recipients checks the templates and returns the pages of recipients.
func (p *Portal) Recipients() (http.Handler, error) {
	if p.pages == nil {
		var err error
		if p.pages, err = loadPages(); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	for _, rt := range p.ownRoutes() {
		mux.Handle(rt.method+" "+rt.path, p.serve(rt, p.identifyOwn, p.admitOwn))
	}
	mux.Handle("GET /static/", staticFiles())
	mux.Handle("/", p.serve(route{access: public, handle: p.missing}, p.identifyOwn, p.admitOwn))
	return p.outer(mux), nil
}

// ownCookie has another name than the portal's, for browsers do not tell ports
// apart.
func ownCookie(r *http.Request) string {
	if plain(r) {
		return "postern-recipient"
	}
	return "__Host-recipient"
}

// identifyOwn finds out which recipient asks.
func (p *Portal) identifyOwn(r *http.Request, v *visit) error {
	v.Exchange = p.as("")
	c, err := r.Cookie(ownCookie(r))
	if err != nil {
		return nil
	}
	x, err := p.Exchange.PersonSession(r.Context(), c.Value)
	if errors.Is(err, admin.ErrSignedOut) {
		return nil
	}
	if err != nil {
		return err
	}
	if v.person, err = p.Store.Person(r.Context(), x.Tenant, x.Addr); err != nil {
		return err
	}
	t, err := p.Store.Tenant(r.Context(), x.Tenant)
	if err != nil {
		return err
	}
	v.tenant, v.Exchange = t.Tenant, p.as(x.Addr)
	v.session = store.Session{Hash: x.Hash, Email: x.Addr} // of no stage: it opens nothing of the portal
	if _, err := r.Cookie("postern-language"); err != nil && dictionary[v.person.Lang] != nil {
		v.words = dictionary[v.person.Lang]
	}
	return nil
}

// admitOwn lets a recipient through to what is the recipient's own.
func (p *Portal) admitOwn(w http.ResponseWriter, r *http.Request, v *visit, rt route) error {
	switch {
	case rt.access == public:
	case v.person.Addr == "":
		return p.elsewhere(w, r, "/sign-in")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !p.ours(r, v):
		return errForm
	}
	return rt.handle(w, r, v)
}

// ownShell is what surrounds a recipient's pages.
func (s *shell) ownShell(v *visit) {
	s.Own, s.Email = true, v.person.Addr
	items := []menuItem{{"Held mail", "/", false}, {"My senders", "/senders", false}, {"My settings", "/settings", false}}
	for i := range items {
		items[i].Here = s.Path == items[i].Path
	}
	s.Menu = []menuGroup{{"My mail", items}}
}
