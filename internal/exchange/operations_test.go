package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/twin"
)

func (of *office) admin(t *testing.T, cmdlet string, p map[string]any) {
	t.Helper()
	if _, err := of.tenant.Invoke(t.Context(), twin.Admin(), cmdlet, p); err != nil {
		t.Fatal(err)
	}
}

func TestEveryDriftIsNamedWithItsSeverity(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	good := of.tenant.State()
	for _, tt := range []struct {
		name, noun, object, property string
		value                        any
		id, field                    string
		severity                     Severity
	}{
		{"all other senders are locked out", "InboundConnector", "Postern Inbound Connector (Receive)", "RestrictDomainsToIPAddresses", true, "inbound-connector", "RestrictDomainsToIPAddresses", Critical},
		{"an address was taken out", "InboundConnector", "Postern Inbound Connector (Receive)", "SenderIPAddresses", []string{"192.0.2.10"}, "inbound-connector", "SenderIPAddresses", Critical},
		{"TLS is not required", "InboundConnector", "Postern Inbound Connector (Receive)", "RequireTls", false, "inbound-connector", "RequireTls", Warning},
		{"mail goes to another host", "OutboundConnector", "Postern Inbound Connector (Send)", "SmartHosts", []string{"evil.example"}, "outbound-connector", "SmartHosts", Critical},
		{"everybody's word is believed", "TransportRule", "Postern Inbound Relay", "ExceptIfHeaderContainsWords", []string{"yes"}, "rule-redirect", "ExceptIfHeaderContainsWords", Critical},
		{"an exception was added", "TransportRule", "Postern Inbound Relay", "ExceptIfFrom", []string{"ceo@contoso.com"}, "rule-redirect", "ExceptIfFrom", Critical},
		{"a condition was added", "TransportRule", "Postern Inbound Relay", "SubjectContainsWords", []string{"x"}, "rule-redirect", "SubjectContainsWords", Critical},
		{"the rule is only audited", "TransportRule", "Postern Inbound Relay", "Mode", "Audit", "rule-redirect", "Mode", Critical},
		{"the rule is off", "TransportRule", "Postern Inbound Relay", "State", "Disabled", "rule-redirect", "State", Critical},
		{"the key is another", "TransportRule", "Postern Inbound Relay", "SetHeaderValue", "pk_another_key_of_somebody", "rule-redirect", "SetHeaderValue", Critical},
		{"forged headers pass", "TransportRule", "Postern Inbound Remove Processed Mark", "RemoveHeader", "x-other", "rule-strip-processed", "RemoveHeader", Critical},
		{"an entry was removed", "HostedConnectionFilterPolicy", "Default", "IPAllowList", []string{"192.0.2.10"}, "connection-filter", "IPAllowList", Warning},
		{"rich text came back", "RemoteDomain", "Default", "TNEFEnabled", nil, "remote-domain", "TNEFEnabled", Warning},
	} {
		of.tenant.Edit(good)
		if err := of.tenant.Change(tt.noun, tt.object, tt.property, tt.value); err != nil {
			t.Fatal(err)
		}
		r, err := of.engine().Verify(t.Context(), testSpec())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Drift) != 1 || r.OK || r.Drift[0].Object != tt.id || r.Drift[0].Field != tt.field || r.Drift[0].Severity != tt.severity {
			t.Errorf("%s: %+v", tt.name, r.Drift)
		}
		if b := fmt.Sprint(r.Drift); strings.Contains(b, testKey) || strings.Contains(b, testToken) || strings.Contains(b, "pk_another") {
			t.Errorf("%s: a secret is in the report", tt.name)
		}
		if mustApply(t, of.engine(), testSpec()); !ok(t, of) {
			t.Errorf("%s: not mended by applying again", tt.name)
		}
	}
	of.tenant.Edit(good)
	for name, p := range map[string]map[string]any{
		"lists in another order are no drift": {"RecipientDomainIs": []any{"FABRIKAM.example", "contoso.com"}, "ExceptIfSenderIpRanges": []any{"203.0.113.20", "192.0.2.11", "192.0.2.10"}},
	} {
		p["Identity"] = "Postern Inbound Relay"
		of.admin(t, "Set-TransportRule", p)
		if !ok(t, of) {
			t.Error(name)
		}
	}
	of.admin(t, "New-TransportRule", map[string]any{"Name": "first of all", "PrependSubject": "x", "Priority": 0})
	if ok(t, of) {
		t.Error("a rule before the first ones is not noticed")
	}
}

