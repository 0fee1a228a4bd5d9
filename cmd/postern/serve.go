package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"postern/internal/admin"
	"postern/internal/metric"
	"postern/internal/relay"
	"postern/internal/relay/ingress"
	"postern/internal/relay/judge"
	"postern/internal/relay/quarantine"
	"postern/internal/report"
	"postern/internal/webhook"
)

type serveCmd struct{}

// memoryGoal is what the parent process aims to stay under; it holds little but
// messages on their way. GOMEMLIMIT overrides it.
const memoryGoal = 256 << 20

// drainTime is how long a stop waits for sessions and deliveries in flight.
const drainTime = 20 * time.Second

func (serveCmd) Run(c *console) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // first of all: until then a SIGHUP ends the process
	conf, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	log, err := logger(conf.Log, os.Stderr)
	if err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	if err := enoughDisk(conf.Data); err != nil {
		return err
	}
	o, err := openStore(c.ctx, conf, log)
	if err != nil {
		return err
	}
	defer o.close()
	s, err := newServer(c.ctx, o)
	if err != nil {
		return err
	}
	s.hup, s.told = hup, os.Stderr
	return s.run(c.ctx)
}

// server is everything that serve runs.
type server struct {
	o       *opened
	log     *slog.Logger
	metric  *metric.Set
	figures *prometheus.Registry
	relay   *relay.Relay
	pool    *judge.Pool // nil when judging is off
	smtp    *ingress.Server
	certs   *certificates
	keeper  *quarantine.Keeper
	digests *quarantine.Digester        // nil when recipients have no pages
	own     http.Handler                // the pages of recipients; nil likewise
	hooks   *webhook.Sender             // nil when none is configured
	traced  func(context.Context) error // sends the traces that wait
	stop    context.CancelFunc          // ends relay.Life
	hup     <-chan os.Signal            // asks for a reload; nil: nobody does
	told    io.Writer                   // gets the token for the first owner; nil: nobody

	mail  []net.Listener // opened before anything runs, so that a port in use is said at once
	web   []webListener
	ready atomic.Bool
}

type webListener struct {
	net.Listener
	handler http.Handler
}

func newServer(ctx context.Context, o *opened) (*server, error) {
	s := &server{o: o, log: o.log, figures: prometheus.NewRegistry()}
	o.signIns = &admin.SignIns{}
	s.metric = metric.New(s.figures)
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	with := relayOptions{metric: s.metric, log: o.log}
	var err error
	if *o.conf.Judge.Enabled {
		if s.pool, err = newPool(o, o.log, s.metric); err != nil {
			return nil, err
		}
		with.judges = s.pool
	}
	if s.hooks, err = newHooks(o); err != nil {
		return nil, err
	}
	if s.hooks != nil {
		with.notify = s.hooks.Emit
	}
	if with.tracer, s.traced, err = newTraces(ctx, o.conf, o.log); err != nil {
		return nil, err
	}
	if err := o.admin().SealTokens(ctx); err != nil {
		return nil, err
	}
	if s.relay, err = newRelay(life, o, with); err != nil {
		return nil, err
	}
	s.keeper = &quarantine.Keeper{Store: o.store, Spool: s.relay.Spool, Log: o.log}
	if s.certs, err = newCertificates(ctx, o.conf, o.log, s.metric); err != nil {
		return nil, err
	}
	if s.certs != nil {
		s.relay.Sender.Certificate = s.certs.client
	}
	if s.smtp, err = s.newIngress(); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		s.closeListeners()
		return nil, err
	}
	return s, nil
}

func (s *server) newIngress() (*ingress.Server, error) {
	conf := s.o.conf
	proxies, err := parseNetworks("smtp.proxy_from", conf.SMTP.ProxyFrom)
	if err != nil {
		return nil, err
	}
	in := &ingress.Server{
		Hostname:   conf.Hostname,
		MaxSize:    conf.SMTP.MaxSize,
		RequireTLS: *conf.SMTP.RequireTLS,
		Accept:     s.relay.Accept,
		ProxyFrom:  proxies,
		Limits:     ingress.Limits{Sessions: conf.SMTP.Sessions, PerAddress: conf.SMTP.PerAddress},
		Log:        s.log,
		Metric:     s.metric,
	}
	if s.certs != nil {
		in.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certs.get}
	}
	return in, nil
}

