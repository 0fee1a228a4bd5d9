package portal

import (
	"errors"
	"net/http"

	"postern/internal/mail"
	"postern/internal/store"
)

// tracePage lists what became of mail.
type tracePage struct {
	*shell
	Rows   []store.TraceRow
	Filter mailFilter
	Older  string
}

func (p *Portal) trace(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	page := tracePage{shell: p.shell(r, v, "Message trace")}
	var f store.TraceFilter
	page.Filter, f = p.readFilter(q, v.tenant.ID)
	var err error
	if page.Rows, err = p.Store.Trace(r.Context(), f); err != nil {
		return err
	}
	page.Older = older(q, page.Rows, false)
	return p.render(w, http.StatusOK, "trace", page)
}

// queuePage lists mail that waits.
type queuePage struct {
	*shell
	Rows []store.TraceRow
	May  bool
}

func (p *Portal) queue(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := queuePage{shell: p.shell(r, v, "Queue"), May: v.has(changers)}
	for _, state := range []mail.State{mail.Accepted, mail.Judged, mail.Delivering} {
		rows, err := p.Store.Trace(r.Context(), store.TraceFilter{Tenant: v.tenant.ID, State: state, Limit: 100})
		if err != nil {
			return err
		}
		page.Rows = append(page.Rows, rows...)
	}
	return p.render(w, http.StatusOK, "queue", page)
}

func (p *Portal) retry(w http.ResponseWriter, r *http.Request, v *visit) error {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return err
	}
	back := "/t/" + v.tenant.ID + "/queue"
	_, err = v.Retry(r.Context(), row.ID, row.N)
	if errors.Is(err, store.ErrNotFound) {
		return tell(w, r, back, "warn", v.words.T("It does not wait any more, or is being sent this moment."))
	}
	if err != nil {
		return err
	}
	return tell(w, r, back, "good", v.words.T("It is tried again now."))
}
