package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestTheProtectionStatusOfANewTenantIsRedAndSaysWhatToDo(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", "report:read", "exchange:write")
	r := h.ask("GET", "/api/v1/tenants/acme/status", "", bearer(token)...)
	var s protectionStatus
	must(t, json.Unmarshal(r.body, &s))
	if r.status != 200 || s.Lamp != "bad" || s.Verdict == "" || len(s.Flow) == 0 || s.Flow[0].Name != "domains" || s.Flow[0].Do == "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := h.ask("POST", "/api/v1/tenants/acme/status/look", `{"what": "verify"}`, bearer(token)...); r.status != 409 || !strings.Contains(r.detail(), "Connect it first") {
		t.Errorf("a look without a connection: %d %s", r.status, r.body)
	}
}

func TestTheStatusTellsWhyALookFailedAndOnlyOneIsOnAtATime(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", "report:read")
	wait, ended := make(chan struct{}), make(chan struct{})
	work := func(context.Context) error { <-wait; defer close(ended); return errors.New("nobody answered") }
	if !h.Exchange.Runs.BeginLook("acme", work) || h.Exchange.Runs.BeginLook("acme", work) {
		t.Fatal("not one look at a time")
	}
	status := func() (s protectionStatus) {
		must(t, json.Unmarshal(h.ask("GET", "/api/v1/tenants/acme/status", "", bearer(token)...).body, &s))
		return s
	}
	if s := status(); s.LookingAt.IsZero() || s.Failed != "" {
		t.Errorf("while it is on: %+v", s)
	}
	close(wait)
	<-ended
	for s := status(); s.Failed != "Nobody answered."; s = status() {
		if t.Context().Err() != nil || s.LookingAt.IsZero() {
			t.Fatalf("after its end: %+v", s)
		}
	}
}
