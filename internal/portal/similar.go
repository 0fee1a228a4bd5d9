package portal

import (
	"errors"
	"net/http"

	"postern/internal/mail"
	"postern/internal/store"
)

// similarPage lists what has something in common with one message, to be dealt
// with together.
type similarPage struct {
	*shell
	Row    store.TraceRow
	ID     string
	Alike  []store.Alike
	Whole  bool
	May    bool // release
	Change bool
}

func (p *Portal) similar(w http.ResponseWriter, r *http.Request, v *visit) error {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return err
	}
	page := similarPage{shell: p.shell(r, v, "Similar messages"), Row: row, ID: r.PathValue("id"), May: v.has(releasers), Change: v.has(changers)}
	j, err := p.Store.Judgement(r.Context(), row.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if page.Alike, page.Whole, err = p.Store.Similar(r.Context(), row, j); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "similar", page)
}

// Held counts those that something can be done with.
func (s similarPage) Held() (n int) {
	for _, a := range s.Alike {
		if a.State == mail.Held {
			n++
		}
	}
	return n
}
