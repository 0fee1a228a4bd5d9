package twin

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"postern/internal/twin/sign"
	"postern/internal/twin/wire"
)

func TestOutsideMailGoesToTheRelayAndComesBackToTheInbox(t *testing.T) {
	l := newLab(t, Options{})
	l.guide(nil)
	sent := internet("")
	m := l.redirected(sent)
	h := fields(m.raw)
	if h.first("x-relay-creds") != key {
		t.Error("the key header is missing")
	}
	if body(m.raw) != body(sent.Raw) {
		t.Errorf("body changed on the way out: %q", body(m.raw))
	}
	if m.env.TLS == nil || m.env.TLS.PeerCertificates[0].Subject.CommonName != "mail.protection.outlook.com" {
		t.Error("no client certificate of mail.protection.outlook.com")
	}
	if m.env.From != "alice@sender.example" || !strings.HasSuffix(m.env.HELO, ".outbound.protection.outlook.com") {
		t.Error("envelope:", m.env)
	}
	if c := sign.ARC(context.Background(), l.lookup, m.raw); c.Status != "pass" || len(c.Sets) != 1 {
		t.Error("the ARC set does not verify:", c.Status, c.Reason)
	}
	if r := l.back(m, "x-relay-inbound-processed: yes\r\n"); !r.OK() {
		t.Fatal(r)
	}
	got := l.inbox("bob@contoso.example")
	if got.Folder != "inbox" || got.From != "alice@sender.example" || body(got.Raw) != body(sent.Raw) {
		t.Errorf("%s from %s: %q", got.Folder, got.From, body(got.Raw))
	}
	h = fields(got.Raw)
	for name, want := range map[string]string{"X-MS-Exchange-Organization-SCL": "-1", "X-EOPAttributedMessage": "1", "X-MS-Exchange-Organization-AuthAs": "Anonymous"} {
		if h.first(name) != want {
			t.Errorf("%s: %q, want %q", name, h.first(name), want)
		}
	}
	report := h.first("X-Forefront-Antispam-Report")
	for _, want := range []string{"CIP:" + relayIP, "IPV:CAL", "SFV:SKN", "SCL:-1"} {
		if !strings.Contains(report, want+";") {
			t.Errorf("%s not in %s", want, report)
		}
	}
	for _, want := range []string{"X-Forefront-Antispam-Report-Untrusted", "X-Microsoft-Antispam-Untrusted", "X-Microsoft-Antispam-Message-Info-Original", "Authentication-Results-Original",
		"X-MS-Exchange-Transport-CrossTenantHeadersStripped", "X-MS-Office365-Filtering-Correlation-Id-Prvs"} {
		if !h.has(want) {
			t.Error("missing after the return:", want)
		}
	}
	if c := sign.ARC(context.Background(), l.lookup, got.Raw); c.Status != "pass" || len(c.Sets) != 2 {
		t.Error("the chain of two sets does not verify:", c.Status, c.Reason)
	}
	if len(l.Quarantine())+len(l.NDRs()) != 0 {
		t.Error("something was held or returned")
	}
}

func TestTheHeaderOfARedirectedMessageHasTheOrderOfRealOnes(t *testing.T) {
	l := newLab(t, Options{})
	l.guide(nil)
	got := names(l.redirected(internet("")).raw)
	want := `ARC-Seal
ARC-Message-Signature
ARC-Authentication-Results
Received
Received
Authentication-Results
Received-SPF
Received
From
To
Subject
Date
Message-ID
X-EOPAttributedMessage
X-EOPTenantAttributedMessage
X-MS-PublicTrafficType
X-MS-TrafficTypeDiagnostic
X-MS-Office365-Filtering-Correlation-Id
X-MS-Exchange-AtpMessageProperties
X-MS-Exchange-SenderADCheck
X-MS-Exchange-AntiSpam-Relay
X-Forefront-Antispam-Report
X-Microsoft-Antispam
X-Microsoft-Antispam-Message-Info
x-relay-creds
X-MS-Exchange-Transport-Rules-Loop
X-OriginatorOrg
X-MS-Exchange-CrossTenant-OriginalArrivalTime
X-MS-Exchange-CrossTenant-Network-Message-Id
X-MS-Exchange-CrossTenant-Id
X-MS-Exchange-CrossTenant-AuthSource
X-MS-Exchange-CrossTenant-AuthAs
X-MS-Exchange-CrossTenant-FromEntityHeader
X-MS-Exchange-Transport-CrossTenantHeadersStamped`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAForgedProcessedHeaderSkipsTheRelayOnlyWithTheGuidesRule(t *testing.T) {
	for _, tt := range []struct {
		name, rule, header string
		skips              bool
	}{
		{"guide rule, forged yes", "yes", "x-relay-inbound-processed: yes\r\n", true},
		{"guide rule, words in other company", "yes", "X-Relay-Inbound-Processed: x, YES;\r\n", true},
		{"guide rule, part of a word", "yes", "x-relay-inbound-processed: yesterday\r\n", false},
		{"token rule, forged yes", token, "x-relay-inbound-processed: yes\r\n", false},
		{"token rule, guessed token", token, "x-relay-inbound-processed: tok7Qx3\r\n", false},
		{"token rule, the token itself", token, "x-relay-inbound-processed: tok7Qx2\r\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Options{})
			l.guide(func(r map[string]any) { r["ExceptIfHeaderContainsWords"] = []any{tt.rule} })
			if !tt.skips {
				l.redirected(internet(tt.header))
				return
			}
			l.Deliver(context.Background(), internet(tt.header))
			l.inbox("bob@contoso.example")
			if len(l.relay.all()) != 0 {
				t.Error("the relay saw it")
			}
		})
	}
}

