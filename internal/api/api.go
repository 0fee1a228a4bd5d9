package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/oklog/ulid/v2"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/notice"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/replay"
	"postern/internal/store"
)

// API serves the operations. All fields are required.
type API struct {
	Store    *store.Store
	Exchange *admin.Exchange // and with it Admin; both are copied for each request with the caller as Actor
	Held     Held
	TryMTA   func(ctx context.Context, m mail.MTA) []deliver.Step
	Read     func(ctx context.Context, octets []byte) (*Reading, error)         // what a held message says, found out where it can do no harm
	Ready    func() error                                                       // why no mail is taken now; nil if it is
	Health   func(context.Context) []mail.Health                                // how well this installation's parts are
	Look     func(ctx context.Context, tenant, what string) error               // at Exchange: "verify", "probe", "coverage"
	TellNow  func(ctx context.Context, tenant string, to notice.Receiver) error // sends a test to who is told of alarms
	Hostname string                                                             // of the relay
	Version  string
	Shelf    *replay.Shelf  // of stored mail, to see what other policies would have done
	Again    *replay.Agains // judging held mail again, shared with the portal
	Log      *slog.Logger

	limits limits
}

func (a *API) now() time.Time {
	if a.Exchange.Now != nil {
		return a.Exchange.Now()
	}
	return time.Now()
}

// Held is the relay's side of the quarantine.
type Held interface {
	Release(ctx context.Context, o relay.Order) (deliver.Outcome, error)
	Content(ctx context.Context, tenant string, id mail.ID) ([]byte, error)
}

// A Reading is what a message says, without anything that could act.
type Reading struct {
	Text  string
	Links []mail.Link
	Cut   bool // there was more text or links
}

const (
	prefix     = "/api/v1" // of every operation; another version gets another prefix
	callBudget = 2 * time.Minute
)

// Handler serves everything under /api/: the operations, the document that
// describes them, and a page for people that shows the document.
func (a *API) Handler() (http.Handler, error) {
	mux := http.NewServeMux()
	api := a.describe(mux)
	asJSON, asYAML, err := written(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	page, err := reference(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /api/openapi.json", file("application/openapi+json", asJSON))
	mux.Handle("GET /api/openapi.yaml", file("application/openapi+yaml", asYAML))
	mux.Handle("GET /api/{$}", file("text/html; charset=utf-8", page))
	mux.Handle("/", missing(mux))
	return a.outer(mux), nil
}

// Document is the OpenAPI 3.1 document of all operations, as JSON.
func Document() ([]byte, error) {
	asJSON, _, err := written((&API{}).describe(http.NewServeMux()).OpenAPI())
	return asJSON, err
}

// describe registers every operation.
func (a *API) describe(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("Postern", "1")
	config.Info.Description = about
	config.Info.License = &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"}
	config.Servers = []*huma.Server{{URL: prefix}}
	config.Tags = tags()
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{tokenScheme: {
		Type: "http", Scheme: "bearer", Description: "An API token, made in the portal under API tokens or with postern token add.",
	}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", "" // served here, without other people's scripts
	config.CreateHooks, config.RejectUnknownQueryParameters = nil, true
	config.Transformers = []huma.Transformer{plainProblem}
	api := huma.NewAPI(config, humago.NewAdapter(mux, prefix))
	a.register(api)
	if p := config.Components.Schemas.Map()["ErrorModel"]; p != nil {
		p.Properties["errors"].Nullable = false // it is left out instead
	}
	return api
}

// register lists every area there is.
func (a *API) register(api huma.API) {
	for _, area := range []func(huma.API){
		a.tenants, a.domains, a.keys, a.trace, a.message, a.quarantine, a.queue, a.recipients, a.senders, a.policies, a.protect, a.exchange, a.protection, a.runs,
		a.alarms, a.status, a.wellness, a.reports, a.audit, a.users, a.tokens, a.filters, a.similar, a.schedules, a.notifications, a.brands, a.removal, a.provider, a.agains, a.drafts,
	} {
		area(api)
	}
}

func written(doc *huma.OpenAPI) (asJSON, asYAML []byte, err error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, nil, fmt.Errorf("write the API's document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		return nil, nil, fmt.Errorf("write the API's document: %w", err)
	}
	out.WriteByte('\n')
	if asYAML, err = doc.YAML(); err != nil {
		return nil, nil, fmt.Errorf("write the API's document: %w", err)
	}
	return out.Bytes(), asYAML, nil
}

func file(kind string, octets []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(octets)
	})
}

// outer sets the headers that every answer bears, bounds the time of a call, and
// turns a panic into an answer.
func (a *API) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		ctx, cancel := context.WithTimeout(r.Context(), callBudget)
		defer cancel()
		defer func() {
			if x := recover(); x != nil && x != http.ErrAbortHandler {
				id := ulid.Make().String()
				a.Log.Error("api", "request", id, "path", r.URL.Path, "err", fmt.Sprintf("panic: %v\n%s", x, debug.Stack()))
				write(w, failed(id))
			}
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// missing answers what no operation does: the wrong method, or nothing at all.
func missing(mux *http.ServeMux) http.Handler {
	methods := []string{"GET", "POST", "PUT", "DELETE"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range methods {
			other := r.Clone(r.Context())
			other.Method = m
			if _, pattern := mux.Handler(other); pattern != "/" {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			write(w, problem(http.StatusMethodNotAllowed, fmt.Sprintf("This cannot be done with %s; it takes %s.", r.Method, strings.Join(allowed, " and "))))
			return
		}
		write(w, problem(http.StatusNotFound, "There is no such operation. GET /api/openapi.json lists what there is."))
	})
}
