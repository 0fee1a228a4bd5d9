package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/internal/exchange/signin"
	"postern/internal/twin"
	"postern/internal/twin/login"
)

// asApp changes the tenant's app registration and connects again.
func (of *office) asApp(t *testing.T, change func(*login.App)) error {
	t.Helper()
	app, _ := of.tenant.Directory.App(of.tenant.ClientID)
	change(&app)
	of.tenant.Directory.PutApp(app)
	session, err := signin.WithSecret(t.Context(), of.config(), of.tenant.ClientSecret)
	if err != nil {
		return err
	}
	of.client.Token = session.Token
	return nil
}

func TestEveryFailureNamesCauseAndMend(t *testing.T) {
	apply := func(t *testing.T, of *office, spec Spec) error {
		_, err := of.engine().Apply(t.Context(), spec, ApplyOptions{})
		return err
	}
	admin := func(t *testing.T, of *office, cmdlet string, p map[string]any) {
		t.Helper()
		if _, err := of.tenant.Invoke(t.Context(), twin.Admin(), cmdlet, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		tenant twin.TenantOptions
		do     func(t *testing.T, of *office) error
		code   string
		says   string // in cause or mend
	}{
		{name: "insufficient role", do: func(t *testing.T, of *office) error {
			if err := of.asApp(t, func(a *login.App) { a.Roles = nil }); err != nil {
				return err
			}
			return apply(t, of, testSpec())
		}, code: "insufficient-role", says: "Exchange Administrator"},
		{name: "a role that may only read", do: func(t *testing.T, of *office) error {
			if err := of.asApp(t, func(a *login.App) { a.Roles = []string{twin.RoleGlobalReader} }); err != nil {
				return err
			}
			return apply(t, of, testSpec())
		}, code: "insufficient-role", says: "Exchange Administrator"},
		{name: "API access disabled", do: func(t *testing.T, of *office) error {
			of.tenant.Directory.PutUser(login.User{UPN: "admin@contoso.onmicrosoft.com", Roles: []string{twin.RoleGlobalAdministrator}, APIOff: true})
			return of.asPerson(t, "admin@contoso.onmicrosoft.com", func() error { return apply(t, of, testSpec()) })
		}, code: "api-disabled", says: "EXOModuleEnabled"},
		{name: "consent missing", do: func(t *testing.T, of *office) error {
			if err := of.asApp(t, func(a *login.App) { a.AppRole = false }); err != nil {
				return err
			}
			return apply(t, of, testSpec())
		}, code: "sign-in", says: "consent"},
		{name: "conditional access", do: func(t *testing.T, of *office) error {
			of.tenant.Directory.PutUser(login.User{UPN: "admin@contoso.onmicrosoft.com", Roles: []string{twin.RoleGlobalAdministrator}, Fail: 53003})
			return of.asPerson(t, "admin@contoso.onmicrosoft.com", func() error { return nil })
		}, code: "conditional-access", says: "policy"},
		{name: "expired secret", do: func(t *testing.T, of *office) error {
			return of.asApp(t, func(a *login.App) { a.Secrets[0].Expires = time.Now().Add(-time.Hour) })
		}, code: "expired-secret", says: "new client secret"},
		{name: "wrong secret", do: func(t *testing.T, of *office) error {
			_, err := signin.WithSecret(t.Context(), of.config(), "not it")
			return err
		}, code: "bad-secret", says: "client secret"},
		{name: "wrong tenant", do: func(t *testing.T, of *office) error {
			cfg := of.config()
			cfg.Tenant = "nobody.example"
			_, err := signin.WithSecret(t.Context(), cfg, of.tenant.ClientSecret)
			return err
		}, code: "wrong-tenant", says: "tenant"},
		{name: "throttled", do: func(t *testing.T, of *office) error {
			of.tenant.Plan(twin.Fault{Kind: twin.FaultThrottle, Times: 1000, RetryAfter: time.Second})
			return apply(t, of, testSpec())
		}, code: "throttled", says: "Wait"},
		{name: "licence missing", tenant: twin.TenantOptions{NoDefender: true}, do: func(t *testing.T, of *office) error {
			_, err := of.engine().DisableProtection(t.Context(), testSpec(), []string{"safelinks"})
			return err
		}, code: "licence-missing", says: "Defender for Office 365"},
		{name: "name taken", do: func(t *testing.T, of *office) error {
			admin(t, of, "New-OutboundConnector", map[string]any{"Name": "Postern Inbound Connector (Receive)", "ConnectorType": "Partner", "UseMXRecord": true, "RecipientDomains": []any{"x.example"}})
			return apply(t, of, testSpec())
		}, code: "name-taken", says: "another brand name"},
		{name: "rule too large", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.Addresses = nil
			for i := range 500 {
				spec.Addresses = append(spec.Addresses, fmt.Sprintf("203.0.%d.%d", i/200, i%200))
			}
			return apply(t, of, spec)
		}, code: "rule-too-large", says: "networks"},
		{name: "IP list full", do: func(t *testing.T, of *office) error {
			var list []any
			for i := range 1273 {
				list = append(list, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
			}
			admin(t, of, "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": list})
			return apply(t, of, testSpec())
		}, code: "ip-list-full", says: "1273"},
		{name: "connector in use", do: func(t *testing.T, of *office) error {
			if err := apply(t, of, testSpec()); err != nil {
				return err
			}
			admin(t, of, "New-TransportRule", map[string]any{"Name": "theirs", "SubjectContainsWords": []any{"x"}, "RouteMessageOutboundConnector": "Postern Inbound Connector (Send)"})
			_, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{})
			return err
		}, code: "connector-in-use", says: "rule"},
		{name: "rule limit", do: func(t *testing.T, of *office) error {
			for i := range 298 {
				admin(t, of, "New-TransportRule", map[string]any{"Name": fmt.Sprint("rule ", i), "PrependSubject": "x"})
			}
			return apply(t, of, testSpec())
		}, code: "rule-limit", says: "300"},
		{name: "no accepted domain", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.Domains = append(spec.Domains, "elsewhere.example")
			return apply(t, of, spec)
		}, code: "accepted-domain", says: "elsewhere.example"},
		{name: "no domain enabled", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.Domains = nil
			return apply(t, of, spec)
		}, code: "no-domain", says: "enable"},
		{name: "developer tenant", tenant: twin.TenantOptions{Developer: true}, do: func(t *testing.T, of *office) error { return apply(t, of, testSpec()) }, code: "developer-tenant", says: "ordinary tenant"},
		{name: "your organization connectors in a new tenant", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.Options.Connectors = ConnectorOrganization
			return apply(t, of, spec)
		}, code: "connector-disabled", says: "partner connectors"},
		{name: "the relay has no certificate for the name", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.TLSName = "other.example"
			return apply(t, of, spec)
		}, code: "validation", says: "certificate"},
		{name: "the relay is not there", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.SmartHost = "nowhere.postern.example"
			return apply(t, of, spec)
		}, code: "validation", says: "port 25"},
		{name: "the key is not known any more", do: func(t *testing.T, of *office) error {
			spec := testSpec()
			spec.Key = ""
			return apply(t, of, spec)
		}, code: "key-unknown", says: "Rotate"},
		{name: "interrupted apply", do: func(t *testing.T, of *office) error {
			ctx, cancel := context.WithCancel(t.Context())
			e := of.engine()
			e.Progress = func(ev Event) {
				if ev.Action == "inbound-connector/new" && ev.State == "start" {
					cancel()
				}
			}
			_, err := e.Apply(ctx, testSpec(), ApplyOptions{})
			return err
		}, code: "interrupted", says: "run the same again"},
		{name: "the test message does not come round", do: func(t *testing.T, of *office) error {
			e := of.engine()
			e.RoundTrip = func(context.Context) error { return errors.New("nothing arrived within a minute") }
			_, err := e.Apply(t.Context(), testSpec(), ApplyOptions{})
			return err
		}, code: "round-trip", says: "Nothing is redirected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			of := newOffice(t, tt.tenant)
			err := explain(tt.do(t, of), "")
			var p *Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want a problem", err)
			}
			if p.Code != tt.code || !strings.Contains(p.Error(), tt.says) {
				t.Errorf("got %s: %v", p.Code, p)
			}
			if !strings.HasSuffix(p.Cause.String(), ".") || !strings.HasSuffix(p.Mend.String(), ".") || strings.Contains(p.Error(), testKey) {
				t.Errorf("not two sentences: %q %q", p.Cause, p.Mend)
			}
		})
	}
}

