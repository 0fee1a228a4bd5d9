package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
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

// Undoable are the deletions of the last action, when there are several.
func (q quarantinePage) Undoable() []result {
	var all []result
	for _, res := range q.Results {
		if res.Undelete {
			all = append(all, res)
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
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

// copyID names one recipient's copy of a message.
func copyID(row store.TraceRow) string { return string(row.ID) + "." + strconv.Itoa(row.N) }
