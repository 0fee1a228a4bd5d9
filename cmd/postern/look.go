package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// What one look at a tenant's Exchange is for.
const (
	lookAtAll    = ""
	lookVerify   = "verify"
	lookProbe    = "probe"
	lookCoverage = "coverage"
)

// observe looks at a connected tenant, and keeps what it saw for the page that
// says whether mail is protected.
func (o *opened) observe(ctx context.Context, x *admin.Exchange, tenant, what string) (seen *exchange.Observation, err error) {
	var probe *admin.Probe
	defer func() {
		if errors.Is(err, admin.ErrNotConnected) || ctx.Err() != nil {
			return
		}
		kept := x.KeepWatched(context.WithoutCancel(ctx), tenant, func(w *admin.Watched) { remember(w, seen, probe, what, err) })
		err = errors.Join(err, kept)
	}()
	engine, err := x.Engine(ctx, tenant)
	if err != nil {
		return nil, err
	}
	spec, err := x.Spec(ctx, tenant)
	if err != nil {
		return nil, err
	}
	w := exchange.Watch{Relayed: o.relayed(tenant)}
	if what == lookAtAll || what == lookCoverage {
		w.Since = time.Now().Add(-watchBack)
	}
	if o.conf.Exchange.Probe.Source != "" && len(spec.Domains) > 0 && (what == lookAtAll || what == lookProbe) {
		w.Probe = func(ctx context.Context) (time.Duration, error) {
			probe = &admin.Probe{At: time.Now().UTC()}
			err := o.probe(ctx, spec.Domains, probe, func() error {
				return x.KeepWatched(ctx, tenant, func(w *admin.Watched) { w.Going = probe })
			})
			if err != nil {
				probe.Problem = mail.Kept{Sentence: mail.Told(err)}
			}
			return probe.Took, err
		}
	}
	return engine.Observe(ctx, spec, w)
}

// remember enters into w what one look saw.
func remember(w *admin.Watched, seen *exchange.Observation, probe *admin.Probe, what string, err error) {
	w.Problem, w.Going = mail.Kept{}, nil
	if probe != nil {
		w.Probe = probe
	}
	if err != nil {
		w.Problem = mail.Kept{Sentence: mail.Told(err)}
		return
	}
	if seen.Coverage != nil {
		w.Coverage = seen.Coverage
	}
	if seen.Report != nil {
		w.Verified, w.Drift = seen.At.UTC(), seen.Report.Drift
	}
	for _, a := range seen.Alarms {
		if a.Kind == "unreachable" {
			w.Problem = mail.Kept{Sentence: a.Text}
		}
	}
}

// probe sends a message to the tenant's own MX as a stranger would, from an address
// that Exchange does not know as the relay's, and waits until it has come by here
// and gone back. p gets its way; tell is called whenever it came further.
func (o *opened) probe(ctx context.Context, domains []string, p *admin.Probe, tell func() error) error {
	domain, to := o.conf.Exchange.Probe.to(domains)
	d, err := o.store.Domain(ctx, domain)
	if err != nil {
		return err
	}
	sender, err := newSender(o, relayOptions{log: o.log})
	if err != nil {
		return err
	}
	defer sender.Close()
	source, err := netip.ParseAddr(o.conf.Exchange.Probe.Source)
	if err != nil {
		return fmt.Errorf("exchange.probe.source: %w", err)
	}
	sender.Source = []netip.Addr{source}
	p.Message = "postern-probe-" + string(mail.NewID()) + "@" + o.conf.Hostname
	content := fmt.Appendf(nil, "From: Postern <postern-probe@%s>\r\nTo: <%s>\r\nSubject: Postern test message\r\nDate: %s\r\nMessage-ID: <%s>\r\nAuto-Submitted: auto-generated\r\n\r\n"+
		"This message was sent by Postern to see whether mail goes round through the relay. It may be deleted.\r\n", o.conf.Hostname, to, time.Now().UTC().Format(time.RFC1123Z), p.Message)
	p.Hop("sent", p.At, to)
	if err := tell(); err != nil {
		return err
	}
	out := sender.Send(ctx, deliver.Job{
		From: "postern-probe@" + o.conf.Hostname, Rcpts: []mail.Rcpt{{Addr: to}}, MTAs: d.MTAs, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	})
	if len(out) != 1 || out[0].Kind != deliver.Delivered {
		return fmt.Errorf("the test message was not taken by Exchange: %s", out[0].Reply)
	}
	p.Hop("exchange", time.Now().UTC(), out[0].Reply)
	if err := tell(); err != nil {
		return err
	}
	return o.cameRound(ctx, p, tell)
}

// to is whom a tenant's probe is addressed to, and the domain by whose MTAs it goes
// there. A mailbox of another tenant would say nothing of this one.
func (c ProbeConfig) to(domains []string) (domain, mailbox string) {
	_, of, _ := strings.Cut(c.Mailbox, "@")
	if i := slices.IndexFunc(domains, func(d string) bool { return strings.EqualFold(d, of) }); i >= 0 {
		return domains[i], c.Mailbox
	}
	return domains[0], "postmaster@" + domains[0]
}

// cameRound waits until the probe went back to Exchange.
func (o *opened) cameRound(ctx context.Context, p *admin.Probe, tell func() error) error {
	sent, known := p.Hops, 0 // places that the ledger told of
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		rows, err := o.store.Trace(ctx, store.TraceFilter{MessageID: p.Message, Limit: 1})
		if err != nil && ctx.Err() == nil {
			return err
		}
		if len(rows) == 1 && len(rows[0].Events) > known {
			p.Hops, known = slices.Clone(sent), len(rows[0].Events)
			way(p, rows[0])
			if err := tell(); err != nil {
				return err
			}
		}
		if len(rows) == 1 && (rows[0].State == mail.Delivered || rows[0].State == mail.Held) {
			if rows[0].State == mail.Held {
				return fmt.Errorf("the relay held the test message: %s", firstOf(rows[0].Reasons))
			}
			p.Took = rows[0].UpdatedAt.Sub(p.At)
			return nil
		}
		select {
		case <-ctx.Done():
			if len(rows) == 0 {
				return errors.New("the test message was taken by Exchange but not redirected to the relay")
			}
			return fmt.Errorf("the relay has the test message but could not hand it back: %s", rows[0].Reply)
		case <-tick.C:
		}
	}
}

// way adds to p what the ledger knows of its message.
func way(p *admin.Probe, row store.TraceRow) {
	p.Hop("relay", row.Received, row.OriginIP)
	for _, e := range row.Events {
		switch e.State {
		case mail.Judged:
			p.Hop("judged", e.At, e.Text)
		case mail.Held:
			p.Hop("held", e.At, e.Text)
		case mail.Delivered:
			p.Hop("returned", e.At, e.Text)
		}
	}
}
