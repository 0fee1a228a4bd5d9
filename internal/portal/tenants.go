package portal

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// tenantsPage lists tenants with how they stand.
type tenantsPage struct {
	*shell
	Rows  []tenantRow
	Q     string
	Any   bool // there is one at all
	Total int  // that the search found
	Pages pager
	May   bool // add one
	Why   string
	Name  string
}

type tenantRow struct {
	store.Tenant
	Domains, Enabled, Held, Alarms, Today int
	Lamp                                  mail.Lamp
	Verdict                               mail.Sentence
}

const tenantsShown = 24

func (p *Portal) tenants(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showTenants(w, r, v, http.StatusOK, tenantsPage{})
}

func (p *Portal) showTenants(w http.ResponseWriter, r *http.Request, v *visit, status int, pg tenantsPage) error {
	ctx := r.Context()
	pg.shell, pg.May, pg.Q = p.shell(r, v, "Tenants"), v.has(changers), strings.TrimSpace(r.URL.Query().Get("q"))
	all, err := p.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	pg.Any = len(all) > 0
	found, err := p.findTenants(r, all, strings.ToLower(pg.Q))
	if err != nil {
		return err
	}
	slices.SortStableFunc(found, func(a, b store.Tenant) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	pg.Total = len(found)
	found, pg.Pages = page(found, r.URL.Query(), tenantsShown)
	for _, t := range found {
		row, err := p.tenantRow(r, t)
		if err != nil {
			return err
		}
		pg.Rows = append(pg.Rows, row)
	}
	return p.render(w, status, "tenants", pg)
}

// findTenants looks for part of a name, an id or a domain.
func (p *Portal) findTenants(r *http.Request, all []store.Tenant, q string) ([]store.Tenant, error) {
	if q == "" {
		return all, nil
	}
	domains, err := p.Store.Domains(r.Context(), "")
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, d := range domains {
		has[d.Tenant] = has[d.Tenant] || strings.Contains(d.Name, q)
	}
	return slices.DeleteFunc(all, func(t store.Tenant) bool {
		return !strings.Contains(strings.ToLower(t.Name), q) && !strings.Contains(t.ID, q) && !has[t.ID]
	}), nil
}

func (p *Portal) tenantRow(r *http.Request, t store.Tenant) (tenantRow, error) {
	ctx, row := r.Context(), tenantRow{Tenant: t}
	domains, err := p.Store.Domains(ctx, t.ID)
	if err != nil {
		return row, err
	}
	row.Domains = len(domains)
	for _, d := range domains {
		if d.Enabled {
			row.Enabled++
		}
	}
	alarms, err := p.Store.Alarms(ctx, t.ID)
	if err != nil {
		return row, err
	}
	row.Alarms = len(alarms)
	protection, err := p.Exchange.Protection(ctx, t.Tenant, p.kept.of(ctx, p.Health))
	if err != nil {
		return row, err
	}
	row.Lamp, row.Verdict = protection.Lamp, protection.Verdict
	return row, p.countMail(r, &row)
}

// countMail counts the mail of 24 hours, and what is held of the week's.
func (p *Portal) countMail(r *http.Request, row *tenantRow) error {
	volumes, err := p.counts.of(r.Context(), p, row.ID)
	if err != nil {
		return err
	}
	day := p.now().Add(-24 * time.Hour)
	for _, c := range volumes {
		if !c.At.Before(day) {
			row.Today += c.N
		}
		if c.State == mail.Held {
			row.Held += c.N
		}
	}
	return nil
}

func (p *Portal) addTenant(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := r.PostFormValue("name")
	t, err := v.AddTenant(r.Context(), name)
	if err != nil {
		return p.showTenants(w, r, v, http.StatusUnprocessableEntity, tenantsPage{Why: v.words.Wrong(err), Name: name})
	}
	return tell(w, r, "/t/"+t.ID+"/inbound/plan", "good", v.words.T("Tenant %s is added. Next: its domain, and where its mail is delivered.", t.Name))
}
