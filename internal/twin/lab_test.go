package twin

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/twin/wire"
)

// lab is a twin with a relay beside it that the test steers: it keeps what it gets
// and hands it back when told.
type lab struct {
	*Twin
	t     *testing.T
	relay *relay
	names map[string]string
}

const (
	relayIP string = "192.0.2.10" // as Exchange sees the relay
	key     string = "5f2d3c4b6a79808192a3b4c5d6e7f809"
	token   string = "tok7Qx2"
)

var relaySource = netip.MustParseAddr("127.0.0.9")

type relay struct {
	mu    sync.Mutex
	got   []wireMessage
	reply wire.Reply // to the end of data; zero accepts
	rcpt  func(to string) wire.Reply
}

type wireMessage struct {
	env wire.Envelope
	raw []byte
}

func (r *relay) Rcpt(_ context.Context, _ *wire.Envelope, to string) wire.Reply {
	if r.rcpt != nil {
		return r.rcpt(to)
	}
	return wire.Reply{Code: 250, Text: "2.1.5 OK"}
}

func (r *relay) Data(_ context.Context, env *wire.Envelope, raw []byte) wire.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reply.Code != 0 {
		return r.reply
	}
	r.got = append(r.got, wireMessage{*env, raw})
	return wire.Reply{Code: 250, Text: "2.0.0 OK"}
}

func (r *relay) say(reply wire.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reply = reply
}

func (r *relay) all() []wireMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]wireMessage(nil), r.got...)
}

func newLab(t *testing.T, o Options) *lab {
	t.Helper()
	l := &lab{t: t, relay: &relay{}, names: map[string]string{}}
	o.Resolve = l.names
	o.Seen = map[netip.Addr]netip.Addr{relaySource: netip.MustParseAddr(relayIP)}
	if o.RetryEvery == 0 {
		o.RetryEvery = 20 * time.Millisecond
	}
	if len(o.Tenants) == 0 {
		o.Tenants = []TenantOptions{{Domains: []string{"contoso.example"}, Mailboxes: []string{"bob@contoso.example", "carol@contoso.example"}}}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.names["relay.relay.example"] = listener.Addr().String()
	if l.Twin, err = New(o); err != nil {
		t.Fatal(err)
	}
	cert, certKey, err := l.Issue("relay.relay.example")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, certKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &wire.Server{Hostname: "relay.relay.example", Handler: l.relay, TLS: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}}
	go s.Serve(listener)
	t.Cleanup(func() { l.Close(); listener.Close(); s.Close() })
	return l
}

// do runs a cmdlet that has to work.
func (l *lab) do(cmdlet string, params map[string]any) []map[string]any {
	l.t.Helper()
	out, err := l.tenants[0].Invoke(context.Background(), Admin(), cmdlet, params)
	if err != nil {
		l.t.Fatalf("%s: %v", cmdlet, err)
	}
	return out
}