func ok(t *testing.T, of *office) bool {
	t.Helper()
	r, err := of.engine().Verify(t.Context(), testSpec())
	if err != nil {
		t.Fatal(err)
	}
	return r.OK
}

func TestWhatOthersChangedIsNamedAndNotOverwrittenByARollback(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	of.admin(t, "Set-RemoteDomain", map[string]any{"Identity": "Default", "AllowedOOFType": "None"})
	of.admin(t, "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": map[string]any{"Add": []any{"198.51.100.77"}, "Remove": []any{"192.0.2.10"}}})
	back, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Foreign) != 1 || back.Foreign[0].Field != "AllowedOOFType" {
		t.Errorf("named: %+v", back.Foreign)
	}
	s := of.tenant.State()
	if got := s["RemoteDomain"][0].String("AllowedOOFType"); got != "None" {
		t.Errorf("the administrator's value was overwritten with %s", got)
	}
	if got := s["HostedConnectionFilterPolicy"][0].List("IPAllowList"); !slices.Equal(got, []string{"198.51.100.77"}) {
		t.Errorf("the allow list is %v", got)
	}
	if left := len(s["TransportRule"]) + len(s["InboundConnector"]) + len(s["OutboundConnector"]); left != 0 {
		t.Errorf("%d objects of ours are left", left)
	}
}

func TestARollbackSwitchesTheRuleOffFirstAndWaitsForTheQueue(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	var log []string
	e := of.engine()
	e.Progress = func(ev Event) {
		if ev.State == "start" {
			log = append(log, ev.Action)
		}
	}
	e.Drain = func(context.Context) error { log = append(log, "drain"); return nil }
	if _, err := e.Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(log) < 4 || log[0] != "rule-redirect/disable" || log[1] != "rule-clutter/remove" || log[2] != "drain" {
		t.Errorf("order was %v", log)
	}
}

func TestALostJournalIsReplacedByOurMarks(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	of.j = &memJournal{}
	if left := ids(planOf(t, of.engine(), testSpec())); len(left) != 0 {
		t.Errorf("without the journal the plan is %v", left)
	}
	if _, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	s := of.tenant.State()
	if left := len(s["TransportRule"]) + len(s["InboundConnector"]) + len(s["OutboundConnector"]); left != 0 {
		t.Errorf("%d objects of ours are left", left)
	}
}

func TestAddressesAndDomainsChangeWithoutAGap(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{Domains: append(manyDomains(130), "contoso.com", "fabrikam.example")})
	from := testSpec()
	from.Domains = append(manyDomains(110), "contoso.com")
	mustApply(t, of.engine(), from)
	to := from
	to.Addresses = []string{"192.0.2.11", "198.51.100.40"}
	to.Domains = append(manyDomains(130)[15:], "contoso.com", "fabrikam.example")
	covered := func(list []string) (missing []string) {
		var have []string
		for _, r := range of.tenant.State()["TransportRule"] {
			if r.String("State") == "Enabled" && r.String("RouteMessageOutboundConnector") != "" {
				have = append(have, r.List("RecipientDomainIs")...)
			}
		}
		return without(list, have)
	}
	both := common(from.Domains, to.Domains)
	e := of.engine()
	e.Progress = func(ev Event) {
		if missing := covered(both); len(missing) != 0 && ev.State == "done" {
			t.Errorf("after %s these domains pass the relay by: %v", ev.Action, missing)
		}
	}
	var order []string
	_, err := e.Change(t.Context(), from, to, Switch{
		Prepare: func(context.Context) error { order = append(order, "prepare"); return nil },
		Over: func(context.Context) error {
			order = append(order, "over")
			for _, a := range append(slices.Clone(from.Addresses), to.Addresses...) {
				if !slices.Contains(of.tenant.State()["InboundConnector"][0].List("SenderIPAddresses"), a) {
					t.Errorf("when the relay changes over, Exchange does not know %s", a)
				}
			}
			return nil
		},
		Drain: func(context.Context) error { order = append(order, "drain"); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"prepare", "over", "drain"}) {
		t.Errorf("the relay's side went %v", order)
	}
	s := of.tenant.State()
	for _, list := range [][]string{s["InboundConnector"][0].List("SenderIPAddresses"), s["HostedConnectionFilterPolicy"][0].List("IPAllowList")} {
		if !slices.Equal(folded(list), folded(to.Addresses)) {
			t.Errorf("a list of addresses is %v", list)
		}
	}
	if n := len(s["TenantAllowBlockListSpoofItems"]); n != 4 {
		t.Errorf("%d spoof pairs, want 4", n)
	}
	if missing := covered(to.Domains); len(missing) != 0 {
		t.Errorf("not redirected: %v", missing)
	}
	if left := ids(planOf(t, of.engine(), to)); len(left) != 0 {
		t.Errorf("left to do: %v", left)
	}
}

