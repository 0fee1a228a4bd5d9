package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Roles, as lists for the operations.
var (
	staff     = []string{"owner", "security-admin", "helpdesk", "auditor"}
	readers   = []string{"owner", "security-admin", "auditor"}
	changers  = []string{"owner", "security-admin"}
	releasers = []string{"owner", "security-admin", "helpdesk"}
	owners    = []string{"owner"}
)

// tokenScheme is the name of the one way to prove who calls.
const tokenScheme = "token"

// An operation is one thing that can be asked. A path with {tenant} is answered
// only to who may see that tenant; to others there is no such thing.
type operation struct {
	id      string // stable for ever: generated clients call it so
	method  string
	path    string // after /api/v1
	tag     string
	summary string // a few words
	about   string // sentences: what happens, what does not
	scope   string // that the token must have; "" for any token
	roles   []string
	danger  string // scope that the token must have besides, for what a person needs a fresh second factor for; refused where a second person has to agree
	system  bool   // not for tokens of one tenant
	status  int    // of success; 200 by default
	errors  []int  // besides those that every operation has
	content string
}

// add registers an operation with the function that does it.
func add[I, O any](a *API, api huma.API, op operation, do func(ctx context.Context, v *visit, in *I) (*O, error)) {
	scopes := []string{}
	for _, s := range []string{op.scope, op.danger} {
		if s != "" {
			scopes = append(scopes, s)
		}
	}
	errors := append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}, op.errors...)
	if strings.Contains(op.path, "{") || op.system {
		errors = append(errors, http.StatusNotFound)
	}
	if in := reflect.TypeFor[I](); hasField(in, "Body") || hasField(in, "RawBody") {
		errors = append(errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	about := op.about
	if op.scope != "" {
		about = strings.TrimSpace(about + "\n\nScope: `" + strings.Join(scopes, "` and `") + "`. Roles: " + strings.Join(op.roles, ", ") + ".")
	}
	if op.danger != "" {
		about += " Dangerous: a person gives `" + op.danger + "` in the portal, with a fresh second factor and for 30 days at most. Where a second person has to agree, it is done in the portal only."
	}
	h := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary, Description: about,
		DefaultStatus: op.status, Errors: errors, Security: []map[string][]string{{tokenScheme: scopes}},
		Middlewares: huma.Middlewares{a.guard(op)},
		Extensions:  map[string]any{"x-roles": op.roles, "x-system": op.system, "x-second-person": op.danger != ""},
	}
	if op.content != "" { // octets instead of JSON
		h.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			op.content: {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}}}
	}
	huma.Register(api, h, func(ctx context.Context, in *I) (*O, error) {
		v := visitOf(ctx)
		out, err := do(ctx, v, in)
		if err != nil {
			return nil, a.answer(err, v, op.path)
		}
		return out, nil
	})
}

func hasField(t reflect.Type, name string) bool {
	_, ok := t.FieldByName(name)
	return ok
}

// answered is a body as JSON.
type answered[T any] struct{ Body T }

func answer[T any](body T) *answered[T] { return &answered[T]{body} }

// OfTenant is the path of an operation on a tenant.
type OfTenant struct {
	Tenant string `path:"tenant" doc:"Id of the tenant." example:"contoso"`
}

// none is the input of an operation that needs nothing.
type none struct{}

// A page is a part of a list. Next, when it is there, is the cursor of the next part.
type page[T any] struct {
	Items []T    `json:"items" nullable:"false" doc:"The entries, the newest first."`
	Next  string `json:"next,omitempty" doc:"Give it as cursor to get the next part; missing on the last."`
}

// A list is complete.
type list[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

func listOf[T any](items []T) *answered[list[T]] {
	if items == nil {
		items = []T{}
	}
	return answer(list[T]{items})
}

// filled is s, or an empty list instead of none.
func filled[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "Tenants", Description: "A tenant is one customer with one Microsoft 365 organization."},
		{Name: "Domains", Description: "The domains whose mail comes here, and the servers (MTAs) that it goes on to."},
		{Name: "Keys", Description: "The relay keys by which a tenant's mail is recognised."},
		{Name: "Mail", Description: "What became of each message. The content of mail is read only with a reason, which the audit log keeps."},
		{Name: "Quarantine", Description: "Held mail: search, release, delete."},
		{Name: "Policy", Description: "What a tenant decided about senders and verdicts."},
		{Name: "Exchange", Description: "Setting up Exchange Online: plan, apply, verify, roll back."},
		{Name: "Status", Description: "Whether all is well: health, figures, alarms."},
		{Name: "Administration", Description: "Users, API tokens, and the audit log."},
	}
}

const about = `Everything that Postern's portal does, for programs.

Every call bears ` + "`Authorization: Bearer TOKEN`" + `. A token belongs to a person; it may do what its scopes, its tenant and that person's role at
this moment allow. What is dangerous, such as relay keys, where mail is delivered, roles and exports, needs a scope ` + "`danger:…`" + ` besides,
which only a person gives, with a fresh second factor, for 30 days at most. Of another tenant's things it is always said that they are not there (404).

Errors are problem details (RFC 9457) whose detail is a sentence that says what is wrong and how to mend it. Lists come in parts: give the
value of next as cursor to get the next part. Times are UTC (RFC 3339). One token may ask 20 times a second in the long run and 100 times at
once; beyond that the answer is 429 with Retry-After.`
