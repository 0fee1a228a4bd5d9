package main

import (
	"context"
	"fmt"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/twin"
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
	return w.setUpExchange(ctx, r, t.ID)
}

// setUpExchange connects a tenant to the simulated Exchange and sets that up.
func (w *demoWorld) setUpExchange(ctx context.Context, r *demoReport, tenant string) error {
	if err := w.server.relay.Directory.Load(ctx); err != nil {
		return err
	}
	x := newExchange(w.opened, func(e exchange.Event) {
		if e.State == "done" && e.Action != "" {
			r.detail("%d/%d %s", e.Step, e.Total, e.Text)
		}
	})
	o := w.twin.Tenants()[0]
	if _, err := x.Connect(ctx, tenant, admin.Credential{Organization: o.Organization, ClientID: o.ClientID, Secret: o.ClientSecret}); err != nil {
		return fmt.Errorf("connect to Exchange: %w", err)
	}
	r.step("Connected to the simulated Exchange organization %s", o.Organization)
	engine, spec, err := w.engine(ctx, x, tenant)
	if err != nil {
		return err
	}
	plan, err := engine.Plan(ctx, spec)
	if err != nil {
		return fmt.Errorf("plan the set-up of Exchange: %w", err)
	}
	r.step("Exchange read: %d changes planned", len(plan.Actions))
	result, err := engine.Apply(ctx, spec, exchange.ApplyOptions{})
	if err != nil {
		return fmt.Errorf("set up Exchange: %w", err)
	}
	r.step("Exchange is set up: %d changes made, each recorded so that it can be undone", len(result.Actions))
	return nil
}

// verify reads Exchange back at the end: nothing may have changed.
func (w *demoWorld) verify(ctx context.Context, r *demoReport) error {
	x := newExchange(w.opened, nil)
	engine, spec, err := w.engine(ctx, x, "contoso")
	if err != nil {
		return err
	}
	report, err := engine.Verify(ctx, spec)
	if err != nil {
		return fmt.Errorf("verify Exchange: %w", err)
	}
	r.verified(report)
	return nil
}

func (w *demoWorld) engine(ctx context.Context, x *admin.Exchange, tenant string) (*exchange.Engine, exchange.Spec, error) {
	engine, err := x.Engine(ctx, tenant)
	if err != nil {
		return nil, exchange.Spec{}, err
	}
	spec, err := x.Spec(ctx, tenant)
	return engine, spec, err
}