func TestAKeyIsRotatedAndNothingElse(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	spec := testSpec()
	spec.Key = "pk_new_key_0123456789abcdefghij"
	r, err := of.engine().Rotate(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Actions) != 1 || r.Actions[0].Cmdlet != "Set-TransportRule" || len(r.Actions[0].Parameters) != 2 {
		t.Errorf("did %v", r.Actions)
	}
	if want := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC); r.RetireAfter.Sub(want).Abs() > time.Minute {
		t.Errorf("retire after %v, want %v", r.RetireAfter, want)
	}
	known := spec
	known.Key = ""
	clean, err := spec.clean()
	if err != nil {
		t.Fatal(err)
	}
	known.KeyHashes = clean.KeyHashes
	if left := ids(planOf(t, of.engine(), known)); len(left) != 0 {
		t.Errorf("with only the key's hash known, the plan is %v", left)
	}
}

func TestAnOutboundRelaysRuleStaysBefore(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	of.admin(t, "New-OutboundConnector", map[string]any{"Name": "out", "ConnectorType": "Partner", "UseMXRecord": false, "SmartHosts": []any{"out.example"}, "IsTransportRuleScoped": true})
	of.admin(t, "New-TransportRule", map[string]any{"Name": "outbound", "FromScope": "InOrganization", "RouteMessageOutboundConnector": "out"})
	if ok(t, of) {
		t.Error("an outbound rule after ours is not noticed")
	}
	mustApply(t, of.engine(), testSpec())
	want := "0 Postern Inbound Remove Processed Mark, 1 Postern Inbound Remove Key Header, 2 outbound, 3 Postern Inbound Relay, 4 Postern Inbound Bypass Clutter"
	if got := ruleNames(of.snapshot()); got != want {
		t.Errorf("rules are %s", got)
	}
}

func TestProtectionGoesOffInOrderAndComesBackExactly(t *testing.T) {
	for _, defender := range []bool{true, false} {
		of := newOffice(t, twin.TenantOptions{Presets: true, NoDefender: !defender})
		of.admin(t, "New-HostedContentFilterPolicy", map[string]any{"Name": "theirs"})
		of.admin(t, "New-HostedContentFilterRule", map[string]any{"Name": "theirs", "HostedContentFilterPolicy": "theirs", "RecipientDomainIs": []any{"contoso.com"}})
		before := of.snapshot()
		list, err := of.engine().Protection(t.Context(), testSpec())
		if err != nil {
			t.Fatal(err)
		}
		var chosen []string
		for _, p := range list {
			if p.Available {
				chosen = append(chosen, p.ID)
			}
			if !defender && p.Available && (p.ID == "safelinks" || p.ID == "builtin") {
				t.Errorf("%s is offered without its licence", p.ID)
			}
		}
		if _, err := of.engine().DisableProtection(t.Context(), testSpec(), chosen); err != nil {
			t.Fatalf("disable %v: %v", chosen, err)
		}
		off, err := of.engine().Protection(t.Context(), testSpec())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range off {
			if p.State == "on" && p.Available {
				t.Errorf("%s is still on", p.ID)
			}
		}
		again, err := of.engine().DisableProtection(t.Context(), testSpec(), chosen)
		if err != nil || len(again.Actions) != 0 {
			t.Errorf("a second time did %v, %v", again.Actions, err)
		}
		if _, err := of.engine().EnableProtection(t.Context(), testSpec(), []string{"antispam-default"}); err != nil {
			t.Fatal(err)
		}
		if got := of.tenant.State()["HostedContentFilterPolicy"]; got[0].Bool("SpamZapEnabled") {
			t.Error("zero-hour purge came back although only another policy that shares it was enabled")
		}
		if _, err := of.engine().EnableProtection(t.Context(), testSpec(), nil); err != nil {
			t.Fatal(err)
		}
		if diff := sameState(before, of.snapshot()); diff != "" {
			t.Errorf("defender %v: after enabling (-before +after):\n%.3000s", defender, diff)
		}
	}
}

func TestProtectionNeedsAChoice(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	for _, chosen := range [][]string{nil, {}, {"everything"}} {
		var p *Problem
		if _, err := of.engine().DisableProtection(t.Context(), testSpec(), chosen); !errors.As(err, &p) {
			t.Errorf("%v: %v", chosen, err)
		}
	}
}

