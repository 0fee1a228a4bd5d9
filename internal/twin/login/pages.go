package login

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Title}}</title>
<h1>{{.Title}}</h1><p>{{.Text}}</p>
{{if .Fields}}<form method="post">{{range $k, $v := .Fields}}<input type="hidden" name="{{$k}}" value="{{$v}}">{{end}}
{{if .Code}}<label>Code <input name="otc" value=""></label>{{end}}
<button name="decision" value="accept">Accept</button> <button name="decision" value="cancel">Cancel</button></form>{{end}}</html>`))

type view struct {
	Title, Text string
	Fields      map[string]string
	Code        bool
}

func show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page.Execute(w, v)
}

// allowed reports whether a redirect URI is registered; http://localhost takes any
// port (RFC 8252 §7.3).
func (a App) allowed(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(a.Redirects, func(r string) bool {
		if r == uri {
			return true
		}
		x, err := url.Parse(r)
		return err == nil && x.Scheme == "http" && x.Hostname() == "localhost" && u.Scheme == "http" && u.Hostname() == "localhost" && (x.Path == "" || x.Path == u.Path)
	})
}

// authorize is the sign-in page: the authorization code flow.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	q := r.Form
	d, f := s.directory(r.PathValue("tenant"), q.Get("client_id"))
	if f == nil {
		if a, ok := d.App(q.Get("client_id")); !ok {
			f = fault(700016, q.Get("client_id"))
		} else if !a.allowed(q.Get("redirect_uri")) {
			f = fault(50011, q.Get("redirect_uri"))
		}
	}
	if f != nil { // never sent to an address that is not registered
		show(w, http.StatusBadRequest, view{Title: "Sign in", Text: "Sorry, but we’re having trouble signing you in. " + f.description(s.now(), newID())})
		return
	}
	if s.Ask && r.Method == http.MethodGet {
		fields := map[string]string{}
		for k := range q {
			fields[k] = q.Get(k)
		}
		show(w, http.StatusOK, view{Title: "Permissions requested", Text: "The application " + q.Get("client_id") + " wants to manage Exchange as you.", Fields: fields})
		return
	}
	s.finish(w, r, d)
}

func (s *Server) finish(w http.ResponseWriter, r *http.Request, d *Directory) {
	q := r.Form
	u, ok := d.User(q.Get("login_hint"))
	back := url.Values{"state": {q.Get("state")}}
	switch {
	case !ok:
		s.sendBack(w, r, back, fault(50034, q.Get("login_hint")))
		return
	case u.Denies || q.Get("decision") == "cancel":
		back.Set("error", "access_denied")
		back.Set("error_description", "AADSTS65004: User declined to consent to access the app.")
	case u.Fail != 0:
		s.sendBack(w, r, back, fault(u.Fail, u.UPN))
		return
	default:
		if slices.ContainsFunc(u.Roles, func(role string) bool { return role == "Global Administrator" || role == "Exchange Administrator" }) && strings.Contains(q.Get("prompt"), "consent") {
			d.consent(q.Get("client_id"))
		}
		back.Set("code", s.put(grant{app: q.Get("client_id"), user: u.UPN, tenant: d.TenantID, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), scope: q.Get("scope"),
			at: s.now(), expires: s.now().Add(10 * time.Minute), code: true}))
		back.Set("session_state", newID())
	}
	s.to(w, r, q.Get("redirect_uri"), back)
}

func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, back url.Values, f *Fault) {
	back.Set("error", "access_denied")
	if f.Code != 53003 {
		back.Set("error", "interaction_required")
	}
	back.Set("error_description", f.description(s.now(), newID()))
	s.to(w, r, r.Form.Get("redirect_uri"), back)
}

func (s *Server) to(w http.ResponseWriter, r *http.Request, uri string, v url.Values) {
	sep := "?"
	if strings.Contains(uri, "?") {
		sep = "&"
	}
	http.Redirect(w, r, uri+sep+v.Encode(), http.StatusFound)
}

// adminConsent is the page where an administrator lets an application in.
func (s *Server) adminConsent(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	q := r.Form
	d, f := s.directory(r.PathValue("tenant"), q.Get("client_id"))
	if f == nil {
		if a, ok := d.App(q.Get("client_id")); !ok {
			f = fault(700016, q.Get("client_id"))
		} else if !a.allowed(q.Get("redirect_uri")) {
			f = fault(50011, q.Get("redirect_uri"))
		}
	}
	if f != nil {
		show(w, http.StatusBadRequest, view{Title: "Permissions requested", Text: f.description(s.now(), newID())})
		return
	}
	back := url.Values{"state": {q.Get("state")}, "tenant": {d.TenantID}}
	u, ok := d.User("")
	switch {
	case !ok || !slices.Contains(u.Roles, "Global Administrator"):
		back.Set("error", "permission_denied")
		back.Set("error_description", "The user does not have the role that may consent for the organization.")
	case u.Denies:
		back.Set("error", "access_denied")
		back.Set("error_description", "AADSTS65004: User declined to consent to access the app.")
	default:
		d.consent(q.Get("client_id"))
		back.Set("admin_consent", "True")
		back.Set("scope", q.Get("scope"))
	}
	s.to(w, r, q.Get("redirect_uri"), back)
}
