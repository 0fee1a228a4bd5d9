package portal

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/store"
)

// A handler answers one route. Its error becomes a page; see problem.
type handler func(w http.ResponseWriter, r *http.Request, v *visit) error

// A visit is one request and who makes it.
type visit struct {
	*admin.Exchange // in the visitor's name
	session         store.Session
	user            store.User
	person          store.Person // on the pages of recipients; zero elsewhere and when nobody is signed in
	tenant          mail.Tenant  // of the path; zero on pages of the whole system
	words           *words       // the visitor's language
	theme           string       // "light", "dark" or "" for the system's
	id              string       // of the request, told with errors
}

func (v *visit) signedIn() bool { return v.session.Stage == admin.StageIn }

// may reports whether the visitor may see a tenant.
func (v *visit) may(tenant string) bool { return v.user.Tenant == "" || v.user.Tenant == tenant }

func (v *visit) has(roles []string) bool { return route{roles: roles}.allows(v.user.Role) }

// A problem is an answer other than the page that was asked for.
type problem struct {
	status int
	text   string // a sentence for the visitor
}

func (e *problem) Error() string { return e.text }

var (
	errMissing = &problem{http.StatusNotFound, "There is no such page, or not for you."}
	errRole    = &problem{http.StatusForbidden, "Your role does not include this. Ask an owner of this installation."}
	errForm    = &problem{http.StatusForbidden, "This form is too old or did not come from this portal. Go back, reload the page and send it again."}
	errBad     = &problem{http.StatusBadRequest, "This form is not complete. Go back, reload the page and send it again."}
)

const (
	maxForm    = 1 << 20 // octets
	freshFor   = 5 * time.Minute
	pageBudget = 2 * time.Minute
)

// outer sets the headers that every answer bears, errors too.
func (p *Portal) outer(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(p.guard(route{access: public, handle: func(http.ResponseWriter, *http.Request, *visit) error { return errForm }}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if !plain(r) {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		cross.Handler(next).ServeHTTP(w, r)
	})
}

// plain reports whether the browser is on this machine and came without TLS, where
// a cookie cannot be Secure. Anywhere else TLS is a must, here or at a proxy.
func plain(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return r.TLS == nil && (host == "localhost" || (err == nil && addr.IsLoopback()))
}

func cookieName(r *http.Request) string {
	if plain(r) {
		return "postern-session"
	}
	return "__Host-session"
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, Secure: !plain(r), HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// enter gives the browser a session's token, and makes it a known one once
// everything is proved.
func (p *Portal) enter(w http.ResponseWriter, r *http.Request, token string, s store.Session) error {
	setCookie(w, r, cookieName(r), token, int(admin.SessionLife.Seconds()))
	return p.know(w, r, s)
}

// know makes the browser of a proved session one whose wrong tries are counted by
// themselves. It is the last user's who signed in with it.
func (p *Portal) know(w http.ResponseWriter, r *http.Request, s store.Session) error {
	known, err := p.Exchange.Known(r.Context(), s)
	if err == nil && known != "" {
		setCookie(w, r, knownCookie(r), known, int(admin.KnownFor.Seconds()))
	}
	return err
}

func knownCookie(r *http.Request) string {
	if plain(r) {
		return "postern-known"
	}
	return "__Host-known"
}

// guard lets a request through to its handler only if the table allows it, and
// writes what comes of it.
func (p *Portal) guard(rt route) http.Handler { return p.serve(rt, p.identify, p.admit) }

// serve answers a route for whom identify finds and admit lets through.
func (p *Portal) serve(rt route, identify func(*http.Request, *visit) error, admit func(http.ResponseWriter, *http.Request, *visit, route) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := r.Context(), context.CancelFunc(func() {})
		if !strings.HasSuffix(rt.path, "/live") {
			ctx, cancel = context.WithTimeout(ctx, pageBudget)
		}
		defer cancel()
		r = r.WithContext(ctx)
		v := &visit{id: ulid.Make().String(), words: wordsFor(r), theme: themeOf(r)}
		defer func() {
			if x := recover(); x != nil && x != http.ErrAbortHandler {
				p.fail(w, r, v, fmt.Errorf("panic: %v\n%s", x, debug.Stack()))
			}
		}()
		if _, err := r.Cookie(noticeCookie); err == nil && r.Method == http.MethodGet && r.URL.Path != "/" {
			setCookie(w, r, noticeCookie, "", -1) // said once
		}
		err := identify(r, v)
		if err == nil {
			err = admit(w, r, v, rt)
		}
		if err != nil {
			p.fail(w, r, v, err)
		}
	})
}

// identify finds out who asks.
func (p *Portal) identify(r *http.Request, v *visit) error {
	v.Exchange = p.as("")
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return nil
	}
	s, u, err := p.Exchange.Session(r.Context(), c.Value)
	if errors.Is(err, admin.ErrSignedOut) {
		return nil
	}
	if err != nil {
		return err
	}
	v.session, v.user, v.Exchange = s, u, p.as(u.Email)
	return nil
}

