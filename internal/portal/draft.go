package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

// draftPage shows what a draft of a policy did differently from what counts, and
// whether the tenant only observes.
type draftPage struct {
	*shell
	May       bool
	Why       string
	Draft     *mail.Draft // nil: none is tried
	Scope     string
	AtName    string
	Tried     bool // new mail is measured by it
	Shares    []int
	Diff      []choiceDiff
	Sum       store.DraftDay
	Days      []store.DraftDay
	Chart     *report.Plot
	Moves     []triedRow
	Unlisted  int // differing copies that are not among Moves
	Observe   mail.Observe
	Observing bool
	Hold      []mail.Verdict // that may be held all the same
}

// A triedRow is a copy whose fate differs.
type triedRow struct {
	store.DraftMove
	Row store.TraceRow
}

const listedTries = 50

// draftShares are the steps between nobody and everybody.
var draftShares = []int{5, 10, 25, 50}

func (p *Portal) draft(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showDraft(w, r, v, http.StatusOK, "")
}

func (p *Portal) showDraft(w http.ResponseWriter, r *http.Request, v *visit, status int, why string) error {
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	now := p.now()
	page := draftPage{shell: p.shell(r, v, "Try on new mail"), May: v.has(changers), Why: why, Draft: rules.Draft, Shares: draftShares, Observe: rules.Observe, Observing: rules.Observe.On(now)}
	page.Hold = slices.DeleteFunc(admin.HeldVerdicts(), func(x mail.Verdict) bool { return x == mail.Malware || x == mail.Bulk })
	if d := rules.Draft; d != nil {
		page.Scope, page.AtName, page.Tried = v.scopeTitle(d.At), scopeName(d.At), d.Tried(now)
		if d.At.Kind == mail.ScopePerson {
			page.Shares = nil
		}
		rules.Draft = nil
		if next, err := admin.Chosen(rules, d.At, d.Choices); err == nil { // its group may be gone
			page.Diff = diffChoices(rules, next, d.At)
		}
		if err := p.tries(r, v, &page, now); err != nil {
			return err
		}
	}
	return p.render(w, status, "draft", page)
}

// tries reads what the draft came to.
func (p *Portal) tries(r *http.Request, v *visit, page *draftPage, now time.Time) (err error) {
	tenant, d := v.tenant.ID, page.Draft
	if page.Days, err = p.Store.DraftDays(r.Context(), tenant, d.ID); err != nil {
		return err
	}
	for _, day := range page.Days {
		page.Sum.Copies, page.Sum.Held, page.Sum.WouldHold = page.Sum.Copies+day.Copies, page.Sum.Held+day.Held, page.Sum.WouldHold+day.WouldHold
		page.Sum.Freed, page.Sum.Caught = page.Sum.Freed+day.Freed, page.Sum.Caught+day.Caught
	}
	page.Chart = drawTries(v.words.T, page.Days, d, now)
	moves, err := p.Store.DraftMoves(r.Context(), tenant, d.ID, listedTries)
	if err != nil {
		return err
	}
	page.Unlisted = page.Sum.Freed + page.Sum.Caught - len(moves)
	for _, m := range moves {
		row, err := p.copyOf(r, v, fmt.Sprintf("%s.%d", m.Message, m.N))
		if err == errMissing {
			continue // forgotten meanwhile
		}
		if err != nil {
			return err
		}
		page.Moves = append(page.Moves, triedRow{m, row})
	}
	return nil
}

// drawTries draws each day's copies whose fate differs, in the colours of mail that
// passes and mail that is held. The days to come until the draft's end are drawn too,
// so that a bar does not move while it is tried.
func drawTries(t func(string, ...any) string, days []store.DraftDay, d *mail.Draft, now time.Time) *report.Plot {
	end := now
	if d.Until.After(now) {
		end = d.Until
	}
	called := func(verdict string, _ ...any) string {
		if verdict == string(mail.Clean) {
			return t("would deliver")
		}
		return t("would hold")
	}
	var columns []report.Stack
	for at := d.Began.UTC().Truncate(24 * time.Hour); !at.After(end) && len(columns) < 62; at = at.AddDate(0, 0, 1) {
		c := report.Stack{At: at, Label: at.Format("01-02"), N: map[mail.Verdict]int{}}
		for _, day := range days {
			if day.Day.Equal(at) {
				c.N[mail.Clean], c.N[mail.Spam] = day.Freed, day.Caught
			}
		}
		columns = append(columns, c)
	}
	for i := range columns {
		if len(columns) > 16 && i%4 > 0 {
			columns[i].Label = ""
		}
	}
	return report.Stacked(called, columns)
}

// changeDraft starts a draft, lets it count for a share, puts it into force, or
// discards it.
func (p *Portal) changeDraft(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	ctx, tenant, id, t := r.Context(), v.tenant.ID, r.PostFormValue("draft"), v.words.T
	back, said := "/t/"+tenant+"/draft", ""
	var err error
	switch r.PostFormValue("do") {
	case "start":
		said = t("The draft runs. New mail is measured by it from now on; it holds and delivers nothing.")
		err = p.startDraft(r, v)
	case "stage":
		percent, bad := strconv.Atoi(r.PostFormValue("percent"))
		if bad != nil {
			return errBad
		}
		said = t("The draft counts for %d %% of the recipients from now on.", percent)
		err = v.StageDraft(ctx, tenant, id, percent)
	case "enforce":
		back, said = "/t/"+tenant+"/policies", t("Kept. It counts for mail from now on. Undo takes it back.")
		_, err = v.EnforceDraft(ctx, tenant, id)
	case "discard":
		said = t("The draft is discarded. What counted before counts for everybody.")
		err = v.DiscardDraft(ctx, tenant, id)
	default:
		return errBad
	}
	if err != nil {
		return p.showDraft(w, r, v, http.StatusUnprocessableEntity, v.words.Wrong(err))
	}
	return tell(w, r, back, "good", said)
}

func (p *Portal) startDraft(r *http.Request, v *visit) error {
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	at := scopeOf(r.PostFormValue("at"), rules)
	choices, err := readChoices(r.PostForm, rules, at)
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || days > 1000 {
		return mail.Refuse("say for how many days")
	}
	_, err = v.StartDraft(r.Context(), v.tenant.ID, at, choices, time.Duration(days)*24*time.Hour)
	return err
}

// observe begins or ends that mail is only observed.
func (p *Portal) observe(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	back := "/t/" + v.tenant.ID + "/draft"
	if r.PostFormValue("do") == "end" {
		if err := v.EndObserve(r.Context(), v.tenant.ID); err != nil {
			return err
		}
		return tell(w, r, back, "good", v.words.T("Verdicts count again: mail is held for them."))
	}
	days, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("days")))
	if err != nil {
		return errBad
	}
	var hold []mail.Verdict
	for _, x := range r.PostForm["hold"] {
		hold = append(hold, mail.Verdict(x))
	}
	o, err := v.Observe(r.Context(), v.tenant.ID, days, hold)
	if err != nil {
		return p.showDraft(w, r, v, http.StatusUnprocessableEntity, v.words.Wrong(err))
	}
	return tell(w, r, back, "warn", v.words.T("Mail is only observed until %s. It ends by itself.", o.Until.Format("2006-01-02 15:04 UTC")))
}
