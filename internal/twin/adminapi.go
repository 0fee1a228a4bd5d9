package twin

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/twin/cmdlet"
	"postern/internal/twin/login"
)

// Handler serves the twin over HTTP: what /twin/ shows, the login endpoints, and
// the admin API at /adminapi/{beta|v1.0}/{tenant}/InvokeCommand.
func (tw *Twin) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/twin/", tw.lookHandler())
	mux.HandleFunc("POST /adminapi/{version}/{tenant}/InvokeCommand", tw.invokeCommand)
	mux.HandleFunc("POST /adminapi/{version}/{tenant}/$batch", tw.batch)
	mux.Handle("/", tw.login.Handler())
	return mux
}

// TLS is a server configuration with a certificate of the twin's CA for loopback
// and the names of the cloud, for clients that take only https.
func (tw *Twin) TLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{tw.certs.server}, MinVersion: tls.VersionTLS12}
}

// maxCommand bounds the body of a command, in octets.
const maxCommand int64 = 4 << 20

// invokeCommand is one call of the admin API.
func (tw *Twin) invokeCommand(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("request-id", newGUID())
	t, caller, ok := tw.authorized(w, r)
	if !ok {
		return
	}
	if v := r.PathValue("version"); v != "beta" && v != "v1.0" {
		http.NotFound(w, r)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		return
	}
	if token := r.URL.Query().Get("$skiptoken"); token != "" {
		tw.nextPage(w, r, t, token, text)
		return
	}
	name, params, cerr := envelope(r, text)
	if cerr != nil {
		writeError(w, cerr)
		return
	}
	if !t.enter() {
		retryAfter(w, tw.opt.RetryEvery)
		http.Error(w, "You have reached the maximum number of concurrent requests per tenant. Please wait and try again.", http.StatusTooManyRequests)
		return
	}
	defer t.leave()
	after, stop := tw.interfere(w, r, t, name)
	if stop {
		return
	}
	result, err := t.Run(r.Context(), caller, name, params)
	if after != nil && after(w) {
		return
	}
	if err != nil {
		var ce *cmdlet.Error
		if !errors.As(err, &ce) {
			ce = &cmdlet.Error{Status: 500, Code: "InternalServerError", Type: cmdlet.TaskType, Message: err.Error()}
		}
		writeError(w, ce)
		return
	}
	tw.writeResult(w, r, t, result, text)
}

// enter counts a call under way and reports whether there may be one more.
func (t *Tenant) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.twin.opt.Concurrent; n > 0 && t.inside >= n {
		return false
	}
	t.inside++
	return true
}

func (t *Tenant) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inside--
}

// authorized finds the tenant and the caller, or writes the refusal.
func (tw *Twin) authorized(w http.ResponseWriter, r *http.Request) (*Tenant, Caller, bool) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, err := tw.login.Verify(token)
	t := tw.byID(r.PathValue("tenant"))
	switch {
	case !bearer || err != nil && !errors.Is(err, login.ErrExpired):
		unauthorized(w, "invalid_token", "The access token is missing or not valid.")
	case errors.Is(err, login.ErrExpired):
		unauthorized(w, "expired_token", "The access token has expired.")
	case c.Audience != login.Resource:
		unauthorized(w, "invalid_token", "The audience claim value is invalid '"+c.Audience+"'.")
	case t == nil || !strings.EqualFold(c.Tenant, t.ID):
		unauthorized(w, "invalid_tenant", "The tenant of the token does not match the tenant of the request.")
	case c.User == "" && !slices.Contains(c.Roles, login.ManageAsApp), c.User != "" && c.Scope != login.Manage:
		unauthorized(w, "insufficient_scope", "The token has neither of the permissions Exchange.ManageAsApp and Exchange.Manage.")
	default:
		caller, why := t.callerOf(c)
		if why == "" {
			return t, caller, true
		}
		forbidden(w, why)
	}
	return nil, Caller{}, false
}

func (tw *Twin) byID(id string) *Tenant {
	for _, t := range tw.tenants {
		if strings.EqualFold(t.ID, id) || strings.EqualFold(t.Organization, id) {
			return t
		}
	}
	return nil
}

// callerOf takes the roles from the directory as it is now; why says what is missing.
func (t *Tenant) callerOf(c login.Claims) (caller Caller, why string) {
	if c.User == "" {
		a, _ := t.Directory.App(c.App)
		caller = Caller{Name: "app " + c.App, Roles: a.Roles}
	} else {
		u, _ := t.Directory.User(c.User)
		if u.APIOff {
			return caller, "The user isn't enabled for Exchange Online PowerShell and its REST API (EXOModuleEnabled)."
		}
		caller = Caller{Name: c.User, Roles: u.Roles}
	}
	caller.Roles = append(slices.Clone(caller.Roles), t.assigned(c.App, c.User)...)
	if len(caller.Roles) == 0 {
		return caller, "role required"
	}
	return caller, ""
}

