package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"postern/internal/dns"
	"postern/internal/freeport"
	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/twin"
)

const (
	demoHost    = "relay.postern.example"
	demoDomain  = "contoso.example"
	demoMailbox = "ann@contoso.example"
	demoOrg     = "contoso.onmicrosoft.com"
	demoEgress  = "198.51.100.25" // the relay's address as Exchange sees it
)

var (
	demoSource   = netip.MustParseAddr("127.0.0.25") // stands for demoEgress on loopback
	demoStranger = netip.MustParseAddr("127.0.0.26") // from where probes are sent
)

// demoWorld is a simulated Exchange tenant, a simulated DNS, and a real relay.
type demoWorld struct {
	zone   *dns.Zone
	twin   *twin.Twin
	opened *opened
	server *server
	admin  *httptest.Server // the simulated organization's sign-in and admin API
	conf   *Config
	done   chan error
	cancel context.CancelFunc
}

func newDemoWorld(ctx context.Context, dir, portal string) (w *demoWorld, err error) {
	return newDemoWorldLike(ctx, dir, portal, demoLike{log: os.Stderr})
}

// demoLike says how a demo's world differs from the usual one.
type demoLike struct {
	log   *os.File
	twin  func(*twin.Options)             // nil: as usual, like the others
	conf  func(*Config)                   // after the file was read
	calls func(http.Handler) http.Handler // around the simulated sign-in and admin API
}

func newDemoWorldLike(ctx context.Context, dir, portal string, like demoLike) (w *demoWorld, err error) {
	w = &demoWorld{done: make(chan error, 1)}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.zone, err = dns.NewZone(demoZone); err != nil {
		return w, fmt.Errorf("demo DNS: %w", err)
	}
	relay, err := freeport.Loopback()
	if err != nil {
		return w, err
	}
	resolver := dns.New(w.zone.Addr())
	options := twin.Options{
		Tenants: []twin.TenantOptions{{
			Organization: demoOrg,
			Domains:      []string{demoDomain},
			Mailboxes:    []string{demoMailbox, "bob@" + demoDomain, "ann+orders@" + demoDomain},
		}},
		Resolve:     map[string]string{demoHost: relay.String()},
		Seen:        map[netip.Addr]netip.Addr{demoSource: netip.MustParseAddr(demoEgress), demoStranger: netip.MustParseAddr("192.0.2.26")},
		PTR:         map[netip.Addr]string{netip.MustParseAddr(demoEgress): demoHost},
		TXT:         resolver.LookupTXT,
		RetryEvery:  time.Second,
		NoFiltering: true, // Microsoft's own filter would take the worst samples before the relay sees them
	}
	if like.twin != nil {
		like.twin(&options)
	}
	if w.twin, err = twin.New(options); err != nil {
		return w, err
	}
	calls := w.twin.Handler()
	if like.calls != nil {
		calls = like.calls(calls)
	}
	w.admin = httptest.NewServer(calls)
	if err = w.publish(); err != nil {
		return w, err
	}
	if w.conf, err = w.config(dir, relay, portal); err != nil {
		return w, err
	}
	if like.conf != nil {
		like.conf(w.conf)
	}
	return w, w.start(ctx, like.log)
}

// publish puts the twin's keys and its MX into the demo's DNS.
func (w *demoWorld) publish() error {
	var records strings.Builder
	for name, txt := range w.twin.Records() {
		fmt.Fprintf(&records, "%s. TXT %s\n", name, quoteTXT(txt))
	}
	mx := twin.MXHost(demoDomain)
	fmt.Fprintf(&records, "%s. MX 0 %s.\n%s. A 127.0.0.1\n", demoDomain, mx, mx)
	return w.zone.Add(records.String())
}

// quoteTXT cuts a text into strings of at most 255 octets (RFC 1035 §3.3).
func quoteTXT(s string) string {
	var parts []string
	for len(s) > 200 {
		parts, s = append(parts, strconv.Quote(s[:200])), s[200:]
	}
	return strings.Join(append(parts, strconv.Quote(s)), " ")
}

