package portal

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/replay"
	"postern/internal/store"
)

// policiesPage shows a scope's thresholds and actions, and what the ones in the
// form would have done to the mail of the last days.
type policiesPage struct {
	*shell
	May      bool
	Why      string
	At       mail.Scope
	AtName   string // as scopeOf reads it
	Title    string // of the scope
	Rows     []policyRow
	Scopes   []scopeRow
	Members  string // of a group, one a line
	Preview  foresight
	History  []store.RulesChange
	Undoable int64 // Seq of the newest change that stands
	Bypass   mail.Bypass
	BypassOn bool
	Again    againView
	Given    givenPolicies
}

// givenPolicies is what was typed into the small forms.
type givenPolicies struct{ Group, Members, Person, Why string }

// A policyRow is one verdict's threshold and action.
type policyRow struct {
	Verdict   mail.Verdict
	Own       bool // decided in this scope
	Threshold int
	Wider     int    // threshold that counts without a decision here
	WiderFrom string // who decides then
	Action    mail.Action
	Actions   []mail.Action
	WiderDoes mail.Action
}

// A scopeRow is one line of the list of scopes.
type scopeRow struct {
	Name, Title, Text string
	Here, Group       bool
	First             bool // of the groups
}

// A foresight is what the choices in the form would have changed.
type foresight struct {
	State   replay.State
	Changed bool // the form differs from what counts now
	Change  replay.Change
	Moves   []movedRow
	Class   mail.Verdict // that is drawn
	Chart   pointsChart
	Fields  []field // of the form that saves
	Took    time.Duration
}

// A movedRow is a message whose fate would change.
type movedRow struct {
	replay.Moved
	Row store.TraceRow
}

const (
	listedMoves = 20
	shownHist   = 8
)

func (p *Portal) policies(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showPolicies(w, r, v, http.StatusOK, r.URL.Query(), policiesPage{})
}

