package exchange

import (
	"context"
	"errors"
	"testing"

	"postern/internal/twin"
)

func TestThePreflightFindsWhatWouldSurprise(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{NoDefender: true})
	good := of.tenant.State()
	rule := func(p map[string]any) func() {
		return func() {
			p["Name"] = "theirs"
			of.admin(t, "New-TransportRule", p)
		}
	}
	inbound := func(p map[string]any) func() {
		return func() {
			p["Name"], p["ConnectorType"] = "theirs", "Partner"
			of.admin(t, "New-InboundConnector", p)
		}
	}
	for _, tt := range []struct {
		name     string
		change   func()
		probes   Probes
		spec     func(*Spec)
		id       string
		severity Severity
	}{
		{name: "direct send is rejected", change: func() { of.admin(t, "Set-OrganizationConfig", map[string]any{"RejectDirectSend": true}) }, id: "direct-send", severity: Warning},
		{name: "a rule before ours stops", change: rule(map[string]any{"PrependSubject": "x", "StopRuleProcessing": true}), id: "earlier-rule-stops", severity: Warning},
		{name: "a rule before ours redirects", change: rule(map[string]any{"RedirectMessageTo": []any{"it@contoso.com"}}), id: "earlier-rule-reroutes", severity: Warning},
		{name: "a hybrid connector", change: inbound(map[string]any{"SenderDomains": []any{"x.example"}, "ConnectorSource": "HybridWizard"}), id: "hybrid", severity: Warning},
		{name: "another connector names our address", change: inbound(map[string]any{"SenderDomains": []any{"x.example"}, "SenderIPAddresses": []any{"192.0.2.10"}}), id: "shared-address", severity: Warning},
		{name: "a connector locks others out", change: inbound(map[string]any{"SenderDomains": []any{"*"}, "SenderIPAddresses": []any{"198.51.100.3"}, "RestrictDomainsToIPAddresses": true}), id: "lock-down", severity: Warning},
		{name: "an object of our name is there", change: func() {
			of.admin(t, "New-TransportRule", map[string]any{"Name": "Postern Inbound Relay", "PrependSubject": "x"})
		}, id: "taken-over", severity: Warning},
		{name: "our address is blocked", change: func() {
			of.admin(t, "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPBlockList": []any{"192.0.2.10"}})
		}, id: "ip-blocked", severity: Warning},
		{name: "the MX is another gateway", probes: Probes{MX: func(context.Context, string) ([]string, error) { return []string{"mx.gateway.example"}, nil }}, id: "mx", severity: Warning},
		{name: "there is no MX", probes: Probes{MX: func(context.Context, string) ([]string, error) { return nil, nil }}, id: "mx", severity: Warning},
		{name: "the relay is not reached", probes: Probes{Relay: func(context.Context, string, string) error { return errors.New("connection refused") }}, id: "relay", severity: Critical},
		{name: "a role that is not enough", probes: Probes{Roles: func(context.Context) ([]string, error) { return []string{roleSecurityAdmin}, nil }}, id: "roles", severity: Critical},
		{name: "no licence for Defender", id: "licence", severity: Info},
		{name: "no reverse name", id: "reverse-dns", severity: Info},
		{name: "the plain word is believed", spec: func(s *Spec) { s.Options.PlainYes = true }, id: "plain-yes", severity: Warning},
		{name: "your organization in a new tenant", spec: func(s *Spec) { s.Options.Connectors = ConnectorOrganization }, id: "organization-connector", severity: Warning},
	} {
		of.restore(good)
		if tt.change != nil {
			tt.change()
		}
		spec := testSpec()
		if tt.spec != nil {
			tt.spec(&spec)
		}
		e := of.engine()
		e.Probes = tt.probes
		found := false
		for _, c := range planOf(t, e, spec).Checks {
			found = found || c.ID == tt.id && c.Severity == tt.severity && c.Text.Format != ""
		}
		if !found {
			t.Errorf("%s: no check %s", tt.name, tt.id)
		}
	}
	of.restore(good)
	e := of.engine()
	e.Probes = Probes{MX: func(context.Context, string) ([]string, error) {
		return []string{"contoso-com.mail.protection.outlook.com."}, nil
	},
		Relay: func(context.Context, string, string) error { return nil }, Roles: func(context.Context) ([]string, error) { return []string{roleExchangeAdmin}, nil }}
	for _, c := range planOf(t, e, testSpec()).Checks {
		if c.Severity != Info {
			t.Errorf("in an ordinary tenant: %+v", c)
		}
	}
}
