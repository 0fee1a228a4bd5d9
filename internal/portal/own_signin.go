package portal

import (
	"context"
	"errors"
	"net/http"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/quarantine"
)

// ownSignInPage asks a recipient for the address that a link is sent to.
type ownSignInPage struct {
	*shell
	Address string
	Sent    bool
	Why     string
}

func (p *Portal) ownSignInForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.person.Addr != "" {
		return redirect(w, r, "/")
	}
	return p.render(w, http.StatusOK, "own-sign-in", ownSignInPage{shell: p.shell(r, v, "See your held mail")})
}

// ownSignIn sends a link, if there is anybody to send one to. The answer is the
// same and as fast in every case.
func (p *Portal) ownSignIn(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := ownSignInPage{shell: p.shell(r, v, "See your held mail"), Address: cutTo(r.PostFormValue("email"), 254)}
	if mail.FoldAddress(page.Address) == "" {
		page.Why = v.words.T("Enter your whole e-mail address, such as ann@example.com.")
		return p.render(w, http.StatusUnprocessableEntity, "own-sign-in", page)
	}
	from, lang := visitor(r), v.words.Lang
	select {
	case p.linking() <- struct{}{}:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 20*time.Second)
		go func() {
			defer func() { cancel(); <-p.linking() }()
			if err := p.sendLink(ctx, page.Address, lang, from); err != nil {
				p.Log.Error("sign-in link for a recipient", "request", v.id, "err", err)
			}
		}()
	default: // as many as we look up at a time: who gets no link asks again
	}
	page.Sent = true
	return p.render(w, http.StatusOK, "own-sign-in", page)
}

// manyLinks is how many sign-in links are made at a time: looking up an address
// that nobody has may read a whole tenant's trace.
const manyLinks = 4

func (p *Portal) linking() chan struct{} {
	p.links.once.Do(func() { p.links.busy = make(chan struct{}, manyLinks) })
	return p.links.busy
}

func (p *Portal) sendLink(ctx context.Context, address, lang string, from admin.Visitor) error {
	token, person, err := p.as("recipient").PersonLink(ctx, address, from)
	if err != nil || token == "" {
		return err
	}
	t, err := p.Store.Tenant(ctx, person.Tenant)
	if err != nil {
		return err
	}
	rules, err := p.Store.Recipients(ctx, person.Tenant)
	if err != nil {
		return err
	}
	to := quarantine.Reader(rules, person)
	if person.Lang == "" {
		to.Lang = lang // that of the page on which it was asked for
	}
	l, err := p.Letters.SignIn(mail.NewID(), t.Tenant, rules, to, p.Letters.URL+"/enter/"+token, p.now())
	if err != nil {
		return err
	}
	return p.Post(ctx, l)
}

// enterPage has the button that signs in: a program that only follows the link
// does not use it up.
type enterPage struct {
	*shell
	Token string
}

func (p *Portal) enterForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.render(w, http.StatusOK, "own-enter", enterPage{p.shell(r, v, "See your held mail"), r.PathValue("token")})
}

func (p *Portal) enterOwn(w http.ResponseWriter, r *http.Request, v *visit) error {
	token, _, err := v.EnterPerson(r.Context(), r.PathValue("token"), visitor(r))
	if errors.Is(err, admin.ErrToken) {
		return &problem{http.StatusGone, "This link was used before or has ended. Ask for a new one on the sign-in page."}
	}
	if err != nil {
		return err
	}
	setCookie(w, r, ownCookie(r), token, int(admin.SessionLife.Seconds()))
	return redirect(w, r, "/")
}

func (p *Portal) ownSignOut(w http.ResponseWriter, r *http.Request, v *visit) error {
	hash := v.session.Hash
	if r.PostFormValue("all") != "" {
		hash = nil
	}
	if err := v.EndPersonSessions(r.Context(), v.tenant.ID, v.person.Addr, hash); err != nil {
		return err
	}
	setCookie(w, r, ownCookie(r), "", -1)
	return tell(w, r, "/sign-in", "good", v.words.T("You are signed out."))
}
