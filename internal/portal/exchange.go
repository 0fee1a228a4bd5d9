package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/mail"
)

// exchangePage is Integrations, Exchange: how it is connected and what can be done.
type exchangePage struct {
	*shell
	Connected  bool
	Connection admin.Connection
	May        bool
	SetUp      bool
	Cut        bool          // the last change was cut off
	Changed    bool          // something of ours is in Exchange
	Again      bool          // the person has to sign in once more
	Holder     *admin.Holder // who changes this Exchange elsewhere
	Scripts    []admin.ScriptRun
	Last       *exchange.Run
	Run        *admin.RunView
	Ready      bool // a domain is enabled
	Why        string
	Given      givenConnection
}

type givenConnection struct{ Way, Organization, ClientID string }

func (p *Portal) exchange(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showExchange(w, r, v, http.StatusOK, exchangePage{})
}

func (p *Portal) showExchange(w http.ResponseWriter, r *http.Request, v *visit, status int, page exchangePage) error {
	ctx := r.Context()
	page.shell, page.May = p.shell(r, v, "Exchange"), v.has(changers)
	var err error
	page.Connection, err = v.Connection(ctx, v.tenant.ID)
	page.Connected = err == nil
	if err != nil && !errors.Is(err, admin.ErrNotConnected) {
		return err
	}
	state, err := p.state(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	page.SetUp, page.Last = state.Redirects(), state.Run
	page.Changed = len(state.Objects) > 0 && state.RolledBack.IsZero()
	page.Again = page.Connected && v.NeedsSignIn(ctx, v.tenant.ID, page.Connection)
	if page.Again {
		page.Given.Organization, page.Given.ClientID = orElse(page.Given.Organization, page.Connection.Organization), orElse(page.Given.ClientID, page.Connection.ClientID)
	}
	if page.Scripts, err = v.ScriptRuns(ctx, v.tenant.ID); err != nil {
		return err
	}
	if run := p.Exchange.Runs.Of(v.tenant.ID); run != nil {
		view, _ := run.View()
		page.Run = &view
	}
	if page.Run == nil || page.Run.Done {
		if page.Holder, err = v.UnderWay(ctx, v.tenant.ID); err != nil {
			return err
		}
		page.Cut = state.Interrupted() && page.Holder == nil
	}
	domains, err := p.Store.Domains(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	for _, d := range domains {
		page.Ready = page.Ready || d.Enabled
	}
	if page.Given.Way == "" {
		page.Given.Way = "device"
	}
	return p.render(w, status, "exchange", page)
}

// connect signs in to Exchange in the background: with a code that a person types
// in at Microsoft, or with an app's secret.
func (p *Portal) connect(w http.ResponseWriter, r *http.Request, v *visit) error {
	g := givenConnection{r.PostFormValue("way"), strings.TrimSpace(r.PostFormValue("organization")), strings.TrimSpace(r.PostFormValue("client"))}
	secret := strings.TrimSpace(r.PostFormValue("secret"))
	c := admin.Credential{Organization: g.Organization, ClientID: g.ClientID}
	why := ""
	switch {
	case g.Organization == "" || g.ClientID == "":
		why = "Enter the organization and the app's client id."
	case g.Way == "secret" && secret == "":
		why = "Enter the app's client secret, or choose to sign in with a code."
	case g.Way == "secret":
		c.Secret = secret
	}
	if why != "" {
		return p.showConnect(w, r, v, http.StatusUnprocessableEntity, connectPage{Way: "graph", Why: v.words.T(why), Given: g})
	}
	tenant := v.tenant.ID
	if _, err := v.StartConnect(tenant, c); err != nil {
		return begun(err)
	}
	return redirect(w, r, "/t/"+tenant+"/exchange/run")
}

// engine is the engine of the visit's tenant with what it should look like.
func (p *Portal) engine(ctx context.Context, v *visit) (*exchange.Engine, exchange.Spec, error) {
	e, err := v.Engine(ctx, v.tenant.ID)
	if errors.Is(err, admin.ErrNotConnected) {
		return nil, exchange.Spec{}, errNotConnected
	}
	if err != nil {
		return nil, exchange.Spec{}, err
	}
	spec, err := v.Spec(ctx, v.tenant.ID)
	return e, spec, err
}

// exchangePlanPage shows what would be changed, as differences.
type exchangePlanPage struct {
	*shell
	Checks   []exchange.Check
	Changes  []change
	Problem  *exchange.Problem
	Only     string // "clutter" or "remote-domain"; "" for the whole set-up
	Critical bool
	Drift    []exchange.Drift // of a verification
	Verified bool
	OK       bool
	May      bool
}

// A change is one action of a plan with its fields.
type change struct {
	exchange.Action
	Fields []difference
	Kind   string // "new", "gone" or "other"
	Guide  string // first and last step of the reference guide
}

type difference struct{ Name, Before, After string }

func (p *Portal) exchangePlan(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := exchangePlanPage{shell: p.shell(r, v, "What will change in Exchange"), May: v.has(changers)}
	e, spec, err := p.engine(r.Context(), v)
	if errors.Is(err, errNotConnected) {
		return p.showExchange(w, r, v, http.StatusConflict, exchangePage{Why: v.words.T(errNotConnected.text)}) // where it is connected
	}
	if errors.As(err, &page.Problem) {
		return p.render(w, http.StatusOK, "exchange-plan", page)
	}
	if err != nil {
		return err
	}
	page.Only = onlyOf(r)
	plan, err := e.PlanOnly(r.Context(), spec, objectsOf(page.Only))
	if errors.As(err, &page.Problem) {
		return p.render(w, http.StatusOK, "exchange-plan", page)
	}
	if err != nil {
		return err
	}
	page.Checks = plan.Checks
	page.Critical = slices.ContainsFunc(plan.Checks, func(c exchange.Check) bool { return c.Severity == exchange.Critical })
	for _, a := range plan.Actions {
		page.Changes = append(page.Changes, changeOf(a))
	}
	return p.render(w, http.StatusOK, "exchange-plan", page)
}

func (p *Portal) exchangeVerify(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := exchangePlanPage{shell: p.shell(r, v, "Is Exchange as it was set up?"), Verified: true, May: v.has(changers)}
	e, spec, err := p.engine(r.Context(), v)
	if errors.Is(err, errNotConnected) {
		return p.showExchange(w, r, v, http.StatusConflict, exchangePage{Why: v.words.T(errNotConnected.text)}) // where it is connected
	}
	if errors.As(err, &page.Problem) {
		return p.render(w, http.StatusOK, "exchange-plan", page)
	}
	if err != nil {
		return err
	}
	report, err := e.Verify(r.Context(), spec)
	if errors.As(err, &page.Problem) {
		return p.render(w, http.StatusOK, "exchange-plan", page)
	}
	if err != nil {
		return err
	}
	page.Drift, page.OK, page.Checks = report.Drift, report.OK, report.Checks
	return p.render(w, http.StatusOK, "exchange-plan", page)
}

// changeOf lays an action's parameters out as before and after. Keys are masked.
func changeOf(a exchange.Action) change {
	c := change{Action: a, Kind: "other"}
	if n := len(a.GuideSteps); n > 0 {
		c.Guide = a.GuideSteps[0]
		if n > 1 {
			c.Guide += " – " + a.GuideSteps[n-1]
		}
	}
	before, after := adminapi.Mask(a.Before), adminapi.Mask(a.After)
	switch {
	case a.Before == nil:
		c.Kind = "new"
	case a.After == nil:
		c.Kind = "gone"
	}
	if len(after) == 0 {
		after = adminapi.Mask(a.Parameters)
	}
	for name, value := range after {
		c.Fields = append(c.Fields, difference{name, plainValue(before[name]), plainValue(value)})
	}
	slices.SortFunc(c.Fields, func(a, b difference) int { return strings.Compare(a.Name, b.Name) })
	return c
}

func plainValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []string:
		return strings.Join(v, ", ")
	case []any:
		var list []string
		for _, x := range v {
			list = append(list, fmt.Sprint(x))
		}
		return strings.Join(list, ", ")
	}
	return fmt.Sprint(v)
}

