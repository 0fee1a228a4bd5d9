package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// RemoveTenant forgets a tenant for good, its key first, so that nothing sealed of
// it can be opened any more. typed is its name, as a person wrote it. The error says
// what has to be done before: nothing may be on its way, and Exchange may not send
// here any more.
func (a *Admin) RemoveTenant(ctx context.Context, id, typed string) error {
	t, err := a.Tenant(ctx, id)
	if err != nil {
		return err
	}
	if typed != t.Name {
		return mail.Refuse("to remove this tenant write its name, %q, as it stands there", t.Name)
	}
	domains, err := a.Store.Domains(ctx, t.ID)
	if err != nil {
		return err
	}
	for _, d := range domains {
		if d.Enabled {
			return mail.Refuse("%s is enabled: disable it first, so that no mail is taken any more", d.Name)
		}
	}
	if _, err := a.Store.Setting(ctx, t.ID, connectionSetting); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(mail.Refuse("Exchange is connected: roll back what was set up there and disconnect it first, so that no rule sends mail here"), err)
	}
	n, err := a.Store.OnTheWay(ctx, t.ID)
	if err != nil {
		return err
	}
	if n > 0 {
		return mail.Refuse("%d messages of %s are still on their way: wait until they have arrived, or hold them", n, t.Name)
	}
	held, err := a.Store.HeldOctets(ctx, t.ID)
	if err != nil {
		return err
	}
	if err := a.note(ctx, t.ID, "tenant.remove", t.ID, t.Name, fmt.Sprintf("begun; key destroyed, %d octets of held mail", held)); err != nil {
		return err // said first: what is not written down is not done
	}
	return a.Store.RemoveTenant(ctx, t.ID)
}

// An Export is what is known of a tenant, but for the content of its mail and every
// secret.
type Export struct {
	At      time.Time          `json:"at"`
	Tenant  exportTenant       `json:"tenant"`
	Domains []mail.Domain      `json:"domains"`
	Keys    []exportKey        `json:"keys"`
	Rules   mail.Rules         `json:"rules"`
	Users   []exportUser       `json:"users"`
	Alarms  []store.Alarm      `json:"alarms"`
	Audit   []store.AuditEntry `json:"audit"` // the newest first
	Held    []exportHeld       `json:"held"`  // the last held first
}

type exportTenant struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	CreatedAt time.Time   `json:"created_at"`
	Limits    mail.Limits `json:"limits"`
	Look      keptBrand   `json:"look"`
}

type exportKey struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	RetiredAt time.Time `json:"retired_at,omitzero"`
}

type exportUser struct {
	Email string `json:"email"`
	Role  string `json:"role"`
}

type exportHeld struct {
	ID       mail.ID      `json:"id"`
	Received time.Time    `json:"received_at"`
	From     string       `json:"from"`
	To       string       `json:"to"`
	Subject  string       `json:"subject"`
	Verdict  mail.Verdict `json:"verdict"`
}

const exportRows = 10000 // of the audit log and of held mail, the newest

// ExportTenant writes what is known of a tenant as JSON.
func (a *Admin) ExportTenant(ctx context.Context, id string, w io.Writer) error {
	named, err := a.Tenant(ctx, id)
	if err != nil {
		return err
	}
	t, err := a.Store.Tenant(ctx, named.ID)
	if err != nil {
		return err
	}
	x := Export{At: a.now().UTC(), Tenant: exportTenant{ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt, Limits: t.Limits}}
	for _, read := range []func() error{
		func() (err error) { x.Tenant.Look, err = a.keptBrand(ctx, t.ID); return err },
		func() (err error) { x.Domains, err = a.Store.Domains(ctx, t.ID); return err },
		func() (err error) { x.Rules, err = a.Store.Rules(ctx, t.ID); return err },
		func() (err error) { x.Alarms, err = a.Store.Alarms(ctx, t.ID); return err },
		func() (err error) {
			x.Audit, err = a.Store.AuditLog(ctx, store.AuditFilter{Tenant: t.ID, Limit: exportRows})
			return err
		},
		func() error { return a.exportPeople(ctx, t.ID, &x) },
	} {
		if err := read(); err != nil {
			return fmt.Errorf("export %s: %w", t.ID, err)
		}
	}
	if err := a.note(ctx, t.ID, "tenant.export", t.ID, "", ""); err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(x)
}

func (a *Admin) exportPeople(ctx context.Context, tenant string, x *Export) error {
	keys, err := a.Store.Keys(ctx, tenant)
	if err != nil {
		return err
	}
	for _, k := range keys {
		x.Keys = append(x.Keys, exportKey{k.ID, k.CreatedAt, k.RetiredAt})
	}
	users, err := a.Store.Users(ctx, tenant)
	if err != nil {
		return err
	}
	for _, u := range users {
		x.Users = append(x.Users, exportUser{u.Email, u.Role})
	}
	held, err := a.Store.Quarantine(ctx, store.TraceFilter{Tenant: tenant, Limit: exportRows})
	if err != nil {
		return err
	}
	for _, h := range held {
		x.Held = append(x.Held, exportHeld{h.ID, h.Received, h.From, h.To, strings.ToValidUTF8(h.Subject, "\uFFFD"), h.Verdict})
	}
	return nil
}