// listen opens every port; the error names the setting and the mend.
func (s *server) listen() error {
	conf := s.o.conf
	for _, addr := range conf.SMTP.Listen {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return explainListen("smtp.listen", addr, err)
		}
		s.mail = append(s.mail, l)
	}
	pages, err := s.portalPage()
	if err != nil {
		return err
	}
	proxies, err := parseNetworks("portal.proxy_from", conf.Portal.ProxyFrom)
	if err != nil {
		return err
	}
	for _, w := range []struct {
		key, addr string
		handler   http.Handler
	}{
		{"portal.listen", conf.Portal.Listen, behind(proxies, pages)},
		{"recipients.listen", conf.Recipients.Listen, behind(proxies, s.own)},
		{"metrics.listen", conf.Metrics.Listen, s.metricsPage()},
	} {
		if w.addr == "" {
			continue
		}
		l, err := net.Listen("tcp", w.addr)
		if err != nil {
			return explainListen(w.key, w.addr, err)
		}
		s.web = append(s.web, webListener{l, w.handler})
	}
	return nil
}

func explainListen(key, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: another program has %s already: stop it, or choose another address", key, addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: not allowed to use %s: ports below 1024 need CAP_NET_BIND_SERVICE, which the systemd unit grants", key, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no address %s: choose one of its own, or 0.0.0.0 for all", key, addr)
	}
	return fmt.Errorf("%s: %w", key, err)
}

func (s *server) closeListeners() {
	for _, l := range s.mail {
		l.Close()
	}
	for _, l := range s.web {
		l.Close()
	}
}

// run serves until ctx ends, then drains.
func (s *server) run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	for _, l := range s.web {
		srv := &http.Server{Handler: l.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
		group.Go(func() error { return ignoreClosed(srv.Serve(l.Listener)) })
		context.AfterFunc(inner, func() { srv.Close() })
	}
	background := s.relay.Life
	go s.relay.Directory.Follow(background)
	go s.relay.Run(background)
	go s.keeper.Run(background)
	go keepIndex(background, s.o.store, s.log)
	if s.pool != nil {
		go func() {
			if err := s.pool.Run(background); err != nil && background.Err() == nil {
				s.log.Error("judge", "err", err)
			}
		}()
	}
	if s.certs != nil {
		go s.certs.watch(background, s.relay)
	}
	go s.hangups(background)
	go s.watchdog(background)
	go s.watch(background)
	if s.digests != nil {
		go s.digests.Run(background)
	}
	go s.watchRules(background)
	go s.tellAlarms(background)
	go s.markAudit(background)
	go s.reports(background)
	go (&report.Roller{Store: s.o.store, Log: s.log}).Run(background)
	for _, l := range s.mail {
		group.Go(func() error { return ignoreClosed(s.smtp.Serve(inner, l)) })
		s.log.Info("listening", "smtp", l.Addr().String())
	}
	if s.told != nil {
		s.welcome(background, s.told)
	}
	s.ready.Store(true)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	s.log.Info("ready", "version", version, "hostname", s.o.conf.Hostname)

	<-inner.Done()
	s.ready.Store(false)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	s.drain()
	return group.Wait()
}

// drain lets sessions and deliveries in flight finish; what waits stays in the
// ledger.
func (s *server) drain() {
	s.log.Info("draining")
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	s.closeListeners()
	if err := s.smtp.Shutdown(ctx); err != nil {
		s.log.Warn("sessions were cut off; their senders will try again", "err", err)
	}
	for _, q := range []interface{ Close(context.Context) error }{s.relay.JudgeTurn, s.relay.SendTurn} {
		if err := q.Close(ctx); err != nil {
			s.log.Warn("work in flight was left to the next start", "err", err)
		}
	}
	s.stop()
	s.relay.Sender.Close()
	s.hooks.Close(ctx)
	if err := s.traced(ctx); err != nil {
		s.log.Warn("traces that waited were not sent", "err", err)
	}
	s.log.Info("stopped")
}

// hangups reloads certificates and configuration on SIGHUP.
func (s *server) hangups(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hup:
		}
		s.reload(ctx)
	}
}

// reload takes over what can change without a restart: certificates, relay.sources
// and log.level. A configuration that does not hold leaves the former in force.
func (s *server) reload(ctx context.Context) {
	if s.certs != nil {
		if err := s.certs.reload(); err != nil {
			s.log.Error("certificate could not be reloaded; the former one stays in use", "err", err)
		}
	}
	conf, err := loadConfig(s.o.conf.file)
	if err != nil {
		s.log.Error("configuration could not be reloaded; the former one stays in force", "err", err)
		return
	}
	sources, err := conf.sources()
	if err != nil {
		s.log.Error("configuration could not be reloaded; the former one stays in force", "err", err)
		return
	}
	s.relay.Gate.SetSources(sources)
	if err := s.relay.Directory.Load(ctx); err != nil {
		s.log.Error("tenants could not be read again", "err", err)
	}
	s.log.Info("reloaded; keys other than smtp.tls and relay.sources take effect at the next start")
}

// watchdog tells systemd, where it asks (WatchdogSec), that the store still answers.
func (s *server) watchdog(ctx context.Context) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		if _, err := s.o.store.Generation(ctx); err == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
