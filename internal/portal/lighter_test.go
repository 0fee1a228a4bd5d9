package portal

import (
	"net/http"
	"net/url"
	"testing"

	"postern/internal/store"
)

// R45: what begins something dangerous waits for a second person; what ends it, only
// looks or asks back does not.
func TestOnlyWhatIsDangerousWaitsForASecondPerson(t *testing.T) {
	h := newHouse(t)
	ann := h.client(t, "owner", "")
	if err := h.Store.AddUser(t.Context(), store.User{ID: "second", Email: "bob@example.com", Role: "owner", Password: "x", SignedInAt: h.now()}); err != nil {
		t.Fatal(err)
	}
	if err := h.Exchange.SetFourEyes(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path  string
		form  url.Values
		waits bool
	}{
		{"/t/acme/policies/bypass", url.Values{"do": {"start"}, "hours": {"1"}, "why": {"a storm of false positives"}}, true},
		{"/t/acme/policies/bypass", url.Values{"do": {"end"}}, false},
		{"/t/acme/policies/again", url.Values{"do": {"look"}}, false},
		{"/t/acme/policies/again", url.Values{"do": {"release"}, "count": {"3"}}, true},
		{"/t/acme/retention", url.Values{"trace": {"7"}}, false},
		{"/t/acme/retention", url.Values{"trace": {"7"}, "sure": {"yes"}}, true},
		{"/t/acme/exchange/script", url.Values{"organization": {"acme.onmicrosoft.com"}}, true},
	} {
		before, err := h.Store.Approvals(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		status, _, header := ann.ask("POST", tt.path, tt.form)
		after, err := h.Store.Approvals(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if got := status == http.StatusSeeOther && header.Get("Location") == "/approvals" && len(after) == len(before)+1; got != tt.waits {
			t.Errorf("%s %v: waits %v (%d to %s), want %v", tt.path, tt.form, got, status, header.Get("Location"), tt.waits)
		}
	}
	rules, err := h.Store.Rules(t.Context(), "acme")
	if err != nil || !rules.Bypass.Until.IsZero() {
		t.Errorf("the bypass began: %+v %v", rules.Bypass, err)
	}
}
