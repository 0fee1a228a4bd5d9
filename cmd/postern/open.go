package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"postern/internal/admin"
	"postern/internal/dns"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/seal"
	"postern/internal/store"
)

// opened is the store with what is needed to read and change it.
type opened struct {
	conf     *Config
	log      *slog.Logger
	root     *seal.Root
	store    *store.Store
	resolver *dns.Resolver
	signIns  *admin.SignIns // of a process that lives on; nil on the command line
}

// openStore opens the data folder of conf; a running relay may have it open too.
func openStore(ctx context.Context, conf *Config, log *slog.Logger) (*opened, error) {
	if err := prepareData(conf.Data); err != nil {
		return nil, err
	}
	if err := keyIsThere(conf); err != nil {
		return nil, err
	}
	root, err := seal.Open(conf.path("root.key"))
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Options{
		DSN:      conf.Database,
		Folder:   conf.Data,
		Log:      log,
		AuditKey: root.Derive("audit"),
	})
	if err != nil {
		return nil, err
	}
	return &opened{conf: conf, log: log, root: root, store: st, resolver: dns.New(conf.DNS.Server)}, nil
}

// keyIsThere refuses a store whose root key is gone: a new key would open none of
// its mail.
func keyIsThere(conf *Config) error {
	if _, err := os.Lstat(conf.path("postern.db")); err != nil {
		return nil // a new store gets a new key
	}
	if _, err := os.Lstat(conf.path("root.key")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("root key %s is gone, and nothing kept can be read without it: put it back from where it is kept apart, or from the last backup", conf.path("root.key"))
	}
	return nil
}

// prepareData makes the data folder, for this user alone.
func prepareData(folder string) error {
	err := os.MkdirAll(folder, 0o700)
	var perr *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("data folder %s cannot be made: permission denied; make it and give it to the user that runs Postern", folder)
	case errors.As(err, &perr):
		return fmt.Errorf("data folder %s cannot be made: %w", folder, perr.Err)
	}
	return err
}

func (o *opened) close() {
	if err := o.store.Close(); err != nil {
		o.log.Error("store did not close cleanly", "err", err)
	}
}

// admin is the door to changes for the person at this console.
func (o *opened) admin() *admin.Admin {
	return &admin.Admin{
		Store:    o.store,
		Root:     o.root,
		Resolver: o.resolver,
		Own:      ownHop(o.conf),
		Actor:    "command line",
	}
}

// tenant is the id of a tenant given by id or name; "" stays "", all of them.
func (o *opened) tenant(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	t, err := o.admin().Tenant(ctx, name)
	return t.ID, err
}

func (o *opened) directory(ctx context.Context) (*relay.Directory, error) {
	d := &relay.Directory{Store: o.store, Root: o.root, Log: o.log}
	return d, d.Load(ctx)
}

// with runs a verb that changes or reads the store.
func (c *console) with(f func(o *opened) error) error {
	conf, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	o, err := openStore(c.ctx, conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer o.close()
	return f(o)
}

// withTenant runs a verb on one tenant, given by its id or name.
func (c *console) withTenant(name string, f func(o *opened, t mail.Tenant) error) error {
	return c.with(func(o *opened) error {
		t, err := o.admin().Tenant(c.ctx, name)
		if err != nil {
			return err
		}
		return f(o, t)
	})
}

// exchangePort is where Exchange finds us under our public name and addresses,
// whatever local port that is led to.
const exchangePort = 25

// ownHop reports whether a next hop is this relay: by its public name and a port it
// listens on, or by address.
func ownHop(conf *Config) func(host string, at netip.AddrPort) bool {
	own := ownAddress(conf)
	return func(host string, at netip.AddrPort) bool {
		if strings.EqualFold(strings.TrimSuffix(host, "."), conf.Hostname) {
			return at.Port() == exchangePort || own(netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()))
		}
		return own(at)
	}
}

// ownAddress reports whether an address and port is one that this relay listens
// on: the addresses of this machine with a port of smtp.listen, and the public
// addresses that Exchange sees.
func ownAddress(conf *Config) func(netip.AddrPort) bool {
	type port struct {
		addr netip.Addr // unspecified: all of this machine
		port uint16
	}
	var ports []port
	for _, l := range conf.SMTP.Listen {
		host, p, _ := net.SplitHostPort(l)
		n, err := net.LookupPort("tcp", p)
		if err != nil {
			continue
		}
		addr, err := netip.ParseAddr(host)
		if err != nil {
			addr = netip.IPv6Unspecified()
		}
		ports = append(ports, port{addr.Unmap(), uint16(n)})
	}
	public := map[netip.Addr]bool{}
	for _, ip := range conf.Relay.EgressIPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			public[a.Unmap()] = true
		}
	}
	return func(ap netip.AddrPort) bool {
		addr := ap.Addr().Unmap()
		if public[addr] && ap.Port() == exchangePort {
			return true
		}
		for _, p := range ports {
			if p.port != ap.Port() {
				continue
			}
			if addr.IsUnspecified() || addr == p.addr || public[addr] || (p.addr.IsUnspecified() && onThisMachine(addr)) {
				return true
			}
		}
		return false
	}
}

func onThisMachine(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == addr {
			return true
		}
	}
	return false
}

// logger writes to standard error as the configuration says.
func logger(conf LogConfig, w *os.File) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(conf.Level)); err != nil {
		return nil, fmt.Errorf("log.level %q is none of debug, info, warn and error", conf.Level)
	}
	o := &slog.HandlerOptions{Level: level}
	switch strings.ToLower(conf.Format) {
	case "json":
		return slog.New(slog.NewJSONHandler(logLines{w}, o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log.format %q is neither json nor text", conf.Format)
}

// enoughDisk refuses to start on a full disk, where no promise could be kept.
func enoughDisk(folder string) error {
	if err := prepareData(folder); err != nil {
		return err
	}
	free, total, err := diskSpace(folder)
	if err != nil {
		return fmt.Errorf("data folder %s: %w", folder, err)
	}
	if free < relay.Reserve(total) {
		return fmt.Errorf("the disk of the data folder %s is full: %d MiB are free and %d MiB must stay free; make room or name another folder", folder, free>>20, relay.Reserve(total)>>20)
	}
	return nil
}

func diskSpace(folder string) (free, total uint64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return 0, 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), fs.Blocks * uint64(fs.Bsize), nil
}

// splitListen reads ADDRESS:PORT.
func splitListen(listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, err
	}
	port, err = net.LookupPort("tcp", text)
	return host, port, err
}

// errNotReady is what /ready says while the relay starts or drains.
var errNotReady = errors.New("starting or stopping")

// isTerminal reports whether a bar on w would be seen by a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
