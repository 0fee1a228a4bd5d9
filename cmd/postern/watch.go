package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

const (
	watchEvery   = time.Hour        // between looks at a connected tenant
	watchBack    = 2 * time.Hour    // of message trace that coverage reads
	probeTimeout = 15 * time.Minute // for one message to come round
)

// watch looks at every connected tenant once an hour: whether Exchange still is as
// it was set up, whether a test message comes round, and whether mail really comes
// by here. What is not right becomes an alarm.
func (s *server) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		tenants, err := s.o.store.Tenants(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("tenants could not be read for watching Exchange", "err", err)
		}
		for _, t := range tenants {
			s.watchTenant(ctx, t.ID)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *server) watchTenant(ctx context.Context, tenant string) {
	seen, err := s.o.observe(ctx, newExchange(s.o, nil), tenant, lookAtAll)
	switch {
	case errors.Is(err, admin.ErrNotConnected) || errors.Is(err, admin.ErrSignInAgain) || ctx.Err() != nil:
		return
	case err != nil:
		s.relay.Alarm("exchange-unreachable", tenant, mail.Say("Exchange could not be watched: %s.", err))
		return
	}
	for _, a := range seen.Alarms {
		s.relay.Alarm("exchange-"+a.Kind, tenant, a.Text)
	}
}

// newExchange is the door to tenants' Exchange set-ups.
func newExchange(o *opened, progress func(exchange.Event)) *admin.Exchange {
	return &admin.Exchange{
		Admin:     o.admin(),
		Cloud:     o.conf.Exchange.Cloud,
		SmartHost: o.conf.Hostname,
		Addresses: o.conf.Relay.EgressIPs,
		Reverse:   o.conf.Relay.Reverse,
		Prefix:    o.conf.Relay.HeaderPrefix,
		Progress:  progress,
		Runs:      &admin.Runs{},
		SignIns:   o.signIns,
		Relay:     o.ownCertificate,
		TryMTA:    o.tryMTA,
	}
}

// ownCertificate sees whether Exchange can take the certificate that we show it.
// Whether it reaches us from outside only Exchange can tell: it does so when its
// connector is validated.
func (o *opened) ownCertificate(_ context.Context, host, _ string) error {
	t := o.conf.SMTP.TLS
	if t.Cert == "" {
		return nil // of an authority through ACME, which asks for our name
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return fmt.Errorf("its certificate cannot be read: %w", err)
	}
	if err := pair.Leaf.VerifyHostname(host); err != nil {
		return fmt.Errorf("its certificate is for %s", strings.Join(pair.Leaf.DNSNames, ", "))
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("its certificate ended on %s", pair.Leaf.NotAfter.UTC().Format("2 January 2006"))
	}
	return nil
}

// tryMTA tries the connection to a next hop without sending a message.
func (o *opened) tryMTA(ctx context.Context, m mail.MTA) []deliver.Step {
	sender, err := newSender(o, relayOptions{log: o.log})
	if err != nil {
		return []deliver.Step{{Name: "Set-up", Detail: mail.Told(err)}}
	}
	defer sender.Close()
	return sender.Test(ctx, m)
}

// relayed reports whether a message came by here.
func (o *opened) relayed(tenant string) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, messageID string) (bool, error) {
		rows, err := o.store.Trace(ctx, store.TraceFilter{Tenant: tenant, MessageID: messageID, Limit: 1})
		return len(rows) > 0, err
	}
}

type exchangeWatchCmd struct{ exchangeTenant }

func (e *exchangeWatchCmd) Run(c *console) error {
	return c.withTenant(e.Tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		seen, err := o.observe(c.ctx, x, t.ID, lookAtAll)
		if errors.Is(err, admin.ErrNotConnected) {
			return notConnected(t.ID)
		}
		if err != nil {
			return err
		}
		if err := c.print(seen, func(w io.Writer) { printObservation(w, seen) }); err != nil {
			return err
		}
		if len(seen.Alarms) > 0 {
			return errSilent
		}
		return nil
	})
}

func printObservation(w io.Writer, seen *exchange.Observation) {
	if seen.Probe > 0 {
		fmt.Fprintf(w, "A test message came round in %s.\n", seen.Probe.Round(time.Millisecond))
	}
	if c := seen.Coverage; c != nil {
		fmt.Fprintf(w, "Of %d external messages since %s, %d passed the relay (%.1f %%).\n", c.Total, day(c.From), c.Relayed, 100*c.Share())
	}
	for _, a := range seen.Alarms {
		fmt.Fprintf(w, "%-8s  %s\n", a.Severity, a.Text)
	}
	if len(seen.Alarms) == 0 {
		fmt.Fprintln(w, "Exchange is as it was set up.")
	}
}
