package twin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern/internal/twin/login"
)

// office is a tenant with its HTTP side and a token for it.
type office struct {
	*Twin
	t      *testing.T
	web    *httptest.Server
	tenant *Tenant
	token  string
	client *http.Client
}

func newOffice(t *testing.T, o Options) *office {
	t.Helper()
	if len(o.Tenants) == 0 {
		o.Tenants = []TenantOptions{{Domains: []string{"contoso.example"}, Mailboxes: []string{"bob@contoso.example"}}}
	}
	tw, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(tw.Handler())
	t.Cleanup(func() { web.Close(); tw.Close() })
	jar, _ := cookiejar.New(nil)
	of := &office{Twin: tw, t: t, web: web, tenant: tw.tenants[0], client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	body := of.grant(url.Values{"client_id": {of.tenant.ClientID}, "client_secret": {of.tenant.ClientSecret}, "grant_type": {"client_credentials"}, "scope": {login.Resource + "/.default"}})
	of.token, _ = body["access_token"].(string)
	return of
}

func (o *office) grant(form url.Values) map[string]any {
	o.t.Helper()
	r, err := o.client.PostForm(o.web.URL+"/"+o.tenant.ID+"/oauth2/v2.0/token", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer r.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		o.t.Fatal(err)
	}
	return out
}

type answer struct {
	status int
	header http.Header
	raw    []byte
	body   struct {
		Value    []map[string]any
		Warnings []string `json:"@adminapi.warnings"`
		Next     string   `json:"@odata.nextLink"`
		Error    struct {
			Code    string
			Details []struct{ Message string }
			Inner   struct {
				Internal struct{ Message, Type string } `json:"internalexception"`
			} `json:"innererror"`
		}
	}
}

func (o *office) post(url string, body string, header ...string) (answer, error) {
	req, _ := http.NewRequest("POST", url, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := o.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer r.Body.Close()
	a := answer{status: r.StatusCode, header: r.Header}
	a.raw, _ = io.ReadAll(r.Body)
	json.Unmarshal(a.raw, &a.body)
	return a, nil
}

func (o *office) url() string {
	return o.web.URL + "/adminapi/beta/" + o.tenant.ID + "/InvokeCommand"
}

func (o *office) call(name string, params map[string]any, header ...string) answer {
	o.t.Helper()
	body, _ := json.Marshal(map[string]any{"CmdletInput": map[string]any{"CmdletName": name, "Parameters": params}})
	a, err := o.post(o.url(), string(body), header...)
	if err != nil {
		o.t.Fatal(err)
	}
	return a
}

func TestACommandAnswersWithTypes(t *testing.T) {
	o := newOffice(t, Options{})
	a := o.call("New-InboundConnector", map[string]any{"Name": "in", "SenderDomains": "*", "SenderIPAddresses": []string{"192.0.2.1", "192.0.2.0/24"}, "RequireTls": true, "ConnectorType": "partner"})
	if a.status != 200 || len(a.body.Value) != 1 {
		t.Fatal(a.status, string(a.raw))
	}
	v := a.body.Value[0]
	for name, want := range map[string]any{"Name": "in", "ConnectorType": "Partner", "Guid@data.type": "System.Guid", "SenderIPAddresses@odata.type": "#Collection(String)", "WhenCreated@data.type": "System.DateTime", "Enabled": true} {
		if v[name] != want {
			t.Errorf("%s: %v, want %v", name, v[name], want)
		}
	}
	if got := v["SenderDomains"].([]any)[0]; got != "smtp:*;1" {
		t.Error(got)
	}
	for _, h := range []string{"request-id", "Rate-Limit-Limit", "Rate-Limit-Remaining"} {
		if a.header.Get(h) == "" {
			t.Error("missing header", h)
		}
	}
	a, _ = o.post(o.url()+"?$select=Name,Guid", `{"CmdletInput":{"CmdletName":"Get-InboundConnector","Parameters":{}}}`)
	if v := a.body.Value[0]; v["Name"] != "in" || v["Enabled"] != nil {
		t.Error(v)
	}
	if a := o.call("Set-InboundConnector", map[string]any{"Identity": "in", "RequireTls": true}); len(a.body.Warnings) != 1 || !strings.Contains(a.body.Warnings[0], "no settings of 'in' have been modified") {
		t.Error(a.body.Warnings)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	in := map[string]any{"Name": "in", "SenderDomains": []string{"*"}}
	for _, tt := range []struct {
		name, cmdlet string
		params       map[string]any
		status       int
		text         string
	}{
		{"an unknown parameter", "New-InboundConnector", with(in, "Colour", "red"), 400, "Invalid cmdlet parameters specified. Colour"},
		{"a parameter of on-premises servers", "New-TransportRule", map[string]any{"Name": "x", "DomainController": "dc"}, 400, "DomainController"},
		{"a value outside the enumeration", "New-InboundConnector", with(in, "ConnectorType", "Friend"), 400, "Specify one of the following enumerator names and try again:\r\nPartner, OnPremises"},
		{"a text for a switch", "New-InboundConnector", with(in, "RequireTls", "yes"), 400, "parameter 'RequireTls'"},
		{"a missing parameter", "New-InboundConnector", map[string]any{"Name": "x"}, 400, "missing mandatory parameters: SenderDomains"},
		{"an object that is not there", "Get-InboundConnector", map[string]any{"Identity": "nope"}, 404, "object 'nope' couldn't be found"},
		{"a name that is taken", "New-InboundConnector", in, 400, "already exists"},
		{"a name that a connector of the other direction has", "New-OutboundConnector", map[string]any{"Name": "IN"}, 400, "already exists"},
		{"a slash in a connector's name", "New-InboundConnector", with(in, "Name", "a/b"), 400, "aren't allowed"},
		{"an IPv6 address in a connector", "New-InboundConnector", with(with(in, "Name", "v6"), "SenderIPAddresses", []string{"2001:db8::1"}), 400, "isn't valid"},
		{"too wide a range", "New-InboundConnector", with(with(in, "Name", "w"), "SenderIPAddresses", []string{"192.0.0.0/16"}), 400, "/24"},
		{"a spoof pair with a bare address", "New-TenantAllowBlockListSpoofItems", map[string]any{"Identity": "Default", "Action": "Allow", "SpoofedUser": "*", "SendingInfrastructure": "192.0.2.1", "SpoofType": "External"}, 400, "/24"},
		{"everybody from everywhere", "New-TenantAllowBlockListSpoofItems", map[string]any{"Identity": "Default", "Action": "Allow", "SpoofedUser": "*", "SendingInfrastructure": "*", "SpoofType": "External"}, 400, "'*, *'"},
		{"a rule to no connector", "New-TransportRule", map[string]any{"Name": "r", "RouteMessageOutboundConnector": "nope"}, 400, "couldn't be found"},
		{"a header name with a colon", "New-TransportRule", map[string]any{"Name": "r", "SetHeaderName": "a:b", "SetHeaderValue": "c"}, 400, "header name"},
		{"a rule that is too large", "New-TransportRule", map[string]any{"Name": "r", "RecipientDomainIs": many(400), "DeleteMessage": true}, 400, "exceeds the maximum of 8192"},
		{"too many addresses in the filter", "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": addresses(1274)}, 400, "maximum is 1273"},
		{"high-confidence phishing to the inbox", "Set-HostedContentFilterPolicy", map[string]any{"Identity": "Default", "HighConfidencePhishAction": "MoveToJmf"}, 400, "Redirect, Quarantine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, Options{})
			o.call("New-InboundConnector", in)
			a := o.call(tt.cmdlet, tt.params)
			if a.status != tt.status || !strings.Contains(a.body.Error.Inner.Internal.Message, tt.text) || len(a.body.Error.Details) == 0 {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
}

func with(m map[string]any, k string, v any) map[string]any {
	out := map[string]any{k: v}
	for key, val := range m {
		if key != k {
			out[key] = val
		}
	}
	return out
}

func many(n int) (out []string) {
	for i := range n {
		out = append(out, strings.Repeat("x", i%7+1)+"-"+string(rune('a'+i%26))+".example")
	}
	return out
}

func addresses(n int) (out []string) {
	for i := range n {
		out = append(out, "192.0."+itoa(i/250)+"."+itoa(i%250))
	}
	return out
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestTheEnvelopeIsStrict(t *testing.T) {
	o := newOffice(t, Options{})
	for name, body := range map[string]string{
		"lower case":      `{"cmdletInput":{"CmdletName":"Get-TransportRule","Parameters":{}}}`,
		"null parameters": `{"CmdletInput":{"CmdletName":"Get-TransportRule","Parameters":null}}`,
		"no parameters":   `{"CmdletInput":{"CmdletName":"Get-TransportRule"}}`,
		"extra":           `{"CmdletInput":{"CmdletName":"Get-TransportRule","Parameters":{},"X":1}}`,
		"not JSON":        `CmdletInput`,
	} {
		if a, err := o.post(o.url(), body); err != nil || a.status != 400 {
			t.Errorf("%s: %d %v", name, a.status, err)
		}
	}
	if a, _ := o.post(o.url(), `{"CmdletInput":{"CmdletName":"Get-TransportRule","Parameters":{}}}`); a.status != 200 {
		t.Error(a.status, string(a.raw))
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	for _, tt := range []struct {
		name   string
		app    login.App
		cmdlet string
		status int
		nul    bool
	}{
		{"no permission at all", login.App{}, "Get-TransportRule", 401, false},
		{"app role without a directory role", login.App{AppRole: true}, "Get-TransportRule", 403, true},
		{"a global reader reads", login.App{AppRole: true, Roles: []string{RoleGlobalReader}}, "Get-InboundConnector", 200, false},
		{"a global reader does not write", login.App{AppRole: true, Roles: []string{RoleGlobalReader}}, "Remove-InboundConnector", 403, true},
		{"a security reader does not see connectors", login.App{AppRole: true, Roles: []string{RoleSecurityReader}}, "Get-InboundConnector", 403, true},
		{"a security administrator does not write rules", login.App{AppRole: true, Roles: []string{RoleSecurityAdministrator}}, "New-TransportRule", 403, true},
		{"a custom role has its cmdlets", login.App{AppRole: true, Roles: []string{"Transport Rules"}}, "Get-TransportRule", 200, false},
		{"a misspelt cmdlet", login.App{AppRole: true, Roles: []string{RoleExchangeAdministrator}}, "Get-Nonsense", 403, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, Options{})
			tt.app.ClientID, tt.app.Secrets = "5d4a7f3e-0000-4000-8000-000000000001", []login.Secret{{Value: "s"}}
			o.tenant.Directory.PutApp(tt.app)
			o.token, _ = o.grant(url.Values{"client_id": {tt.app.ClientID}, "client_secret": {"s"}, "grant_type": {"client_credentials"}, "scope": {login.Resource + "/.default"}})["access_token"].(string)
			a := o.call(tt.cmdlet, map[string]any{})
			if a.status != tt.status || tt.nul != (len(a.raw) > 0 && bytes.Count(a.raw, []byte{0}) == len(a.raw)) {
				t.Errorf("%d %q %s", a.status, a.raw, a.header.Get("x-ms-diagnostics"))
			}
		})
	}
}

func TestLongListingsComeInPages(t *testing.T) {
	o := newOffice(t, Options{})
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		o.call("New-TransportRule", map[string]any{"Name": n, "DeleteMessage": true, "SubjectContainsWords": []string{n}})
	}
	body := `{"CmdletInput":{"CmdletName":"Get-TransportRule","Parameters":{}}}`
	a, _ := o.post(o.url(), body, "Prefer", "odata.maxpagesize=2")
	var names []string
	next := a.body.Next
	for {
		for _, v := range a.body.Value {
			names = append(names, v["Name"].(string))
		}
		if a.body.Next == "" {
			break
		}
		a, _ = o.post(a.body.Next, body)
		if a.status != 200 {
			t.Fatal(a.status, string(a.raw))
		}
	}
	if strings.Join(names, "") != "abcde" {
		t.Error(names)
	}
	if a, _ := o.post(next, body); a.status != 400 || !strings.Contains(string(a.raw), "Expired or Invalid pagination request") {
		t.Error("a used link:", a.status)
	}
	a, _ = o.post(o.url(), body, "Prefer", "odata.maxpagesize=2")
	o.client.Jar, _ = cookiejar.New(nil)
	if a, _ := o.post(a.body.Next, body); a.status != 400 {
		t.Error("without the cookie:", a.status)
	}
}

func TestTheOrderOfRules(t *testing.T) {
	o := newOffice(t, Options{})
	rule := func(name string, extra ...any) {
		p := map[string]any{"Name": name, "DeleteMessage": true, "SubjectContainsWords": []string{name}}
		for i := 0; i < len(extra); i += 2 {
			p[extra[i].(string)] = extra[i+1]
		}
		if a := o.call("New-TransportRule", p); a.status != 200 {
			t.Fatal(string(a.raw))
		}
	}
	order := func() string {
		var s []string
		for i, v := range o.call("Get-TransportRule", map[string]any{}).body.Value {
			if int(v["Priority"].(float64)) != i {
				t.Error("Priority of", v["Name"], v["Priority"])
			}
			s = append(s, v["Name"].(string))
		}
		return strings.Join(s, " ")
	}
	rule("a")
	rule("b")
	rule("c", "Priority", 0, "Enabled", false)
	if got := order(); got != "c a b" {
		t.Error(got)
	}
	o.call("Set-TransportRule", map[string]any{"Identity": "c", "Priority": 2})
	if got := order(); got != "a b c" {
		t.Error(got)
	}
	o.call("Remove-TransportRule", map[string]any{"Identity": "a", "Confirm": false})
	if got := order(); got != "b c" {
		t.Error(got)
	}
	v := o.call("Get-TransportRule", map[string]any{"Identity": "c"}).body.Value[0]
	if v["State"] != "Disabled" || v["Description"] != "If the message:\r\n\tIncludes these words in the message subject: 'c'\r\nTake the following actions:\r\n\tDelete the message without notifying the recipient or sender\r\n" {
		t.Errorf("%v %q", v["State"], v["Description"])
	}
	o.call("Enable-TransportRule", map[string]any{"Identity": "c"})
	o.call("Set-TransportRule", map[string]any{"Identity": "c", "SubjectContainsWords": nil, "HasNoClassification": true})
	v = o.call("Get-TransportRule", map[string]any{"Identity": "c"}).body.Value[0]
	if v["State"] != "Enabled" || v["SubjectContainsWords"] != nil {
		t.Error(v["State"], v["SubjectContainsWords"])
	}
}

func TestTenantsDiffer(t *testing.T) {
	t.Run("a dehydrated one needs customization first, once", func(t *testing.T) {
		o := newOffice(t, Options{Tenants: []TenantOptions{{Dehydrated: true}}})
		set := map[string]any{"Identity": "Default", "EnableSafeList": true}
		if a := o.call("Set-HostedConnectionFilterPolicy", set); a.status != 400 || !strings.Contains(string(a.raw), "Enable-OrganizationCustomization") {
			t.Error(a.status, string(a.raw))
		}
		if a := o.call("Enable-OrganizationCustomization", map[string]any{}); a.status != 200 {
			t.Error(string(a.raw))
		}
		if a := o.call("Set-HostedConnectionFilterPolicy", set); a.status != 200 {
			t.Error(string(a.raw))
		}
		if a := o.call("Enable-OrganizationCustomization", map[string]any{}); a.status != 400 {
			t.Error("twice")
		}
	})
	t.Run("without Defender there is no Safe Links", func(t *testing.T) {
		o := newOffice(t, Options{Tenants: []TenantOptions{{NoDefender: true}}})
		for _, c := range []string{"Get-SafeLinksRule", "Get-ATPProtectionPolicyRule"} {
			if a := o.call(c, map[string]any{}); a.status != 403 {
				t.Error(c, a.status)
			}
		}
		if a := o.call("Set-AntiPhishPolicy", map[string]any{"Identity": "Office365 AntiPhish Default", "EnableMailboxIntelligence": false}); a.status != 400 {
			t.Error(a.status)
		}
		if a := o.call("Set-AntiPhishPolicy", map[string]any{"Identity": "Office365 AntiPhish Default", "EnableSpoofIntelligence": false}); a.status != 200 {
			t.Error(string(a.raw))
		}
	})
	t.Run("presets are there only if they were turned on", func(t *testing.T) {
		o := newOffice(t, Options{})
		if a := o.call("Get-EOPProtectionPolicyRule", map[string]any{}); a.status != 200 || len(a.body.Value) != 0 {
			t.Error(string(a.raw))
		}
		o = newOffice(t, Options{Tenants: []TenantOptions{{Presets: true}}})
		if a := o.call("Disable-EOPProtectionPolicyRule", map[string]any{"Identity": "Strict Preset Security Policy"}); a.status != 200 {
			t.Error(string(a.raw))
		}
		states := []string{}
		for _, v := range o.call("Get-EOPProtectionPolicyRule", map[string]any{}).body.Value {
			states = append(states, v["State"].(string))
		}
		if !slices.Equal(states, []string{"Disabled", "Enabled"}) {
			t.Error(states)
		}
	})
	t.Run("an OnPremises connector is created disabled", func(t *testing.T) {
		for _, old := range []bool{false, true} {
			o := newOffice(t, Options{Tenants: []TenantOptions{{Old: old}}})
			a := o.call("New-InboundConnector", map[string]any{"Name": "in", "ConnectorType": "OnPremises", "SenderDomains": []string{"*"}, "SenderIPAddresses": []string{"192.0.2.1"}, "Enabled": true})
			if a.body.Value[0]["Enabled"] != old || (len(a.body.Warnings) == 0) != old {
				t.Error(old, a.body.Value[0]["Enabled"], a.body.Warnings)
			}
		}
	})
	t.Run("a connector that a rule uses stays", func(t *testing.T) {
		o := newOffice(t, Options{})
		o.call("New-OutboundConnector", map[string]any{"Name": "out", "IsTransportRuleScoped": true, "UseMXRecord": false, "SmartHosts": []string{"relay.example"}})
		o.call("New-TransportRule", map[string]any{"Name": "r", "RouteMessageOutboundConnector": "out"})
		if a := o.call("Remove-OutboundConnector", map[string]any{"Identity": "out", "Confirm": false}); a.status != 400 {
			t.Error(a.status)
		}
		o.call("Remove-TransportRule", map[string]any{"Identity": "r", "Confirm": false})
		if a := o.call("Remove-OutboundConnector", map[string]any{"Identity": "out", "Confirm": false}); a.status != 200 {
			t.Error(string(a.raw))
		}
	})
}

func TestStateIsReadAndWritten(t *testing.T) {
	o := newOffice(t, Options{})
	o.call("New-TransportRule", map[string]any{"Name": "r", "DeleteMessage": true, "SetSCL": 5})
	r, err := http.Get(o.web.URL + "/twin/state")
	if err != nil {
		t.Fatal(err)
	}
	saved, _ := io.ReadAll(r.Body)
	r.Body.Close()
	o.call("Remove-TransportRule", map[string]any{"Identity": "r", "Confirm": false})
	req, _ := http.NewRequest("PUT", o.web.URL+"/twin/state", bytes.NewReader(saved))
	if r, err = http.DefaultClient.Do(req); err != nil || r.StatusCode != 200 {
		t.Fatal(err, r.Status)
	}
	if v := o.call("Get-TransportRule", map[string]any{}).body.Value; len(v) != 1 || v[0]["SetSCL"] != "5" {
		t.Error(v)
	}
	if err := o.tenant.Change("TransportRule", "r", "SetSCL", "-1"); err != nil {
		t.Error(err)
	}
	out, err := o.tenant.Invoke(context.Background(), Admin(), "Get-TransportRule", map[string]any{"Identity": "r"})
	if err != nil || out[0]["SetSCL"] != "-1" {
		t.Error(out, err)
	}
}
