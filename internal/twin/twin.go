package twin

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/internal/twin/cmdlet"
	"postern/internal/twin/login"
	"postern/internal/twin/wire"
)

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
	more   []net.Listener
	moody  func(env wire.Envelope, to string) (wire.Reply, bool)
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

// Close ends the MX, stops retrying, and waits for what is under way.
func (tw *Twin) Close() {
	tw.mu.Lock()
	tw.closed = true
	open := append(tw.more, tw.listener)
	tw.mu.Unlock()
	tw.cancel()
	for _, l := range open {
		l.Close()
	}
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
