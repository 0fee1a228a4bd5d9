package api

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// declared is an operation as the document has it.
type declared struct {
	method, path string
	scopes       []string
	second       bool // a second person may have to agree
	roles        []string
	system       bool
	statuses     []int
}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

// concrete fills an operation's path for a tenant, with ids that do not exist.
func (d declared) concrete(tenant string) string {
	path := strings.NewReplacer("{tenant}", tenant, "{domain}", "nothing.example", "{email}", "nobody@nothing.example", "{run}", "latest", "{kind}", "none").Replace(d.path)
	return prefix + wildcard.ReplaceAllString(path, "01M80E2H69TP9QM1D3S3R8G2ER.0")
}

// body is something that fits no operation but those that need nothing, so that a
// call that is let through changes nothing.
func (d declared) body() string {
	if d.method == "POST" || d.method == "PUT" {
		return `{"nonsense": true}`
	}
	return ""
}

// operations reads the document as a stranger would.
func operations(t *testing.T) []declared {
	t.Helper()
	raw, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Security  []map[string][]string `json:"security"`
			Roles     []string              `json:"x-roles"`
			System    bool                  `json:"x-system"`
			Second    bool                  `json:"x-second-person"`
			Responses map[string]any        `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var all []declared
	for path, methods := range doc.Paths {
		for method, op := range methods {
			d := declared{method: strings.ToUpper(method), path: path, roles: op.Roles, system: op.System, second: op.Second}
			if len(op.Security) != 1 {
				t.Errorf("%s %s does not ask for a token", d.method, path)
				continue
			}
			d.scopes = op.Security[0][tokenScheme]
			for status := range op.Responses {
				n, err := strconv.Atoi(status)
				if err != nil {
					t.Errorf("%s %s declares the answer %q", d.method, path, status)
				}
				d.statuses = append(d.statuses, n)
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b declared) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	if len(all) < 60 {
		t.Fatalf("the document has only %d operations", len(all))
	}
	return all
}

// mayAnswer reports an answer that the document does not declare, or that is no
// problem where it should be one.
func (d declared) mayAnswer(t *testing.T, who string, r reply) {
	t.Helper()
	if !slices.Contains(d.statuses, r.status) {
		t.Errorf("%s %s, %s: answered %d, which the document does not declare: %s", d.method, d.path, who, r.status, r.body)
	}
	if r.status >= 400 && (r.header.Get("Content-Type") != "application/problem+json" || len(r.detail()) < 10) {
		t.Errorf("%s %s, %s: %d is no problem in words: %s %s", d.method, d.path, who, r.status, r.header.Get("Content-Type"), r.body)
	}
	if r.status >= 500 {
		t.Errorf("%s %s, %s: a fault of ours: %s", d.method, d.path, who, r.body)
	}
}

// P18 for programs: every operation of the document with every sort of token that
// must not open it.
func TestEveryOperationAsksForItsTokenScopeTenantAndRole(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	gone := h.owner("gone@example.com", "")
	all, _ := h.token(ann, "", allScopes()...)
	foreign, _ := h.token(ann, "beta", allScopes()...)
	home, _ := h.token(ann, "acme", allScopes()...)
	revoked, kept := h.token(ann, "", allScopes()...)
	disabled, _ := h.token(gone, "", allScopes()...)
	must(t, h.Exchange.RevokeToken(t.Context(), "", kept.ID))
	must(t, h.Exchange.SetDisabled(t.Context(), gone.Email, true))
	expired, kept, err := h.Exchange.AddToken(t.Context(), ann, admin.TokenWish{Name: "short", Scopes: allScopes(), Days: 1})
	must(t, err)
	h.now = kept.ExpiresAt
	session := h.session(ann)
	lesser := map[string]string{}
	for _, role := range []string{"security-admin", "helpdesk", "auditor", "user"} {
		u := h.owner(role+"@example.com", "")
		lesser[role], _ = h.token(u, "", allScopes()...)
		must(t, h.Store.EditUser(t.Context(), u.Email, func(u *store.User) error { u.Role = role; return nil }))
	}
	denied := map[string][]string{
		"no token":           nil,
		"malformed token":    bearer("pst_nonsense"),
		"expired token":      bearer(expired),
		"revoked token":      bearer(revoked),
		"disabled user":      bearer(disabled),
		"cookie only":        {"Cookie", "postern-session=" + session + "; __Host-session=" + session},
		"basic with a token": {"Authorization", "Basic " + all},
		"two tokens":         append(bearer(all), bearer(all)...),
	}
	for _, d := range operations(t) {
		path := d.concrete("acme")
		for who, header := range denied {
			r := h.ask(d.method, path, d.body(), header...)
			d.mayAnswer(t, who, r)
			if r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s, %s: %d, want 401", d.method, d.path, who, r.status)
			}
		}
		if r := h.ask(d.method, path+"?access_token="+all+"&token="+all, d.body()); r.status != http.StatusUnauthorized {
			t.Errorf("%s %s: a token in the address opens it: %d", d.method, d.path, r.status)
		}
		for _, scope := range d.scopes {
			others, kept := h.token(ann, "", slices.DeleteFunc(allScopes(), func(s string) bool { return s == scope })...)
			r := h.ask(d.method, path, d.body(), bearer(others)...)
			d.mayAnswer(t, "without the scope", r)
			if r.status != http.StatusForbidden || !strings.Contains(r.detail(), scope) {
				t.Errorf("%s %s without the scope %s: %d %s, want 403 that names it", d.method, d.path, scope, r.status, r.body)
			}
			must(t, h.Exchange.RevokeToken(t.Context(), "", kept.ID))
		}
		if strings.Contains(d.path, "{tenant}") || d.system {
			r := h.ask(d.method, path, d.body(), bearer(foreign)...)
			d.mayAnswer(t, "other tenant's token", r)
			missing := h.ask(d.method, strings.Replace(path, "/acme", "/nowhere", 1), d.body(), bearer(foreign)...)
			if r.status != http.StatusNotFound || string(missing.body) != string(r.body) {
				t.Errorf("%s %s with another tenant's token: %d %s, want the same 404 as for a tenant that does not exist: %s", d.method, d.path, r.status, r.body, missing.body)
			}
		}
		if !d.system {
			h.letIn(d, "own tenant's token", path, home)
		}
		h.letIn(d, "owner", path, all)
		for role, token := range lesser {
			if slices.Contains(d.roles, role) {
				h.letIn(d, role, path, token)
				continue
			}
			r := h.ask(d.method, path, d.body(), bearer(token)...)
			d.mayAnswer(t, role, r)
			if r.status != http.StatusForbidden {
				t.Errorf("%s %s as %s: %d, want 403", d.method, d.path, role, r.status)
			}
		}
	}
}

// letIn checks that a token passes the guard, whatever the operation then says to
// a request without sense.
func (h *house) letIn(d declared, who, path, token string) {
	h.t.Helper()
	r := h.ask(d.method, path, d.body(), bearer(token)...)
	d.mayAnswer(h.t, who, r)
	if r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
		h.t.Errorf("%s %s as %s: %d %s, want to be let in", d.method, d.path, who, r.status, r.body)
	}
}

// session is the token of a browser in which u is fully signed in.
func (h *house) session(u store.User) string {
	h.t.Helper()
	s := store.Session{Email: u.Email, Hash: []byte(u.Email), ID: u.Email, Stage: "in", CreatedAt: h.now, SeenAt: h.now, FreshAt: h.now}
	token, _, err := h.Exchange.Renew(h.t.Context(), s, admin.Visitor{Address: netip.MustParseAddr("127.0.0.1")})
	must(h.t, err)
	return token
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatDoesNotExistIsAProblemToo(t *testing.T) {
	h := newHouse(t)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/api/v1/nothing", 404},
		{"GET", "/api/v2/tenants", 404},
		{"GET", "/api/docs", 404},
		{"GET", "/api/v1/tenants/", 404},
		{"DELETE", "/api/v1/tenants", 405},
		{"PATCH", "/api/v1/tenants/acme/domains/acme.example", 405},
		{"POST", "/api/openapi.json", 405},
		{"OPTIONS", "/api/v1/tenants", 405},
	} {
		r := h.ask(tt.method, tt.path, "")
		if r.status != tt.want || r.header.Get("Content-Type") != "application/problem+json" || r.detail() == "" {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, r.status, r.body)
		}
		if (tt.want == 405) != (r.header.Get("Allow") != "") {
			t.Errorf("%s %s: Allow is %q", tt.method, tt.path, r.header.Get("Allow"))
		}
		if r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s invites other origins", tt.method, tt.path)
		}
	}
}

func TestATokenDiesWithItsExpiryToTheMoment(t *testing.T) {
	h := newHouse(t)
	token, kept := h.token(h.owner("ann@example.com", ""), "", "report:read")
	h.now = kept.ExpiresAt.Add(-time.Millisecond)
	if r := h.ask("GET", "/api/v1/status", "", bearer(token)...); r.status != 200 {
		t.Errorf("a moment before its end: %d", r.status)
	}
	h.now = kept.ExpiresAt
	if r := h.ask("GET", "/api/v1/status", "", bearer(token)...); r.status != 401 {
		t.Errorf("at its end: %d", r.status)
	}
}
