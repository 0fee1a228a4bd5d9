package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/dns"
	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/twin"
	"postern/internal/twin/cmdlet"
)

const (
	egress   = "198.51.100.25" // the relay's address as Exchange sees it
	egressOn = "127.0.0.25"    // stands for it on loopback
	contoso  = "contoso.example"
	fabrikam = "fabrikam.example"
)

// world is a simulated Exchange with two tenants, a simulated DNS, and a real
// installation of the program that both tenants redirect their mail to.
type world struct {
	*program
	twin  *twin.Twin
	keys  map[string]string // relay keys by domain
	token map[string]string
	sent  atomic.Int64
}

func newWorld(t *testing.T, level string) *world {
	t.Helper()
	zone, err := dns.NewZone(relayHost + ". A " + egress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { zone.Close() })
	w := &world{keys: map[string]string{}, token: map[string]string{}}
	w.program = install(t, settings{judge: true, dns: zone.Addr(), level: level})
	resolver := dns.New(zone.Addr())
	w.twin, err = twin.New(twin.Options{
		Tenants: []twin.TenantOptions{
			{Organization: "contoso.onmicrosoft.com", Domains: []string{contoso}, Mailboxes: []string{"ann@" + contoso, "bob@" + contoso}},
			{Organization: "fabrikam.onmicrosoft.com", Domains: []string{fabrikam}, Mailboxes: []string{"eve@" + fabrikam}},
		},
		Resolve:     map[string]string{relayHost: w.smtp},
		Seen:        map[netip.Addr]netip.Addr{netip.MustParseAddr(egressOn): netip.MustParseAddr(egress)},
		PTR:         map[netip.Addr]string{netip.MustParseAddr(egress): relayHost},
		TXT:         resolver.LookupTXT,
		RetryEvery:  300 * time.Millisecond,
		NoFiltering: true,
		NoLoopCount: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.twin.Close)
	w.publish(zone)
	cert, key, err := w.twin.Issue(relayHost)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(w.dir, "cert.pem"), cert)
	write(t, filepath.Join(w.dir, "key.pem"), key)
	write(t, filepath.Join(w.dir, "ca.pem"), w.twin.CAPEM())
	w.configure(settings{judge: true, dns: zone.Addr(), level: level, deliver: "  source: [" + egressOn + "]\n"})
	_, port, _ := net.SplitHostPort(w.twin.MX())
	for tenant, domain := range map[string]string{"Contoso": contoso, "Fabrikam": fabrikam} {
		w.tenant(tenant, domain, twin.MXHost(domain)+":"+port)
		w.keys[domain], w.token[domain] = w.key, w.program.token
	}
	w.start() // Exchange tries the connection before anything depends on it
	for _, domain := range []string{contoso, fabrikam} {
		w.setUp(domain)
	}
	return w
}

// publish puts what the simulated Exchange needs into DNS.
func (w *world) publish(zone *dns.Zone) {
	var b strings.Builder
	for name, txt := range w.twin.Records() {
		fmt.Fprintf(&b, "%s. TXT %s\n", name, quoted(txt))
	}
	for _, d := range []string{contoso, fabrikam} {
		fmt.Fprintf(&b, "%s. MX 0 %s.\n%s. A 127.0.0.1\n", d, twin.MXHost(d), twin.MXHost(d))
	}
	if err := zone.Add(b.String()); err != nil {
		w.t.Fatal(err)
	}
}

// quoted cuts a text into strings of a TXT record.
func quoted(txt string) string {
	var parts []string
	for ; len(txt) > 200; txt = txt[200:] {
		parts = append(parts, strconv.Quote(txt[:200]))
	}
	return strings.Join(append(parts, strconv.Quote(txt)), " ")
}

// setUp sets Exchange up for a domain as the wizard does.
func (w *world) setUp(domain string) {
	w.t.Helper()
	e := &exchange.Engine{Commander: commander{w.twin.Tenant(domain)}, Journal: &memory{}}
	_, err := e.Apply(context.Background(), exchange.Spec{Tenant: strings.TrimSuffix(domain, ".example"), Token: w.token[domain], Key: w.keys[domain],
		Domains: []string{domain}, Addresses: []string{egress}, SmartHost: relayHost}, exchange.ApplyOptions{})
	if err != nil {
		w.t.Fatalf("set up Exchange for %s: %v", domain, err)
	}
}

