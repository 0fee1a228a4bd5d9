package portal

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
)

// quarantinePage lists held mail, and after an action says what became of each.
type quarantinePage struct {
	*shell
	mailSearch
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

func (p *Portal) quarantine(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showQuarantine(w, r, v, nil)
}

func (p *Portal) showQuarantine(w http.ResponseWriter, r *http.Request, v *visit, results []result) error {
	page := quarantinePage{shell: p.shell(r, v, "Quarantine"), May: v.has(releasers), Delete: v.has(changers), Results: results}
	var err error
	if page.mailSearch, err = p.search(r, v, "quarantine"); err != nil {
		return err
	}
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
