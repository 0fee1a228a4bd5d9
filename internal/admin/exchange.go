package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"

	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// Exchange is what connecting tenants to Exchange Online needs of the installation.
type Exchange struct {
	*Admin
	Cloud     string   // as adminapi.CloudFor takes it
	SmartHost string   // the relay's public name
	Addresses []string // relay egress, as Exchange sees it
	Reverse   string   // domain that reverse DNS gives for every one of them, "" if there is none
	Prefix    string   // of the control headers
	SignIns   *SignIns // of persons; nil on the command line
	Progress  func(exchange.Event)
	Runs      *Runs                                                 // shared by every door of this process; only Start and StartConnect need it
	Relay     func(ctx context.Context, host, tlsName string) error // whether Exchange will take the relay's certificate; nil: not looked at
	TryMTA    func(ctx context.Context, m mail.MTA) []deliver.Step  // the way back, tried before mail is redirected; nil: not tried
}

// Engine works on the tenant's Exchange organization. Every call it makes goes to
// the audit log.
func (x *Exchange) Engine(ctx context.Context, tenant string) (*exchange.Engine, error) {
	conn, err := x.Connection(ctx, tenant)
	if err != nil {
		return nil, err
	}
	session, err := x.session(ctx, tenant, conn)
	if err != nil {
		return nil, err
	}
	cloud, err := adminapi.CloudFor(x.Cloud)
	if err != nil {
		return nil, err
	}
	token := x.token(tenant, conn, session)
	client := x.client(session, conn, cloud, tenant, append(exchange.Cmdlets(), exchange.ProtectionCmdlets()...))
	client.Token = token
	held := &hold{Journal: Journal{x.Admin, tenant}}
	return &exchange.Engine{
		Commander: client,
		Journal:   held,
		Lock:      held.take,
		Probes:    exchange.Probes{MX: x.mx, Relay: x.Relay, Roles: rolesOf(token)},
		Progress:  x.Progress,
		RoundTrip: x.roundTrip(tenant),
		Drain:     func(ctx context.Context) error { return x.drain(ctx, tenant) },
	}, nil
}

// roundTrip tries the way back to every domain's first MTA: mail that Exchange
// redirects here must be able to return. Nil where it cannot be tried.
func (x *Exchange) roundTrip(tenant string) func(context.Context) error {
	if x.TryMTA == nil {
		return nil
	}
	return func(ctx context.Context) error {
		domains, err := x.Store.Domains(ctx, tenant)
		if err != nil {
			return err
		}
		for _, d := range domains {
			if !d.Enabled || len(d.MTAs) == 0 {
				continue
			}
			for _, step := range x.TryMTA(ctx, d.MTAs[0]) {
				if !step.OK {
					return mail.Refuse("mail for %s could not go back to %s: %s: %s", d.Name, d.MTAs[0].Address(), step.Name, step.Detail)
				}
			}
		}
		return nil
	}
}

// drain waits until no mail of a tenant has yet to go back.
func (x *Exchange) drain(ctx context.Context, tenant string) error {
	began := time.Now()
	for {
		waiting := 0
		for _, state := range []mail.State{mail.Accepted, mail.Judged, mail.Delivering} {
			rows, err := x.Store.Trace(ctx, store.TraceFilter{Tenant: tenant, State: state, Limit: 1})
			if err != nil {
				return err
			}
			waiting += len(rows)
		}
		if waiting == 0 {
			return nil
		}
		if time.Since(began) > drainTime {
			return mail.Refuse("mail still waits after %s: see postern queue list --tenant %s", drainTime, tenant)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(drainEvery):
		}
	}
}

const (
	drainEvery = 500 * time.Millisecond // between looks at the queue while it empties
	drainTime  = 15 * time.Minute       // that it may take
)

func rolesOf(get func(context.Context, bool) (string, error)) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		token, err := get(ctx, false)
		if err != nil {
			return nil, err
		}
		claims, err := signin.Read(token)
		return claims.All(), err
	}
}

// client is an admin API client whose calls are audited. allowed nil is the
// set-up's list.
func (x *Exchange) client(s *signin.Session, conn Connection, cloud adminapi.Cloud, tenant string, allowed []string) *adminapi.Client {
	if allowed == nil {
		allowed = exchange.Cmdlets()
	}
	return &adminapi.Client{
		Cloud:   cloud,
		Tenant:  conn.Organization,
		Allowed: allowed,
		Token:   s.Token,
		User:    conn.Account,
		Audit:   func(call adminapi.Call) { x.audit(tenant, call) },
	}
}

