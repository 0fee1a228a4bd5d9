package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/exchange/adminapi"
)

const (
	testKey   = "pk_7Qm2vXw9LrT4sYb8NcD1fGhJ5kZ0aEuI"
	testToken = "Tk4Zq8Lw2Xv6Nb0Mc3Rd5Fg7Hj"
)

func testSpec() Spec {
	return Spec{
		Tenant: "contoso", Token: testToken, Key: testKey, Domains: []string{"contoso.com", "fabrikam.example"},
		Addresses: []string{"192.0.2.10", "192.0.2.11", "203.0.113.20"}, SmartHost: "relay.postern.example",
	}
}

func engineFor(c Commander, j Journal) *Engine {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	return &Engine{Commander: c, Journal: j, Now: func() time.Time { now = now.Add(time.Millisecond); return now },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func mustApply(t *testing.T, e *Engine, spec Spec) *Result {
	t.Helper()
	r, err := e.Apply(context.Background(), spec, ApplyOptions{})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return r
}

func planOf(t *testing.T, e *Engine, spec Spec) *Plan {
	t.Helper()
	p, err := e.Plan(context.Background(), spec)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return p
}

func ids(p *Plan) []string {
	out := []string{}
	for _, a := range p.Actions {
		out = append(out, a.ID)
	}
	return out
}

func TestAFreshTenantIsSetUpInTheRightOrderAndThenNothingIsLeftToDo(t *testing.T) {
	f, j := newFake("contoso.com", "fabrikam.example"), &memJournal{}
	e := engineFor(f, j)
	want := []string{
		"remote-domain/set", "connection-filter/set",
		"spoof-internal-192.0.2.10/24/new", "spoof-external-192.0.2.10/24/new", "spoof-internal-203.0.113.20/24/new", "spoof-external-203.0.113.20/24/new",
		"inbound-connector/new", "outbound-connector/new", "outbound-connector/validate", "outbound-connector/validated",
		"rule-strip-processed/new", "rule-strip-key/new", "rule-redirect/new", "rule-clutter/new", "rule-redirect/enable",
	}
	if diff := cmp.Diff(want, ids(planOf(t, e, testSpec()))); diff != "" {
		t.Fatalf("order of the plan (-want +got):\n%s", diff)
	}
	r := mustApply(t, e, testSpec())
	if !r.Report.OK || len(r.Report.Drift) != 0 {
		t.Fatalf("drift after apply: %+v", r.Report.Drift)
	}
	if left := ids(planOf(t, e, testSpec())); len(left) != 0 {
		t.Fatalf("a second plan is not empty: %v", left)
	}
}

func TestRollbackPutsBackEveryFieldOfAnyStartingState(t *testing.T) {
	for seed := range uint64(500) {
		f, j := randomTenant(seed), &memJournal{}
		before := f.snapshot()
		e := engineFor(f, j)
		r := mustApply(t, e, testSpec())
		if len(r.Report.Drift) != 0 {
			t.Fatalf("seed %d: drift after apply: %+v", seed, r.Report.Drift)
		}
		if left := ids(planOf(t, e, testSpec())); len(left) != 0 {
			t.Fatalf("seed %d: a second plan is not empty: %v", seed, left)
		}
		back, err := e.Rollback(context.Background(), testSpec(), RollbackOptions{})
		if err != nil {
			t.Fatalf("seed %d: roll back: %v", seed, err)
		}
		if len(back.Foreign) != 0 {
			t.Fatalf("seed %d: nobody else changed anything, but %+v", seed, back.Foreign)
		}
		if diff := cmp.Diff(before, f.snapshot()); diff != "" {
			t.Fatalf("seed %d: after roll back (-before +after):\n%s", seed, diff)
		}
	}
}

// randomTenant is a tenant in which some of our objects exist already in some
// other form, among others.
func randomTenant(seed uint64) *fakeTenant {
	r := rand.New(rand.NewPCG(seed, 7))
	f := newFake("contoso.com", "fabrikam.example")
	coin := func() bool { return r.IntN(2) == 0 }
	pick := func(v ...any) any { return v[r.IntN(len(v))] }
	f.single["OrganizationConfig"]["IsDehydrated"] = false
	f.single["RemoteDomain"] = map[string]any{"Name": "Default", "TNEFEnabled": pick(nil, true, false), "CharacterSet": pick("utf-8", "iso-8859-1", nil),
		"NonMimeCharacterSet": pick("UTF-8", "iso-8859-15"), "AllowedOOFType": pick("External", "ExternalLegacy", "None")}
	f.single["HostedConnectionFilterPolicy"]["IPAllowList"] = pick([]any{}, []any{"192.0.2.10"}, []any{"198.51.100.0/24", "203.0.113.20"})
	f.single["HostedConnectionFilterPolicy"]["EnableSafeList"] = coin()
	spec, _ := testSpec().clean()
	for _, o := range spec.objects(ConnectorPartner) {
		if o.Kind.single() || coin() {
			continue
		}
		p := map[string]any{"Name": o.Name, "Identity": o.Name}
		for k, v := range o.all() {
			if coin() {
				p[k] = v
			}
		}
		switch o.Kind {
		case SpoofItem:
			p = map[string]any{"SpoofedUser": "*", "SendingInfrastructure": o.Create["SendingInfrastructure"], "SpoofType": o.Create["SpoofType"], "Action": pick("Allow", "Block")}
			f.next++
			p["Identity"] = fmt.Sprint("pair-", f.next)
		case TransportRule:
			p["State"] = pick("Enabled", "Disabled")
			if coin() {
				p["ExceptIfFrom"] = []any{"ceo@contoso.com"}
			}
			if coin() {
				p["StopRuleProcessing"] = coin()
			}
			delete(p, "RouteMessageOutboundConnector")
		case InboundConnector, OutboundConnector:
			p["Enabled"], p["Comment"] = coin(), pick(nil, "made by hand")
			p["IsValidated"] = pick(true, false)
		}
		p = roundTrip(p)
		f.objects[string(o.Kind)] = append(f.objects[string(o.Kind)], p)
	}
	for i := range r.IntN(5) {
		rule := map[string]any{"Name": fmt.Sprint("customer rule ", i), "State": pick("Enabled", "Disabled"), "PrependSubject": "[x]"}
		if coin() {
			rule["FromScope"], rule["RouteMessageOutboundConnector"] = "InOrganization", "outbound relay"
		}
		f.objects["TransportRule"] = append(f.objects["TransportRule"], rule)
	}
	list := f.objects["TransportRule"]
	r.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	return f
}

// cut is a Commander that stops answering at one call: before it reaches
// Exchange, or after Exchange carried it out.
type cut struct {
	Commander
	at, n int
	after bool
}

var errKilled = errors.New("killed")

func (c *cut) Invoke(ctx context.Context, cmdlet string, p map[string]any) ([]map[string]any, error) {
	c.n++
	if c.n != c.at {
		if c.n > c.at {
			return nil, errKilled
		}
		return c.Commander.Invoke(ctx, cmdlet, p)
	}
	if c.after {
		_, _ = c.Commander.Invoke(ctx, cmdlet, p)
	}
	return nil, errKilled
}

func TestAKillAtEveryCallIsResumedAndCanBeRolledBack(t *testing.T) {
	for seed := range uint64(6) {
		for _, after := range []bool{false, true} {
			total := 1
			for at := 1; at <= total; at++ {
				f, j := randomTenant(seed), &memJournal{}
				before := f.snapshot()
				if total == 1 {
					probe := randomTenant(seed)
					mustApply(t, engineFor(probe, &memJournal{}), testSpec())
					total = len(probe.calls)
				}
				_, _ = engineFor(&cut{Commander: f, at: at, after: after}, j).Apply(context.Background(), testSpec(), ApplyOptions{})
				if at%2 == 0 {
					mustApply(t, engineFor(f, j), testSpec())
					if left := ids(planOf(t, engineFor(f, j), testSpec())); len(left) != 0 {
						t.Fatalf("seed %d, killed at call %d: resume left %v", seed, at, left)
					}
				}
				if _, err := engineFor(f, j).Rollback(context.Background(), testSpec(), RollbackOptions{}); err != nil {
					t.Fatalf("seed %d, killed at call %d: roll back: %v", seed, at, err)
				}
				if diff := cmp.Diff(before, f.snapshot()); diff != "" {
					t.Fatalf("seed %d, killed at call %d (after %v): after roll back (-before +after):\n%s", seed, at, after, diff)
				}
			}
		}
	}
}

func TestAKillAtEveryCallOfARollbackIsResumed(t *testing.T) {
	for seed := range uint64(6) {
		for at := 1; at < 60; at++ {
			f, j := randomTenant(seed), &memJournal{}
			before := f.snapshot()
			mustApply(t, engineFor(f, j), testSpec())
			_, err := engineFor(&cut{Commander: f, at: at, after: at%2 == 0}, j).Rollback(context.Background(), testSpec(), RollbackOptions{})
			if _, again := engineFor(f, j).Rollback(context.Background(), testSpec(), RollbackOptions{}); again != nil {
				t.Fatalf("seed %d, killed at call %d: %v", seed, at, again)
			}
			if diff := cmp.Diff(before, f.snapshot()); diff != "" {
				t.Fatalf("seed %d, killed at call %d: (-before +after):\n%s", seed, at, diff)
			}
			if err == nil {
				break
			}
		}
	}
}

// doubtful answers every changing call as asked for, once each, although Exchange
// carried it out.
type doubtful struct {
	Commander
	status int
	seen   map[string]bool
}

func (d *doubtful) Invoke(ctx context.Context, cmdlet string, p map[string]any) ([]map[string]any, error) {
	out, err := d.Commander.Invoke(ctx, cmdlet, p)
	key := cmdlet + fmt.Sprint(p["Identity"], p["Name"], p["SendingInfrastructure"], p["SpoofType"])
	if err == nil && !strings.HasPrefix(cmdlet, "Get-") && !d.seen[key] {
		d.seen[key] = true
		return nil, &adminapi.Error{Cmdlet: cmdlet, Status: d.status}
	}
	return out, err
}

func TestSuccessAnsweredAsFailureIsNotDoneTwice(t *testing.T) {
	for _, status := range []int{503, 500, 504, 0} {
		f := newFake("contoso.com", "fabrikam.example")
		before := f.snapshot()
		e := engineFor(&doubtful{f, status, map[string]bool{}}, &memJournal{})
		mustApply(t, e, testSpec())
		if n := len(f.objects["TransportRule"]); n != 4 {
			t.Errorf("status %d: %d rules, want 4", status, n)
		}
		if _, err := e.Rollback(context.Background(), testSpec(), RollbackOptions{}); err != nil {
			t.Fatalf("status %d: roll back: %v", status, err)
		}
		if diff := cmp.Diff(before, f.snapshot()); diff != "" {
			t.Errorf("status %d: (-before +after):\n%s", status, diff)
		}
	}
}

func TestPlansAreDeterministicAndShowNoSecret(t *testing.T) {
	var first string
	for range 20 {
		e := engineFor(newFake("contoso.com", "fabrikam.example"), &memJournal{})
		p := planOf(t, e, testSpec())
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		all := string(b) + fmt.Sprintf("%v %+v %#v %v %+v", p.Actions, p.Actions[12].Parameters, p.Actions[12].After, testSpec(), p.Actions)
		if strings.Contains(all, testKey) || strings.Contains(all, testToken) {
			t.Fatal("a secret is printed")
		}
		if first == "" {
			first = string(b)
		}
		if string(b) != first {
			t.Fatal("two plans of the same difference are not the same")
		}
	}
}

func TestTheJournalHoldsNoKeyOfOurs(t *testing.T) {
	j := &memJournal{}
	mustApply(t, engineFor(newFake("contoso.com", "fabrikam.example"), j), testSpec())
	if strings.Contains(string(j.b), testKey) {
		t.Error("the relay key is in the journal")
	}
}