// showPolicies renders the page with the choices that q holds, or those that count.
func (p *Portal) showPolicies(w http.ResponseWriter, r *http.Request, v *visit, status int, q url.Values, page policiesPage) error {
	ctx := r.Context()
	page.shell, page.May = p.shell(r, v, "Thresholds and actions"), v.has(changers)
	rules, err := p.Store.Rules(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	page.At = scopeOf(q.Get("at"), rules)
	page.AtName, page.Title = scopeName(page.At), v.scopeTitle(page.At)
	choices := admin.ChoicesAt(rules, page.At)
	if q.Has("shown") {
		choices, err = readChoices(q, rules, page.At)
		if err == nil {
			_, err = admin.Chosen(rules, page.At, choices)
		}
		if err != nil {
			page.Why, choices, status = v.words.Wrong(err), admin.ChoicesAt(rules, page.At), http.StatusUnprocessableEntity
		}
	}
	page.Rows = v.policyRows(rules, page.At, choices)
	page.Scopes = v.scopeRows(rules, page.At)
	for _, g := range rules.Groups {
		if page.At.Kind == mail.ScopeGroup && g.Name == page.At.Name {
			page.Members = strings.Join(g.Members, "\n")
		}
	}
	if page.Preview, err = p.previewOf(r, v, rules, page.At, choices, q.Get("class")); err != nil {
		return err
	}
	if page.History, err = p.Store.RulesHistory(ctx, v.tenant.ID, shownHist); err != nil {
		return err
	}
	for _, c := range page.History {
		if c.UndoneAt.IsZero() {
			page.Undoable = c.Seq
			break
		}
	}
	page.Bypass, page.BypassOn = rules.Bypass, rules.Bypass.On(p.now())
	page.Again = p.viewAgain(v)
	return p.render(w, status, "policies", page)
}

// previewOf replays the mail of the last days under other choices.
func (p *Portal) previewOf(r *http.Request, v *visit, rules mail.Rules, at mail.Scope, c mail.Choices, class string) (foresight, error) {
	began := time.Now()
	next, err := admin.Chosen(rules, at, c)
	if err != nil {
		return foresight{}, err
	}
	pre := foresight{State: p.Shelf.Book(v.tenant.ID, rules), Class: mail.Spam}
	for _, known := range policy.Classes() {
		if string(known) == class {
			pre.Class = known
		}
	}
	was := admin.ChoicesAt(rules, at)
	pre.Changed = !sameChoices(was, c)
	pre.Fields = choiceFields(next, at, c)
	b := pre.State.Book
	if b == nil {
		return pre, nil
	}
	pre.Change = b.Compare(rules, next, listedMoves)
	before, after := sourceOf(rules, at, pre.Class), sourceOf(next, at, pre.Class)
	pre.Chart = drawPoints(b.Histogram(next, at, pre.Class), after.Threshold, before.Threshold)
	pre.Took = time.Since(began)
	for _, m := range pre.Change.Moves {
		row, err := p.copyOf(r, v, m.ID)
		if err == errMissing {
			continue // forgotten meanwhile
		}
		if err != nil {
			return pre, err
		}
		pre.Moves = append(pre.Moves, movedRow{m, row})
	}
	return pre, nil
}

// savePolicies asks to confirm a change, naming its numbers, then keeps it.
func (p *Portal) savePolicies(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	at := scopeOf(r.PostFormValue("at"), rules)
	choices, err := readChoices(r.PostForm, rules, at)
	if err != nil {
		return p.showPolicies(w, r, v, http.StatusUnprocessableEntity, url.Values{"at": {scopeName(at)}}, policiesPage{Why: v.words.Wrong(err)})
	}
	if r.PostFormValue("sure") != "yes" {
		page := policyConfirm{shell: p.shell(r, v, "Save this policy?"), At: scopeName(at), Title: v.scopeTitle(at)}
		if page.Preview, err = p.previewOf(r, v, rules, at, choices, ""); err != nil {
			return p.showPolicies(w, r, v, http.StatusUnprocessableEntity, r.PostForm, policiesPage{Why: v.words.Wrong(err)})
		}
		next, _ := admin.Chosen(rules, at, choices) // checked by previewOf
		page.Diff = diffChoices(rules, next, at)
		return p.render(w, http.StatusOK, "policy-confirm", page)
	}
	if _, err := v.SetChoices(r.Context(), v.tenant.ID, at, choices); err != nil {
		return p.showPolicies(w, r, v, http.StatusUnprocessableEntity, r.PostForm, policiesPage{Why: v.words.Wrong(err)})
	}
	return p.toPolicies(w, r, v, at, v.words.T("Kept. It counts for mail from now on. Undo takes it back."))
}

// policyConfirm names what a change will do before it is made.
type policyConfirm struct {
	*shell
	At, Title string
	Preview   foresight
	Diff      []choiceDiff
}

func (p *Portal) toPolicies(w http.ResponseWriter, r *http.Request, v *visit, at mail.Scope, text string) error {
	return tell(w, r, "/t/"+v.tenant.ID+"/policies?at="+url.QueryEscape(scopeName(at)), "good", text)
}

// undoPolicies takes the last change back.
func (p *Portal) undoPolicies(w http.ResponseWriter, r *http.Request, v *visit) error {
	seq, err := strconv.ParseInt(r.PostFormValue("seq"), 10, 64)
	if err != nil {
		return errBad
	}
	if _, err := v.UndoRules(r.Context(), v.tenant.ID, seq); err != nil {
		return p.showPolicies(w, r, v, http.StatusUnprocessableEntity, url.Values{}, policiesPage{Why: v.words.Wrong(err)})
	}
	return p.toPolicies(w, r, v, mail.Scope{Kind: mail.ScopeTenant}, v.words.T("Taken back. The rules are as they were before that change."))
}

// changeScope adds, changes, moves and removes groups, and removes persons.
func (p *Portal) changeScope(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx, t := r.Context(), v.tenant.ID
	name, members := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("members")
	at := mail.Scope{Kind: mail.ScopeGroup, Name: name}
	var err error
	switch r.PostFormValue("do") {
	case "group":
		_, err = v.PutGroup(ctx, t, name, strings.FieldsFunc(members, func(c rune) bool { return strings.ContainsRune("\r\n,; ", c) }))
	case "raise":
		_, err = v.RaiseGroup(ctx, t, name)
	case "remove":
		at = readScope(r.PostFormValue("at"))
		_, err = v.RemoveScope(ctx, t, at)
		at = mail.Scope{Kind: mail.ScopeTenant}
	default:
		return errBad
	}
	if err != nil {
		back := url.Values{"at": {r.PostFormValue("at")}}
		return p.showPolicies(w, r, v, http.StatusUnprocessableEntity, back, policiesPage{Why: v.words.Wrong(err), Given: givenPolicies{Group: name, Members: members}})
	}
	return p.toPolicies(w, r, v, at, v.words.T("Kept. It counts for mail from now on. Undo takes it back."))
}

// switchBypass starts or ends a bypass.
func (p *Portal) switchBypass(w http.ResponseWriter, r *http.Request, v *visit) error {
	tenant := mail.Scope{Kind: mail.ScopeTenant}
	if r.PostFormValue("do") == "end" {
		if err := v.EndBypass(r.Context(), v.tenant.ID); err != nil {
			return err
		}
		return p.toPolicies(w, r, v, tenant, v.words.T("The bypass is off. Verdicts count again."))
	}
	hours, err := strconv.Atoi(r.PostFormValue("hours"))
	if err != nil {
		return errBad
	}
	why := r.PostFormValue("why")
	b, err := v.StartBypass(r.Context(), v.tenant.ID, time.Duration(hours)*time.Hour, r.PostFormValue("malware") != "", why)
	if err != nil {
		return p.showPolicies(w, r, v, http.StatusUnprocessableEntity, url.Values{}, policiesPage{Why: v.words.Wrong(err), Given: givenPolicies{Why: why}})
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/policies", "warn", v.words.T("The bypass is on until %s. It ends by itself.", b.Until.Format("2006-01-02 15:04 UTC")))
}
