package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay"
	"postern/internal/relay/ingress"
)

// certificates is where the SMTP certificate comes from: two files, or a
// certificate authority through ACME.
type certificates struct {
	files *ingress.Certificate // one of both
	acme  *ingress.ACME
}

const (
	certificateEvery = time.Minute         // between looks at the files
	expiryAlarm      = 21 * 24 * time.Hour // before the end of a certificate (product.md M1)
)

// newCertificates is nil when none is configured.
func newCertificates(ctx context.Context, conf *Config, log *slog.Logger, m *metric.Set) (*certificates, error) {
	t := conf.SMTP.TLS
	switch {
	case t.Cert != "":
		c := &ingress.Certificate{CertFile: t.Cert, KeyFile: t.Key, Log: log, Metric: m}
		if err := c.Reload(); err != nil {
			return nil, fmt.Errorf("smtp.tls: %w: cert and key have to name the PEM files of a certificate chain and of its private key, readable by the user that runs Postern", err)
		}
		return &certificates{files: c}, nil
	case t.ACME.Email != "":
		return newACME(ctx, conf, log, m)
	}
	return nil, nil
}

func newACME(ctx context.Context, conf *Config, log *slog.Logger, m *metric.Set) (*certificates, error) {
	t := conf.SMTP.TLS.ACME
	folder := conf.path("acme")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder for ACME cannot be made: %w", err)
	}
	host, port, err := splitListen(t.HTTP)
	if err != nil {
		return nil, fmt.Errorf("smtp.tls.acme.http: %w", err)
	}
	a := &ingress.ACME{Names: []string{conf.Hostname}, Dir: folder, CA: t.Directory, Email: t.Email, Host: host, HTTPPort: port, ALPNPort: -1, Log: log, Metric: m}
	if a.Roots, err = loadCAs(t.CAFile); err != nil {
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		return nil, fmt.Errorf("smtp.tls.acme: %w", err)
	}
	return &certificates{acme: a}, nil
}

func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.files != nil {
		return c.files.GetCertificate(hello)
	}
	return c.acme.GetCertificate(hello)
}

func (c *certificates) expires() time.Time {
	if c.files != nil {
		return c.files.Expires()
	}
	return c.acme.Expires()
}

func (c *certificates) reload() error {
	if c.files != nil {
		return c.files.Reload()
	}
	return nil // certmagic renews by itself
}

// client is our certificate for an MTA that asks who we are, as a connector does
// that is bound to our certificate's name.
func (c *certificates) client(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.get(&tls.ClientHelloInfo{})
}

// watch follows the files and raises an alarm while the end is near.
func (c *certificates) watch(ctx context.Context, r *relay.Relay) {
	if c.files != nil {
		go c.files.Watch(ctx, certificateEvery)
	} else {
		go c.acme.Watch(ctx, certificateEvery)
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if end := c.expires(); !end.IsZero() && time.Until(end) < expiryAlarm {
			r.Alarm("certificate-expiry", "", mail.Say("The SMTP certificate ends on %s. Exchange hands over no mail without a valid one: renew it.", mail.Day(end)))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