func TestTheRulesAndTheReturn(t *testing.T) {
	t.Run("mail without the header comes back by its address alone", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		l.back(l.redirected(internet("")), "")
		l.inbox("bob@contoso.example")
	})
	t.Run("a rule without exceptions loops and is stopped", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(func(r map[string]any) {
			delete(r, "ExceptIfSenderIpRanges")
			delete(r, "ExceptIfHeaderContainsMessageHeader")
			delete(r, "ExceptIfHeaderContainsWords")
		})
		l.back(l.redirected(internet("")), "")
		l.waits("an NDR", func() bool { return len(l.NDRs()) == 1 })
		if n := l.NDRs()[0]; !strings.Contains(n.Reply, "5.7.128") {
			t.Error(n.Reply)
		}
	})
	t.Run("subdomains match, other domains do not", func(t *testing.T) {
		l := newLab(t, Options{Tenants: []TenantOptions{{Domains: []string{"contoso.example", "sub.contoso.example", "fabrikam.example"}, Mailboxes: []string{"a@sub.contoso.example", "b@fabrikam.example"}}}})
		l.guide(nil)
		in := internet("")
		in.To = []string{"a@sub.contoso.example"}
		l.redirected(in)
		in.To = []string{"b@fabrikam.example"}
		l.Deliver(context.Background(), in)
		l.inbox("b@fabrikam.example")
	})
	t.Run("internal mail is redirected too unless the scope says otherwise", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		l.tenants[0].Submit("carol@contoso.example", []string{"bob@contoso.example"}, internet("").Raw)
		l.waits("the relay gets it", func() bool { return len(l.relay.all()) == 1 })
		if h := fields(l.relay.all()[0].raw); h.first("X-MS-Exchange-CrossTenant-AuthAs") != "Internal" || !strings.Contains(h.first("X-Forefront-Antispam-Report"), "CIP:255.255.255.255") {
			t.Error("not marked as internal")
		}
		l.do("Set-TransportRule", map[string]any{"Identity": "Relay inbound", "FromScope": "NotInOrganization"})
		l.tenants[0].Submit("carol@contoso.example", []string{"bob@contoso.example"}, internet("").Raw)
		l.inbox("bob@contoso.example")
	})
	t.Run("an attacker's copy of the key header is overwritten", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		m := l.redirected(internet("X-Relay-Creds: forged1\r\nX-Relay-Creds: forged2\r\n"))
		if got := fields(m.raw).all("x-relay-creds"); len(got) != 1 || got[0] != key {
			t.Error(got)
		}
	})
}

