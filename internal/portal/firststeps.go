package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"postern/internal/admin"
	"postern/internal/mail"
)

// A step is one of the few on the way to a protected tenant.
type step struct {
	Title string
	Will  string // what it does
	Not   string // what it leaves alone
	Link  string
	Ask   bool // Link asks a question, which a script shows as a dialog
	Label string
	Done  bool
}

// next is the step to take now, on the pages where it is taken.
type next struct {
	step
	N, Of int
	Here  bool // the page itself is where it is taken
}

// progress is how far a tenant is with the steps.
type progress struct {
	domain                   string // the first that is not enabled, else the first
	domains, enabled, viaMX  bool   // there is one; one is enabled; none of those needs Exchange's redirection
	connected, setUp, cameBy bool
}

// steps are what is to do until mail is protected; none when all is done.
func (p *Portal) steps(ctx context.Context, v *visit) ([]step, error) {
	at, err := p.progress(ctx, v)
	if err != nil {
		return nil, err
	}
	t, base := v.words.T, "/t/"+v.tenant.ID
	enable := base + "/inbound/plan"
	if at.domains {
		enable = base + "/inbound/domain/" + at.domain + "/enable"
	}
	list := []step{
		{t("Say which domain"), t("You enter the domain; Postern finds the server that takes its mail by itself."), t("Nothing is sent and no mail flow changes."), base + "/inbound/plan#domain", false, t("Add a domain"), at.domains},
		{t("Enable it"), t("The relay key is made, and the relay takes mail for this domain."), t("Exchange is not called: mail flows as before."), enable, at.domains, t("Enable"), at.enabled},
	}
	if !at.viaMX {
		list = append(list,
			step{t("Connect Exchange"), t("You sign in at Microsoft; Postern may then read and change Exchange's mail flow."), t("Connecting changes nothing in Exchange, and no mailbox is read."), base + "/exchange/connect?way=graph", true, t("Connect Exchange"), at.connected || at.setUp},
			step{t("Set Exchange up"), t("You see every change before it is made. Afterwards mail from outside comes by here and goes back."), t("Nothing is made before you agree, and all of it can be rolled back."), base + "/exchange/plan", false, t("Show what will change"), at.setUp},
			step{t("See a probe come back"), t("One small test message goes the whole way, and you see each place with its time."), t("No other mail is touched, and nothing changes in Exchange."), base + "/probe", false, t("Send a probe mail"), at.cameBy})
	}
	if !slices.ContainsFunc(list, func(s step) bool { return !s.Done }) {
		return nil, nil
	}
	return list, nil
}

// progress looks up how far the visit's tenant is. It asks Exchange nothing.
func (p *Portal) progress(ctx context.Context, v *visit) (at progress, err error) {
	domains, err := p.Store.Domains(ctx, v.tenant.ID)
	if err != nil {
		return at, err
	}
	at.domains = len(domains) > 0
	viaRelay := false
	for _, d := range domains {
		if at.domain == "" || !d.Enabled {
			at.domain = d.Name
		}
		at.enabled = at.enabled || d.Enabled
		viaRelay = viaRelay || d.Architecture == mail.ViaRelay
	}
	at.viaMX = at.domains && !viaRelay
	_, err = v.Connection(ctx, v.tenant.ID)
	at.connected = err == nil
	if err != nil && !errors.Is(err, admin.ErrNotConnected) {
		return at, err
	}
	if at.setUp, err = p.setUp(ctx, v); err != nil {
		return at, err
	}
	at.cameBy, err = p.cameBy(ctx, v)
	return at, err
}

// cameBy reports whether a probe, or other mail, has been all the way round.
func (p *Portal) cameBy(ctx context.Context, v *visit) (bool, error) {
	seen, err := v.LastWatched(ctx, v.tenant.ID)
	if err != nil {
		return false, err
	}
	if seen.Probe != nil && seen.Probe.Problem.Format == "" {
		return true, nil
	}
	week, err := p.counts.of(ctx, p, v.tenant.ID)
	if err != nil {
		return false, err
	}
	for _, c := range week {
		if c.State == mail.Delivered && c.N > 0 {
			return true, nil
		}
	}
	return false, nil
}

// next is the step to take now, for the pages where steps are taken; nil on others,
// for those who may change nothing, and when all is done.
func (p *Portal) next(r *http.Request, v *visit) (*next, error) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/t/"+v.tenant.ID+"/")
	first, _, _ := strings.Cut(rest, "/")
	if !ok || v.tenant.ID == "" || !v.has(changers) || !slices.Contains([]string{"inbound", "exchange", "probe"}, first) {
		return nil, nil
	}
	list, err := p.steps(r.Context(), v)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		if !s.Done {
			path, _, _ := strings.Cut(s.Link, "#")
			path, _, _ = strings.Cut(path, "?")
			return &next{s, i + 1, len(list), path == r.URL.Path}, nil
		}
	}
	return nil, nil
}
