package twin

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/internal/twin/cmdlet"
	"postern/internal/twin/login"
	"postern/internal/twin/sign"
	"postern/internal/twin/wire"
)

// Options say how a Twin differs from the default: one tenant
// contoso.onmicrosoft.com, MX on a free port of 127.0.0.1, no DNS.
type Options struct {
	Tenants []TenantOptions
	SMTP    string // where the MX listens; "127.0.0.1:0" if empty

	// Resolve maps a smart host's name, or name:port, to ADDR:PORT. A name that is
	// not in it is looked up by the system, at port 25.
	Resolve map[string]string
	CAs     *x509.CertPool                        // besides the twin's own CA, trusted for connectors' TLS
	Egress  []netip.Addr                          // local addresses that mail leaves from, in turn
	Seen    map[netip.Addr]netip.Addr             // peers that count as another address, so that loopback may play the Internet
	PTR     map[netip.Addr]string                 // reverse names of peers
	TXT     sign.LookupTXT                        // SPF, DKIM, DMARC records; nil knows only the twin's own keys
	Judge   func(from string, raw []byte) Verdict // Exchange's opinion of content; nil for JudgeBySignature

	RetryEvery    time.Duration // between attempts of a deferred message; 1 minute if 0
	ExpireAfter   time.Duration // until a deferred message is returned; 24 hours if 0
	Lag           time.Duration // Get- shows the directory as it was this long ago
	RuleLag       time.Duration // mail flow acts on the directory as it was this long ago
	CmdletTimeout time.Duration // when the admin API gives up; 15 minutes if 0
	Ask           bool          // sign-in and consent pages wait for a person; false approves at once
	Parallel      int           // deliveries at once to connectors; 20 if 0
	MaxSize       int           // octets of a message; 150 MiB if 0

	SRS         bool            // rewrite foreign reverse-paths of redirected mail (it happens; when is not documented)
	NoLoopCount bool            // do not count redirects by rule, so that a wrong rule loops until somebody stops it
	KeepCopies  bool            // a rule that sets a header overwrites its first copy only (not documented which)
	NoFiltering bool            // no verdict on content at all, so that everything reaches the rules
	Key         *rsa.PrivateKey // signs ARC sets, DKIM and tokens; nil makes one when it is needed
	Now         func() time.Time
}

// A Twin is a running simulation. All its methods may be called at any time from
// any goroutine.
type Twin struct {
	opt       Options
	table     *cmdlet.Table
	templates map[string]Object
	certs     *authority
	login     *login.Server
	key       func() *rsa.PrivateKey // one for ARC, DKIM and tokens: enough to tell what was signed here
	tenants   []*Tenant
	listener  net.Listener
	server    *wire.Server
	slots     chan struct{} // deliveries at once

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // messages under way
	mu     sync.Mutex     // guards what follows
	hop    int            // next egress address
	closed bool
}

// New makes the tenants and opens the MX. Close ends it.
func New(o Options) (*Twin, error) {
	if o.RetryEvery == 0 {
		o.RetryEvery = time.Minute
	}
	if o.ExpireAfter == 0 {
		o.ExpireAfter = 24 * time.Hour
	}
	if o.Parallel == 0 {
		o.Parallel = 20
	}
	if len(o.Tenants) == 0 {
		o.Tenants = []TenantOptions{{}}
	}
	if o.SMTP == "" {
		o.SMTP = "127.0.0.1:0"
	}
	tw := &Twin{opt: o, slots: make(chan struct{}, o.Parallel)}
	tw.ctx, tw.cancel = context.WithCancel(context.Background())
	if err := tw.build(); err != nil {
		tw.cancel()
		return nil, fmt.Errorf("twin: %w", err)
	}
	go tw.server.Serve(tw.listener)
	return tw, nil
}

func (tw *Twin) build() (err error) {
	if tw.table, err = cmdlet.Load(); err != nil {
		return err
	}
	if tw.templates, err = templates(); err != nil {
		return err
	}
	for _, o := range tw.opt.Tenants {
		t, err := newTenant(tw, o)
		if err != nil {
			return err
		}
		tw.tenants = append(tw.tenants, t)
	}
	tw.key = sync.OnceValue(tw.newKey)
	tw.login = &login.Server{Key: tw.key, Now: tw.now, Ask: tw.opt.Ask}
	for _, t := range tw.tenants {
		tw.login.Directories = append(tw.login.Directories, t.Directory)
	}
	if tw.certs, err = newAuthority(tw.now(), tw.mxNames()); err != nil {
		return err
	}
	if tw.listener, err = net.Listen("tcp", tw.opt.SMTP); err != nil {
		return err
	}
	tw.server = &wire.Server{Hostname: front + ".mail.protection.outlook.com", TLS: tw.certs.serverTLS(), Handler: mx{tw}, MaxSize: tw.opt.MaxSize, Seen: tw.seen}
	return nil
}

// newKey makes the signing key when the first signature is due, because that takes
// longer than everything else a new twin does.
func (tw *Twin) newKey() *rsa.PrivateKey {
	if tw.opt.Key != nil {
		return tw.opt.Key
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system's random source is broken
	}
	return k
}