// assigned are the management roles that role groups and assignments give to an
// application or a user.
func (t *Tenant) assigned(app, user string) []string {
	names := []string{user}
	if user == "" {
		names = []string{app}
		if sp := t.Object("ServicePrincipal", app); sp != nil {
			names = append(names, sp.String("ObjectId"), sp.String("DisplayName"))
		}
	}
	var roles []string
	for _, g := range t.Objects("RoleGroup") {
		if slices.ContainsFunc(g.List("Members"), func(m string) bool { return listed(names, m) }) {
			roles = append(roles, g.List("Roles")...)
		}
	}
	for _, a := range t.Objects("ManagementRoleAssignment") {
		if listed(names, a.String("App")) || listed(names, a.String("User")) {
			roles = append(roles, a.String("Role"))
		}
	}
	return roles
}

func unauthorized(w http.ResponseWriter, category, reason string) {
	w.Header().Set("WWW-Authenticate", `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.windows.net/common/oauth2/authorize", error="invalid_token"`)
	w.Header().Set("x-ms-diagnostics", fmt.Sprintf("2000003;reason=\"%s\";error_category=\"%s\"", reason, category))
	w.WriteHeader(http.StatusUnauthorized)
}

// forbidden is the real service's odd answer: a run of NUL octets.
func forbidden(w http.ResponseWriter, reason string) {
	w.Header().Set("x-ms-diagnostics", fmt.Sprintf("2000003;reason=\"%s\"", reason))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	w.Write(make([]byte, 128))
}

// envelope reads {"CmdletInput":{"CmdletName":..,"Parameters":{..}}}. Names are
// case-sensitive and Parameters is an object even when empty.
func envelope(r *http.Request, text []byte) (string, map[string]any, *cmdlet.Error) {
	bad := func(why string) *cmdlet.Error {
		return cmdlet.Refuse("Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "%s", why)
	}
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return "", nil, bad("The request's Content-Type must be application/json.")
	}
	var outer map[string]json.RawMessage
	var input map[string]json.RawMessage
	if err := json.Unmarshal(text, &outer); err != nil {
		return "", nil, bad("The request body isn't valid JSON.")
	}
	if outer["CmdletInput"] == nil || json.Unmarshal(outer["CmdletInput"], &input) != nil || len(outer) != 1 {
		return "", nil, bad("The parameter 'CmdletInput' in the request payload is missing or not valid.")
	}
	var name string
	if json.Unmarshal(input["CmdletName"], &name) != nil || name == "" {
		return "", nil, bad("The property 'CmdletName' is missing or not valid.")
	}
	raw := bytes.TrimSpace(input["Parameters"])
	var params map[string]any
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &params) != nil {
		return "", nil, bad("The property 'Parameters' must be an object.")
	}
	for k := range input {
		if k != "CmdletName" && k != "Parameters" {
			return "", nil, bad("The property '" + k + "' does not exist on type 'Exchange.CmdletInput'.")
		}
	}
	return name, params, nil
}

func (tw *Twin) rateHeaders(w http.ResponseWriter, t *Tenant) {
	t.mu.Lock()
	left := max(0, 3000-t.calls)
	t.mu.Unlock()
	w.Header().Set("Rate-Limit-Limit", "3000")
	w.Header().Set("Rate-Limit-Remaining", strconv.Itoa(left))
	w.Header().Set("Rate-Limit-Reset", tw.now().UTC().Add(5*time.Minute).Format("2006-01-02T15:04:05.0000000Z"))
}

// batch is up to ten commands in one request.
func (tw *Twin) batch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Requests []struct {
			ID, Method, URL string
			Headers         map[string]string
			Body            json.RawMessage
		}
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCommand)).Decode(&in); err != nil || len(in.Requests) > 10 {
		writeError(w, cmdlet.Refuse("Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "A batch has at most 10 requests."))
		return
	}
	out := []map[string]any{}
	for _, q := range in.Requests {
		sub, err := http.NewRequestWithContext(r.Context(), q.Method, "http://"+r.Host+q.URL, bytes.NewReader(q.Body))
		if err != nil {
			out = append(out, map[string]any{"id": q.ID, "status": 400})
			continue
		}
		sub.Host = r.Host
		for k, v := range q.Headers {
			sub.Header.Set(k, v)
		}
		sub.Header.Set("Authorization", r.Header.Get("Authorization"))
		rec := &recorder{header: http.Header{}, status: 200}
		tw.Handler().ServeHTTP(rec, sub)
		out = append(out, map[string]any{"id": q.ID, "status": rec.status, "body": json.RawMessage(rec.json())})
	}
	writeJSON(w, map[string]any{"responses": out})
}

// A recorder keeps the answer to one request of a batch.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) json() []byte {
	if json.Valid(r.body.Bytes()) {
		return r.body.Bytes()
	}
	return []byte("null")
}
