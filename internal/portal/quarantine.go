package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// quarantinePage lists held mail, and after an action says what became of each.
type quarantinePage struct {
	*shell
	Rows    []store.TraceRow
	Filter  mailFilter
	Older   string
	May     bool // release
	Delete  bool
	Results []result
}

// mailFilter is what the search fields hold.
type mailFilter struct {
	From, To, Subject, Verdict, State, Days string
}

func (f mailFilter) Empty() bool { return f == mailFilter{} }

// Verdicts and States are what can be chosen.
func (mailFilter) Verdicts() []mail.Verdict { return verdictsInOrder }

func (mailFilter) States() []mail.State {
	return []mail.State{mail.Accepted, mail.Delivering, mail.Delivered, mail.Held, mail.Dropped, mail.Returned}
}

const mailRows = 50

// readFilter reads the search fields and the page.
func (p *Portal) readFilter(q url.Values, tenant string) (mailFilter, store.TraceFilter) {
	f := mailFilter{strings.TrimSpace(q.Get("from")), strings.TrimSpace(q.Get("to")), strings.TrimSpace(q.Get("subject")), q.Get("verdict"), q.Get("state"), q.Get("days")}
	t := store.TraceFilter{Tenant: tenant, From: f.From, To: f.To, Subject: f.Subject, Verdict: mail.Verdict(f.Verdict), State: mail.State(f.State), Limit: mailRows, Before: q.Get("before")}
	if n, err := strconv.Atoi(f.Days); err == nil && n > 0 {
		t.Since = p.now().Add(-time.Duration(n) * 24 * time.Hour)
	}
	return f, t
}

// older is the query of the next page, "" on the last.
func older(q url.Values, rows []store.TraceRow, quarantine bool) string {
	if len(rows) < mailRows {
		return ""
	}
	q.Set("before", rows[len(rows)-1].Cursor(quarantine))
	return q.Encode()
}

func (p *Portal) quarantine(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showQuarantine(w, r, v, nil)
}

func (p *Portal) showQuarantine(w http.ResponseWriter, r *http.Request, v *visit, results []result) error {
	q := r.URL.Query()
	page := quarantinePage{shell: p.shell(r, v, "Quarantine"), May: v.has(releasers), Delete: v.has(changers), Results: results}
	var f store.TraceFilter
	page.Filter, f = p.readFilter(q, v.tenant.ID)
	var err error
	if page.Rows, err = p.Store.Quarantine(r.Context(), f); err != nil {
		return err
	}
	page.Older = older(q, page.Rows, true)
	return p.render(w, http.StatusOK, "quarantine", page)
}

// A result is what became of one copy that was to be released or deleted.
type result struct {
	ID, From, To, Subject string
	Kind                  string // "good", "warn" or "bad"
	Text                  string
}

const (
	manyCopies = 50 // more are released only with a fresh second factor (safety.md R45)
	mostCopies = 500
)

// act releases or deletes the ticked copies, and tells of each what really
// happened.
func (p *Portal) act(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	ids, do := r.PostForm["id"], r.PostFormValue("do")
	switch {
	case do != "release" && do != "delete", len(ids) > mostCopies:
		return errBad
	case do == "delete" && !v.has(changers):
		return errRole
	case len(ids) == 0:
		return tell(w, r, "/t/"+v.tenant.ID+"/quarantine", "warn", v.words.T("Tick the messages first."))
	case len(ids) > manyCopies:
		if asked, err := p.askAgain(w, r, v); asked || err != nil {
			return err
		}
	}
	var results []result
	for _, id := range ids {
		results = append(results, p.actOn(r, v, id, do))
	}
	return p.showQuarantine(w, r, v, results)
}

func (p *Portal) actOn(r *http.Request, v *visit, text, do string) result {
	t := v.words.T
	row, err := p.copyOf(r, v, text)
	if err != nil {
		return result{ID: text, Kind: "bad", Text: t("There is no such message.")}
	}
	res := result{ID: text, From: row.From, To: row.To, Subject: row.Subject}
	if do == "delete" {
		err = v.DeleteHeld(r.Context(), v.tenant.ID, row.ID, row.N)
		if err == nil {
			res.Kind, res.Text = "good", t("Deleted.")
			return res
		}
	} else {
		if (row.Verdict == mail.Malware || row.Verdict == mail.Phish) && !v.has(changers) {
			res.Kind, res.Text = "bad", t("Malware and phishing are released by a security administrator only.")
			return res
		}
		var out deliver.Outcome
		out, err = p.Held.Release(r.Context(), v.tenant.ID, row.ID, row.N, v.user.Email)
		if err == nil {
			res.Kind, res.Text = releaseWords(t, out)
			if err := v.NoteRelease(r.Context(), v.tenant.ID, text, out.Reply); err != nil {
				p.Log.Error("release was done but not noted", "mid", row.ID, "err", err)
			}
			return res
		}
	}
	res.Kind, res.Text = "bad", t("This did not work; the message stays held.")
	if errors.Is(err, store.ErrNotHeld) {
		res.Kind, res.Text = "warn", t("It is not held any more: it was released, deleted or has expired.")
	} else {
		p.Log.Error("act on held mail", "mid", row.ID, "tenant", v.tenant.ID, "err", err)
	}
	return res
}

// releaseWords tells what the mailbox's server really answered.
func releaseWords(t func(string, ...any) string, out deliver.Outcome) (kind, text string) {
	switch out.Kind {
	case deliver.Delivered:
		return "good", t("Delivered. %s answered: %s", out.MTA, out.Reply)
	case deliver.Deferred:
		return "warn", t("Not delivered yet; it is tried again by itself. Last answer: %s", out.Reply)
	}
	return "bad", t("The mailbox's server refused it, so it is held again. Its answer: %s", out.Reply)
}

// copyOf is one recipient's copy of a message of the visit's tenant.
func (p *Portal) copyOf(r *http.Request, v *visit, text string) (store.TraceRow, error) {
	before, number, ok := strings.Cut(text, ".")
	n, err := strconv.Atoi(number)
	id := mail.ID(before)
	if !ok || err != nil || !id.Valid() {
		return store.TraceRow{}, errMissing
	}
	rows, err := p.Store.Trace(r.Context(), store.TraceFilter{Tenant: v.tenant.ID, ID: id, Limit: 1000})
	if err != nil {
		return store.TraceRow{}, err
	}
	i := slices.IndexFunc(rows, func(row store.TraceRow) bool { return row.N == n })
	if i < 0 {
		return store.TraceRow{}, errMissing
	}
	return rows[i], nil
}
