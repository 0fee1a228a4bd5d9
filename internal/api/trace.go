package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

type origin struct {
	IP   string `json:"ip" doc:"Where it entered the world we trust."`
	HELO string `json:"helo"`
}

type event struct {
	At    time.Time  `json:"at"`
	State mail.State `json:"state"`
	Text  string     `json:"text"`
}

// TraceEntry is what became of a message for one recipient, as the command line prints it.
type TraceEntry struct {
	ID         mail.ID      `json:"id" doc:"Of the message."`
	CopyID     string       `json:"copy_id" doc:"Of this recipient's copy, for releasing, deleting and retrying."`
	MessageID  string       `json:"message_id" doc:"Message-ID field without <>."`
	ReceivedAt time.Time    `json:"received_at"`
	Tenant     string       `json:"tenant"`
	From       string       `json:"from"`
	To         string       `json:"to"`
	Subject    string       `json:"subject"`
	Origin     origin       `json:"origin"`
	Verdict    mail.Verdict `json:"verdict"`
	Action     mail.Action  `json:"action"`
	State      mail.State   `json:"state"`
	Score      int          `json:"score"`
	Reasons    []string     `json:"reasons" nullable:"false" doc:"Sentences, the weightiest first."`
	MTA        string       `json:"mta" doc:"Server that answered last."`
	Reply      string       `json:"reply" doc:"Its answer."`
	Size       int64        `json:"size" doc:"Octets."`
	Sender     string       `json:"envelope_from"`
	Events     []event      `json:"events" nullable:"false"`
}