// exchangeApply sets Exchange up, in the background.
func (p *Portal) exchangeApply(w http.ResponseWriter, r *http.Request, v *visit) error {
	force, only := r.PostFormValue("force") != "", objectsOf(onlyOf(r))
	return p.start(w, r, v, "apply", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.Apply(ctx, spec, exchange.ApplyOptions{Force: force, Only: only})
	})
}

func (p *Portal) exchangeRollback(w http.ResponseWriter, r *http.Request, v *visit) error {
	overwrite := r.PostFormValue("overwrite") != ""
	return p.start(w, r, v, "rollback", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.Rollback(ctx, spec, exchange.RollbackOptions{Overwrite: overwrite})
	})
}

// start runs a change of Exchange that goes on when the page is closed.
func (p *Portal) start(w http.ResponseWriter, r *http.Request, v *visit, what string, do admin.Change) error {
	if _, err := v.Start(r.Context(), v.tenant.ID, what, do); err != nil {
		return begun(err)
	}
	return redirect(w, r, "/t/"+v.tenant.ID+"/exchange/run")
}

func (p *Portal) exchangeDisconnect(w http.ResponseWriter, r *http.Request, v *visit) error {
	steps, err := v.Disconnect(r.Context(), v.tenant.ID)
	if err != nil && !errors.Is(err, admin.ErrNotConnected) {
		return err
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/exchange", "good", v.words.T("The sign-in is forgotten here.")+" "+strings.Join(steps, " "))
}

// runPage follows a change while it goes on.
type runPage struct {
	*shell
	Run admin.RunView
}

func (p *Portal) runPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	run := p.Exchange.Runs.Of(v.tenant.ID)
	if run == nil {
		return redirect(w, r, "/t/"+v.tenant.ID+"/exchange")
	}
	view, _ := run.View()
	return p.render(w, http.StatusOK, "run", runPage{p.shell(r, v, "Exchange"), view})
}

