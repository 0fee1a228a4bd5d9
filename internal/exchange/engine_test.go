package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/exchange/adminapi"
	"postern/internal/twin"
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
	of := newOffice(t, twin.TenantOptions{})
	e := of.engine()
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
		of := newOffice(t, twin.TenantOptions{})
		before := of.snapshot()
		e := engineFor(&doubtful{of.client, status, map[string]bool{}}, of.j)
		mustApply(t, e, testSpec())
		if n := len(of.tenant.State()["TransportRule"]); n != 4 {
			t.Errorf("status %d: %d rules, want 4", status, n)
		}
		if _, err := e.Rollback(context.Background(), testSpec(), RollbackOptions{}); err != nil {
			t.Fatalf("status %d: roll back: %v", status, err)
		}
		if diff := sameState(before, of.snapshot()); diff != "" {
			t.Errorf("status %d: (-before +after):\n%s", status, diff)
		}
	}
}

func TestPlansAreDeterministicAndShowNoSecret(t *testing.T) {
	var first string
	of := newOffice(t, twin.TenantOptions{})
	for range 20 {
		p := planOf(t, of.engine(), testSpec())
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
	of := newOffice(t, twin.TenantOptions{})
	mustApply(t, of.engine(), testSpec())
	if strings.Contains(string(of.j.b), testKey) {
		t.Error("the relay key is in the journal")
	}
}

// memJournal keeps the octets in memory.
type memJournal struct {
	mu sync.Mutex
	b  []byte
}

func (j *memJournal) Load(context.Context) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.b), nil
}

func (j *memJournal) Save(_ context.Context, b []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.b = slices.Clone(b)
	return nil
}