// config is a relay's configuration as an administrator would write it.
func (w *demoWorld) config(dir string, relay netip.AddrPort, portal string) (*Config, error) {
	if err := prepareData(dir); err != nil {
		return nil, err
	}
	cert, key, err := w.twin.Issue(demoHost)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"demo-cert.pem": cert, "demo-key.pem": key, "demo-ca.pem": w.twin.CAPEM()}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	if l, err := net.Listen("tcp", portal); err == nil {
		l.Close()
	} else {
		portal = "127.0.0.1:0" // somebody has that port
	}
	own, err := freeport.Loopback()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`hostname: %s
data: %s
smtp:
  listen: ["%s"]
  tls: {cert: %s, key: %s}
portal: {listen: "%s"}
recipients: {listen: "%s", url: "http://%s"}
dns: {server: "%s"}
relay:
  egress_ips: [%s]
  sources: [127.0.0.0/8]
deliver:
  ca_file: %s
  source: [%s]
  allow_loopback: true
  retry_first: 2s
exchange: {cloud: "%s", probe: {source: %s, mailbox: %s}}
log: {level: error, format: text}
`, demoHost, strconv.Quote(dir), relay, strconv.Quote(filepath.Join(dir, "demo-cert.pem")), strconv.Quote(filepath.Join(dir, "demo-key.pem")),
		portal, own, own, w.zone.Addr(), demoEgress, strconv.Quote(filepath.Join(dir, "demo-ca.pem")), demoSource, w.admin.URL, demoStranger, demoMailbox)
	file := filepath.Join(dir, "postern.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return loadConfig(file)
}

func (w *demoWorld) start(ctx context.Context, to *os.File) error {
	log, err := logger(w.conf.Log, to)
	if err != nil {
		return err
	}
	if w.opened, err = openStore(ctx, w.conf, log); err != nil {
		return err
	}
	if w.server, err = newServer(ctx, w.opened); err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx)
	w.cancel = cancel
	go func() { w.done <- w.server.run(run) }()
	return nil
}

func (w *demoWorld) close() {
	if w.admin != nil {
		w.admin.Close()
	}
	if w.twin != nil {
		w.twin.Close()
	}
	if w.cancel != nil {
		w.cancel()
		if err := <-w.done; err != nil {
			slog.Error("relay", "err", err)
		}
	}
	if w.opened != nil {
		w.opened.close()
	}
	if w.zone != nil {
		w.zone.Close()
	}
}

// demoEnd is where a message ended for one recipient.
type demoEnd struct {
	place   string // "inbox", "junk", "quarantine", "nowhere"
	verdict mail.Verdict
	reason  string
	took    time.Duration
	intact  bool // the body that arrived or is held is the body that was sent
}

