package ingress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"postern/internal/metric"
)

// ExpiryNotice is how long before its end a certificate raises an alarm.
const ExpiryNotice = 21 * 24 * time.Hour

// Certificate is a certificate in files, reloaded when they change. Sessions that
// are open keep what they have; new handshakes get the new one. Call Reload once
// before use.
type Certificate struct {
	CertFile string       // PEM, the chain with the leaf first
	KeyFile  string       // PEM
	Log      *slog.Logger // nil: slog.Default()
	Metric   *metric.Set  // may be nil

	mu            sync.Mutex
	now           *tls.Certificate // nil before the first Reload
	certPEM, keyP []byte           // what now was made of
	notice        notice
}

// Reload reads the files again. Where they cannot be used, the error says why and
// the certificate in use stays: files that cannot be read, a key that is not the
// certificate's, or a certificate that has ended while the one in use has not.
func (c *Certificate) Reload() error {
	certPEM, err := os.ReadFile(c.CertFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	keyPEM, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return fmt.Errorf("read key of certificate: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil && bytes.Equal(certPEM, c.certPEM) && bytes.Equal(keyPEM, c.keyP) {
		return nil
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
	}
	if now := time.Now(); c.now != nil && pair.Leaf.NotAfter.Before(now) && !c.now.Leaf.NotAfter.Before(now) {
		return fmt.Errorf("certificate %s ended at %s, the one in use is still valid", c.CertFile, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	c.now, c.certPEM, c.keyP = &pair, certPEM, keyPEM
	return nil
}

// GetCertificate is what tls.Config wants.
func (c *Certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return nil, errors.New("no certificate loaded")
	}
	return c.now, nil
}

// Expires is when the certificate in use ends, zero if there is none.
func (c *Certificate) Expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return time.Time{}
	}
	return c.now.Leaf.NotAfter
}

// Watch looks at the files and at the expiry now and every so often until ctx is
// done. What is wrong is logged when it begins, not each time.
func (c *Certificate) Watch(ctx context.Context, every time.Duration) {
	log, said := orDefault(c.Log), ""
	repeat(ctx, every, func() {
		before := c.Expires()
		err := c.Reload()
		switch {
		case err == nil && said != "" || err == nil && !c.Expires().Equal(before):
			log.Info("certificate in use", "file", c.CertFile, "expires_at", c.Expires())
			said = ""
		case err != nil && err.Error() != said:
			log.Error("certificate not reloaded, the old one stays in use", "file", c.CertFile, "err", err)
			said = err.Error()
		}
		c.notice.check(log, c.Metric, c.CertFile, c.Expires())
	})
}

// repeat calls f now and every so often until ctx is done.
func repeat(ctx context.Context, every time.Duration, f func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// notice raises the alarm of a certificate's end, once a day.
type notice struct{ last time.Time }

func (n *notice) check(log *slog.Logger, m *metric.Set, name string, expires time.Time) {
	if expires.IsZero() {
		return
	}
	if m != nil {
		m.CertExpiry.Set(float64(expires.Unix()))
	}
	now := time.Now()
	if expires.Sub(now) > ExpiryNotice || now.Sub(n.last) < 24*time.Hour {
		return
	}
	n.last = now
	if m != nil {
		m.Alarms.WithLabelValues("certificate-expiry").Inc()
	}
	log.Error("the SMTP certificate ends soon, replace it", "certificate", name, "expires_at", expires)
}
