package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

const (
	mailRows     = 50                     // on a page
	countRows    = 1000                   // matches that are counted
	searchBudget = 800 * time.Millisecond // then the page says how far it came
)

// mailSearch is what the search of the trace and of the quarantine has in common.
type mailSearch struct {
	Filter   mailFilter
	Chips    []chip
	Saved    []saved
	Page     string // "trace" or "quarantine"
	Query    string // of what is searched, to be saved
	MayShare bool
	Why      string // the query is not understood
	Rows     []store.TraceRow
	Count    int
	More     bool   // than Count
	First    bool   // page
	Newer    string // queries of other pages; "" where there is none
	Older    string
	Further  string    // goes on where the time was over
	Reached  time.Time // up to when all mail was looked at
}

// Search is the search itself, for components that take it.
func (s mailSearch) Search() mailSearch { return s }

// A chip is one active condition and the query without it.
type chip struct{ Label, Value, Without string }

type saved struct {
	store.SavedFilter
	Here bool
}

// Shared reports whether everybody of the tenant sees it.
func (s saved) Shared() bool { return s.Owner == "" }

// mailFilter is what the search fields hold.
type mailFilter struct {
	Q, From, To, Subject, Reason, File, Link, Verdict, State, Days, Since, Until string
}

// filterKeys are the names of the fields in an address, as in values.
var filterKeys = []string{"q", "from", "to", "subject", "reason", "file", "link", "verdict", "state", "days", "since", "until"}

func (f mailFilter) values() []string {
	return []string{f.Q, f.From, f.To, f.Subject, f.Reason, f.File, f.Link, f.Verdict, f.State, f.Days, f.Since, f.Until}
}

func (f mailFilter) Empty() bool { return f == mailFilter{} }

// Open reports whether one of the fields below the box is used.
func (f mailFilter) Open() bool { f.Q = ""; return !f.Empty() }

// Verdicts and States are what can be chosen.
func (mailFilter) Verdicts() []mail.Verdict { return verdictsInOrder }

func (mailFilter) States() []mail.State {
	return []mail.State{mail.Accepted, mail.Delivering, mail.Delivered, mail.Held, mail.Dropped, mail.Returned}
}

// encode is the filter as it stands in an address; without is left away.
func (f mailFilter) encode(without string) string {
	q := url.Values{}
	for i, v := range f.values() {
		if v != "" && filterKeys[i] != without {
			q.Set(filterKeys[i], v)
		}
	}
	return q.Encode()
}

func readMailFilter(q url.Values) mailFilter {
	get := func(key string) string { return strings.TrimSpace(q.Get(key)) }
	return mailFilter{get("q"), get("from"), get("to"), get("subject"), get("reason"), get("file"), get("link"), get("verdict"), get("state"), get("days"), get("since"), get("until")}
}

// readFilter reads the box and the search fields; all of them must be true.
func (p *Portal) readFilter(f mailFilter) (t store.TraceFilter, err error) {
	now := p.now()
	if t, err = admin.ParseQuery(f.Q, now); err != nil {
		return t, err
	}
	t.From, t.To, t.Subject, t.Reason, t.Attachment, t.Link = f.From, f.To, f.Subject, f.Reason, f.File, f.Link
	if f.Verdict != "" {
		t.Verdict = mail.Verdict(f.Verdict)
	}
	if f.State != "" {
		t.State = mail.State(f.State)
	}
	if n, err := strconv.Atoi(f.Days); err == nil && n > 0 && n < 10_000 {
		t.Since = now.Add(-time.Duration(n) * 24 * time.Hour)
	}
	if at, err := time.Parse(time.DateOnly, f.Since); err == nil {
		t.Since = at
	}
	if at, err := time.Parse(time.DateOnly, f.Until); err == nil {
		t.Until = at.AddDate(0, 0, 1) // that day too
	}
	return t, nil
}

// search looks for what a page's address asks.
func (p *Portal) search(r *http.Request, v *visit, where string) (s mailSearch, err error) {
	q := r.URL.Query()
	s = mailSearch{Filter: readMailFilter(q), Page: where, MayShare: v.has(changers), First: q.Get("before") == "" && q.Get("after") == ""}
	s.Query = s.Filter.encode("")
	s.Chips = s.Filter.chips(v.words)
	list, err := p.Store.SavedFilters(r.Context(), v.tenant.ID, v.user.Email, where)
	if err != nil {
		return s, err
	}
	for _, f := range list {
		s.Saved = append(s.Saved, saved{f, f.Query == s.Query})
	}
	f, err := p.readFilter(s.Filter)
	var wrong *admin.QueryError
	if errors.As(err, &wrong) {
		s.Why = queryProblem(v.words, wrong)
		return s, nil
	}
	f.Tenant, f.Limit, f.Count, f.Budget, f.Before, f.After = v.tenant.ID, mailRows, countRows, searchBudget, q.Get("before"), q.Get("after")
	found, err := p.Store.Search(r.Context(), f, where == "quarantine")
	if err != nil {
		return s, err
	}
	s.Rows, s.Count, s.More, s.Reached = found.Rows, found.Count, found.More, found.ReachedAt
	s.pages(found, f.After != "" && f.Before == "")
	return s, nil
}

