package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"postern/internal/metric"
)

// ACME is a certificate from a public CA, obtained and renewed by RFC 8555. The CA
// must reach HTTPPort for http-01 or ALPNPort for tls-alpn-01 (RFC 8737) under each
// of Names; the ports are opened only while the CA looks. Call Start before use.
type ACME struct {
	Names    []string // host names; the first is served to clients that name none or another
	Dir      string   // folder for account, keys and certificates
	CA       string   // directory URL; "" is Let's Encrypt
	Email    string   // for the CA's notices; may be ""
	Roots    *x509.CertPool
	Host     string       // local address to open the ports on; "" is all
	HTTPPort int          // 0 is 80; -1 does without http-01
	ALPNPort int          // 0 is 443; -1 does without tls-alpn-01
	Log      *slog.Logger // nil: slog.Default()
	Metric   *metric.Set  // may be nil

	cache   *certmagic.Cache
	config  *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	expires atomic.Int64 // Unix seconds
	notice  notice
}

// Start loads what Dir holds and returns; what is missing is obtained and renewed
// in the background until ctx is done, with every failure logged and tried again.
// The error is of Dir or of Names, never of the CA.
func (a *ACME) Start(ctx context.Context) error {
	if len(a.Names) == 0 {
		return errors.New("acme: no host name given")
	}
	log := zap.New(zapToSlog{orDefault(a.Log)})
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		Logger:           log,
	})
	context.AfterFunc(ctx, a.cache.Stop)
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage:            &certmagic.FileStorage{Path: a.Dir},
		DefaultServerName:  a.Names[0],
		FallbackServerName: a.Names[0],
		Logger:             log,
	})
	a.issuer = certmagic.NewACMEIssuer(a.config, certmagic.ACMEIssuer{
		CA:                      a.ca(),
		TestCA:                  a.ca(), // the same: another CA's account is not wanted
		Email:                   a.Email,
		Agreed:                  true,
		TrustedRoots:            a.Roots,
		ListenHost:              a.Host,
		AltHTTPPort:             max(a.HTTPPort, 0),
		AltTLSALPNPort:          max(a.ALPNPort, 0),
		DisableHTTPChallenge:    a.HTTPPort < 0,
		DisableTLSALPNChallenge: a.ALPNPort < 0,
		Logger:                  log,
	})
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	if err := a.config.ManageAsync(ctx, a.Names); err != nil {
		return fmt.Errorf("acme: manage %v in %s: %w", a.Names, a.Dir, err)
	}
	return nil
}

func (a *ACME) ca() string {
	if a.CA == "" {
		return certmagic.LetsEncryptProductionCA
	}
	return a.CA
}

// GetCertificate is what tls.Config wants. It fails while there is no certificate.
func (a *ACME) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.config.GetCertificate(hello)
}

// Expires is when the certificate in use ended when Watch last looked, zero if there
// is none.
func (a *ACME) Expires() time.Time {
	if s := a.expires.Load(); s != 0 {
		return time.Unix(s, 0).UTC()
	}
	return time.Time{}
}

// Watch looks at the expiry now and every so often until ctx is done.
func (a *ACME) Watch(ctx context.Context, every time.Duration) {
	repeat(ctx, every, func() {
		cert, err := a.config.CacheManagedCertificate(ctx, a.Names[0])
		if err != nil {
			return // there is none yet; Start's work says why
		}
		a.expires.Store(cert.Leaf.NotAfter.Unix())
		a.notice.check(orDefault(a.Log), a.Metric, a.Names[0], a.Expires())
	})
}
