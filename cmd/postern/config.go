package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"postern/internal/mail"
)

// Config is the one file a machine needs to start. Everything that a person
// changes while Postern runs is in the store instead.
type Config struct {
	Hostname string         `yaml:"hostname"` // public name of this relay: banner, EHLO, Received, certificate
	Data     string         `yaml:"data"`     // folder of the store, the spool and the root key
	Database string         `yaml:"database"` // "sqlite" or a postgres:// DSN
	SMTP     SMTPConfig     `yaml:"smtp"`
	Portal   PortalConfig   `yaml:"portal"`
	Metrics  ListenConfig   `yaml:"metrics"`
	DNS      DNSConfig      `yaml:"dns"`
	Relay    RelayConfig    `yaml:"relay"`
	Deliver  DeliverConfig  `yaml:"deliver"`
	Judge    JudgeConfig    `yaml:"judge"`
	Exchange ExchangeConfig `yaml:"exchange"`
	Spool    SpoolConfig    `yaml:"spool"`
	Log      LogConfig      `yaml:"log"`

	Recipients RecipientsConfig `yaml:"recipients"`
	Quarantine QuarantineConfig `yaml:"quarantine"`
	Traces     TracesConfig     `yaml:"traces"`
	Audit      AuditConfig      `yaml:"audit"`
	Webhooks   []HookConfig     `yaml:"webhooks"`

	file string // where it was read from
}

// SMTPConfig is how mail comes in.
type SMTPConfig struct {
	Listen     []string  `yaml:"listen"`
	TLS        TLSConfig `yaml:"tls"`
	RequireTLS *bool     `yaml:"require_tls"` // default true
	MaxSize    int64     `yaml:"max_size"`    // octets, default 150 MiB
	ProxyFrom  []string  `yaml:"proxy_from"`  // networks whose PROXY header is believed
	Sessions   int       `yaml:"sessions"`    // at a time in all
	PerAddress int       `yaml:"per_address"` // at a time from one address
}

// TLSConfig names a certificate, or how to get one.
type TLSConfig struct {
	Cert string     `yaml:"cert"`
	Key  string     `yaml:"key"`
	ACME ACMEConfig `yaml:"acme"`
}

// ACMEConfig asks a certificate authority for the certificate of hostname.
type ACMEConfig struct {
	Email     string `yaml:"email"`     // given: ACME is used
	Directory string `yaml:"directory"` // default Let's Encrypt
	HTTP      string `yaml:"http"`      // address that answers HTTP-01 challenges, default ":80"
	CAFile    string `yaml:"ca_file"`   // trusted for the directory itself, for private authorities
}

// RecipientsConfig is where recipients see their held mail.
type RecipientsConfig struct {
	Listen string `yaml:"listen"` // "": recipients have no pages and get no digests
	URL    string `yaml:"url"`    // under which they reach it
}

// PortalConfig is where the portal is.
type PortalConfig struct {
	Listen    string   `yaml:"listen"`     // "" is nowhere
	URL       string   `yaml:"url"`        // as browsers know it: passkeys are bound to it, and links in mail lead there
	ProxyFrom []string `yaml:"proxy_from"` // networks whose X-Forwarded-For is believed
}

// check finds an address that browsers could not use.
func (c PortalConfig) check() error {
	if c.URL == "" {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("portal.url %q is no address of a portal: write it as browsers show it, such as https://postern.example.com", c.URL)
	}
	if u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127.") {
		return fmt.Errorf("portal.url %q is without encryption: put TLS in front of the portal and write https", c.URL)
	}
	return nil
}

// ListenConfig is an address of a web listener; "" is none.
type ListenConfig struct {
	Listen string `yaml:"listen"`
}

// DNSConfig names a resolver; default the system's.
type DNSConfig struct {
	Server string `yaml:"server"`
}

// RelayConfig is what Exchange sees and sends.
type RelayConfig struct {
	EgressIPs    []string `yaml:"egress_ips"`
	Reverse      string   `yaml:"reverse"`       // domain that reverse DNS gives for every egress address, so that Exchange trusts it and not whole networks
	HeaderPrefix string   `yaml:"header_prefix"` // default "x-trustifi"
	Sources      []string `yaml:"sources"`       // networks, default Exchange Online's; [any] switches the check off
	SourcesFile  string   `yaml:"sources_file"`  // one network a line, instead of sources
	PerTenant    int      `yaml:"per_tenant"`    // messages of one tenant being accepted at a time
}

