package portal

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	notices "postern/internal/notice"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/relay/parse/preview"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/replay"
	"postern/internal/store"
)

// Portal serves the pages. All fields but those marked are required.
type Portal struct {
	Store      *store.Store
	Exchange   *admin.Exchange // and with it Admin; both are copied for each visitor with the visitor as Actor
	Held       Held
	TryMTA     func(ctx context.Context, m mail.MTA) []deliver.Step
	Read       func(ctx context.Context, octets []byte) (*Reading, error) // what a held message says, found out where it can do no harm
	Ready      func() error                                               // why no mail is taken now; nil if it is
	Health     func(ctx context.Context) []mail.Health                    // how well this installation's own parts are
	Look       func(ctx context.Context, tenant, what string) error       // at a tenant's Exchange: "verify", "probe" or "coverage"; what is seen is kept
	Probe      Probing                                                    // how test messages are sent
	Hostname   string                                                     // of the relay
	URL        string                                                     // of the portal as browsers know it; "": as each request says
	Prefix     string                                                     // of the control headers
	Version    string
	TellNow    func(ctx context.Context, tenant string, to notices.Receiver) error // sends a test to who is told of alarms
	Keep       time.Duration                                                       // for which held mail is kept where a tenant says nothing
	Log        *slog.Logger
	Shelf      *replay.Shelf                                  // of stored mail, shared with the API; nil: one of its own
	Again      *replay.Agains                                 // judging held mail again, shared with the API; nil: one of its own
	SendReport func(ctx context.Context, tenant string) error // now, to the readers of the schedule

	Letters *digest.Composer                                 // writes to recipients; nil when they have no pages
	Post    func(ctx context.Context, l digest.Letter) error // sends what Letters wrote
	Asked   func(tenant string, id mail.ID, n int)           // tells administrators of a request

	links  links
	pages  *pages
	idp    idp
	counts counts
	kept   keptParts
}

// links bounds the sign-in links of recipients that are made at a time.
type links struct {
	once sync.Once
	busy chan struct{}
}

// Held is the relay's side of the quarantine.
type Held interface {
	Release(ctx context.Context, o relay.Order) (deliver.Outcome, error)
	Content(ctx context.Context, tenant string, id mail.ID) ([]byte, error)
	Header(ctx context.Context, tenant string, id mail.ID) (mail.Header, error)
}

// A Reading is what a message says, without anything that could act.
type Reading struct {
	Text  string      `json:"text"`
	Links []mail.Link `json:"links"`
	Cut   bool        `json:"cut"` // there was more text or links

	Preview preview.Document `json:"preview"` // what its HTML shows
}

// Handler checks the templates and returns the portal's pages.
func (p *Portal) Handler() (http.Handler, error) {
	var err error
	if p.pages, err = loadPages(); err != nil {
		return nil, err
	}
	if p.Again == nil {
		p.Again = &replay.Agains{Store: p.Store, Log: p.Log}
	}
	if p.Shelf == nil {
		p.Shelf = &replay.Shelf{Store: p.Store, Log: p.Log, Now: p.Exchange.Now}
	}
	mux := http.NewServeMux()
	for _, rt := range p.routes() {
		mux.Handle(rt.method+" "+rt.path, p.guard(rt))
	}
	mux.Handle("GET /static/", staticFiles())
	mux.Handle("/", p.guard(route{access: public, handle: p.missing}))
	return p.outer(mux), nil
}

// Pages are the patterns of everything that can be opened, the portal's and those of
// recipients: whoever wants to look at every page finds here what there is.
func (p *Portal) Pages() (portal, recipients []string) {
	opened := func(all []route) (paths []string) {
		for _, rt := range all {
			if rt.method == http.MethodGet {
				paths = append(paths, rt.path)
			}
		}
		return paths
	}
	return opened(p.routes()), opened(p.ownRoutes())
}

// as is admin in the name of a visitor.
func (p *Portal) as(actor string) *admin.Exchange {
	x := *p.Exchange
	a := *x.Admin
	a.Actor = actor
	x.Admin = &a
	return &x
}

func (p *Portal) now() time.Time {
	if p.Exchange.Now != nil {
		return p.Exchange.Now()
	}
	return time.Now()
}
