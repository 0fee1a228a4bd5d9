package portal

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"postern/internal/admin"
	"postern/internal/mail"
)

// shell is what surrounds every page.
type shell struct {
	*words
	Title    string
	Path     string
	Theme    string
	Email    string // "" when nobody is signed in
	Role     string
	Tenant   mail.Tenant
	Tenants  []mail.Tenant // to switch between; none with only one
	Menu     []menuGroup
	Form     string // token for forms
	Notice   notice
	Hostname string
	Version  string
	Base     string // "/t/TENANT" of the page's tenant
	Brand    admin.Brand
	Own      bool // a recipient's own pages
	Ahead    *next
}

type menuGroup struct {
	Title string
	Items []menuItem
}

type menuItem struct {
	Title, Path string
	Here        bool
}

// A notice is one sentence about what was just done.
type notice struct {
	Kind string `json:"k"` // "good", "bad" or "warn"
	Text string `json:"t"`
}

// shell gathers what surrounds a page for a visitor.
func (p *Portal) shell(r *http.Request, v *visit, title string) *shell {
	s := &shell{words: v.words, Title: title, Path: r.URL.Path, Theme: v.theme, Hostname: p.Hostname, Version: p.Version, Tenant: v.tenant, Notice: noticeOf(r)}
	if v.session.Email != "" {
		s.Form = p.Exchange.FormToken(v.session)
	}
	if v.person.Addr != "" {
		s.ownShell(v)
		return s
	}
	if !v.signedIn() {
		return s
	}
	s.Email, s.Role = v.user.Email, v.user.Role
	all, err := p.Store.Tenants(r.Context())
	if err != nil {
		p.Log.Error("menu", "err", err) // the page itself may still be of use
	}
	for _, t := range all {
		if v.may(t.ID) {
			s.Tenants = append(s.Tenants, t.Tenant)
		}
	}
	if s.Tenant.ID == "" && len(s.Tenants) == 1 {
		s.Tenant = s.Tenants[0]
	}
	if s.Tenant.ID != "" {
		s.Base = "/t/" + s.Tenant.ID
		if s.Brand, err = p.Exchange.Brand(r.Context(), s.Tenant.ID); err != nil {
			p.Log.Error("look", "tenant", s.Tenant.ID, "err", err)
		}
	}
	s.Menu = p.menu(v, s)
	if s.Ahead, err = p.next(r, v); err != nil && r.Context().Err() == nil {
		p.Log.Error("next step", "tenant", v.tenant.ID, "err", err)
	}
	return s
}

// menu lists what the visitor may open; the routes' table decides.
func (p *Portal) menu(v *visit, s *shell) []menuGroup {
	groups := []menuGroup{
		{"Mail", []menuItem{{"Overview", "/t/{tenant}/{$}", false}, {"Protection status", "/t/{tenant}/status", false}, {"Quarantine", "/t/{tenant}/quarantine", false}, {"Requests", "/t/{tenant}/requests", false}, {"Message trace", "/t/{tenant}/trace", false}, {"Queue", "/t/{tenant}/queue", false}, {"Verdict reports", "/t/{tenant}/verdict-reports", false}, {"Reports", "/t/{tenant}/reports", false}}},
		{"Inbound Management", []menuItem{{"Plan Settings", "/t/{tenant}/inbound/plan", false}, {"Recipients", "/t/{tenant}/inbound/recipients", false}}},
		{"Policies", []menuItem{{"Thresholds and actions", "/t/{tenant}/policies", false}, {"Try on new mail", "/t/{tenant}/draft", false}, {"Senders", "/t/{tenant}/senders", false}, {"People", "/t/{tenant}/people", false}, {"Retention", "/t/{tenant}/retention", false}, {"Notifications", "/t/{tenant}/notifications", false}}},
		{"Administration", []menuItem{
			{"Tenants", "/tenants", false},
			{"Users", "/users", false},
			{"API tokens", "/tokens", false},
			{"Approvals", "/approvals", false},
			{"Look", "/t/{tenant}/look", false},
			{"Sign-in elsewhere", "/provider", false},
			{"Audit log", "/audit", false}, {"Audit log", "/t/{tenant}/audit", false},
		}},
	}
	allowed := map[string]bool{}
	for _, rt := range p.routes() {
		if rt.method == "GET" && rt.allows(v.user.Role) && (rt.access != system || v.user.Tenant == "") {
			allowed[rt.path] = true
		}
	}
	var out []menuGroup
	for _, g := range groups {
		shown := menuGroup{Title: g.Title}
		for _, item := range g.Items {
			inTenant := strings.Contains(item.Path, "{tenant}")
			switch {
			case !allowed[item.Path], inTenant && s.Tenant.ID == "", item.Path == "/t/{tenant}/audit" && v.user.Tenant == "":
				continue
			}
			item.Path = strings.NewReplacer("{tenant}", s.Tenant.ID, "{$}", "").Replace(item.Path)
			item.Here = s.Path == item.Path || (len(item.Path) > 1 && !strings.HasSuffix(item.Path, "/") && strings.HasPrefix(s.Path, item.Path+"/"))
			shown.Items = append(shown.Items, item)
		}
		if len(shown.Items) > 0 {
			out = append(out, shown)
		}
	}
	return out
}

const noticeCookie = "postern-notice"

// tell redirects to a page that begins with a notice.
func tell(w http.ResponseWriter, r *http.Request, to, kind, text string) error {
	b, err := json.Marshal(notice{kind, text})
	if err != nil {
		return err
	}
	if len(b) < 3000 { // cookies have 4096 octets
		setCookie(w, r, noticeCookie, base64.RawURLEncoding.EncodeToString(b), 30)
	}
	return redirect(w, r, to)
}

// noticeOf reads the notice. It ends by its age: whoever reloads sees it once more.
func noticeOf(r *http.Request) (n notice) {
	c, err := r.Cookie(noticeCookie)
	if err != nil {
		return n
	}
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(b, &n) != nil {
		return notice{}
	}
	switch n.Kind {
	case "good", "bad", "warn":
		return n
	}
	return notice{}
}
