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
	mailSearch
}

func (p *Portal) trace(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := tracePage{shell: p.shell(r, v, "Message trace")}
	var err error
	if page.mailSearch, err = p.search(r, v, "trace"); err != nil {
		return err
	}
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