// send hands a message to the tenant's MX and waits until it has ended for each
// recipient. The worst end counts.
func (w *demoWorld) send(ctx context.Context, m demoMail, patience time.Duration) (demoEnd, error) {
	before := map[string]int{}
	for _, to := range m.to {
		before[to] = len(w.twin.Mailbox(to))
	}
	since := time.Now()
	reply := w.twin.Deliver(ctx, twin.Internet{Peer: m.ip, HELO: m.helo, From: m.from, To: m.to, Raw: m.raw})
	if !reply.OK() {
		return demoEnd{place: "nowhere", reason: "Exchange refused it: " + reply.Text}, nil
	}
	deadline := since.Add(patience)
	for {
		end, ended, err := w.look(ctx, m, before, since)
		if err != nil || ended {
			return end, err
		}
		if time.Now().After(deadline) {
			end.place, end.reason = "nowhere", "it did not arrive within "+patience.String()
			return end, nil
		}
		select {
		case <-ctx.Done():
			return end, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// look sees where a message is for all of its recipients.
func (w *demoWorld) look(ctx context.Context, m demoMail, before map[string]int, since time.Time) (end demoEnd, ended bool, err error) {
	rows, err := w.opened.store.Trace(ctx, store.TraceFilter{Since: since.Add(-time.Second), Limit: 20})
	if err != nil {
		return end, false, err
	}
	end.intact = true
	for _, to := range m.to {
		row, known := rowFor(rows, to, since)
		items := w.twin.Mailbox(to)
		switch {
		case known && row.State == mail.Held:
			end.place = "quarantine"
			held, err := w.heldBody(ctx, row)
			if err != nil {
				return end, false, err
			}
			end.intact = end.intact && sameBody(held, m.raw)
		case known && row.State == mail.Delivered && len(items) > before[to]:
			item := items[len(items)-1]
			if end.place == "" {
				end.place = item.Folder
			}
			end.intact = end.intact && sameBody(item.Raw, m.raw)
		default:
			return end, false, nil
		}
		end.verdict, end.reason = row.Verdict, firstOf(row.Reasons)
	}
	end.took = time.Since(since)
	return end, true, nil
}

func rowFor(rows []store.TraceRow, to string, since time.Time) (store.TraceRow, bool) {
	for _, r := range rows {
		if r.To == to && !r.Received.Before(since.Truncate(time.Millisecond)) {
			return r, true
		}
	}
	return store.TraceRow{}, false
}

func (w *demoWorld) heldBody(ctx context.Context, row store.TraceRow) ([]byte, error) {
	return w.server.relay.Content(ctx, row.Tenant, row.ID)
}

// sameBody compares what follows the header.
func sameBody(a, b []byte) bool {
	body := func(raw []byte) [32]byte {
		_, after, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		return sha256.Sum256(after)
	}
	return body(a) == body(b)
}

// mxPort is the port of the simulated tenant's MX.
func (w *demoWorld) mxPort() int {
	_, port, _ := net.SplitHostPort(w.twin.MX())
	n, _ := strconv.Atoi(port)
	return n
}

// demoZone is what the senders of the samples publish.
const demoZone = `
relay.postern.example. A 198.51.100.25
relay.postern.example. TXT "v=spf1 ip4:198.51.100.25 ip4:192.0.2.26 -all"
northwind.example. TXT "v=spf1 ip4:192.0.2.11 -all"
mx1.northwind.example. TXT "v=spf1 ip4:192.0.2.11 -all"
_dmarc.northwind.example. TXT "v=DMARC1; p=reject"
tailspin.example. TXT "v=spf1 ip4:192.0.2.12 -all"
_dmarc.tailspin.example. TXT "v=DMARC1; p=quarantine"
adatum.example. TXT "v=spf1 ip4:192.0.2.13 -all"
mx1.adatum.example. TXT "v=spf1 ip4:192.0.2.13 -all"
_dmarc.adatum.example. TXT "v=DMARC1; p=reject"
proseware.example. TXT "v=spf1 ip4:192.0.2.14 ~all"
mx1.proseware.example. TXT "v=spf1 ip4:192.0.2.14 -all"
wingtip.example. TXT "v=spf1 ip4:192.0.2.15 -all"
_dmarc.wingtip.example. TXT "v=DMARC1; p=none"
litware.example. TXT "v=spf1 ip4:192.0.2.16 -all"
news.example. TXT "v=spf1 ip4:192.0.2.17 -all"
_dmarc.news.example. TXT "v=DMARC1; p=none"
shop.example. TXT "v=spf1 ip4:192.0.2.19 -all"
lists.example. TXT "v=spf1 ip4:192.0.2.20 -all"
bank.example. TXT "v=spf1 ip4:192.0.2.18 -all"
_dmarc.bank.example. TXT "v=DMARC1; p=quarantine"
contoso.example. TXT "v=spf1 include:spf.protection.outlook.com -all"
_dmarc.contoso.example. TXT "v=DMARC1; p=none"
spf.protection.outlook.com. TXT "v=spf1 ip4:40.92.0.0/15 ip4:40.107.0.0/16 ip4:52.100.0.0/14 ip4:104.47.0.0/17 -all"
`
