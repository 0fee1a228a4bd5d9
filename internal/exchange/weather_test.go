package exchange

import (
	"context"
	"testing"
	"time"

	"postern/internal/twin"
)

func TestSetUpSurvivesABadDayOfExchange(t *testing.T) {
	for name, faults := range map[string][]twin.Fault{
		"throttled now and then":              {{Cmdlet: "Get-", Times: 3, Kind: twin.FaultThrottle, RetryAfter: 2 * time.Second}, {Cmdlet: "New-", Times: 3, Kind: twin.FaultThrottle, RetryAfter: time.Second}},
		"success answered as failure":         {{Cmdlet: "New-InboundConnector", Kind: twin.FaultStatus, Status: 503, Done: true}, {Cmdlet: "New-TransportRule", Times: 3, Kind: twin.FaultStatus, Status: 503, Done: true}, {Cmdlet: "New-Tenant", Times: 4, Kind: twin.FaultStatus, Status: 500, Done: true}, {Cmdlet: "Set-", Times: 2, Kind: twin.FaultStatus, Status: 502, Done: true}},
		"failure that did nothing":            {{Cmdlet: "New-", Times: 5, Kind: twin.FaultStatus, Status: 503}, {Cmdlet: "Set-", Times: 3, Kind: twin.FaultStatus, Status: 504}, {Cmdlet: "Enable-", Times: 2, Kind: twin.FaultStatus, Status: 500}},
		"the connection breaks after success": {{Cmdlet: "New-OutboundConnector", Kind: twin.FaultKill, Done: true}, {Cmdlet: "New-TransportRule", Times: 2, Kind: twin.FaultKill, Done: true}, {Cmdlet: "Enable-", Kind: twin.FaultKill, Done: true}},
		"the token expires":                   {{Call: 5, Kind: twin.FaultExpired}, {Call: 20, Kind: twin.FaultExpired}},
		"redirected to a regional host":       {{Call: 3, Kind: twin.FaultRedirect, Location: twinBase}, {Call: 18, Kind: twin.FaultRedirect, Location: twinBase}},
	} {
		t.Run(name, func(t *testing.T) {
			of := newOffice(t, twin.TenantOptions{})
			before := of.snapshot()
			of.tenant.Plan(faults...)
			if r := mustApply(t, of.engine(), testSpec()); len(r.Report.Drift) != 0 {
				t.Errorf("drift: %+v", r.Report.Drift)
			}
			s := of.tenant.State()
			if n := len(s["TransportRule"]); n != 4 {
				t.Errorf("%d rules, want 4", n)
			}
			if n := len(s["TenantAllowBlockListSpoofItems"]); n != 4 {
				t.Errorf("%d pairs, want 4", n)
			}
			if _, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
				t.Fatal(err)
			}
			if diff := sameState(before, of.snapshot()); diff != "" {
				t.Errorf("after roll back (-before +after):\n%.2000s", diff)
			}
		})
	}
}

func TestReadingsThatLagAreWaitedFor(t *testing.T) {
	now := time.Now().UTC()
	of := officeWith(t, twin.TenantOptions{}, accepting{}, twin.Options{Lag: 20 * time.Second, Now: func() time.Time { return now }})
	e := of.engine()
	e.Sleep = func(ctx context.Context, d time.Duration) error { now = now.Add(d); return ctx.Err() }
	of.client.Sleep = e.Sleep
	now = now.Add(time.Minute) // what the tenant was made with is known by now
	of.tenant.Plan(twin.Fault{Cmdlet: "New-TransportRule", Kind: twin.FaultStatus, Status: 503, Done: true}, twin.Fault{Cmdlet: "New-InboundConnector", Kind: twin.FaultStatus, Status: 503, Done: true})
	if r := mustApply(t, e, testSpec()); len(r.Report.Drift) != 0 {
		t.Errorf("drift: %+v", r.Report.Drift)
	}
	if left := ids(planOf(t, e, testSpec())); len(left) != 0 {
		t.Errorf("left to do: %v", left)
	}
	if _, err := e.Rollback(t.Context(), testSpec(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if again := mustApply(t, e, testSpec()); len(again.Actions) != 15 {
		t.Errorf("right after a roll back, applying did %d actions, want all 15", len(again.Actions))
	}
}

func TestATenantThatWasNeverCustomizedIsCustomizedFirst(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{Dehydrated: true})
	p := planOf(t, of.engine(), testSpec())
	if len(p.Actions) == 0 || p.Actions[0].Cmdlet != "Enable-OrganizationCustomization" {
		t.Fatalf("the plan begins with %v", ids(p)[:1])
	}
	mustApply(t, of.engine(), testSpec())
	if left := ids(planOf(t, of.engine(), testSpec())); len(left) != 0 {
		t.Errorf("left to do: %v", left)
	}
	back, err := of.engine().Rollback(t.Context(), testSpec(), RollbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Notes) == 0 {
		t.Error("nothing says that this step cannot be undone")
	}
}

func TestEveryCallIsInTheAuditLogWithItsAction(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	r := mustApply(t, of.engine(), testSpec())
	seen := map[string]bool{}
	for _, c := range of.calls {
		seen[c.Change.Action] = true
	}
	for _, a := range r.Actions {
		if !seen[a.ID] {
			t.Errorf("%s is not in the audit log", a.ID)
		}
	}
}
