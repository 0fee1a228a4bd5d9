package portal

import (
	"errors"
	"net/http"
	"strconv"

	"postern/internal/store"
)

// auditPage is the append-only log of changes and readings.
type auditPage struct {
	*shell
	Entries []store.AuditEntry
	Filter  store.AuditFilter
	Older   string // query of the next page
	Whole   bool   // all tenants
	Checked string // what checking the chain found; "" when not asked
	Broken  bool
}

const auditRows = 100

// audit shows the log of the whole system, or of one tenant.
func (p *Portal) audit(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	page := auditPage{shell: p.shell(r, v, "Audit log"), Whole: r.PathValue("tenant") == ""}
	page.Filter = store.AuditFilter{Tenant: v.tenant.ID, Actor: q.Get("actor"), Action: q.Get("action"), Object: q.Get("object"), Limit: auditRows}
	page.Filter.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	var err error
	if page.Entries, err = p.Store.AuditLog(r.Context(), page.Filter); err != nil {
		return err
	}
	if len(page.Entries) == auditRows {
		q.Set("before", strconv.FormatInt(page.Entries[auditRows-1].Seq, 10))
		page.Older = q.Encode()
	}
	if q.Get("check") != "" && page.Whole {
		n, err := p.Store.AuditVerify(r.Context())
		switch {
		case errors.Is(err, store.ErrTampered):
			page.Broken, page.Checked = true, v.words.T("The log was tampered with after entry %d. Compare it with the copies kept elsewhere.", n)
		case err != nil:
			return err
		default:
			page.Checked = v.words.T("All %d entries are there and unchanged.", n)
		}
	}
	return p.render(w, http.StatusOK, "audit", page)
}
