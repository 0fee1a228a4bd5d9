package portal

import (
	"errors"
	"net/http"

	"postern/internal/admin"
	"postern/internal/provider"
)

// fromProvider takes a browser that comes back. Its session's cookie did not come
// along, since the way began on another site; the sealed trip says whose it is.
func (p *Portal) fromProvider(w http.ResponseWriter, r *http.Request, v *visit) error {
	var t trip
	c, err := r.Cookie(tripCookie(r))
	if err == nil {
		setTrip(w, r, "", -1)
		err = v.Recall("provider trip", c.Value, &t)
	}
	if err == nil {
		err = v.Once(r.Context(), c.Value)
	}
	if errors.Is(err, http.ErrNoCookie) || errors.Is(err, admin.ErrCeremony) {
		return p.refusedElsewhere(w, r, v, "/", provider.ErrState)
	}
	if err != nil {
		return err
	}
	set, client, err := p.provider(r)
	if err != nil {
		return err
	}
	who, err := client.Finish(r.Context(), t.Trip, r.URL.Query(), t.Kind == "again")
	if err != nil {
		return p.refusedElsewhere(w, r, v, t.Next, err)
	}
	switch t.Kind {
	case "link":
		return p.linked(w, r, v, t, set, who)
	case "again":
		return p.proved(w, r, v, t, set, who)
	}
	token, s, err := v.SignInFrom(r.Context(), set, who, visitor(r))
	if err != nil {
		return p.refusedElsewhere(w, r, v, t.Next, err)
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
	to := t.Next
	switch s.Stage {
	case admin.StageFactor:
		to = "/sign-in/code?next=" + queryEscape(t.Next)
	case admin.StageEnrol:
		to = "/second-factor"
	}
	return p.render(w, http.StatusOK, "onward", onwardPage{p.shell(r, v, "One moment"), v.words.T("You are signed in."), to})
}

// linked links the account elsewhere to who set out.
func (p *Portal) linked(w http.ResponseWriter, r *http.Request, v *visit, t trip, set admin.Provider, who provider.Person) error {
	s, u, err := v.SessionByHash(r.Context(), t.Session)
	if err == nil && s.Stage != admin.StageIn {
		err = admin.ErrSignedOut
	}
	if errors.Is(err, admin.ErrSignedOut) {
		return p.refusedElsewhere(w, r, v, "/", provider.ErrState)
	}
	if err != nil {
		return err
	}
	if err := p.as(u.Email).Link(r.Context(), set, u, who); err != nil {
		if why, status := elsewhereWhy(err); why != "" {
			return &problem{status, why}
		}
		return err
	}
	return p.render(w, http.StatusOK, "onward", onwardPage{p.shell(r, v, "One moment"), v.words.T("The account is linked."), "/account"})
}

// provedPage lets a visitor who proved it anew do what was asked for.
type provedPage struct {
	*shell
	pending
}

// proved makes the session of who set out fresh, if it is the same person and more
// than a password was asked for there.
func (p *Portal) proved(w http.ResponseWriter, r *http.Request, v *visit, t trip, set admin.Provider, who provider.Person) error {
	s, u, err := v.SessionByHash(r.Context(), t.Session)
	if err == nil && s.Stage != admin.StageIn {
		err = admin.ErrSignedOut
	}
	known, kerr := p.Store.Identity(r.Context(), who.Issuer, who.Subject)
	if errors.Is(err, admin.ErrSignedOut) || kerr != nil || known.Email != u.Email {
		return p.refusedElsewhere(w, r, v, "/", provider.ErrState)
	}
	if err != nil {
		return err
	}
	if !set.TrustFactor && !who.Proved() {
		return &problem{http.StatusForbidden, sentence(provider.ErrNotAgain)}
	}
	token, fresh, err := v.Renew(r.Context(), s, visitor(r))
	if err != nil {
		return err
	}
	if err := p.enter(w, r, token, fresh); err != nil {
		return err
	}
	v.session, v.user, v.Exchange = fresh, u, p.as(u.Email)
	var what pending
	if t.Again != "" && v.Recall("form of "+s.ID, t.Again, &what) == nil {
		return p.render(w, http.StatusOK, "proved", provedPage{p.shell(r, v, "It is you"), what})
	}
	return p.render(w, http.StatusOK, "onward", onwardPage{p.shell(r, v, "One moment"), v.words.T("It is you. Now do it again: for five minutes nobody asks."), "/"})
}
