package portal

import (
	"net/http"

	"postern/internal/mail"
	"postern/internal/store"
)

// tenantsPage lists tenants with how they stand.
type tenantsPage struct {
	*shell
	Rows []tenantRow
	May  bool // add one
	Why  string
	Name string
}

type tenantRow struct {
	store.Tenant
	Domains, Enabled, Held, Alarms, Today int
}

func (p *Portal) tenants(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showTenants(w, r, v, http.StatusOK, tenantsPage{})
}

func (p *Portal) showTenants(w http.ResponseWriter, r *http.Request, v *visit, status int, page tenantsPage) error {
	ctx := r.Context()
	page.shell, page.May = p.shell(r, v, "Tenants"), v.has(changers)
	all, err := p.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		row := tenantRow{Tenant: t}
		domains, err := p.Store.Domains(ctx, t.ID)
		if err != nil {
			return err
		}
		row.Domains = len(domains)
		for _, d := range domains {
			if d.Enabled {
				row.Enabled++
			}
		}
		alarms, err := p.Store.Alarms(ctx, t.ID)
		if err != nil {
			return err
		}
		row.Alarms = len(alarms)
		volumes, err := p.counts.of(ctx, p, t.ID)
		if err != nil {
			return err
		}
		for _, c := range volumes {
			row.Today += c.N
			if c.State == mail.Held {
				row.Held += c.N
			}
		}
		page.Rows = append(page.Rows, row)
	}
	return p.render(w, status, "tenants", page)
}

func (p *Portal) addTenant(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := r.PostFormValue("name")
	t, err := v.AddTenant(r.Context(), name)
	if err != nil {
		return p.showTenants(w, r, v, http.StatusUnprocessableEntity, tenantsPage{Why: sentence(err), Name: name})
	}
	return tell(w, r, "/t/"+t.ID+"/inbound/plan", "good", v.words.T("Tenant %s is added. Next: its domain, and where its mail is delivered.", t.Name))
}
