package api

import (
	"encoding/json"
	"fmt"
	"testing"

	"postern/internal/mail"
)

func TestADraftIsTriedStagedAndPutIntoForceByAProgram(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "acme", "policy:write", "policy:read", "danger:bypass")
	const path = "/api/v1/tenants/acme/policies"
	if r := h.ask("GET", path+"/draft", "", bearer(token)...); r.status != 404 {
		t.Errorf("without a draft: %d %s", r.status, r.body)
	}
	const body = `{"kind":"tenant","hours":24,"thresholds":{"spam":30}}`
	r := h.ask("POST", path+"/draft", body, bearer(token)...)
	var d draft
	must(t, json.Unmarshal(r.body, &d))
	if r.status != 200 || !d.Tried || d.Choices.Thresholds[mail.Spam] != 30 || d.By != "ann@example.com via token test" {
		t.Fatalf("begun: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", path+"/draft", body, bearer(token)...); r.status != 422 {
		t.Errorf("a second draft: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", path+"/draft/stage", fmt.Sprintf(`{"draft":%q,"percent":10}`, d.ID), bearer(token)...); r.status != 200 {
		t.Errorf("a share: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", path+"/draft/enforce", `{"draft":"other"}`, bearer(token)...); r.status != 422 {
		t.Errorf("another draft: %d %s", r.status, r.body)
	}
	r = h.ask("POST", path+"/draft/enforce", fmt.Sprintf(`{"draft":%q}`, d.ID), bearer(token)...)
	var now policies
	must(t, json.Unmarshal(r.body, &now))
	if r.status != 200 || now.Tenant.Thresholds[mail.Spam] != 30 {
		t.Errorf("in force: %d %s", r.status, r.body)
	}
	if r := h.ask("DELETE", path+"/draft?draft="+d.ID, "", bearer(token)...); r.status != 422 {
		t.Errorf("discarded when it is gone: %d %s", r.status, r.body)
	}
}

func TestATenantObservesOnlyForSomeDays(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	token, _ := h.token(ann, "acme", "danger:bypass", "policy:write", "policy:read")
	narrow, _ := h.token(ann, "acme", "policy:write")
	const path = "/api/v1/tenants/acme/policies/observe"
	if r := h.ask("POST", path, `{"days":7}`, bearer(narrow)...); r.status != 403 {
		t.Errorf("with a token that may not: %d %s", r.status, r.body)
	}
	r := h.ask("POST", path, `{"days":7,"hold":["phish"]}`, bearer(token)...)
	var now policies
	must(t, json.Unmarshal(r.body, &now))
	if r.status != 200 || now.Observe == nil || len(now.Observe.Hold) != 1 {
		t.Fatalf("begun: %d %s", r.status, r.body)
	}
	if r := h.ask("DELETE", path, "", bearer(token)...); r.status != 204 {
		t.Errorf("ended: %d %s", r.status, r.body)
	}
	if r := h.ask("DELETE", path, "", bearer(token)...); r.status != 404 {
		t.Errorf("ended again: %d %s", r.status, r.body)
	}
}
