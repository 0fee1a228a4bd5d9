package portal

import (
	"net/http"
	"testing"
)

// Somebody who was never sent to a provider, or reloads after it, is told so.
func TestComingBackFromAProviderOneWasNeverSentToIsRefusedInWords(t *testing.T) {
	h := newHouse(t)
	answer, err := h.client(t, "owner", "").http.Get(h.srv.URL + "/sign-in/provider/return")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("answered %s", answer.Status)
	}
}

// Who came with an old link signs in and goes on to where it leads.
func TestTheSignInPageKnowsWhereToGoOn(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/sign-in?next=/account", "/sign-in"} {
		answer, err := http.Get(h.srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s answered %s", path, answer.Status)
		}
	}
}
