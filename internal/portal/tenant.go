package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
)

// tenantPage is one tenant for who provides Postern to it: name, limits, and its end.
type tenantPage struct {
	*shell
	Name    string
	Limits  mail.Limits
	HeldMiB int64 // limit of held mail
	Users   int   // it has now
	HeldNow int64 // octets; negative if they are too many to be counted at once
	Domains []mail.Domain
	May     bool // change it
	Owner   bool // remove it
	Why     string
	WhyNot  string // it is not removed
}

func (p *Portal) tenantPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showTenant(w, r, v, http.StatusOK, tenantPage{Name: v.tenant.Name, Limits: v.tenant.Limits})
}

const mebi = 1 << 20

func (p *Portal) showTenant(w http.ResponseWriter, r *http.Request, v *visit, status int, pg tenantPage) error {
	ctx := r.Context()
	pg.shell, pg.May, pg.Owner, pg.HeldMiB = p.shell(r, v, "Tenant"), v.has(changers), v.has(owners), (pg.Limits.HeldOctets+mebi-1)/mebi
	users, err := p.Store.Users(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	pg.Users = len(users)
	if pg.HeldNow, err = p.heldNow(ctx, v.tenant.ID); err != nil {
		return err
	}
	if pg.Domains, err = p.Store.Domains(ctx, v.tenant.ID); err != nil {
		return err
	}
	return p.render(w, status, "tenant", pg)
}

// heldNow is how much held mail a tenant has, -1 if that takes longer to count than
// a page may take.
func (p *Portal) heldNow(ctx context.Context, tenant string) (int64, error) {
	brief, cancel := context.WithTimeout(ctx, 60*time.Millisecond)
	defer cancel()
	n, err := p.Store.HeldOctets(brief, tenant)
	if brief.Err() != nil && ctx.Err() == nil {
		return -1, nil
	}
	return n, err
}

func (p *Portal) setTenant(w http.ResponseWriter, r *http.Request, v *visit) error {
	var l mail.Limits
	var held int
	err := errors.Join(number32(r, "messages", &l.Messages), number32(r, "recipients", &l.Recipients), number32(r, "held", &held), number32(r, "users", &l.Users))
	l.HeldOctets = int64(held) * mebi
	if err == nil {
		_, err = v.SetTenant(r.Context(), v.tenant.ID, r.PostFormValue("name"), l)
	}
	if err != nil {
		return p.showTenant(w, r, v, http.StatusUnprocessableEntity, tenantPage{Name: r.PostFormValue("name"), Limits: l, Why: v.words.Wrong(err)})
	}
	return tell(w, r, "/tenants/"+v.tenant.ID, "good", v.words.T("The tenant's settings are kept. All nodes follow within a second."))
}

// number32 reads a whole number from a form; empty is 0.
func number32(r *http.Request, name string, to *int) error {
	text := strings.TrimSpace(r.PostFormValue(name))
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%q is no whole number", text)
	}
	*to = int(n)
	return nil
}

// exportTenant sends what is known of a tenant as a file.
func (p *Portal) exportTenant(w http.ResponseWriter, r *http.Request, v *visit) error {
	var b bytes.Buffer
	if err := v.ExportTenant(r.Context(), v.tenant.ID, &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="postern-tenant-`+v.tenant.ID+`.json"`)
	_, _ = w.Write(b.Bytes()) // the browser may have gone
	return nil
}

func (p *Portal) removeTenant(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.RemoveTenant(r.Context(), v.tenant.ID, r.PostFormValue("typed")); err != nil {
		return p.showTenant(w, r, v, http.StatusUnprocessableEntity, tenantPage{Name: v.tenant.Name, Limits: v.tenant.Limits, WhyNot: v.words.Wrong(err)})
	}
	return tell(w, r, "/tenants", "good", v.words.T("Tenant %s is removed. Its key is destroyed, so nothing sealed of it can be opened any more.", v.tenant.Name))
}
