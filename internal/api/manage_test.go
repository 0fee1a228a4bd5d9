package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"

	"postern/internal/store"
)

func TestABypassIsBegunAndEndedByAProgram(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "acme", "danger:bypass", "policy:write", "policy:read")
	const path = "/api/v1/tenants/acme/policies/bypass"
	for _, body := range []string{`{"minutes":1441,"why":"x"}`, `{"minutes":10,"why":" "}`} {
		if r := h.ask("POST", path, body, bearer(token)...); r.status != 422 {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	r := h.ask("POST", path, `{"minutes":10,"why":"storm"}`, bearer(token)...)
	var p policies
	must(t, json.Unmarshal(r.body, &p))
	if r.status != 200 || p.Bypass == nil || p.Bypass.Why != "storm" || p.Bypass.By != "ann@example.com via token test" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	alarms, err := h.Store.Alarms(t.Context(), "acme")
	must(t, err)
	if !slices.ContainsFunc(alarms, func(a store.Alarm) bool { return a.Kind == "bypass" }) {
		t.Error("no alarm says so")
	}
	if r := h.ask("DELETE", path, "", bearer(token)...); r.status != 204 {
		t.Errorf("the end: %d %s", r.status, r.body)
	}
}

func TestReportsByMailGoToTheTenantsOwnPeopleOnly(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "acme", "policy:write", "policy:read")
	_, err := h.Exchange.EnableDomain(t.Context(), "acme.example")
	must(t, err)
	const path = "/api/v1/tenants/acme/reports/schedule"
	if r := h.ask("PUT", path, `{"every":"weekly","to":["eve@beta.example"]}`, bearer(token)...); r.status != 422 || !strings.Contains(r.detail(), "reports name people") {
		t.Errorf("to another tenant's: %d %s", r.status, r.body)
	}
	r := h.ask("PUT", path, `{"every":"weekly","hour":7,"to":["bob@acme.example"],"language":"de"}`, bearer(token)...)
	var s reportSchedule
	must(t, json.Unmarshal(r.body, &s))
	if r.status != 200 || s.Every != "weekly" || s.Hour != 7 || len(s.To) != 1 || s.Language != "de" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := h.ask("PUT", path, `{"every":"never"}`, bearer(token)...); r.status != 200 || !strings.Contains(string(r.body), `"never"`) {
		t.Errorf("ended: %d %s", r.status, r.body)
	}
}

func TestWhoIsToldOfAlarmsIsTheTenantsOwnAffair(t *testing.T) {
	h := newHouse(t)
	ann := h.owner("ann@example.com", "")
	token, _ := h.token(ann, "acme", "policy:write", "policy:read")
	foreign, _ := h.token(ann, "beta", "policy:write", "policy:read")
	const path = "/api/v1/tenants/acme/notifications"
	if r := h.ask("POST", path, `{"to":"bob@acme.example","system":true}`, bearer(token)...); r.status != 422 {
		t.Errorf("a tenant's token asks for everybody's alarms: %d %s", r.status, r.body)
	}
	r := h.ask("POST", path, `{"to":"https://hooks.example.com/x","topics":["mail"]}`, bearer(token)...)
	var added addedReceiver
	must(t, json.Unmarshal(r.body, &added))
	if r.status != 201 || added.Secret == "" || added.Receiver.URL == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := h.ask("GET", path, "", bearer(token)...); !strings.Contains(string(r.body), added.Receiver.ID) || strings.Contains(string(r.body), added.Secret) {
		t.Errorf("the list: %s", r.body)
	}
	one := "/notifications/" + added.Receiver.ID
	if r := h.ask("DELETE", "/api/v1/tenants/beta"+one, "", bearer(foreign)...); r.status != 404 {
		t.Errorf("another tenant removes it: %d", r.status)
	}
	if r := h.ask("POST", "/api/v1/tenants/acme"+one+"/test", "", bearer(token)...); r.status != 502 || r.detail() != "The test could not be sent: Nobody took it." {
		t.Errorf("a test that fails: %d %s", r.status, r.body)
	}
	if r := h.ask("DELETE", "/api/v1/tenants/acme"+one, "", bearer(token)...); r.status != 200 {
		t.Errorf("its end: %d %s", r.status, r.body)
	}
}

