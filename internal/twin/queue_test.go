package twin

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/internal/twin/wire"
)

func TestTheQueue(t *testing.T) {
	t.Run("a deferral is tried again", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		l.relay.say(wire.Reply{Code: 451, Text: "4.3.2 later"})
		l.Deliver(context.Background(), internet(""))
		l.waits("a deferral", func() bool { return step(l, "defer") })
		l.relay.say(wire.Reply{})
		l.waits("delivery", func() bool { return len(l.relay.all()) == 1 })
	})
	t.Run("a refusal becomes an NDR that quotes the key", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		l.relay.say(wire.Reply{Code: 550, Text: "5.7.1 no"})
		l.Deliver(context.Background(), internet(""))
		l.waits("an NDR", func() bool { return len(l.NDRs()) == 1 })
		n := l.NDRs()[0]
		if n.To != "alice@sender.example" || !strings.Contains(string(n.Raw), "x-relay-creds: "+key) || !strings.Contains(string(n.Raw), "Status: 5.7.1") {
			t.Errorf("%s %s\n%s", n.To, n.Reply, n.Raw)
		}
	})
	t.Run("the null path gets no NDR", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		l.relay.say(wire.Reply{Code: 550, Text: "5.7.1 no"})
		in := internet("")
		in.From = ""
		l.Deliver(context.Background(), in)
		l.waits("the refusal", func() bool { return step(l, "ndr") })
		if len(l.NDRs()) != 0 {
			t.Error("an NDR to nobody")
		}
	})
	t.Run("a message expires", func(t *testing.T) {
		l := newLab(t, Options{ExpireAfter: 100 * time.Millisecond})
		l.guide(nil)
		l.relay.say(wire.Reply{Code: 451, Text: "4.3.2 later"})
		l.Deliver(context.Background(), internet(""))
		l.waits("an NDR", func() bool { return len(l.NDRs()) == 1 && strings.Contains(l.NDRs()[0].Reply, "5.4.317") })
	})
	t.Run("recipients are refused one by one", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		l.relay.rcpt = func(to string) wire.Reply {
			if strings.HasPrefix(to, "carol") {
				return wire.Reply{Code: 550, Text: "5.1.1 no such user"}
			}
			return wire.Reply{Code: 250, Text: "2.1.5 OK"}
		}
		in := internet("")
		in.To = []string{"bob@contoso.example", "carol@contoso.example"}
		m := l.redirected(in)
		l.waits("an NDR", func() bool { return len(l.NDRs()) == 1 && l.NDRs()[0].Failed[0] == "carol@contoso.example" })
		if len(m.env.To) != 1 {
			t.Error(m.env.To)
		}
	})
}

func step(l *lab, name string) bool {
	for _, e := range l.Events() {
		if e.Step == name {
			return true
		}
	}
	return false
}

func TestConnectorTLS(t *testing.T) {
	for _, tt := range []struct{ name, settings, domain, text string }{
		{"a certificate of another name", "DomainValidation", "*.other.example", "450 4.7.320 Certificate validation failed [Message=SubjectMismatch]"},
		{"nobody at the address", "DomainValidation", "*.gone.example", "450 4.4.316 Connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Options{})
			host := "relay" + tt.domain[1:]
			l.guide(nil)
			l.names[host] = l.names["relay.relay.example"]
			if strings.HasPrefix(tt.domain, "*.gone") {
				l.names[host] = "127.0.0.1:1"
			}
			l.do("Set-OutboundConnector", map[string]any{"Identity": "Relay Inbound Connector (Send)", "SmartHosts": []any{host}, "TlsDomain": tt.domain})
			out := l.do("Validate-OutboundConnector", map[string]any{"Identity": "Relay Inbound Connector (Send)", "Recipients": []any{"bob@contoso.example"}})
			if out[0]["IsTaskSuccessful"] != false || !strings.HasPrefix(out[0]["TaskDetail"].(string), tt.text) {
				t.Error(out[0])
			}
			l.Deliver(context.Background(), internet(""))
			l.waits("a deferral", func() bool {
				for _, e := range l.Events() {
					if e.Step == "defer" && strings.HasPrefix(e.Text, tt.text) {
						return true
					}
				}
				return false
			})
		})
	}
	t.Run("validation reaches the relay without the key", func(t *testing.T) {
		l := newLab(t, Options{})
		l.guide(nil)
		out := l.do("Validate-OutboundConnector", map[string]any{"Identity": "Relay Inbound Connector (Send)", "Recipients": []any{"bob@contoso.example"}})
		if out[0]["IsTaskSuccessful"] != true || out[1]["IsTaskSuccessful"] != true {
			t.Fatal(out)
		}
		m := l.relay.all()[0]
		if m.env.From != "O365ConnectorValidation@contoso.onmicrosoft.com" || fields(m.raw).has("x-relay-creds") {
			t.Error(m.env.From, names(m.raw))
		}
	})
}