func (x *Exchange) audit(tenant string, call adminapi.Call) {
	outcome := "ok"
	if call.Err != nil {
		outcome = call.Err.Error()
	}
	params, _ := json.Marshal(call.Parameters)
	before, _ := json.Marshal(call.Change.Before)
	object := call.Cmdlet
	if call.Change.Action != "" {
		object += " " + call.Change.Action
	}
	// The call was made already; that it could not be written down is told with the
	// next entry that can.
	_ = x.note(context.Background(), tenant, "exchange.call", object, string(before), string(params)+" "+outcome)
}

func (x *Exchange) mx(ctx context.Context, domain string) ([]string, error) {
	records, err := x.Resolver.LookupMX(ctx, domain)
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return nil, nil
	}
	var hosts []string
	for _, r := range records {
		hosts = append(hosts, r.Host)
	}
	return hosts, err
}

// Spec is what Exchange should look like for a tenant as it is configured now.
func (x *Exchange) Spec(ctx context.Context, tenant string) (exchange.Spec, error) {
	t, err := x.Store.Tenant(ctx, tenant)
	if err != nil {
		return exchange.Spec{}, err
	}
	token, err := x.processedToken(t)
	if err != nil {
		return exchange.Spec{}, err
	}
	spec := exchange.Spec{Tenant: t.ID, Token: token, SmartHost: x.SmartHost, Addresses: x.Addresses, Reverse: x.Reverse, HeaderPrefix: x.Prefix}
	domains, err := x.Store.Domains(ctx, tenant)
	if err != nil {
		return spec, err
	}
	for _, d := range domains {
		if d.Enabled && d.Architecture == mail.ViaRelay {
			spec.Domains = append(spec.Domains, d.Name)
		}
	}
	valid, err := x.validKeys(ctx, tenant)
	if err != nil {
		return spec, err
	}
	for _, k := range valid {
		spec.KeyHashes = append(spec.KeyHashes, k.Hash)
	}
	pending, err := x.PendingKey(ctx, tenant)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return spec, err
	}
	spec.Key = pending.Key
	spec.Options, err = x.Options(ctx, tenant)
	return spec, err
}

// Options are a tenant's choices of the set-up.
func (x *Exchange) Options(ctx context.Context, tenant string) (exchange.Options, error) {
	var o exchange.Options
	text, err := x.Store.Setting(ctx, tenant, optionsSetting)
	if errors.Is(err, store.ErrNotFound) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(text, &o)
}

// SetOptions keeps a tenant's choices of the set-up for every later plan.
func (x *Exchange) SetOptions(ctx context.Context, tenant string, o exchange.Options) error {
	before, err := x.Options(ctx, tenant)
	if err != nil || before == o {
		return err
	}
	was, _ := json.Marshal(before)
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := x.Store.PutSetting(ctx, tenant, optionsSetting, text); err != nil {
		return err
	}
	return x.note(ctx, tenant, "exchange.options", tenant, string(was), string(text))
}

// State is what was set up for a tenant and how the last run ended.
func (x *Exchange) State(ctx context.Context, tenant string) (*exchange.State, error) {
	return (&exchange.Engine{Journal: Journal{x.Admin, tenant}}).Status(ctx)
}

// SetUpByScript reports whether the last run of the PowerShell script that changed
// something set Exchange up.
func (x *Exchange) SetUpByScript(ctx context.Context, tenant string) (bool, error) {
	octets, err := x.sealed(ctx, tenant, reportSetting)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := exchange.ReadScriptReport(tenant, octets)
	return err == nil && r.Mode == "Apply" && r.Problem == "", err
}

// ImportReport takes the report that the PowerShell script printed.
func (x *Exchange) ImportReport(ctx context.Context, tenant string, octets []byte) (*exchange.ScriptReport, error) {
	r, err := exchange.ReadScriptReport(tenant, octets)
	if err != nil {
		return nil, err
	}
	if r.Mode != "Verify" {
		if err := x.putSealed(ctx, tenant, reportSetting, octets); err != nil {
			return nil, err
		}
	}
	outcome := "ok"
	if !r.OK {
		outcome = "not ok: " + r.Problem
	}
	return r, x.note(ctx, tenant, "exchange.script", r.Mode, "", outcome)
}