// older is the query of the next page of a list, "" on the last.
func older(q url.Values, rows []store.TraceRow, quarantine bool) string {
	if len(rows) < mailRows {
		return ""
	}
	q.Set("before", rows[len(rows)-1].Cursor(quarantine))
	return q.Encode()
}

// pages makes the queries of the pages around this one.
func (s *mailSearch) pages(found store.Found, up bool) {
	to := func(key, cursor string) string {
		q, _ := url.ParseQuery(s.Query) // our own
		q.Set(key, cursor)
		return q.Encode()
	}
	held := s.Page == "quarantine"
	if n := len(s.Rows); n > 0 && found.Older {
		s.Older = to("before", s.Rows[n-1].Cursor(held))
	}
	if len(s.Rows) > 0 && found.Newer {
		s.Newer = to("after", s.Rows[0].Cursor(held))
	}
	switch {
	case found.Reached == "", s.Older != "" && !up:
	case up:
		s.Further = to("after", found.Reached)
	default:
		s.Further = to("before", found.Reached)
	}
}

// chips are the active conditions; of the box each piece is one.
func (f mailFilter) chips(w *words) (list []chip) {
	t := w.T
	pieces := admin.SplitQuery(f.Q)
	for i, piece := range pieces {
		rest := f
		rest.Q = strings.Join(slices.Delete(slices.Clone(pieces), i, i+1), " ")
		list = append(list, chip{"", piece, rest.encode("")})
	}
	labels := []string{"", t("From"), t("To"), t("Subject"), t("Reason"), t("Attachment"), t("Link"), t("Verdict"), t("State"), t("Within"), t("Since"), t("Until")}
	for i, v := range f.values() {
		if i == 0 || v == "" {
			continue
		}
		switch filterKeys[i] {
		case "verdict":
			v = t(verdictWord(mail.Verdict(v)))
		case "state":
			v = t(stateWord(mail.State(v)))
		case "days":
			v = t("%s days", v)
		}
		list = append(list, chip{labels[i], v, f.encode(filterKeys[i])})
	}
	return list
}

// queryProblem says what is wrong with a query, and what to write.
func queryProblem(w *words, e *admin.QueryError) string {
	t, word := w.T, cutTo(visible(e.Word), 40)
	switch e.Kind {
	case admin.QueryField:
		return t("%s: is not known in a search. Use from:, to:, subject:, reason:, file:, link:, verdict:, state:, before: or after:, or put the words in quotes.", word)
	case admin.QueryQuote:
		return t("A quote is opened in the search and not closed. Close it, or leave it away.")
	case admin.QueryVerdict:
		return t("%s is no verdict. Use clean, bulk, spam, suspicious, phish, malware or unjudged.", word)
	case admin.QueryState:
		return t("%s is no state. Use accepted, judged, delivering, delivered, held, dropped or returned.", word)
	case admin.QueryTime:
		return t("%s is no time. Write 2006-01-02, 2006-01-02T15:04, or how long ago, such as 7d or 24h.", word)
	case admin.QueryTwice:
		return t("%s: can be said only once in a search.", word)
	}
	return t("The search is too long: at most 20 words and 500 characters.")
}

// saveFilter keeps a search, for oneself or for everybody of the tenant.
func (p *Portal) saveFilter(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, back, err := formFilter(r, v)
	if err != nil {
		return err
	}
	f.Query = readMailFilter(queryOf(r.PostFormValue("query"))).encode("")
	if err := v.SaveFilter(r.Context(), f); err != nil {
		return tell(w, r, back+"?"+f.Query, "bad", v.words.Wrong(err))
	}
	return tell(w, r, back+"?"+f.Query, "good", v.words.T("The search is saved."))
}

func (p *Portal) removeFilter(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, back, err := formFilter(r, v)
	if err != nil {
		return err
	}
	if err := v.RemoveFilter(r.Context(), f); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return tell(w, r, back, "good", v.words.T("The saved search is removed."))
}

// formFilter reads which saved search a form is about. What is shared is for those
// who may change the tenant.
func formFilter(r *http.Request, v *visit) (f store.SavedFilter, back string, err error) {
	f = store.SavedFilter{Tenant: v.tenant.ID, Owner: v.user.Email, Page: r.PostFormValue("page"), Name: r.PostFormValue("name")}
	if f.Page != "trace" && f.Page != "quarantine" {
		return f, "", errBad
	}
	if r.PostFormValue("shared") != "" {
		if !v.has(changers) {
			return f, "", errRole
		}
		f.Owner = ""
	}
	return f, "/t/" + v.tenant.ID + "/" + f.Page, nil
}

func queryOf(text string) url.Values {
	q, err := url.ParseQuery(text)
	if err != nil {
		return url.Values{}
	}
	return q
}
