package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/report"
)

// statusPage answers one question: is mail really protected?
type statusPage struct {
	*shell
	Lamp    mail.Lamp
	Verdict string
	Groups  []healthGroup
	Drift   []driftLine
	Hops    []probeHop
	Way     []segment // the hops' times as a bar
	Probe   *admin.Probe
	Missed  []string // Message-IDs that did not come by here
	May     bool
	Looking string // since when a look is on, "" if none
	Failed  string // why the last look that a person asked for failed
}

type healthGroup struct {
	Title string
	Rows  []healthRow
}

// healthRow is one part as the page says it.
type healthRow struct {
	Lamp            mail.Lamp
	Name            string
	Title, Text, Do string
	Link            string
	Look            string // that a button starts: "verify", "probe", "coverage"; "" for none
}

// driftLine is one field of Exchange that is not as it was set up, in words.
type driftLine struct {
	Kind, What, Want, Have, Note string
}

// A probeHop is one place on the test message's way.
type probeHop struct {
	Title, Text, After string
	At                 time.Time
	Kind               string // "good", "bad", "plain"
}

// A segment is the time between two hops, of a whole of 100.
type segment struct {
	X, Width float64
	Class    string
	Text     string
}

func (p *Portal) status(w http.ResponseWriter, r *http.Request, v *visit) error {
	protection, err := v.Protection(r.Context(), v.tenant, p.Parts(r.Context()))
	if err != nil {
		return err
	}
	t := v.words.T
	page := statusPage{shell: p.shell(r, v, "Protection status"), Lamp: protection.Lamp, Verdict: v.words.Said(protection.Verdict), May: v.has(changers)}
	since, failed := v.Runs.Looking(v.tenant.ID)
	if !since.IsZero() {
		page.Looking = since.Format("15:04:05 UTC")
	}
	if failed != nil {
		page.Failed = v.words.Wrong(failed)
	}
	page.Groups = []healthGroup{
		{t("Does mail really pass?"), p.healthRows(v, protection.Flow)},
		{t("Is Exchange as it should be?"), p.healthRows(v, protection.Set)},
		{t("Does this relay work?"), p.healthRows(v, protection.Engines)},
	}
	seen := protection.Watched
	for _, d := range seen.Drift {
		page.Drift = append(page.Drift, driftOf(v.words, d))
	}
	if seen.Coverage != nil {
		page.Missed = seen.Coverage.Missed
	}
	if page.Probe = seen.Probe; page.Probe != nil {
		page.Hops, page.Way = wayOf(v.words, page.Probe)
	}
	return p.render(w, http.StatusOK, "status", page)
}

func (p *Portal) healthRows(v *visit, list []mail.Health) []healthRow {
	looks := map[string]string{"coverage": "coverage", "probe": "probe", "setup": "verify"}
	var rows []healthRow
	for _, h := range list {
		row := healthRow{Lamp: h.Lamp, Name: h.Name, Title: v.words.Said(h.Title), Text: v.words.Said(h.Text), Do: v.words.Said(h.Do), Look: looks[h.Name]}
		if page, _, _ := strings.Cut(h.Link, "#"); page != "" && p.mayOpen(v, "/t/{tenant}/"+page) {
			row.Link = "/t/" + v.tenant.ID + "/" + h.Link
		}
		rows = append(rows, row)
	}
	return rows
}

// mayOpen reports whether the routes let a visitor see a page.
func (p *Portal) mayOpen(v *visit, path string) bool {
	return slices.ContainsFunc(p.routes(), func(rt route) bool { return rt.method == "GET" && rt.path == path && rt.allows(v.user.Role) })
}

func driftOf(w *words, d exchange.Drift) driftLine {
	kind := map[exchange.Severity]string{exchange.Critical: "bad", exchange.Warning: "warn", exchange.Info: "plain"}[d.Severity]
	line := driftLine{Kind: kind, What: d.Object, Want: plainValue(d.Want), Have: plainValue(d.Have), Note: w.Said(d.Note)}
	if d.Field != "" {
		line.What = w.T("%s of %s", d.Field, d.Object)
	}
	return line
}

// wayOf lays out a probe's hops, and their times as parts of a bar.
func wayOf(w *words, p *admin.Probe) (hops []probeHop, way []segment) {
	t := w.T
	titles := map[string]string{"sent": t("Sent as a stranger would"), "exchange": t("Taken by Exchange"), "relay": t("Redirected to the relay"), "judged": t("Judged"), "held": t("Held"), "returned": t("Handed back to Exchange")}
	list := slices.Clone(p.Hops)
	slices.SortStableFunc(list, func(a, b admin.Hop) int { return a.At.Compare(b.At) }) // Exchange's answer may come after the redirected copy
	whole := time.Duration(1)
	if len(list) > 0 {
		whole = max(whole, list[len(list)-1].At.Sub(p.At))
	}
	for i, h := range list {
		kind := "good"
		if h.Place == "held" {
			kind = "bad"
		}
		hops = append(hops, probeHop{titles[h.Place], h.Text, "+" + report.Brief(max(time.Microsecond, h.At.Sub(p.At))), h.At, kind})
		if i > 0 {
			from, took := list[i-1].At.Sub(p.At), h.At.Sub(list[i-1].At)
			way = append(way, segment{100 * float64(from) / float64(whole), 100 * float64(took) / float64(whole), "w-" + h.Place,
				fmt.Sprintf("%s: %s", titles[h.Place], report.Brief(took))})
		}
	}
	if p.Problem.Format != "" {
		hops = append(hops, probeHop{Title: t("Here it stopped"), Text: w.Said(p.Problem.Sentence), Kind: "bad"})
	}
	return hops, way
}

// lookAgain starts a look at Exchange, which goes on when the page is closed.
func (p *Portal) lookAgain(w http.ResponseWriter, r *http.Request, v *visit) error {
	what := r.PostFormValue("what")
	if what != "verify" && what != "probe" && what != "coverage" {
		return errBad
	}
	back := "/t/" + v.tenant.ID + "/status"
	if what == "probe" {
		back = "/t/" + v.tenant.ID + "/probe"
	}
	if _, err := v.Connection(r.Context(), v.tenant.ID); errors.Is(err, admin.ErrNotConnected) {
		return tell(w, r, back, "warn", v.words.T("Exchange is not connected. Connect it first."))
	}
	if err := v.NoteLook(r.Context(), v.tenant.ID, what); err != nil {
		return err
	}
	if !v.Runs.BeginLook(v.tenant.ID, func(ctx context.Context) error { return p.Look(ctx, v.tenant.ID, what) }) {
		return tell(w, r, back, "warn", v.words.T("A look at Exchange is under way already."))
	}
	return redirect(w, r, back)
}

// keptParts keeps what was found of this installation's parts for some seconds: asking
// them costs a connection to each.
type keptParts struct {
	mu   sync.Mutex
	at   time.Time
	list []mail.Health
}

const keepParts = 10 * time.Second

// Parts is how well this installation's parts were at most some seconds ago.
func (p *Portal) Parts(ctx context.Context) []mail.Health { return p.kept.of(ctx, p.Health) }

func (k *keptParts) of(ctx context.Context, ask func(context.Context) []mail.Health) []mail.Health {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ask != nil && time.Since(k.at) > keepParts {
		k.list, k.at = ask(context.WithoutCancel(ctx)), time.Now()
	}
	return k.list
}