// DeliverConfig is how mail goes out.
type DeliverConfig struct {
	CAFile        string        `yaml:"ca_file"`
	Source        []string      `yaml:"source"`
	AllowLoopback bool          `yaml:"allow_loopback"`
	AllowPrivate  bool          `yaml:"allow_private"` // MTA names may lead to private addresses
	RetryFirst    time.Duration `yaml:"retry_first"`   // default 5m
	Lifetime      time.Duration `yaml:"lifetime"`      // default 120h, then held with an alarm
}

// JudgeConfig is how mail is judged.
type JudgeConfig struct {
	Enabled *bool         `yaml:"enabled"` // default true
	Clamd   string        `yaml:"clamd"`   // unix socket or host:port
	Rspamd  string        `yaml:"rspamd"`  // base URL
	Workers int           `yaml:"workers"` // default one a processor
	Budget  time.Duration `yaml:"budget"`  // for one message, default 90s
}

// ExchangeConfig says which cloud the tenants are in.
type ExchangeConfig struct {
	Cloud string      `yaml:"cloud"` // worldwide, gcc-high, dod, china, or the base address of a twin
	Probe ProbeConfig `yaml:"probe"`
}

// ProbeConfig is the test message that goes round through Exchange every hour.
type ProbeConfig struct {
	Source  string `yaml:"source"`  // local address it is sent from, which must not be one of relay.egress_ips; "" switches it off
	Mailbox string `yaml:"mailbox"` // that it is addressed to, used for the tenant that has its domain; others: postmaster@ their first domain
}

// SpoolConfig says where large messages lie: the data folder, or a bucket.
type SpoolConfig struct {
	S3 S3Config `yaml:"s3"`
}

// S3Config is an S3-compatible bucket.
type S3Config struct {
	Endpoint      string `yaml:"endpoint"`
	Bucket        string `yaml:"bucket"`
	Region        string `yaml:"region"`
	AccessKeyFile string `yaml:"access_key_file"`
	SecretKeyFile string `yaml:"secret_key_file"`
	Plain         bool   `yaml:"plain"` // HTTP without TLS, for labs
}

// QuarantineConfig says how long held mail is kept.
type QuarantineConfig struct {
	Retention time.Duration `yaml:"retention"` // default 720h, 30 days
}

// LogConfig is what is logged to standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info (default), warn, error
	Format string `yaml:"format"` // json (default) or text
}

// AuditConfig says where marks of the audit log are kept besides the log.
type AuditConfig struct {
	MarksFile string `yaml:"marks_file"` // best on another machine's disk
}

// TracesConfig says where traces of messages go; without an endpoint there are none.
type TracesConfig struct {
	Endpoint string  `yaml:"endpoint"` // address of an OTLP/HTTP collector
	Sample   float64 `yaml:"sample"`   // share of the messages, default 1
}

// HookConfig is one receiver of signed notices.
type HookConfig struct {
	URL          string   `yaml:"url"`
	SecretFile   string   `yaml:"secret_file"`
	Events       []string `yaml:"events"`        // default alarm, held, released
	AllowPrivate bool     `yaml:"allow_private"` // may be on this machine or in a private network, and without TLS
}

// configPlaces are tried in turn when --config is not given.
var configPlaces = []string{"postern.yaml", "/etc/postern/postern.yaml"}