// live sends the stepper anew with every change (server-sent events), until the
// run ends.
func (p *Portal) live(w http.ResponseWriter, r *http.Request, v *visit) error {
	run := p.Exchange.Runs.Of(v.tenant.ID)
	if run == nil {
		return errMissing
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	s := p.shell(r, v, "Exchange")
	beat := time.NewTicker(15 * time.Second)
	defer beat.Stop()
	for {
		view, changed := run.View()
		var b strings.Builder
		if err := p.pages.byName["run"].ExecuteTemplate(&b, "stepper", runPage{s, view}); err != nil {
			return err
		}
		fmt.Fprintf(w, "event: steps\n")
		for line := range strings.SplitSeq(b.String(), "\n") {
			fmt.Fprintf(w, "data: %s\n", line)
		}
		fmt.Fprint(w, "\n")
		if view.Done {
			fmt.Fprint(w, "event: end\ndata: .\n\n")
		}
		if flush.Flush() != nil || view.Done {
			return nil
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-r.Context().Done():
			return nil
		}
	}
}

// protectionPage is the wizard that switches Exchange's own protection off.
type protectionPage struct {
	*shell
	Step     string // "general", "choose"
	Policies []exchange.Policy
	Missing  []exchange.Policy // that the licence or the tenant lacks
	Fixed    []mail.Sentence   // what nobody can switch off
	Problem  *exchange.Problem
	Why      string
	ByUs     int
}

func (p *Portal) protection(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showProtection(w, r, v, http.StatusOK, protectionPage{Step: r.FormValue("step")})
}

func (p *Portal) showProtection(w http.ResponseWriter, r *http.Request, v *visit, status int, page protectionPage) error {
	page.shell, page.Fixed = p.shell(r, v, "Disable Exchange protection"), exchange.Unswitchable()
	if page.Step != "choose" {
		page.Step = "general"
		return p.render(w, status, "protection", page)
	}
	e, spec, err := p.engine(r.Context(), v)
	if errors.As(err, &page.Problem) {
		return p.render(w, status, "protection", page)
	}
	if err != nil {
		return err
	}
	list, err := e.Protection(r.Context(), spec)
	if err != nil && !errors.As(err, &page.Problem) {
		return err
	}
	for _, x := range list {
		if !x.Available {
			page.Missing = append(page.Missing, x)
			continue
		}
		if x.ByUs {
			page.ByUs++
		}
		page.Policies = append(page.Policies, x)
	}
	return p.render(w, status, "protection", page)
}

func (p *Portal) setProtection(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	chosen := r.PostForm["policy"]
	if r.PostFormValue("do") == "enable" {
		return p.start(w, r, v, "enable-protection", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
			return e.EnableProtection(ctx, spec, nil)
		})
	}
	if len(chosen) == 0 {
		return p.showProtection(w, r, v, http.StatusUnprocessableEntity, protectionPage{Step: "choose", Why: v.words.T("Choose at least one policy.")})
	}
	return p.start(w, r, v, "protection", func(ctx context.Context, e *exchange.Engine, spec exchange.Spec) (*exchange.Result, error) {
		return e.DisableProtection(ctx, spec, chosen)
	})
}
