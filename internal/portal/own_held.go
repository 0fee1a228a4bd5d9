package portal

import (
	"net/http"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
)

// ownHeldPage is what is held for one recipient.
type ownHeldPage struct {
	*shell
	Rows          []ownRow
	From, Subject string // searched for
	Older         string
}

// An ownRow is one held copy and what its recipient may do with it.
type ownRow struct {
	store.TraceRow
	Copy    string // id
	May     mail.Permission
	Request string // state of the request, "" for none
}

func (p *Portal) ownHeld(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	page := ownHeldPage{shell: p.shell(r, v, "Held mail"), From: strings.TrimSpace(q.Get("from")), Subject: strings.TrimSpace(q.Get("subject"))}
	rows, err := p.Store.Quarantine(r.Context(), store.TraceFilter{Tenant: v.tenant.ID, Rcpt: v.person.Addr, From: page.From, Subject: page.Subject, Limit: mailRows, Before: q.Get("before")})
	if err != nil {
		return err
	}
	rules, err := p.Store.Recipients(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	asked, err := p.Store.RequestsOf(r.Context(), v.tenant.ID, v.person.Addr)
	if err != nil {
		return err
	}
	states := map[string]string{}
	for _, a := range asked {
		states[copyOfRequest(a)] = a.State
	}
	for _, row := range rows {
		id := copyID(row)
		page.Rows = append(page.Rows, ownRow{row, id, rules.Permission(row.Verdict, row.Score), states[id]})
	}
	page.Older = older(q, rows, true)
	return p.render(w, http.StatusOK, "own-held", page)
}

func copyOfRequest(q store.Request) string {
	return copyID(store.TraceRow{ID: q.Message, Recipient: store.Recipient{N: q.N}})
}