// arc is the key of Exchange's ARC sets, dkim that of a tenant's domain.
func (tw *Twin) arc() sign.Key {
	return sign.Key{Domain: "microsoft.com", Selector: "arcselector10001", Private: tw.key()}
}

func (tw *Twin) dkim(domain string) sign.Key {
	return sign.Key{Domain: domain, Selector: "selector1", Private: tw.key()}
}

// Close ends the MX, stops retrying, and waits for what is under way.
func (tw *Twin) Close() {
	tw.mu.Lock()
	tw.closed = true
	tw.mu.Unlock()
	tw.cancel()
	tw.listener.Close()
	tw.server.Close()
	tw.work.Wait()
}

func (tw *Twin) now() time.Time {
	if tw.opt.Now != nil {
		return tw.opt.Now()
	}
	return time.Now()
}

func (tw *Twin) seen(peer netip.Addr) netip.Addr {
	if a, ok := tw.opt.Seen[peer]; ok {
		return a
	}
	return peer
}

// MX is the address the MX listens on; it serves every tenant, as Exchange's
// front ends do.
func (tw *Twin) MX() string { return tw.listener.Addr().String() }

// MXHost is the name of a domain's MX: "contoso-example.mail.protection.outlook.com".
func MXHost(domain string) string {
	return strings.ReplaceAll(strings.ToLower(domain), ".", "-") + ".mail.protection.outlook.com"
}

func (tw *Twin) mxNames() []string {
	var names []string
	for _, t := range tw.tenants {
		for _, d := range t.Objects("AcceptedDomain") {
			names = append(names, MXHost(d.String("DomainName")))
		}
	}
	return names
}

// Tenants are all tenants in the order of the options.
func (tw *Twin) Tenants() []*Tenant { return slices.Clone(tw.tenants) }

// Tenant is the one with this organization name, id or accepted domain, or nil.
func (tw *Twin) Tenant(name string) *Tenant {
	for _, t := range tw.tenants {
		if strings.EqualFold(t.Organization, name) || strings.EqualFold(t.ID, name) {
			return t
		}
		if _, ok := t.accepted(name); ok {
			return t
		}
	}
	return nil
}

// A Card tells a script how to reach a twin's first tenant.
type Card struct {
	Admin        string   `json:"admin"` // base address of login and admin API
	SMTP         string   `json:"smtp"`
	TenantID     string   `json:"tenant_id"`
	Organization string   `json:"organization"`
	Domains      []string `json:"domains"`
	Mailboxes    []string `json:"mailboxes"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
}

// Card is the first tenant's; admin is where Handler is served.
func (tw *Twin) Card(admin string) Card {
	t := tw.tenants[0]
	c := Card{Admin: admin, SMTP: tw.MX(), TenantID: t.ID, Organization: t.Organization, ClientID: t.ClientID, ClientSecret: t.ClientSecret, Domains: []string{}, Mailboxes: []string{}}
	for _, d := range t.Objects("AcceptedDomain") {
		c.Domains = append(c.Domains, d.String("DomainName"))
	}
	for _, m := range t.Objects("Mailbox") {
		c.Mailboxes = append(c.Mailboxes, m.String("PrimarySmtpAddress"))
	}
	return c
}

// Mailbox is what an address of any tenant received, oldest first.
func (tw *Twin) Mailbox(addr string) []Item {
	var all []Item
	for _, t := range tw.tenants {
		all = append(all, t.Mailbox(addr)...)
	}
	return all
}

// Quarantine is what Microsoft holds for all tenants.
func (tw *Twin) Quarantine() []Held { return gather(tw, (*Tenant).Quarantine) }

// NDRs are the non-delivery reports of all tenants.
func (tw *Twin) NDRs() []NDR { return gather(tw, (*Tenant).NDRs) }

// Sent is what left all tenants.
func (tw *Twin) Sent() []Sent { return gather(tw, (*Tenant).Sent) }

// Events is what was done in all tenants.
func (tw *Twin) Events() []Event { return gather(tw, (*Tenant).Events) }

func gather[T any](tw *Twin, of func(*Tenant) []T) []T {
	var all []T
	for _, t := range tw.tenants {
		all = append(all, of(t)...)
	}
	return all
}

// Records are the DNS TXT records that the twin's own signatures need: its ARC key
// and the DKIM keys of its tenants' domains.
func (tw *Twin) Records() map[string]string {
	name, txt := tw.arc().Record()
	m := map[string]string{name: txt}
	for _, t := range tw.tenants {
		for _, d := range t.Objects("AcceptedDomain") {
			name, txt := tw.dkim(d.String("DomainName")).Record()
			m[name] = txt
		}
	}
	return m
}

// lookup asks the twin's own records first, then the given resolver.
func (tw *Twin) lookup(ctx context.Context, name string) ([]string, error) {
	if txt, ok := tw.Records()[strings.ToLower(name)]; ok {
		return []string{txt}, nil
	}
	if tw.opt.TXT == nil {
		return nil, nil
	}
	return tw.opt.TXT(ctx, strings.TrimSuffix(name, "."))
}
