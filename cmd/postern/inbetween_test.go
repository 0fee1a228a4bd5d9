package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/internal/twin"
)

// An organization that was never customized is told before; one of which only part
// of Exchange knows that it was, when Exchange refuses. Applying again goes on.
func TestAnOrganizationThatWasNeverCustomizedIsToldInTheBrowser(t *testing.T) {
	w, b := wizardWorld(t, func(o *twin.Options) { o.Tenants[0].Dehydrated = true })
	o := w.twin.Tenants()[0]
	b.connect(o, o.ClientSecret)
	b.sees("Done.")
	b.open("/t/contoso/exchange/plan")
	b.sees("The organization was never customized; the plan begins with Enable-OrganizationCustomization")
	o.Plan(twin.Fault{Cmdlet: "Set-HostedConnectionFilterPolicy", Times: 1000, Kind: twin.FaultThrottle, RetryAfter: time.Millisecond})
	b.press("Apply these changes")
	waitFor(t, "the organization is customized", func() bool { return !o.Objects("OrganizationConfig")[0].Bool("IsDehydrated") })
	if err := o.Change("OrganizationConfig", o.Organization, "IsDehydrated", true); err != nil { // the next server does not know of it
		t.Fatal(err)
	}
	o.Plan()
	b.sees("The organization was never customized, so Exchange refused")
	b.sees("Apply again: Postern runs Enable-OrganizationCustomization first")
	b.open("/t/contoso/exchange/plan")
	b.sees("the plan begins with Enable-OrganizationCustomization")
	b.press("Apply these changes")
	b.sees("Done. Everything was made as planned.")
}

// A connector that collides with Postern's is told on the page of the plan; one that
// somebody makes after that page was read stops the change before it begins.
func TestAConflictingConnectorIsToldInTheBrowserAndResumable(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	b.connect(o, o.ClientSecret)
	b.sees("Done.")
	const ours = "Postern Inbound Connector (Receive)"
	conflict := func(cmdlet string, params map[string]any) {
		t.Helper()
		if _, err := o.Invoke(t.Context(), twin.Admin(), cmdlet, params); err != nil {
			t.Fatal(err)
		}
	}
	const cause, mend = "The name “" + ours + "” belongs to a connector of the other direction already.", "Rename that connector, or choose another brand name."
	b.open("/t/contoso/exchange/plan")
	b.sees("Nothing has been done yet")
	conflict("New-OutboundConnector", map[string]any{"Name": ours, "ConnectorType": "Partner", "RecipientDomains": []any{"example.net"}, "SmartHosts": []any{"mail.example.net"}, "UseMXRecord": false})
	b.press("Apply these changes")
	b.sees(cause)
	b.sees(mend)
	if n := len(o.Objects("InboundConnector")); n != 0 {
		t.Errorf("%d inbound connectors were made although the change stopped", n)
	}
	b.open("/t/contoso/exchange/plan")
	b.sees(cause)
	b.sees(mend)
	b.do(chromedp.WaitReady(`[data-apply]:disabled`))
	conflict("Remove-OutboundConnector", map[string]any{"Identity": ours, "Confirm": false})
	b.open("/t/contoso/exchange/plan")
	b.press("Apply these changes")
	b.sees("Done. Everything was made as planned.")

	address := o.Object("InboundConnector", ours).List("SenderIPAddresses")[0]
	conflict("New-InboundConnector", map[string]any{"Name": "Old gateway", "ConnectorType": "Partner", "SenderDomains": []any{"*"}, "SenderIPAddresses": []any{address}})
	b.open("/t/contoso/exchange/plan")
	b.sees("The connector Old gateway also names the relay's address " + address)
	b.sees("Take the address out of that connector.")
}

// What somebody changed in between is named: in the plan before it is written
// anew, and by a roll back, which leaves it alone unless Postern made the object.
func TestWhatOthersChangedInBetweenIsToldInTheBrowser(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	b.connect(o, o.ClientSecret)
	b.sees("Done.")
	apply := func() {
		t.Helper()
		b.press("Apply these changes")
		b.sees("Done. Everything was made as planned.")
	}
	change := func(noun, identity, property, value string) {
		t.Helper()
		if err := o.Change(noun, identity, property, value); err != nil {
			t.Fatal(err)
		}
	}
	b.open("/t/contoso/exchange/plan")
	apply()
	change("TransportRule", "Postern Inbound Relay", "SetHeaderValue", "of somebody else")
	b.open("/t/contoso/exchange/plan")
	b.sees("It was set up before; somebody or a new setting changed SetHeaderValue.")
	apply()
	if got := o.Object("TransportRule", "Postern Inbound Relay").String("SetHeaderValue"); got == "of somebody else" {
		t.Error("the rule was not put right")
	}

	change("TransportRule", "Postern Inbound Relay", "SetHeaderValue", "of somebody else")
	change("RemoteDomain", "Default", "AllowedOOFType", "None")
	b.open("/t/contoso/exchange")
	b.press("Roll back")
	b.press("Roll back")
	b.sees("Done.")
	b.sees("Left alone, because others changed it: remote-domain AllowedOOFType.")
	b.sees("Others changed it: rule-redirect SetHeaderValue. It was removed all the same, because Postern made the object.")
	if got := o.Object("RemoteDomain", "Default").String("AllowedOOFType"); got != "None" {
		t.Errorf("the administrator's value was overwritten with %s", got)
	}
	b.open("/t/contoso/exchange/plan") // and it can be set up again
	apply()
}

// waitFor asks until something is so, a minute at most.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
