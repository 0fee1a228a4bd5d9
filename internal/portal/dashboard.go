package portal

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

// dashboardPage says how a tenant's mail does.
type dashboardPage struct {
	*shell
	Health  []lamp
	Figures []figure
	Chart   *report.Plot
	Table   []dayRow // the chart's numbers
	Week    bool
	Shares  []report.Slice
	People  []rankedRow // most targeted in a week
	Alarms  []store.Alarm
	Recent  []store.TraceRow
	Steps   []step // that are still to do before mail is protected
	May     bool   // change things
}

// A lamp is one thing that is well or not, with what to do.
type lamp struct {
	Kind  string // "good", "warn", "bad"
	Title string
	Text  string
	Link  string
}

type figure struct {
	N     int
	Label string
	Link  string
	Kind  string
}

func (p *Portal) dashboard(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx, t := r.Context(), v.tenant.ID
	page := dashboardPage{shell: p.shell(r, v, "Overview"), May: v.has(changers)}
	week, err := p.counts.of(ctx, p, t)
	if err != nil {
		return err
	}
	volumes := lastDay(week, p.now())
	domains, err := p.Store.Domains(ctx, t)
	if err != nil {
		return err
	}
	if page.Alarms, err = p.Store.Alarms(ctx, t); err != nil {
		return err
	}
	if page.Recent, err = p.Store.Trace(ctx, store.TraceFilter{Tenant: t, Limit: 8}); err != nil {
		return err
	}
	connection, err := v.Connection(ctx, t)
	connected := err == nil
	if err != nil && !errors.Is(err, admin.ErrNotConnected) {
		return err
	}
	if page.Steps, err = p.steps(ctx, v); err != nil {
		return err
	}
	page.Week = r.URL.Query().Get("plot") == "week"
	page.draw(week, volumes, p.now())
	if page.People, err = p.targeted(ctx, t, page.Base); err != nil {
		return err
	}
	page.Figures = figures(volumes, page.Base)
	page.Health = p.health(v, domains, page.Alarms, connection, connected)
	protection, err := v.Protection(ctx, v.tenant, p.kept.of(ctx, p.Health))
	if err != nil {
		return err
	}
	page.Health[0] = protectionLamp(v, protection)
	return p.render(w, http.StatusOK, "dashboard", page)
}

// health are the lamps of the overview.
func (p *Portal) health(v *visit, domains []mail.Domain, alarms []store.Alarm, c admin.Connection, connected bool) []lamp {
	t := v.words.T
	base := "/t/" + v.tenant.ID
	enabled := 0
	for _, d := range domains {
		if d.Enabled {
			enabled++
		}
	}
	plan := lamp{"good", t("Every domain is enabled"), t("%d of %d domains", enabled, len(domains)), base + "/inbound/plan"}
	switch {
	case len(domains) == 0:
		plan = lamp{"warn", t("There is no domain yet"), t("Add the domain whose mail is to be protected."), base + "/inbound/plan"}
	case enabled < len(domains):
		plan = lamp{"warn", t("Not every domain is enabled"), t("%d of %d domains", enabled, len(domains)), base + "/inbound/plan"}
	}
	ex := lamp{"good", t("Exchange is connected"), c.Organization, base + "/exchange"}
	if !connected {
		ex = lamp{"warn", t("Exchange is not connected"), t("Connect it to set it up and to see whether it stays so."), base + "/exchange"}
	}
	bell := lamp{"good", t("No alarm"), t("Nothing needs you now."), ""}
	if len(alarms) > 0 {
		bell = lamp{"bad", t("Alarms: %d", len(alarms)), t("They are listed below, each with what to do."), "#alarms"}
	}
	return []lamp{{}, plan, ex, bell} // the first is the verdict of all parts
}

// protectionLamp is the verdict of the protection status, with the first thing that
// is not well.
func protectionLamp(v *visit, p *admin.Protection) lamp {
	l := lamp{string(p.Lamp), v.words.Said(p.Verdict), v.words.T("Every part is well."), "/t/" + v.tenant.ID + "/status"}
	if p.Lamp == mail.Amber || p.Lamp == mail.Red {
		first := p.First()
		title, between := v.words.Said(first.Title), ": "
		if strings.HasSuffix(title, "?") {
			between = " "
		}
		l.Text = title + between + v.words.Said(first.Text)
	}
	return l
}

// setUp reports whether Exchange was set up by us for the visit's tenant.
func (p *Portal) setUp(ctx context.Context, v *visit) (bool, error) {
	state, err := p.state(ctx, v.tenant.ID)
	if err != nil {
		return false, err
	}
	if state.Redirects() {
		return true, nil
	}
	return v.SetUpByScript(ctx, v.tenant.ID)
}

func figures(volumes []store.Volume, base string) []figure {
	var all, held, waiting, bad int
	for _, c := range volumes {
		all += c.N
		switch c.State {
		case mail.Held:
			held += c.N
		case mail.Delivered, mail.Dropped, mail.Returned:
		default:
			waiting += c.N
		}
		switch c.Verdict {
		case mail.Phish, mail.Malware:
			bad += c.N
		}
	}
	return []figure{
		{all, "messages in 24 hours", base + "/trace", ""},
		{bad, "phishing and malware", base + "/trace?verdict=phish", "bad"},
		{held, "held now, of these", base + "/quarantine", "warn"},
		{waiting, "on their way", base + "/queue", ""},
	}
}

// counts keeps a week's volumes for some seconds, so that many open overviews cost one
// look at the ledger.
type counts struct {
	mu   sync.Mutex
	kept map[string]counted
}

type counted struct {
	at   time.Time
	list []store.Volume
}

const keepCounts = 3 * time.Second

func (c *counts) of(ctx context.Context, p *Portal, tenant string) ([]store.Volume, error) {
	now := time.Now()
	c.mu.Lock()
	kept, ok := c.kept[tenant]
	c.mu.Unlock()
	if ok && now.Sub(kept.at) < keepCounts {
		return kept.list, nil
	}
	list, err := p.Store.Counted(ctx, tenant, p.now().Truncate(time.Hour).Add(-(weekHours-1)*time.Hour), time.Time{}, time.Hour)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[string]counted{}
	}
	c.kept[tenant] = counted{now, list}
	return list, nil
}

func (p *Portal) clearAlarm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.ClearAlarm(r.Context(), r.PostFormValue("kind"), v.tenant.ID); err != nil {
		return err
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/", "good", v.words.T("The alarm is cleared. It comes back when its cause does."))
}