// asPerson signs an administrator in by authorization code and works as him.
func (of *office) asPerson(t *testing.T, upn string, work func() error) error {
	t.Helper()
	code, err := of.authorize(t, upn)
	if err != nil {
		return err
	}
	session, err := signin.Finish(t.Context(), of.config(), code.pending, code.answer)
	if err != nil {
		return err
	}
	of.client.Token, of.client.User = session.Token, session.Account
	return work()
}

func TestAnInternalRelayDomainIsExplainedAndAccepted(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	if err := of.tenant.Change("AcceptedDomain", "contoso.com", "DomainType", "InternalRelay"); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range planOf(t, of.engine(), testSpec()).Checks {
		found = found || c.ID == "internal-relay" && c.Severity == Warning && strings.Contains(c.Text.String(), "contoso.com")
	}
	if !found {
		t.Error("the internal relay domain is not pointed out")
	}
	mustApply(t, of.engine(), testSpec())
}

func TestTheNextPlanTellsOfAnInterruptedRun(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	e := of.engine()
	e.Journal = &dying{of.j, 3}
	if _, err := e.Apply(t.Context(), testSpec(), ApplyOptions{}); err == nil {
		t.Fatal("the run was not cut off")
	}
	for _, c := range planOf(t, of.engine(), testSpec()).Checks {
		if c.ID == "interrupted" && strings.Contains(c.Mend.String(), "apply again") {
			return
		}
	}
	t.Error("nothing says that the last run was cut off")
}

// dying is a journal whose process ends: after some saves none reaches the disk.
type dying struct {
	*memJournal
	left int
}

func (d *dying) Save(ctx context.Context, b []byte) error {
	if d.left--; d.left < 0 {
		return errBroken
	}
	return d.memJournal.Save(ctx, b)
}

// authorized is a sign-in in the browser and the answer it came back with.
type authorized struct {
	pending signin.Pending
	answer  url.Values
}

func (of *office) authorize(t *testing.T, upn string) (authorized, error) {
	t.Helper()
	p, err := signin.Begin(of.config(), "http://localhost/callback")
	if err != nil {
		return authorized{}, err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"&login_hint="+url.QueryEscape(upn), nil)
	if err != nil {
		return authorized{}, err
	}
	resp, err := inProcess{of.twin.Handler()}.RoundTrip(req)
	if err != nil {
		return authorized{}, err
	}
	back, err := resp.Location()
	if err != nil {
		return authorized{}, fmt.Errorf("authorize: %s: %w", resp.Status, err)
	}
	return authorized{p, back.Query()}, nil
}