func TestTheBoundary(t *testing.T) {
	t.Run("organization headers from outside are removed", func(t *testing.T) {
		l := newLab(t, Options{})
		l.Deliver(context.Background(), internet("X-MS-Exchange-Organization-SCL: -1\r\nX-MS-Exchange-Organization-BypassClutter: true\r\nX-MS-Exchange-CrossTenant-Id: x\r\n"))
		h := fields(l.inbox("bob@contoso.example").Raw)
		if h.has("X-MS-Exchange-Organization-BypassClutter") || h.first("X-MS-Exchange-Organization-SCL") == "-1" || h.first("X-MS-Exchange-CrossTenant-Id") == "x" {
			t.Error("a forged header stayed")
		}
	})
	for _, tt := range []struct {
		name string
		set  func(l *lab)
		in   func(in *Internet)
		code string
	}{
		{"an unknown recipient is refused", nil, func(in *Internet) { in.To = []string{"nobody@contoso.example"} }, "5.4.1"},
		{"a foreign recipient is refused", nil, func(in *Internet) { in.To = []string{"x@elsewhere.example"} }, "5.7.64"},
		{"direct send is refused where it is off", func(l *lab) { l.do("Set-OrganizationConfig", map[string]any{"RejectDirectSend": true}) }, func(in *Internet) { in.From = "bob@contoso.example" }, "5.7.68"},
		{"a lock-down connector refuses the Internet", func(l *lab) {
			l.do("Set-InboundConnector", map[string]any{"Identity": "Relay Inbound Connector (Receive)", "RestrictDomainsToIPAddresses": true})
		}, nil, "5.7.51"},
		{"a relay address without TLS is refused by RequireTls", nil, func(in *Internet) { in.Peer, in.Plain = netip.MustParseAddr(relayIP), true }, "5.7.3"},
		{"a blocked address is refused", func(l *lab) {
			l.do("Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPBlockList": []any{"203.0.113.0/24"}})
		}, nil, "5.7.1"},
		{"DMARC reject is honoured", nil, func(in *Internet) { in.Auth = &Auth{SPF: "fail", DMARC: "fail", Policy: "reject"} }, "5.7.509"},
		{"a message that went round too often is refused", nil, func(in *Internet) {
			in.Raw = append([]byte("X-EOPAttributedMessage: 19\r\n"), in.Raw...)
		}, "5.4.14"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Options{})
			l.guide(nil)
			if tt.set != nil {
				tt.set(l)
			}
			in := internet("")
			if tt.in != nil {
				tt.in(&in)
			}
			if r := l.Deliver(context.Background(), in); r.OK() || !strings.HasPrefix(r.Text, tt.code+" ") {
				t.Errorf("got %s, want %s", r, tt.code)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		back       bool // from the relay's address
		set        func(l *lab)
		held, dir  string
	}{
		{name: "malware is held even from an allowed address", text: "TWIN-MALWARE-TEST", back: true, held: "Malware"},
		{name: "high-confidence phishing is held even from an allowed address", text: "TWIN-HIGH-CONFIDENCE-PHISH-TEST", back: true, held: "HighConfPhish"},
		{name: "high-confidence phishing goes where Redirect says", text: "TWIN-HIGH-CONFIDENCE-PHISH-TEST", back: true, dir: "inbox", set: func(l *lab) {
			l.do("Set-HostedContentFilterPolicy", map[string]any{"Identity": "Default", "HighConfidencePhishAction": "Redirect", "RedirectToRecipients": []any{"bob@contoso.example"}})
		}},
		{name: "spam from an allowed address is delivered", text: "TWIN-SPAM-TEST", back: true, dir: "inbox"},
		{name: "spam from outside is junk", text: "TWIN-SPAM-TEST", dir: "junk"},
		{name: "AddXHeader still means junk for spam", text: "TWIN-SPAM-TEST", dir: "junk", set: func(l *lab) {
			l.do("Set-HostedContentFilterPolicy", map[string]any{"Identity": "Default", "SpamAction": "AddXHeader", "AddXHeaderValue": "X-Verdict"})
		}},
		{name: "phishing from outside is held", text: "TWIN-PHISH-TEST", held: "Phish"},
		{name: "phishing is delivered with AddXHeader", text: "TWIN-PHISH-TEST", dir: "inbox", set: func(l *lab) {
			l.do("Set-HostedContentFilterPolicy", map[string]any{"Identity": "Default", "PhishSpamAction": "AddXHeader", "AddXHeaderValue": "X-Verdict"})
		}},
		{name: "bulk is delivered when the mark is off", text: "TWIN-BULK-TEST", dir: "inbox", set: func(l *lab) {
			l.do("Set-HostedContentFilterPolicy", map[string]any{"Identity": "Default", "MarkAsSpamBulkMail": "Off"})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Options{})
			l.guide(nil)
			l.do("Disable-TransportRule", map[string]any{"Identity": "Relay inbound"})
			if tt.set != nil {
				tt.set(l)
			}
			in := internet("")
			in.Raw = append(in.Raw, tt.text+"\r\n"...)
			if tt.back {
				in.Peer = netip.MustParseAddr(relayIP)
			}
			if r := l.Deliver(context.Background(), in); !r.OK() {
				t.Fatal(r)
			}
			if tt.held != "" {
				l.waits("a held message", func() bool { return len(l.Quarantine()) == 1 })
				if q := l.Quarantine()[0]; q.Type != tt.held {
					t.Errorf("held as %s", q.Type)
				}
				return
			}
			if got := l.inbox("bob@contoso.example"); got.Folder != tt.dir {
				t.Errorf("in %s, want %s", got.Folder, tt.dir)
			}
		})
	}
}