// guide sets up what the reference guide does; change edits the rule's parameters.
func (l *lab) guide(change func(rule map[string]any)) {
	l.t.Helper()
	l.do("New-InboundConnector", map[string]any{"Name": "Relay Inbound Connector (Receive)", "ConnectorType": "Partner", "SenderDomains": []any{"*"}, "SenderIPAddresses": []any{relayIP},
		"RequireTls": true, "RestrictDomainsToIPAddresses": false, "RestrictDomainsToCertificate": false, "Enabled": true})
	l.do("New-OutboundConnector", map[string]any{"Name": "Relay Inbound Connector (Send)", "ConnectorType": "Partner", "IsTransportRuleScoped": true, "UseMXRecord": false,
		"SmartHosts": []any{"relay.relay.example"}, "TlsSettings": "DomainValidation", "TlsDomain": "*.relay.example", "Enabled": true})
	l.do("Set-RemoteDomain", map[string]any{"Identity": "Default", "TNEFEnabled": false, "CharacterSet": "utf-8", "NonMimeCharacterSet": "utf-8", "AllowedOOFType": "ExternalLegacy"})
	l.do("Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "EnableSafeList": true, "IPAllowList": map[string]any{"@odata.type": "#Exchange.GenericHashTable", "Add": []any{relayIP}}})
	for _, kind := range []string{"External", "Internal"} {
		l.do("New-TenantAllowBlockListSpoofItems", map[string]any{"Identity": "Default", "Action": "Allow", "SpoofedUser": "*", "SendingInfrastructure": relayIP + "/24", "SpoofType": kind})
	}
	rule := map[string]any{"Name": "Relay inbound", "RecipientDomainIs": []any{"contoso.example"}, "SentToScope": "InOrganization", "RouteMessageOutboundConnector": "Relay Inbound Connector (Send)",
		"SetHeaderName": "x-relay-creds", "SetHeaderValue": key, "RouteMessageOutboundRequireTls": true, "SetSCL": -1, "ExceptIfHeaderContainsMessageHeader": "x-relay-inbound-processed",
		"ExceptIfHeaderContainsWords": []any{"yes"}, "ExceptIfSenderIpRanges": []any{relayIP}, "SetAuditSeverity": "High", "StopRuleProcessing": true, "RuleErrorAction": "Defer",
		"SenderAddressLocation": "HeaderOrEnvelope", "Enabled": true, "Mode": "Enforce"}
	if change != nil {
		change(rule)
	}
	l.do("New-TransportRule", rule)
}

// internet is an ordinary message from outside.
func internet(head string) Internet {
	return Internet{Peer: netip.MustParseAddr("203.0.113.25"), HELO: "mail.sender.example", From: "alice@sender.example", To: []string{"bob@contoso.example"},
		Raw: []byte("From: \"Alice\" <alice@sender.example>\r\nTo: <bob@contoso.example>\r\nSubject: hello\r\nDate: Mon, 5 Jan 2026 10:15:00 +0000\r\nMessage-ID: <m1@sender.example>\r\n" + head + "\r\nHello.\r\n.dot and bare\nfeed\r\n")}
}

// back hands a message to the MX as the relay does: over the wire, with TLS, from
// its own address.
func (l *lab) back(m wireMessage, head string, raw ...byte) wire.Reply {
	l.t.Helper()
	if raw == nil {
		raw = append([]byte(head), m.raw...)
	}
	r, err := wire.Send(context.Background(), wire.Delivery{Addr: l.MX(), Source: relaySource, HELO: "relay.relay.example", TLS: &tls.Config{InsecureSkipVerify: true}, Must: true, From: m.env.From, To: m.env.To, Raw: raw})
	if f, ok := err.(*wire.Failure); ok {
		return f.Reply
	}
	return r.Reply
}

// waits until f holds.
func (l *lab) waits(what string, f func() bool) {
	l.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	for _, e := range l.Events() {
		l.t.Logf("%s %s %s", e.Step, e.To, e.Text)
	}
	l.t.Fatalf("never: %s", what)
}

// redirected delivers a message and gives what the relay got.
func (l *lab) redirected(in Internet) wireMessage {
	l.t.Helper()
	n := len(l.relay.all())
	if r := l.Deliver(context.Background(), in); !r.OK() {
		l.t.Fatal(r)
	}
	l.waits("the relay gets the message", func() bool { return len(l.relay.all()) > n })
	return l.relay.all()[n]
}

func (l *lab) inbox(addr string) Item {
	l.t.Helper()
	l.waits("mail for "+addr, func() bool { return len(l.Mailbox(addr)) > 0 })
	return l.Mailbox(addr)[0]
}

func body(raw []byte) string {
	_, b, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	return string(b)
}

func names(raw []byte) string {
	var n []string
	for _, f := range fields(raw) {
		n = append(n, f.Name)
	}
	return strings.Join(n, "\n")
}
