package exchange

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/twin"
	"postern/internal/twin/ps"
)

// scripted runs the generated script against the tenant, by interpreting it.
type scripted struct {
	of     *office
	script *ps.Script
	files  map[string][]byte
}

func (of *office) scripted(t *testing.T, spec Spec) *scripted {
	t.Helper()
	text := scriptOf(t, spec)
	script, err := ps.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &scripted{of, script, map[string][]byte{}}
}

func (s *scripted) run(t *testing.T, mode string) (*ScriptReport, error) {
	t.Helper()
	var sent string
	var steps []string
	host := &ps.Host{Files: s.files, Now: func() time.Time { return time.Now() },
		Command: func(ctx context.Context, name string, params map[string]any) ([]any, []string, bool, error) {
			if name == "Connect-ExchangeOnline" {
				return nil, nil, true, nil
			}
			rows, err := s.of.tenant.Invoke(ctx, twin.Admin(), name, params)
			out := make([]any, len(rows))
			for i, r := range rows {
				out[i] = generic(r)
			}
			return out, nil, strings.Contains(name, "-"), err
		},
		Rest: func(_ context.Context, _, _ string, headers map[string]string, body string) (string, error) {
			var told struct{ Step string }
			switch {
			case headers["Authorization"] == "Bearer one-time" && steps == nil:
				steps = []string{}
				return `{"key":"of-this-run"}`, nil
			case headers["Authorization"] != "Bearer of-this-run":
				t.Errorf("the report was sent with %v", headers)
			case json.Unmarshal([]byte(body), &told) == nil && told.Step != "":
				steps = append(steps, told.Step)
			default:
				sent = body
			}
			return "{}", nil
		}}
	res, err := s.script.Run(t.Context(), host, map[string]any{"Mode": mode, "StateFile": "state.json"})
	r, jerr := ReadScriptReport("contoso", []byte(sent))
	if jerr != nil {
		t.Fatalf("mode %s: no report: %v, %v\n%s\n%v", mode, jerr, err, res.Text, res.Messages)
	}
	if mode != "Verify" && len(steps) < 8 && err == nil {
		t.Errorf("mode %s told only the steps %q", mode, steps)
	}
	if all := sent + strings.Join(steps, " "); strings.Contains(all, testKey) || strings.Contains(all, testToken) {
		t.Error("a secret is in the report")
	}
	return r, err
}

// generic turns a row into maps and lists of any, as a script sees objects.
func generic(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = generic(x)
		}
		return out
	case twin.Object:
		return generic(map[string]any(v))
	case []string:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = x
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = generic(x)
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = generic(x)
		}
		return out
	case []twin.Object:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = generic(x)
		}
		return out
	}
	return v
}

// random are properties that Exchange makes anew for every object, and times.
var random = []string{"Guid", "Identity", "ExchangeObjectId", "ImmutableId", "WhenCreated", "WhenCreatedUTC", "LastValidationTimestamp", "CreatedBy", "NameHashGuid", "DistinguishedName"}

// comparable is a snapshot without what two equal runs may differ in.
func comparable(s map[string]any) any {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, x := range v {
				if x = walk(x); !unset(x) && !contains(random, k) && !contains(bookkeeping, k) {
					out[k] = x
				}
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = walk(x)
			}
			return out
		}
		return v
	}
	return walk(s)
}

func TestScriptAndAPILeaveTheSameState(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() || raceDetector {
		seeds = 2
	}
	for name, spec := range variants() {
		of := newOffice(t, twin.TenantOptions{Old: true, Domains: append(manyDomains(120), "contoso.com", "fabrikam.example")})
		initial := of.tenant.State()
		for seed := range seeds {
			of.restore(initial)
			of.scramble(seed)
			before := of.snapshot()
			scrambled := of.tenant.State()
			mustApply(t, of.engine(), spec)
			byAPI := comparable(of.snapshot())
			of.restore(scrambled)
			s := of.scripted(t, spec)
			r, err := s.run(t, "Apply")
			if err != nil || !r.OK {
				t.Fatalf("%s, seed %d: script: %v, %+v", name, seed, err, r)
			}
			if diff := cmp.Diff(byAPI, comparable(of.snapshot())); diff != "" {
				t.Fatalf("%s, seed %d: (-API +script):\n%s", name, seed, diff)
			}
			if again, err := s.run(t, "Apply"); err != nil || len(again.Done) != 0 {
				t.Fatalf("%s, seed %d: a second run did %v, %v", name, seed, again.Done, err)
			}
			if left := ids(planOf(t, of.engine(), spec)); len(left) != 0 {
				t.Fatalf("%s, seed %d: after the script the API would still do %v", name, seed, left)
			}
			if back, err := s.run(t, "Rollback"); err != nil || len(back.Foreign) != 0 {
				t.Fatalf("%s, seed %d: roll back: %v, %+v", name, seed, err, back)
			}
			if got, want := ruleNames(of.snapshot()), ruleNames(before); got != want {
				t.Fatalf("%s, seed %d: after the script's roll back the rules are %s, were %s", name, seed, got, want)
			}
			if diff := sameState(before, of.snapshot()); diff != "" {
				t.Fatalf("%s, seed %d: after the script's roll back (-before +after):\n%s", name, seed, diff)
			}
		}
	}
}

// ruleNames are the rules of a snapshot in their order.
func ruleNames(s map[string]any) string {
	var names []string
	list, _ := s["TransportRule"].([]any)
	for _, r := range list {
		o, _ := r.(map[string]any)
		names = append(names, text(o["Priority"])+" "+text(o["Name"]))
	}
	return strings.Join(names, ", ")
}

func TestTheScriptNamesDriftAndItsReportIsImported(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	s := of.scripted(t, testSpec())
	if r, err := s.run(t, "Verify"); err != nil || r.OK || len(r.Drift) < 8 {
		t.Errorf("in an untouched tenant: %+v, %v", r, err)
	}
	if r, err := s.run(t, "Apply"); err != nil || !r.OK {
		t.Fatalf("apply: %+v, %v", r, err)
	}
	if err := of.tenant.Change("InboundConnector", "Postern Inbound Connector (Receive)", "RestrictDomainsToIPAddresses", true); err != nil {
		t.Fatal(err)
	}
	if err := of.tenant.Change("TransportRule", "Postern Inbound Relay", "ExceptIfFrom", []string{"ceo@contoso.com"}); err != nil {
		t.Fatal(err)
	}
	r, err := s.run(t, "Verify")
	if err != nil || r.OK || len(r.Drift) != 2 || r.Report().OK {
		t.Errorf("after two edits by hand: %+v, %v", r, err)
	}
	for _, bad := range []string{"", "null", "[]", `{"tenant":"other","mode":"Apply"}`, `{"tenant":"contoso","mode":"Destroy"}`, strings.Repeat(" ", maxReport+1)} {
		if _, err := ReadScriptReport("contoso", []byte(bad)); err == nil {
			t.Errorf("%.30q was imported", bad)
		}
	}
}

func TestTheScriptStopsWhenTheRelayIsNotReached(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	spec := testSpec()
	spec.SmartHost = "nowhere.postern.example"
	r, err := of.scripted(t, spec).run(t, "Apply")
	if err == nil || !strings.Contains(r.Problem, "could not connect to the relay") {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, rule := range of.tenant.State()["TransportRule"] {
		if rule.String("RouteMessageOutboundConnector") != "" && rule.String("State") == "Enabled" {
			t.Error("mail is redirected to a relay that was not reached")
		}
	}
}