func TestATenantsLookIsSetByAProgram(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "acme", "policy:write", "policy:read")
	var picture bytes.Buffer
	must(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 20, 20))))
	const path = "/api/v1/tenants/acme/look"
	for _, tt := range []struct {
		body string
		logo bool
	}{
		{`{"name":"Acme Mail","accent":"#0b5bf5","logo":"` + base64.StdEncoding.EncodeToString(picture.Bytes()) + `"}`, true},
		{`{"name":"Acme","accent":""}`, true},
		{`{"name":"Acme","accent":"","remove_logo":true}`, false},
	} {
		r := h.ask("PUT", path, tt.body, bearer(token)...)
		var b brand
		must(t, json.Unmarshal(r.body, &b))
		if r.status != 200 || b.Logo != tt.logo {
			t.Errorf("%s: %d %s", tt.body, r.status, r.body)
		}
	}
	if r := h.ask("PUT", path, `{"name":"Acme","accent":"","logo":"PHN2Zz4="}`, bearer(token)...); r.status != 422 || !strings.Contains(r.detail(), "export it as PNG") {
		t.Errorf("an SVG: %d %s", r.status, r.body)
	}
}

func TestATenantIsExportedAndRemovedByItsName(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", "tenants:write", "tenants:read", "danger:export", "danger:remove")
	if r := h.ask("POST", "/api/v1/tenants/beta/export", "", bearer(token)...); r.status != 200 || !json.Valid(r.body) || !strings.Contains(string(r.body), "beta.example") {
		t.Errorf("the export: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", "/api/v1/tenants/beta/remove", `{"name":"Acme"}`, bearer(token)...); r.status != 422 {
		t.Errorf("by another's name: %d %s", r.status, r.body)
	}
	if r := h.ask("POST", "/api/v1/tenants/beta/remove", `{"name":"Beta"}`, bearer(token)...); r.status != 200 {
		t.Errorf("by its name: %d %s", r.status, r.body)
	}
	if r := h.ask("GET", "/api/v1/tenants/beta", "", bearer(token)...); r.status != 404 {
		t.Errorf("it is there still: %d", r.status)
	}
}

func TestASecondFactorIsTakenAwayButAnOwners(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", "users:write", "users:read", "danger:users")
	_, err := h.Exchange.AddUser(t.Context(), "bob@example.com", "acme", "helpdesk")
	must(t, err)
	must(t, h.Store.EditUser(t.Context(), "bob@example.com", func(u *store.User) error { u.Factor = []byte("x"); return nil }))
	r := h.ask("POST", "/api/v1/users/bob@example.com/factor/reset", "", bearer(token)...)
	if r.status != 200 || !strings.Contains(string(r.body), `"second_factor":false`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := h.ask("POST", "/api/v1/users/ann@example.com/factor/reset", "", bearer(token)...); r.status != 403 {
		t.Errorf("an owner's: %d %s", r.status, r.body)
	}
}

func TestSimilarMailIsFoundWithinTheTenant(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", "mail:read")
	one := h.accepted("acme", "eve@elsewhere.example", "your invoice 4711")
	like := h.accepted("acme", "eve@elsewhere.example", "your invoice 4711")
	h.accepted("beta", "eve@elsewhere.example", "your invoice 4711")
	r := h.ask("GET", "/api/v1/tenants/acme/mail/"+string(one)+"/similar", "", bearer(token)...)
	var found similarMail
	must(t, json.Unmarshal(r.body, &found))
	if r.status != 200 || !found.Whole || len(found.Items) != 1 || found.Items[0].ID != like || len(found.Items[0].In) == 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := h.ask("GET", "/api/v1/tenants/beta/mail/"+string(one)+"/similar", "", bearer(token)...); r.status != 404 {
		t.Errorf("from another tenant: %d", r.status)
	}
}
