package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/internal/exchange/guide"
	"postern/internal/twin"
)

func guideOf(t *testing.T, spec Spec, r *Report) []guide.Step {
	t.Helper()
	list, err := Guide(spec, map[string][]string{"contoso.com": {"contoso-com.mail.protection.outlook.com:25"}}, "", r)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEveryStepOfBothGuidesIsThereInTheirOrder(t *testing.T) {
	want := append(append(steps("G1", 1, 58), steps("G2", 1, 12)...), steps("G2.c", 1, 13)...)
	for name, spec := range variants() {
		var got []string
		for _, s := range guideOf(t, spec, nil) {
			if !strings.HasPrefix(s.ID, "P.") {
				got = append(got, s.ID)
			}
			if s.Title.Format == "" || s.Where.Format == "" || len(s.Do) == 0 || s.Section.Format == "" {
				t.Errorf("%s: step %s is not complete", name, s.ID)
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: steps are %v", name, got)
		}
	}
}

func TestGuidesShowSecretsOnlyWhenAsked(t *testing.T) {
	list := guideOf(t, testSpec(), nil)
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(b), guide.Text(list, false), guide.Markdown(list, false)} {
		if strings.Contains(out, testKey) || strings.Contains(out, testToken) {
			t.Error("a secret is shown")
		}
		if !strings.Contains(out, "relay.postern.example") || !strings.Contains(out, "192.0.2.11") || !strings.Contains(out, "x-trustifi-creds") {
			t.Error("this tenant's values are missing")
		}
	}
	if out := guide.Text(list, true); !strings.Contains(out, testKey) || !strings.Contains(out, testToken) {
		t.Error("secrets are not shown although asked for")
	}
}

func TestStepsAreMarkedFromWhatIsThere(t *testing.T) {
	of := newOffice(t, twin.TenantOptions{})
	report := func() *Report {
		r, err := of.engine().Verify(t.Context(), testSpec())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	count := func(list []guide.Step, s guide.Status) (n int) {
		for _, x := range list {
			if x.Status == s {
				n++
			}
		}
		return n
	}
	fresh := guideOf(t, testSpec(), report())
	if open := count(fresh, guide.Open); open < 60 {
		t.Errorf("only %d steps are open in an untouched tenant", open)
	}
	mustApply(t, of.engine(), testSpec())
	done := guideOf(t, testSpec(), report())
	for _, s := range done {
		if s.Status == guide.Open {
			t.Errorf("step %s is open although everything was applied", s.ID)
		}
	}
	if err := of.tenant.Change("TransportRule", "Postern Inbound Relay", "SetSCL", 5); err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, s := range guideOf(t, testSpec(), report()) {
		if s.Status == guide.Open {
			open = append(open, s.ID)
		}
	}
	if fmt.Sprint(open) != "[G1.48 G1.49 G1.55]" {
		t.Errorf("after one edit by hand these steps are open: %v", open)
	}
}
