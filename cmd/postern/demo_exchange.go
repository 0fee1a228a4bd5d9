package main

import (
	"context"
	"errors"
	"fmt"

	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/twin"
	twincmdlet "postern/internal/twin/cmdlet"
)

// setUp does what an administrator does: tenant, domain, enable, and then lets the
// wizard set up Exchange, step by step.
func (w *demoWorld) setUp(ctx context.Context, r *demoReport) error {
	a := w.opened.admin()
	t, err := a.AddTenant(ctx, "Contoso")
	if err != nil {
		return err
	}
	r.step("Tenant %s added", t.Name)
	mta := mail.MTA{Host: twin.MXHost(demoDomain), Port: w.mxPort(), TLS: mail.TLSVerify}
	d, err := a.AddDomain(ctx, mail.Domain{Name: demoDomain, Tenant: t.ID, MTAs: []mail.MTA{mta}})
	if err != nil {
		return err
	}
	r.step("Domain %s added; its MTA is %s", d.Name, mta.Host)
	key, err := a.EnableDomain(ctx, d.Name)
	if err != nil {
		return err
	}
	r.step("Relay enabled; its key is %s… (id %s)", key.Key[:12], key.KeyID)
	if err := w.server.relay.Directory.Load(ctx); err != nil {
		return err
	}
	engine := w.engine(t.ID)
	spec := w.spec(t, key.Key)
	plan, err := engine.Plan(ctx, spec)
	if err != nil {
		return fmt.Errorf("plan the set-up of Exchange: %w", err)
	}
	r.step("Exchange tenant %s read: %d changes planned", demoOrg, len(plan.Actions))
	engine.Progress = func(e exchange.Event) {
		if e.State == "done" && e.Action != "" {
			r.detail("%d/%d %s", e.Step, e.Total, e.Text)
		}
	}
	result, err := engine.Apply(ctx, spec, exchange.ApplyOptions{})
	if err != nil {
		return fmt.Errorf("set up Exchange: %w", err)
	}
	r.step("Exchange is set up: %d changes made, each recorded so that it can be undone", len(result.Actions))
	return nil
}

// verify reads Exchange back at the end: nothing may have changed.
func (w *demoWorld) verify(ctx context.Context, r *demoReport) error {
	t, err := w.opened.admin().Tenant(ctx, "contoso")
	if err != nil {
		return err
	}
	keys, err := w.opened.store.Keys(ctx, t.ID)
	if err != nil {
		return err
	}
	spec := w.spec(t, "")
	for _, k := range keys {
		spec.KeyHashes = append(spec.KeyHashes, k.Hash)
	}
	report, err := w.engine(t.ID).Verify(ctx, spec)
	if err != nil {
		return fmt.Errorf("verify Exchange: %w", err)
	}
	r.verified(report)
	return nil
}

func (w *demoWorld) spec(t mail.Tenant, key string) exchange.Spec {
	return exchange.Spec{
		Tenant:       t.ID,
		Token:        t.Token,
		Key:          key,
		Domains:      []string{demoDomain},
		Addresses:    []string{demoEgress},
		SmartHost:    demoHost,
		HeaderPrefix: w.conf.Relay.HeaderPrefix,
	}
}

func (w *demoWorld) engine(tenant string) *exchange.Engine {
	return &exchange.Engine{
		Commander: twinCommander{w.twin.Tenants()[0]},
		Journal:   storeJournal{w.opened.store, tenant},
	}
}

// twinCommander runs cmdlets on the simulated tenant as its administrator.
type twinCommander struct{ tenant *twin.Tenant }

func (c twinCommander) Invoke(ctx context.Context, cmdlet string, params map[string]any) ([]map[string]any, error) {
	out, err := c.tenant.Invoke(ctx, twin.Admin(), cmdlet, params)
	var refused *twincmdlet.Error
	if errors.As(err, &refused) {
		return nil, &adminapi.Error{Cmdlet: cmdlet, Status: refused.Status, Code: refused.Code, Type: refused.Type, Text: refused.Message}
	}
	return out, err
}

// storeJournal keeps the journal of a tenant's Exchange set-up in the store.
type storeJournal struct {
	store  *store.Store
	tenant string
}

const exchangeSetting = "exchange-journal"

func (j storeJournal) Load(ctx context.Context) ([]byte, error) {
	return loadSetting(ctx, j.store, j.tenant, exchangeSetting)
}

func (j storeJournal) Save(ctx context.Context, state []byte) error {
	return j.store.PutSetting(ctx, j.tenant, exchangeSetting, state)
}