// admit checks what the route asks for, in this order: stage, tenant, role, form,
// fresh factor.
func (p *Portal) admit(w http.ResponseWriter, r *http.Request, v *visit, rt route) error {
	if to := missingStage(v, rt.access); to != "" {
		return p.elsewhere(w, r, to)
	}
	if rt.access == public || rt.access == proving {
		if r.Method == http.MethodPost && rt.access == proving && !p.ours(r, v) {
			return errForm
		}
		return rt.handle(w, r, v)
	}
	if rt.access == system && v.user.Tenant != "" {
		return errMissing
	}
	if id := r.PathValue("tenant"); id != "" {
		t, err := p.Store.Tenant(r.Context(), id)
		if errors.Is(err, store.ErrNotFound) || !v.may(id) {
			return errMissing
		}
		if err != nil {
			return err
		}
		v.tenant = t.Tenant
	}
	if !rt.allows(v.user.Role) {
		return errors.Join(errRole, v.Refuse(r.Context(), v.tenant.ID, r.Method+" "+r.URL.Path))
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !p.ours(r, v) {
		return errForm
	}
	if rt.fresh {
		if asked, err := p.askAgain(w, r, v); asked || err != nil {
			return err
		}
	}
	name := rt.method + " " + rt.path
	if title, light := weighty[name], lighter[name]; title != "" && rt.fresh && (light == nil || !light(r)) {
		if asked, err := p.askSecond(w, r, v, name, title); asked || err != nil {
			return err
		}
	}
	return rt.handle(w, r, v)
}

// missingStage is where a visitor goes first who has not proved enough.
func missingStage(v *visit, a access) string {
	stage := v.session.Stage
	switch {
	case a == public, a == proving && stage == admin.StageFactor, a == enrolled && stage == admin.StageEnrol, a != proving && stage == admin.StageIn:
		return ""
	case stage == admin.StageFactor:
		return "/sign-in/code"
	case stage == admin.StageEnrol:
		return "/second-factor"
	case stage == admin.StageIn:
		return "/"
	}
	return "/sign-in"
}

// elsewhere sends a page's visitor to another page first, and comes back after it.
func (p *Portal) elsewhere(w http.ResponseWriter, r *http.Request, to string) error {
	if r.Method != http.MethodGet {
		return &problem{http.StatusUnauthorized, "You are not signed in any more. Sign in and do it again; nothing was changed."}
	}
	if to == "/sign-in" && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	return redirect(w, r, to)
}

func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// ours reports whether a form came from a page that this session saw.
func (p *Portal) ours(r *http.Request, v *visit) bool {
	return hmac.Equal([]byte(r.PostFormValue("form")), []byte(p.Exchange.FormToken(v.session)))
}

// askAgain shows a form that asks for the second factor, unless it was given
// lately or comes with this request. What was sent goes along in the form.
func (p *Portal) askAgain(w http.ResponseWriter, r *http.Request, v *visit) (asked bool, err error) {
	if p.now().Sub(v.session.FreshAt) <= freshFor {
		return false, nil
	}
	why := ""
	if r.PostFormValue("factor") != "" || r.PostFormValue("passkey") != "" {
		c, err := r.Cookie(cookieName(r))
		if err != nil {
			return true, errForm
		}
		token, s, err := p.prove(r, v, c.Value)
		if err == nil {
			v.session = s
			return false, p.enter(w, r, token, s)
		}
		if why, _ = refusal(err); why == "" {
			return true, err
		}
		why = v.words.T(why)
	}
	page := confirmPage{shell: p.shell(r, v, "Is it still you?"), Why: why, Action: r.URL.RequestURI(), Fields: sent(r), App: v.user.Factor != nil}
	if page.Ask, err = p.askOwn(r, v, page.Action, ""); err != nil {
		return true, err
	}
	page.Ask.Fields = page.Fields
	if err := p.offerProvider(r, v, &page); err != nil {
		return true, err
	}
	return true, p.render(w, http.StatusOK, "confirm", page)
}

// sent is what a form brought, but for what proves the visitor.
func sent(r *http.Request) (all []field) {
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		switch name {
		case "factor", "form", "passkey", "passkey-ask":
			continue
		}
		for _, value := range r.PostForm[name] {
			all = append(all, field{name, value})
		}
	}
	return all
}

// confirmPage asks for the second factor before something weighty.
type confirmPage struct {
	*shell
	Why      string
	Action   string
	Fields   []field
	App      bool // there is an authenticator app
	Ask      passkeyAsk
	Provider string // that can prove it is still the visitor, "" for none
	Again    string // what was sent, sealed, for the way there and back
}

type field struct{ Name, Value string }

func visitor(r *http.Request) admin.Visitor {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	addr, _ := netip.ParseAddr(host)
	v := admin.Visitor{Address: addr.Unmap(), Agent: r.UserAgent()}
	if c, err := r.Cookie(knownCookie(r)); err == nil {
		v.Known = c.Value
	}
	return v
}

// fail writes what went wrong: the visitor's own mistakes in words, everything
// else with a number under which the log tells more.
func (p *Portal) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	var known *problem
	var told *exchange.Problem
	status, text := http.StatusInternalServerError, "Something went wrong here; nothing is known to be changed. The log tells more under the number below."
	if errors.As(err, &known) {
		status, text = known.status, known.text
	} else if errors.As(err, &told) {
		status, text = http.StatusConflict, v.words.Wrong(told)
	} else if r.Context().Err() == nil {
		p.Log.Error("page", "request", v.id, "path", r.URL.Path, "err", err)
	}
	page := errorPage{shell: p.shell(r, v, http.StatusText(status)), Status: status, Text: v.words.T(text), ID: v.id}
	if rerr := p.render(w, status, "error", page); rerr != nil {
		p.Log.Error("error page", "request", v.id, "err", rerr)
		http.Error(w, "Something went wrong. "+v.id, http.StatusInternalServerError)
	}
}

type errorPage struct {
	*shell
	Status int
	Text   string
	ID     string
}

func (p *Portal) missing(http.ResponseWriter, *http.Request, *visit) error { return errMissing }

// sentence makes an error of admin, which is written for people, one that stands by
// itself.
func sentence(err error) string { return admin.Sentence(err) }
