package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay"
	"postern/internal/relay/admit"
	"postern/internal/relay/deliver"
	"postern/internal/relay/judge"
	"postern/internal/relay/scan"
	"postern/internal/relay/scan/clamd"
	"postern/internal/relay/scan/rspamd"
	"postern/internal/spool"
	"postern/internal/webhook"
)

// relayOptions are what a running relay has and a single release has not.
type relayOptions struct {
	judges relay.Judges
	metric *metric.Set
	log    *slog.Logger
	notify func(webhook.Event)
	tracer trace.Tracer
}

// newRelay builds the stages in the data's order.
func newRelay(ctx context.Context, o *opened, with relayOptions) (*relay.Relay, error) {
	conf := o.conf
	if with.metric == nil {
		with.metric = metric.New(prometheus.NewRegistry())
	}
	if with.log == nil {
		with.log = o.log
	}
	directory, err := o.directory(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := conf.sources()
	if err != nil {
		return nil, err
	}
	spooled, err := openSpool(ctx, conf)
	if err != nil {
		return nil, err
	}
	sender, err := newSender(o, with)
	if err != nil {
		return nil, err
	}
	gate := &admit.Gate{
		Directory: directory,
		Headers:   admit.HeadersFor(conf.Relay.HeaderPrefix),
		Marker:    admit.Marker{Key: o.root.Derive("hop")},
	}
	gate.SetSources(sources)
	cores := runtime.GOMAXPROCS(0)
	return &relay.Relay{
		Hostname:  conf.Hostname,
		Directory: directory,
		Gate:      gate,
		Store:     o.store,
		Spool:     spooled,
		Judges:    with.judges,
		JudgeTurn: &deliver.Queue{Workers: 8 * cores, Parallel: 8 * cores}, // so that one tenant gets at most half of it
		Sender:    sender,
		SendTurn:  &deliver.Queue{Up: wake(ctx, o, with.log)},
		Guard:     newGuard(o),
		Allowance: &relay.Allowance{Held: o.store.HeldOctets, Alarm: alarmOf(o, with.log)},
		Retry:     relay.Retry{First: conf.Deliver.RetryFirst, Lifetime: conf.Deliver.Lifetime, Retention: conf.Quarantine.Retention},
		Life:      ctx,
		Log:       with.log,
		Metric:    with.metric,
		Notify:    with.notify,
		Tracer:    with.tracer,
	}, nil
}

// alarmOf raises that a tenant reached a limit.
func alarmOf(o *opened, log *slog.Logger) func(ctx context.Context, tenant string, text mail.Sentence) {
	return func(ctx context.Context, tenant string, text mail.Sentence) {
		if err := o.store.Raise(ctx, "tenant-limit", tenant, text); err != nil {
			log.Error("alarm could not be raised", "tenant", tenant, "err", err)
		}
	}
}

// wake makes mail due that was put off while its MTA was down.
func wake(ctx context.Context, o *opened, log *slog.Logger) func(domain string) {
	return func(domain string) {
		if n, err := o.store.Wake(ctx, domain); err != nil {
			log.Error("mail waits out its pause although its MTA is back", "domain", domain, "err", err)
		} else if n > 0 {
			log.Info("MTA is back; mail that waited is tried now", "domain", domain, "recipients", n)
		}
	}
}

// openSpool is where large messages lie: a bucket when one is configured, else a
// folder beside the store.
func openSpool(ctx context.Context, conf *Config) (*spool.Spool, error) {
	s3 := conf.Spool.S3
	if s3.Bucket == "" {
		folder := conf.path("spool")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("spool folder cannot be made: %w", err)
		}
		return spool.Folder(folder)
	}
	access, err := readSecret("spool.s3.access_key_file", s3.AccessKeyFile)
	if err != nil {
		return nil, err
	}
	secret, err := readSecret("spool.s3.secret_key_file", s3.SecretKeyFile)
	if err != nil {
		return nil, err
	}
	return spool.Bucket(ctx, spool.BucketOptions{
		Endpoint: s3.Endpoint, Bucket: s3.Bucket, Region: s3.Region, AccessKey: access, SecretKey: secret, Plain: s3.Plain,
	})
}

func newSender(o *opened, with relayOptions) (*deliver.Sender, error) {
	conf := o.conf
	s := &deliver.Sender{
		Hostname:      conf.Hostname,
		Resolver:      o.resolver,
		AllowLoopback: conf.Deliver.AllowLoopback,
		AllowPrivate:  conf.Deliver.AllowPrivate,
		Own:           ownAddress(conf),
		Log:           with.log,
		Metric:        with.metric,
	}
	for _, text := range conf.Deliver.Source {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("deliver.source: %w", err)
		}
		s.Source = append(s.Source, addr)
	}
	var err error
	s.Roots, err = loadCAs(conf.Deliver.CAFile)
	return s, err
}

// loadCAs reads trusted certificates; nil means the system's.
func loadCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("deliver.ca_file cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("deliver.ca_file %s has no certificate in PEM form", file)
	}
	return pool, nil
}

// newPool builds the judge, whose workers are this same program.
func newPool(o *opened, log *slog.Logger, m *metric.Set) (*judge.Pool, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start judge workers: %w", err)
	}
	return &judge.Pool{
		Exe:      exe,
		Args:     []string{workerVerb},
		Size:     o.conf.Judge.Workers,
		Budget:   o.conf.Judge.Budget,
		Resolver: o.resolver,
		Engines:  engines(o.conf),
		Log:      log,
		Metric:   m,
	}, nil
}

// engines are the configured programs beside us that look at mail too.
func engines(conf *Config) []scan.Engine {
	var list []scan.Engine
	if conf.Judge.Clamd != "" {
		list = append(list, &clamd.Engine{Address: conf.Judge.Clamd})
	}
	if conf.Judge.Rspamd != "" {
		list = append(list, &rspamd.Engine{URL: conf.Judge.Rspamd})
	}
	return list
}

func newGuard(o *opened) *relay.Guard {
	return &relay.Guard{
		PerTenant: o.conf.Relay.PerTenant,
		Failed:    o.store.Failed,
		Free:      func() (free, total uint64, err error) { return diskSpace(o.conf.Data) },
	}
}

// readSecret reads a secret from a file, so that none stands in the configuration.
func readSecret(key, file string) (string, error) {
	if file == "" {
		return "", fmt.Errorf("%s is missing", key)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	found := lines(string(text))
	if len(found) == 0 {
		return "", errors.New(key + ": the file is empty")
	}
	return found[0], nil
}