func TestCoverageCountsExternalMailThatPassedTheRelay(t *testing.T) {
	at := func(min int) string {
		return time.Date(2026, 11, 22, 7, min, 0, 0, time.UTC).Format("2006-01-02T15:04:05.0000000Z")
	}
	row := func(id, from, rcpt string, min int) map[string]any {
		return map[string]any{"MessageTraceId": id + from, "MessageId": "<" + id + ">", "FromIP": from, "RecipientAddress": rcpt, "Received": at(min)}
	}
	rows := []map[string]any{
		row("round", "198.51.100.5", "ann@contoso.com", 1), row("round", "192.0.2.10", "Ann@contoso.com", 2),
		row("held", "198.51.100.5", "ann@contoso.com", 3),
		row("missed", "198.51.100.6", "bob@fabrikam.example", 4),
		row("internal", "255.255.255.255", "bob@contoso.com", 5), row("internal2", "", "bob@contoso.com", 5),
		row("other", "198.51.100.6", "bob@elsewhere.example", 6),
		row("on its way", "198.51.100.6", "bob@contoso.com", 59),
	}
	e := engineFor(traced{rows}, &memJournal{})
	s, err := testSpec().clean()
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.coverage(t.Context(), s, Watch{Since: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), Relayed: func(_ context.Context, id string) (bool, error) { return id == "held", nil }})
	if err != nil {
		t.Fatal(err)
	}
	if c.Total != 3 || c.Relayed != 2 || !slices.Equal(c.Missed, []string{"missed"}) {
		t.Errorf("coverage is %+v", c)
	}
}

// traced answers the message trace.
type traced struct{ rows []map[string]any }

func (t traced) Invoke(context.Context, string, map[string]any) ([]map[string]any, error) {
	return t.rows, nil
}

func TestAWatchRaisesAlarms(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	o, err := of.engine().Observe(t.Context(), testSpec(), Watch{Probe: func(context.Context) (time.Duration, error) { return 4 * time.Second, nil }})
	if err != nil || len(o.Alarms) != 0 || o.Probe != 4*time.Second {
		t.Errorf("all is well, but %+v, %v", o, err)
	}
	if err := of.tenant.Change("InboundConnector", "Postern Inbound Connector (Receive)", "RestrictDomainsToIPAddresses", true); err != nil {
		t.Fatal(err)
	}
	o, err = of.engine().Observe(t.Context(), testSpec(), Watch{Probe: func(context.Context) (time.Duration, error) { return 0, errors.New("it never came") }})
	if err != nil || len(o.Alarms) != 2 || o.Alarms[0].Severity != Critical || o.Alarms[1].Kind != "probe" {
		t.Errorf("alarms are %+v, %v", o.Alarms, err)
	}
}

func TestASetUpAfterARollbackCountsAsOne(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	for range 2 {
		mustApply(t, of.engine(), testSpec())
		if s, err := of.engine().Status(t.Context()); err != nil || !s.Redirects() || !s.RolledBack.IsZero() {
			t.Fatalf("after apply: redirects %v, rolled back %v, %v", s.Redirects(), s.RolledBack, err)
		}
		if _, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
			t.Fatal(err)
		}
		if s, err := of.engine().Status(t.Context()); err != nil || s.Redirects() || s.RolledBack.IsZero() {
			t.Fatalf("after the roll back: redirects %v, rolled back %v, %v", s.Redirects(), s.RolledBack, err)
		}
	}
}

func TestOneObjectIsSetByItself(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	before := of.snapshot()
	for _, id := range []string{ClutterRule, DefaultDomain} {
		r, err := of.engine().Apply(t.Context(), testSpec(), ApplyOptions{Only: []string{id}})
		if err != nil || len(r.Actions) == 0 || !r.Report.OK {
			t.Fatalf("%s: %+v, %v", id, r, err)
		}
		for _, a := range r.Actions {
			if a.Object != id {
				t.Errorf("%s: also did %s", id, a.ID)
			}
		}
		if p, err := of.engine().PlanOnly(t.Context(), testSpec(), []string{id}); err != nil || len(p.Actions) != 0 {
			t.Errorf("%s: still to do: %v, %v", id, ids(p), err)
		}
	}
	if s, err := of.engine().Status(t.Context()); err != nil || s.Redirects() {
		t.Errorf("nothing redirects mail yet, but %v, %v", s.Redirects(), err)
	}
	mustApply(t, of.engine(), testSpec())
	if _, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := sameState(before, of.snapshot()); diff != "" {
		t.Errorf("after roll back (-before +after):\n%s", diff)
	}
}