// MailFilter is what searches of trace and quarantine have in common.
type MailFilter struct {
	OfTenant
	Query   string    `query:"query" maxLength:"500" doc:"As in the portal's search box: words, 'words in quotes' with double quotes, from:ann, to:, subject:, reason:, file:, link:, verdict:phish, state:, after:7d, before:2026-01-31. All must be true; a parameter counts before the same name in it." example:"invoice from:ann after:7d"`
	From    string    `query:"from" maxLength:"320" doc:"Part of the sender's address."`
	To      string    `query:"to" maxLength:"320" doc:"Part of the recipient's address."`
	Subject string    `query:"subject" maxLength:"998" doc:"Part of the subject."`
	Verdict string    `query:"verdict" enum:"clean,bulk,spam,suspicious,phish,malware,unjudged"`
	Since   time.Time `query:"since" doc:"Received at or after."`
	Until   time.Time `query:"until" doc:"Received before."`
	Limit   int       `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor  string    `query:"cursor" maxLength:"100" doc:"next of the part before."`
}

// store is the filter as the store takes it; an error says what of the query is not
// understood.
func (f *MailFilter) store(now time.Time) (store.TraceFilter, error) {
	t, err := admin.ParseQuery(f.Query, now)
	if err != nil {
		return t, refused(err)
	}
	t.Tenant, t.From, t.To, t.Subject, t.Limit, t.Before = f.Tenant, f.From, f.To, f.Subject, f.Limit, f.Cursor
	if f.Verdict != "" {
		t.Verdict = mail.Verdict(f.Verdict)
	}
	if !f.Since.IsZero() {
		t.Since = f.Since
	}
	if !f.Until.IsZero() {
		t.Until = f.Until
	}
	return t, nil
}

type traceSearch struct {
	MailFilter
	MessageID string `query:"message_id" maxLength:"998" doc:"Message-ID, exactly."`
	ID        string `query:"id" maxLength:"26" doc:"Postern's id of the message."`
	State     string `query:"state" enum:"accepted,judged,delivering,delivered,held,dropped,returned"`
}

func (a *API) trace(api huma.API) {
	add(a, api, operation{id: "traceMail", method: "GET", path: "/tenants/{tenant}/trace", tag: "Mail", summary: "Find out what became of mail",
		about: "One entry for each recipient, the last received first.", scope: "mail:read", roles: staff}, a.traceMail)
}

// copyID names one recipient's copy of a message.
func copyID(id mail.ID, n int) string { return string(id) + "." + strconv.Itoa(n) }

func viewTrace(r store.TraceRow) TraceEntry {
	e := TraceEntry{
		ID: r.ID, CopyID: copyID(r.ID, r.N), MessageID: r.MessageID, ReceivedAt: r.Received, Tenant: r.Tenant, From: r.From, To: r.To, Subject: r.Subject,
		Origin: origin{r.OriginIP, r.OriginHELO}, Verdict: r.Verdict, Action: r.Action, State: r.State, Score: r.Score, Reasons: filled(r.Reasons),
		MTA: r.MTA, Reply: r.Reply, Size: r.Size, Sender: r.Sender, Events: []event{},
	}
	for _, x := range r.Events {
		e.Events = append(e.Events, event{x.At, x.State, x.Text})
	}
	return e
}

func (a *API) traceMail(ctx context.Context, v *visit, in *traceSearch) (*answered[page[TraceEntry]], error) {
	f, err := in.store(a.now())
	if err != nil {
		return nil, err
	}
	f.MessageID, f.ID = in.MessageID, mail.ID(in.ID)
	if in.State != "" {
		f.State = mail.State(in.State)
	}
	return partOf(ctx, a.Store.Trace, f, false, viewTrace)
}

// partOf is one part of a list of mail.
func partOf[T any](ctx context.Context, find func(context.Context, store.TraceFilter) ([]store.TraceRow, error), f store.TraceFilter, quarantine bool, view func(store.TraceRow) T) (*answered[page[T]], error) {
	if !cursorFits(f.Before) {
		return nil, problem(http.StatusUnprocessableEntity, "The cursor is not one of this list. Give next of the part before, or leave it out to begin anew.")
	}
	rows, err := find(ctx, f)
	if err != nil {
		return nil, err
	}
	part := page[T]{Items: []T{}}
	for _, r := range rows {
		part.Items = append(part.Items, view(r))
	}
	if len(rows) == f.Limit {
		part.Next = rows[len(rows)-1].Cursor(quarantine)
	}
	return answer(part), nil
}

// cursorFits reports whether text has the form of store.TraceRow.Cursor.
func cursorFits(text string) bool {
	if text == "" {
		return true
	}
	c := strings.Split(text, ".")
	if len(c) != 3 {
		return false
	}
	_, err1 := strconv.ParseInt(c[0], 10, 64)
	_, err2 := strconv.Atoi(c[2])
	return err1 == nil && err2 == nil
}

// rowsOf are all recipients' rows of the message that text names, of the call's
// tenant, and the index of the copy it names: the first for a message's own id.
func (a *API) rowsOf(ctx context.Context, v *visit, text string) (rows []store.TraceRow, i int, err error) {
	before, number, numbered := strings.Cut(text, ".")
	id := mail.ID(before)
	if !id.Valid() {
		return nil, 0, errNothing
	}
	if rows, err = a.Store.Trace(ctx, store.TraceFilter{Tenant: v.tenant.ID, ID: id, Limit: 1000}); err != nil {
		return nil, 0, err
	}
	slices.Reverse(rows)
	if numbered {
		n, nerr := strconv.Atoi(number)
		i = slices.IndexFunc(rows, func(r store.TraceRow) bool { return nerr == nil && r.N == n })
	}
	if len(rows) == 0 || i < 0 {
		return nil, 0, errNothing
	}
	return rows, i, nil
}

// copyOf is one recipient's copy of a message of the call's tenant.
func (a *API) copyOf(ctx context.Context, v *visit, text string) (store.TraceRow, error) {
	if !strings.Contains(text, ".") {
		return store.TraceRow{}, errNothing
	}
	rows, i, err := a.rowsOf(ctx, v, text)
	if err != nil {
		return store.TraceRow{}, err
	}
	return rows[i], nil
}
