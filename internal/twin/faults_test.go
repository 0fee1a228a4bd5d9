package twin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestThingsThatGoWrong(t *testing.T) {
	in := map[string]any{"Name": "in", "SenderDomains": []string{"*"}}
	t.Run("throttled", func(t *testing.T) {
		o := newOffice(t, Options{})
		o.tenant.Plan(Fault{Call: 1, Kind: FaultThrottle, RetryAfter: 30 * time.Second})
		if a := o.call("New-InboundConnector", in); a.status != 429 || a.header.Get("Retry-After") != "30" {
			t.Error(a.status, a.header)
		}
		if a := o.call("New-InboundConnector", in); a.status != 200 {
			t.Error(a.status)
		}
	})
	t.Run("success answered as 503", func(t *testing.T) {
		o := newOffice(t, Options{})
		o.tenant.Plan(Fault{Cmdlet: "New-", Kind: FaultStatus, Status: 503, Done: true})
		if a := o.call("New-InboundConnector", in); a.status != 503 {
			t.Error(a.status)
		}
		if a := o.call("Get-InboundConnector", map[string]any{"Identity": "in"}); a.status != 200 {
			t.Error("it was not done")
		}
	})
	for _, done := range []bool{false, true} {
		t.Run("the connection breaks", func(t *testing.T) {
			o := newOffice(t, Options{})
			o.tenant.Plan(Fault{Call: 1, Kind: FaultKill, Done: done})
			body, _ := json.Marshal(map[string]any{"CmdletInput": map[string]any{"CmdletName": "New-InboundConnector", "Parameters": in}})
			if _, err := o.post(o.url(), string(body)); err == nil {
				t.Error("an answer came")
			}
			if a := o.call("Get-InboundConnector", map[string]any{}); len(a.body.Value) != map[bool]int{true: 1}[done] {
				t.Error(done, a.body.Value)
			}
		})
	}
	t.Run("redirect to a regional host", func(t *testing.T) {
		o := newOffice(t, Options{})
		o.tenant.Plan(Fault{Call: 1, Kind: FaultRedirect, Location: "https://eurprd01.outlook.office365.com"})
		if a := o.call("Get-TransportRule", map[string]any{}); a.status != 302 || !strings.HasPrefix(a.header.Get("Location"), "https://eurprd01.outlook.office365.com/adminapi/beta/") {
			t.Error(a.status, a.header)
		}
	})
	t.Run("the time-out", func(t *testing.T) {
		o := newOffice(t, Options{CmdletTimeout: 20 * time.Millisecond})
		o.tenant.Plan(Fault{Call: 1, Kind: FaultTimeout})
		if a := o.call("Get-TransportRule", map[string]any{}); a.status != 504 {
			t.Error(a.status)
		}
	})
	t.Run("reads lag", func(t *testing.T) {
		now := time.Now()
		o := newOffice(t, Options{Lag: time.Minute, Now: func() time.Time { return now }})
		o.call("New-InboundConnector", in)
		if a := o.call("Get-InboundConnector", map[string]any{}); len(a.body.Value) != 0 {
			t.Error("seen at once")
		}
		if a := o.call("New-InboundConnector", in); a.status != 400 {
			t.Error("the directory forgot it")
		}
		now = now.Add(2 * time.Minute)
		if a := o.call("Get-InboundConnector", map[string]any{}); len(a.body.Value) != 1 {
			t.Error("never seen")
		}
	})
	t.Run("an expired token", func(t *testing.T) {
		now := time.Now()
		o := newOffice(t, Options{Now: func() time.Time { return now }})
		now = now.Add(2 * time.Hour)
		if a := o.call("Get-TransportRule", map[string]any{}); a.status != 401 || !strings.Contains(a.header.Get("x-ms-diagnostics"), "expired") {
			t.Error(a.status, a.header)
		}
	})
}