// loadConfig reads and checks a configuration. Its errors are one line each: file,
// line, what is wrong, and the mend.
func loadConfig(file string) (*Config, error) {
	if file == "" {
		for _, place := range configPlaces {
			if _, err := os.Stat(place); err == nil {
				file = place
				break
			}
		}
		if file == "" {
			return nil, fmt.Errorf("no configuration found: looked for %s; name one with --config FILE", strings.Join(configPlaces, " and "))
		}
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration %s does not exist: name one with --config FILE", file)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration cannot be read: %w", err)
	}
	c := &Config{file: file}
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, explainYAML(file, text, err)
	}
	c.setDefaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c *Config) setDefaults() {
	def(&c.Database, "sqlite")
	def(&c.SMTP.MaxSize, 150<<20)
	yes := true
	def(&c.SMTP.RequireTLS, &yes)
	def(&c.Judge.Enabled, &yes)
	def(&c.Relay.HeaderPrefix, "x-trustifi")
	def(&c.Deliver.RetryFirst, 5*time.Minute)
	def(&c.Deliver.Lifetime, 5*24*time.Hour)
	def(&c.Judge.Budget, 90*time.Second)
	def(&c.Quarantine.Retention, 30*24*time.Hour)
	def(&c.Exchange.Cloud, "worldwide")
	def(&c.Log.Level, "info")
	def(&c.Traces.Sample, 1)
	def(&c.Log.Format, "json")
	def(&c.SMTP.TLS.ACME.HTTP, ":80")
	if len(c.SMTP.Listen) == 0 {
		c.SMTP.Listen = []string{":25"}
	}
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}[a-z0-9]$`)

// check finds what is wrong without touching the machine.
func (c *Config) check() error {
	host, err := mail.FoldDomain(c.Hostname)
	switch {
	case c.Hostname == "":
		return errors.New("hostname is missing: give the public name of this relay, such as relay.example.com")
	case err != nil || !strings.Contains(host, "."):
		return fmt.Errorf("hostname %q is not a full domain name such as relay.example.com", c.Hostname)
	case c.Data == "":
		return errors.New("data is missing: give the folder in which Postern keeps mail and its store, such as /var/lib/postern")
	case c.Database != "sqlite" && !strings.HasPrefix(c.Database, "postgres://") && !strings.HasPrefix(c.Database, "postgresql://"):
		return fmt.Errorf("database %q is neither sqlite nor a postgres:// address", c.Database)
	case !prefixForm.MatchString(c.Relay.HeaderPrefix):
		return fmt.Errorf("relay.header_prefix %q is no header prefix: use lower-case letters, digits and hyphens, such as x-trustifi", c.Relay.HeaderPrefix)
	case c.SMTP.MaxSize < 64<<10:
		return fmt.Errorf("smtp.max_size %d is too small: it counts octets, and Exchange sends up to 157286400", c.SMTP.MaxSize)
	case (c.SMTP.TLS.Cert == "") != (c.SMTP.TLS.Key == ""):
		return errors.New("smtp.tls needs both cert and key: the certificate chain and its private key, each a PEM file")
	case c.SMTP.TLS.Cert != "" && c.SMTP.TLS.ACME.Email != "":
		return errors.New("smtp.tls has both cert and acme: keep one")
	case *c.SMTP.RequireTLS && c.SMTP.TLS.Cert == "" && c.SMTP.TLS.ACME.Email == "":
		return errors.New("smtp.tls is missing: Exchange hands mail over TLS only; give cert and key, or acme.email, or set smtp.require_tls: false for a lab")
	}
	for _, check := range []func() error{c.Portal.check, c.Recipients.check, c.Traces.check} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := c.checkNumbers(); err != nil {
		return err
	}
	if _, err := logger(c.Log, os.Stderr); err != nil {
		return err
	}
	return c.checkAddresses()
}

// checkNumbers finds what cannot be counted or waited for.
func (c *Config) checkNumbers() error {
	for _, n := range []struct {
		key   string
		value int64
	}{
		{"smtp.sessions", int64(c.SMTP.Sessions)}, {"smtp.per_address", int64(c.SMTP.PerAddress)}, {"relay.per_tenant", int64(c.Relay.PerTenant)},
		{"judge.workers", int64(c.Judge.Workers)}, {"judge.budget", int64(c.Judge.Budget)}, {"deliver.retry_first", int64(c.Deliver.RetryFirst)}, {"deliver.lifetime", int64(c.Deliver.Lifetime)},
	} {
		if n.value < 0 {
			return fmt.Errorf("%s is below zero: give a number from 1 on, or leave it out for the default", n.key)
		}
	}
	return nil
}

func (c *Config) checkAddresses() error {
	for _, l := range append([]string{}, c.SMTP.Listen...) {
		if err := checkListen("smtp.listen", l); err != nil {
			return err
		}
	}
	for key, l := range map[string]string{"portal.listen": c.Portal.Listen, "recipients.listen": c.Recipients.Listen, "metrics.listen": c.Metrics.Listen, "dns.server": c.DNS.Server} {
		if l != "" {
			if err := checkListen(key, l); err != nil {
				return err
			}
		}
	}
	lists := map[string][]string{"relay.egress_ips": c.Relay.EgressIPs, "deliver.source": c.Deliver.Source}
	if c.Exchange.Probe.Source != "" {
		lists["exchange.probe.source"] = []string{c.Exchange.Probe.Source}
	}
	for key, list := range lists {
		for _, ip := range list {
			if _, err := netip.ParseAddr(ip); err != nil {
				return fmt.Errorf("%s: %q is not an IP address", key, ip)
			}
		}
	}
	if _, err := parseNetworks("portal.proxy_from", c.Portal.ProxyFrom); err != nil {
		return err
	}
	if _, err := parseNetworks("smtp.proxy_from", c.SMTP.ProxyFrom); err != nil {
		return err
	}
	_, err := c.sources()
	return err
}

func checkListen(key, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s: %q is not an address with a port, such as 0.0.0.0:25", key, addr)
	}
	return nil
}

// parseNetworks reads networks and single addresses.
func parseNetworks(key string, list []string) ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, fmt.Errorf("%s: %q is not a network such as 192.0.2.0/24", key, text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}

// path is a file of ours in the data folder.
func (c *Config) path(name string) string { return filepath.Join(c.Data, name) }