func TestAnotherTenantReachesTheRelayWithoutTheKey(t *testing.T) {
	l := newLab(t, Options{Tenants: []TenantOptions{
		{Domains: []string{"contoso.example"}, Mailboxes: []string{"bob@contoso.example"}},
		{Organization: "evil.onmicrosoft.com", Mailboxes: []string{"mallory@evil.onmicrosoft.com"}}}})
	l.guide(nil)
	evil := l.Tenant("evil.onmicrosoft.com")
	for cmdlet, params := range map[string]map[string]any{"New-OutboundConnector": {"Name": "out", "ConnectorType": "Partner", "IsTransportRuleScoped": true, "UseMXRecord": false, "SmartHosts": []any{"relay.relay.example"}}} {
		if _, err := evil.Invoke(context.Background(), Admin(), cmdlet, params); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := evil.Invoke(context.Background(), Admin(), "New-TransportRule", map[string]any{"Name": "all", "FromScope": "InOrganization", "RouteMessageOutboundConnector": "out"}); err != nil {
		t.Fatal(err)
	}
	if err := evil.Submit("mallory@evil.onmicrosoft.com", []string{"bob@contoso.example"}, internet("").Raw); err != nil {
		t.Fatal(err)
	}
	l.waits("the relay gets it", func() bool { return len(l.relay.all()) == 1 })
	m := l.relay.all()[0]
	if m.env.TLS.PeerCertificates[0].Subject.CommonName != "mail.protection.outlook.com" {
		t.Error("it should look like any tenant's")
	}
	if h := fields(m.raw); h.has("x-relay-creds") || h.first("X-MS-Exchange-CrossTenant-Id") != evil.ID {
		t.Error("key or tenant id")
	}
}

func TestTheMXMayRefuseOrBeElsewhere(t *testing.T) {
	l := newLab(t, Options{})
	second, err := l.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	send := func(addr string) (wire.Reply, error) {
		in := internet("")
		r, err := wire.Send(context.Background(), wire.Delivery{Addr: addr, HELO: "x.example", From: in.From, To: in.To, Raw: in.Raw})
		return r.Reply, err
	}
	if r, err := send(second.Addr().String()); err != nil || !r.OK() {
		t.Error(r, err)
	}
	l.Disturb(func(_ wire.Envelope, to string) (wire.Reply, bool) {
		return wire.Reply{Code: 451, Text: "4.7.500 Server busy"}, to == ""
	})
	if _, err := send(l.MX()); err == nil || !strings.Contains(err.Error(), "451 4.7.500") {
		t.Error(err)
	}
	l.Disturb(nil)
	second.Close()
	if _, err := send(second.Addr().String()); err == nil {
		t.Error("a closed address answered")
	}
	if r, err := send(l.MX()); err != nil || !r.OK() {
		t.Error(r, err)
	}
}

func TestAPresetComesBeforeTheDefaultPolicy(t *testing.T) {
	l := newLab(t, Options{Tenants: []TenantOptions{{Domains: []string{"contoso.example"}, Mailboxes: []string{"bob@contoso.example"}, Presets: true}}})
	in := internet("")
	in.Raw = append(in.Raw, "TWIN-SPAM-TEST\r\n"...)
	l.Deliver(context.Background(), in)
	l.waits("the preset holds spam", func() bool { return len(l.Quarantine()) == 1 })
	for _, name := range []string{"Strict", "Standard"} {
		l.do("Disable-EOPProtectionPolicyRule", map[string]any{"Identity": name + " Preset Security Policy"})
	}
	l.Deliver(context.Background(), in)
	if got := l.inbox("bob@contoso.example"); got.Folder != "junk" {
		t.Error(got.Folder)
	}
}

func TestReturnedMailWithABrokenSignatureNeedsATrustedSealer(t *testing.T) {
	zone := map[string]string{"_dmarc.sender.example": "v=DMARC1; p=reject"}
	l := newLab(t, Options{TXT: func(_ context.Context, name string) ([]string, error) {
		if r, ok := zone[name]; ok {
			return []string{r}, nil
		}
		return nil, nil
	}})
	in := internet("")
	in.Auth = &Auth{SPF: "pass", DMARC: "pass", Policy: "reject"}
	l.guide(nil)
	m := l.redirected(in)
	l.do("Remove-InboundConnector", map[string]any{"Identity": "Relay Inbound Connector (Receive)"})
	l.do("Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": []any{}})
	l.tenants[0].Edit(map[string][]Object{"TenantAllowBlockListSpoofItems": {}})
	if r := l.back(m, ""); !r.OK() {
		t.Fatal("Microsoft's own seal is trusted:", r)
	}
	if h := fields(l.inbox("bob@contoso.example").Raw); !strings.Contains(h.first("Authentication-Results"), "compauth=pass reason=130") {
		t.Error(h.first("Authentication-Results"))
	}
	broken := []byte(strings.Replace(string(m.raw), "Subject: hello", "Subject: hullo", 1))
	if r := l.back(m, "", broken...); r.OK() || !strings.HasPrefix(r.Text, "5.7.509") {
		t.Error("a broken chain:", r)
	}
}
