package portal

import (
	"errors"
	"net/http"
	"sync"

	"postern/internal/admin"
	"postern/internal/provider"
	"postern/internal/store"
)

// idp is the provider that is set, as it was last asked for.
type idp struct {
	mu     sync.Mutex
	key    string
	client *provider.Client
}

// A trip is what we have to know when a browser comes back from the provider.
type trip struct {
	provider.Trip
	Kind    string `json:"kind"` // "in", "link" or "again"
	Next    string `json:"next,omitempty"`
	Session []byte `json:"session,omitempty"` // hash, of who links or proves
	Again   string `json:"again,omitempty"`   // what is to be done after it
}

// pending is a form that waits until its sender has proved who it is.
type pending struct {
	Action string  `json:"action"`
	Fields []field `json:"fields"`
}

const (
	tripFor    = 600  // seconds
	maxPending = 2000 // octets of a sealed form that rides in the cookie; a longer one is sent anew
)

func tripCookie(r *http.Request) string {
	if plain(r) {
		return "postern-trip"
	}
	return "__Host-trip"
}

// setTrip keeps a trip in the browser. The cookie is Lax, since the browser comes
// back from another site; it opens nothing by itself.
func setTrip(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: tripCookie(r), Value: value, Path: "/", MaxAge: age, Secure: !plain(r), HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// providerName is what the sign-in button says, "" where there is no provider.
func (p *Portal) providerName(r *http.Request) (string, error) {
	set, err := p.Exchange.Provider(r.Context())
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return set.Name, err
}

// provider is the client of the provider that is set; errMissing if none is.
func (p *Portal) provider(r *http.Request) (admin.Provider, *provider.Client, error) {
	set, err := p.Exchange.Provider(r.Context())
	if errors.Is(err, store.ErrNotFound) {
		return set, nil, errMissing
	}
	if err != nil {
		return set, nil, err
	}
	secret, err := p.Exchange.ProviderSecret(r.Context())
	if err != nil {
		return set, nil, err
	}
	back := p.base(r) + "/sign-in/provider/return"
	key := set.Issuer + "\x00" + set.ClientID + "\x00" + secret + "\x00" + set.Groups + "\x00" + back
	p.idp.mu.Lock()
	defer p.idp.mu.Unlock()
	if p.idp.key != key {
		p.idp.key, p.idp.client = key, &provider.Client{Issuer: set.Issuer, ID: set.ClientID, Secret: secret, Groups: set.Groups, Return: back, Now: p.Exchange.Now}
	}
	return set, p.idp.client, nil
}

// depart begins a trip and returns the address to go to.
func (p *Portal) depart(w http.ResponseWriter, r *http.Request, t trip) (to string, err error) {
	_, client, err := p.provider(r)
	if err != nil {
		return "", err
	}
	if t.Trip, to, err = client.Begin(r.Context(), t.Kind == "again"); err != nil {
		return "", err
	}
	sealed, err := p.Exchange.Keep("provider trip", t)
	if err != nil {
		return "", err
	}
	setTrip(w, r, sealed, tripFor)
	return to, nil
}

// toProvider sends a visitor to the provider to sign in there.
func (p *Portal) toProvider(w http.ResponseWriter, r *http.Request, v *visit) error {
	next := local(r.FormValue("next"))
	to, err := p.depart(w, r, trip{Kind: "in", Next: next})
	if err != nil {
		return p.refusedElsewhere(w, r, v, next, err)
	}
	return redirect(w, r, to)
}

// refusedElsewhere shows the sign-in page with why the other way came to nothing.
func (p *Portal) refusedElsewhere(w http.ResponseWriter, r *http.Request, v *visit, next string, err error) error {
	why, status := elsewhereWhy(err)
	if why == "" {
		return err
	}
	p.Log.Warn("sign-in at the provider came to nothing", "request", v.id, "err", err)
	return p.showSignIn(w, r, v, status, signInPage{Next: next, Why: v.words.T(why)})
}

// elsewhereWhy is what a visitor is told, "" for errors that are not about this.
func elsewhereWhy(err error) (string, int) {
	for _, known := range []error{provider.ErrDown} {
		if errors.Is(err, known) {
			return sentence(known), http.StatusBadGateway
		}
	}
	for _, known := range []error{provider.ErrState, provider.ErrDenied, provider.ErrExchange, provider.ErrIssuer, provider.ErrAudience, provider.ErrExpired,
		provider.ErrNonce, provider.ErrSignature, provider.ErrNotAgain} {
		if errors.Is(err, known) {
			return sentence(known), http.StatusUnauthorized
		}
	}
	for _, known := range []error{admin.ErrNoAccount, admin.ErrUnverified, admin.ErrNoRole, admin.ErrOutside, admin.ErrDisabled, admin.ErrLinked} {
		if errors.Is(err, known) {
			return sentence(known), http.StatusForbidden
		}
	}
	return "", 0
}

// onwardPage leads on by itself: to another site, or from it, where a redirect would
// lose the session's cookie.
type onwardPage struct {
	*shell
	Text, To string
}

// linkProvider sends who is signed in to the provider, to link the account there.
func (p *Portal) linkProvider(w http.ResponseWriter, r *http.Request, v *visit) error {
	to, err := p.depart(w, r, trip{Kind: "link", Next: "/account", Session: v.session.Hash})
	if errors.Is(err, errMissing) {
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, v.words.T("There is no provider to sign in at. An owner sets it up."))
	}
	if why, status := elsewhereWhy(err); why != "" {
		return p.showAccount(w, r, v, status, v.words.T(why))
	}
	if err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "onward", onwardPage{p.shell(r, v, "One moment"), v.words.T("You go on at your provider and come back here."), to})
}

// offerProvider lets who is linked to the provider prove it there.
func (p *Portal) offerProvider(r *http.Request, v *visit, page *confirmPage) error {
	linked, err := p.Store.Identities(r.Context(), v.user.Email)
	if err != nil || len(linked) == 0 {
		return err
	}
	if page.Provider, err = p.providerName(r); err != nil || page.Provider == "" {
		return err
	}
	page.Again, err = v.Keep("form of "+v.session.ID, pending{page.Action, page.Fields})
	return err
}

// proveAtProvider sends who is signed in to the provider, to prove it anew.
func (p *Portal) proveAtProvider(w http.ResponseWriter, r *http.Request, v *visit) error {
	t := trip{Kind: "again", Session: v.session.Hash}
	if again := r.PostFormValue("again"); len(again) <= maxPending {
		t.Again = again
	}
	to, err := p.depart(w, r, t)
	if errors.Is(err, errMissing) {
		return p.showAccount(w, r, v, http.StatusUnprocessableEntity, v.words.T("There is no provider to sign in at. An owner sets it up."))
	}
	if why, status := elsewhereWhy(err); why != "" {
		return &problem{status, why}
	}
	if err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "onward", onwardPage{p.shell(r, v, "One moment"), v.words.T("You go on at your provider and come back here."), to})
}