// commander runs cmdlets as the tenant's administrator.
type commander struct{ tenant *twin.Tenant }

func (c commander) Invoke(ctx context.Context, name string, params map[string]any) ([]map[string]any, error) {
	out, err := c.tenant.Invoke(ctx, twin.Admin(), name, params)
	var refused *cmdlet.Error
	if errors.As(err, &refused) {
		return nil, &adminapi.Error{Cmdlet: name, Status: refused.Status, Code: refused.Code, Type: refused.Type, Text: refused.Message}
	}
	return out, err
}

// memory is a journal.
type memory struct{ state []byte }

func (m *memory) Load(context.Context) ([]byte, error)       { return m.state, nil }
func (m *memory) Save(_ context.Context, state []byte) error { m.state = state; return nil }

// cmdlet runs a cmdlet that has to work.
func (w *world) cmdlet(domain, name string, params map[string]any) {
	w.t.Helper()
	if _, err := w.twin.Tenant(domain).Invoke(context.Background(), twin.Admin(), name, params); err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
}

// rules are the names of a tenant's rules that match.
func (w *world) rules(domain string, match func(twin.Object) bool) []string {
	var names []string
	for _, o := range w.twin.Tenant(domain).Objects("TransportRule") {
		if match(o) {
			names = append(names, o.String("Name"))
		}
	}
	return names
}

// message is one of which no other has the Message-ID.
func (w *world) message(head, text string) (id string, raw []byte) {
	id = fmt.Sprintf("w%d@outside.test", w.sent.Add(1))
	return id, fmt.Appendf(nil, "From: Alice <alice@outside.test>\r\nTo: <ann@%s>\r\nSubject: the figures\r\nDate: Mon, 5 Jan 2026 10:15:00 +0000\r\nMessage-ID: <%s>\r\n%s\r\n%s", contoso, id, head, text)
}

// internet hands a message to Exchange as an outside server does.
func (w *world) internet(from, to string, raw []byte) {
	w.t.Helper()
	r := w.twin.Deliver(context.Background(), twin.Internet{Peer: netip.MustParseAddr("203.0.113.25"), HELO: "mail.outside.test", From: from, To: []string{to}, Raw: raw})
	if !r.OK() {
		w.t.Fatalf("Exchange answered: %v", r)
	}
}

// traced is what trace prints.
type traced struct {
	ID        string   `json:"id"`
	MessageID string   `json:"message_id"`
	To        string   `json:"to"`
	State     string   `json:"state"`
	Verdict   string   `json:"verdict"`
	Reasons   []string `json:"reasons"`
	MTA       string   `json:"mta"`
	Events    []struct {
		State string `json:"state"`
		Text  string `json:"text"`
	} `json:"events"`
}

// trace is what trace says of a message, oldest first.
func (p *program) trace(messageID string) []traced {
	p.t.Helper()
	var rows []traced
	p.do(&rows, "trace", "--message-id", messageID)
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// ends waits until a message has ended in a state, and returns its last row.
func (p *program) ends(messageID, state string) traced {
	p.t.Helper()
	var rows []traced
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if rows = p.trace(messageID); len(rows) > 0 && rows[len(rows)-1].State == state {
			return rows[len(rows)-1]
		}
	}
	p.t.Fatalf("%s did not end as %s: %+v", messageID, state, rows)
	return traced{}
}

// inbox waits for a message in a mailbox.
func (w *world) inbox(addr, messageID string) twin.Item {
	w.t.Helper()
	var found twin.Item
	waits(w.t, time.Minute, messageID+" arrives for "+addr, func() bool {
		items := w.arrived(addr, messageID)
		if len(items) > 0 {
			found = items[0]
		}
		return len(items) > 0
	})
	return found
}

func (w *world) arrived(addr, messageID string) []twin.Item {
	var list []twin.Item
	for _, it := range w.twin.Mailbox(addr) {
		if headerOf(it.Raw).First("Message-ID") == "<"+messageID+">" {
			list = append(list, it)
		}
	}
	return list
}

// dial connects to the relay as Exchange does, whose authorities are the twin's.
func (w *world) dial() (*client, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.twin.CAPEM())
	return dialTLS(w.smtp, &tls.Config{RootCAs: pool, ServerName: relayHost})
}

// filesWith are the files below a folder that contain a text.
func filesWith(t *testing.T, folder, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(file string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		if strings.Contains(string(content), text) {
			found = append(found, file)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}
