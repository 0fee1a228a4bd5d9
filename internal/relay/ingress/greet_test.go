package ingress

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

func proxyV2(t *testing.T, source string, command proxyproto.ProtocolVersionAndCommand) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP(source), Port: 1234}, &net.TCPAddr{IP: net.ParseIP("192.0.2.99"), Port: 25})
	h.Command = command
	octets, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(octets)
}

func TestPROXYHeaderIsBelievedOfListedPeersOnly(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	const v1 = "PROXY TCP4 192.0.2.7 192.0.2.99 1234 25\r\n"
	for _, tt := range []struct {
		name   string
		listed []netip.Prefix
		send   string
		greet  string // "" is hung up on
		client string
	}{
		{"v1", loopback, v1, "220", "192.0.2.7"},
		{"v1 with IPv6", loopback, "PROXY TCP6 2001:db8::7 2001:db8::9 1234 25\r\n", "220", "2001:db8::7"},
		{"v1 that does not know", loopback, "PROXY UNKNOWN\r\n", "220", "127.0.0.1"},
		{"v2", loopback, proxyV2(t, "192.0.2.8", proxyproto.PROXY), "220", "192.0.2.8"},
		{"v2 of the proxy itself", loopback, proxyV2(t, "192.0.2.8", proxyproto.LOCAL), "220", "127.0.0.1"},
		{"no header", loopback, "EHLO x\r\nEHLO x\r\n", "", ""},
		{"a broken header", loopback, "PROXY TCP4 nonsense\r\n", "", ""},
		{"twice", loopback, v1 + v1, "554", ""},
		{"with commands behind it", loopback, v1 + "EHLO x\r\n", "554", ""},
		{"from a peer that is not listed", elsewhere, v1, "554", ""},
		{"where nobody is listed", nil, v1, "554", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &inbox{}
			greet := 20 * time.Millisecond
			if tt.greet == "554" {
				greet = time.Minute // ends when the client speaks
			}
			c := dial(t, serve(t, &Server{Accept: in.accept, ProxyFrom: tt.listed, Limits: Limits{Greet: greet}}))
			c.send(tt.send)
			if tt.greet == "" {
				c.closed()
				return
			}
			c.want(tt.greet)
			if tt.client == "" {
				c.closed()
				return
			}
			c.do("EHLO x", "250-")
			c.do(strings.TrimSpace(v1), "500") // never again
			c.do("MAIL FROM:<>", "250")
			c.do("RCPT TO:<a@b.c>", "250")
			c.do("BDAT 0 LAST", "250")
			if got := in.all()[0].env.Client.String(); got != tt.client {
				t.Errorf("client %s, want %s", got, tt.client)
			}
		})
	}
}

// TestSessionsBehindAProxyCountForTheirClient: the proxy's address is not the limit.
func TestSessionsBehindAProxyCountForTheirClient(t *testing.T) {
	srv := &Server{Accept: (&inbox{}).accept, ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Limits: Limits{PerAddress: 1}}
	addr := serve(t, srv)
	a, b, again := dial(t, addr), dial(t, addr), dial(t, addr)
	a.send(proxyV2(t, "192.0.2.1", proxyproto.PROXY))
	a.want("220")
	b.send(proxyV2(t, "192.0.2.2", proxyproto.PROXY))
	b.want("220")
	again.send(proxyV2(t, "192.0.2.1", proxyproto.PROXY))
	again.want("421 4.7.0")
}

func TestProxyThatSaysNothingIsHungUpOn(t *testing.T) {
	srv := &Server{Accept: (&inbox{}).accept, ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Limits: Limits{Handshake: 20 * time.Millisecond}}
	c := dial(t, serve(t, srv))
	c.closed()
}
