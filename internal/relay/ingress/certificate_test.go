package ingress

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/internal/metric"
)

// certFiles writes a pair into dir and returns it as a Certificate, not yet loaded.
func certFiles(t *testing.T, name string, notAfter time.Time) *Certificate {
	t.Helper()
	dir := t.TempDir()
	c := &Certificate{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), Log: slog.New(slog.DiscardHandler)}
	cert, key := pemPair(t, name, notAfter)
	put(t, c.CertFile, cert)
	put(t, c.KeyFile, key)
	return c
}

func put(t *testing.T, file string, octets []byte) {
	t.Helper()
	if err := os.WriteFile(file, octets, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *client) servedBy(t *testing.T) string {
	t.Helper()
	return c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestNewCertificateServesNewSessionsAndOpenOnesGoOn(t *testing.T) {
	cert := certFiles(t, "old.test", time.Now().Add(90*24*time.Hour))
	if _, err := cert.GetCertificate(nil); err == nil {
		t.Error("a certificate before the first Reload")
	}
	if err := cert.Reload(); err != nil {
		t.Fatal(err)
	}
	in := &inbox{}
	addr := serve(t, &Server{Accept: in.accept, TLS: &tls.Config{GetCertificate: cert.GetCertificate}})
	open := dial(t, addr).hello()
	open.startTLS(nil)
	open.do("EHLO x", "250-")
	open.do("MAIL FROM:<>", "250")

	newCert, newKey := pemPair(t, "new.test", time.Now().Add(90*24*time.Hour))
	put(t, cert.CertFile, newCert)
	put(t, cert.KeyFile, newKey)
	if err := cert.Reload(); err != nil {
		t.Fatal(err)
	}
	fresh := dial(t, addr).hello()
	fresh.startTLS(nil)
	if got := fresh.servedBy(t); got != "new.test" {
		t.Errorf("a new session is served by %s", got)
	}
	open.do("RCPT TO:<a@b.c>", "250")
	open.do("BDAT 1 LAST\r\nx", "250")
	if got := open.servedBy(t); got != "old.test" {
		t.Errorf("the open session is served by %s", got)
	}
}

func TestUnusableCertificateLeavesTheOldOneInUse(t *testing.T) {
	year := time.Now().Add(365 * 24 * time.Hour)
	otherCert, otherKey := pemPair(t, "other.test", year)
	pastCert, pastKey := pemPair(t, "past.test", time.Now().Add(-time.Hour))
	for _, tt := range []struct {
		name      string
		cert, key []byte // nil: the file is gone
		want      string
	}{
		{"key of another", otherCert, nil, "no such file"},
		{"certificate without its key", nil, otherKey, "no such file"},
		{"mismatch", otherCert, []byte("old"), "private key does not match"},
		{"half written", otherCert[:len(otherCert)/2], otherKey, "failed to find any PEM"},
		{"empty", []byte{}, []byte{}, "failed to find any PEM"},
		{"ended", pastCert, pastKey, "the one in use is still valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := certFiles(t, "old.test", year)
			if err := c.Reload(); err != nil {
				t.Fatal(err)
			}
			for file, octets := range map[string][]byte{c.CertFile: tt.cert, c.KeyFile: tt.key} {
				switch {
				case octets == nil:
					os.Remove(file)
				case string(octets) != "old":
					put(t, file, octets)
				}
			}
			if err := c.Reload(); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), filepath.Dir(c.CertFile)) {
				t.Errorf("error %v, want one with the file and %q", err, tt.want)
			}
			if now, err := c.GetCertificate(nil); err != nil || now.Leaf.Subject.CommonName != "old.test" {
				t.Errorf("in use: %v, %v", now.Leaf.Subject, err)
			}
			put(t, c.CertFile, otherCert) // mended
			put(t, c.KeyFile, otherKey)
			if err := c.Reload(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWatchReloadsAndAlarmsOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		m := metric.New(prometheus.NewRegistry())
		c := certFiles(t, "old.test", time.Now().Add(ExpiryNotice+36*time.Hour))
		c.Log, c.Metric = slog.New(slog.NewTextHandler(&log, nil)), m
		if err := c.Reload(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go c.Watch(ctx, time.Minute)
		alarms := func() float64 { return testutil.ToFloat64(m.Alarms.WithLabelValues("certificate-expiry")) }

		time.Sleep(35 * time.Hour)
		synctest.Wait()
		if alarms() != 0 || testutil.ToFloat64(m.CertExpiry) != float64(c.Expires().Unix()) {
			t.Errorf("%v alarms more than 21 days ahead, expiry %v", alarms(), testutil.ToFloat64(m.CertExpiry))
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if alarms() != 1 {
			t.Errorf("%v alarms 21 days ahead", alarms())
		}
		time.Sleep(70 * time.Hour)
		synctest.Wait()
		if alarms() != 3 {
			t.Errorf("%v alarms three days later, want one a day", alarms())
		}

		put(t, c.CertFile, []byte("rubbish"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), "certificate not reloaded"); n != 1 {
			t.Errorf("said %d times that the file is unusable", n)
		}
		cert, key := pemPair(t, "new.test", time.Now().Add(90*24*time.Hour))
		put(t, c.CertFile, cert)
		put(t, c.KeyFile, key)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if now, _ := c.GetCertificate(nil); now.Leaf.Subject.CommonName != "new.test" {
			t.Errorf("in use: %v", now.Leaf.Subject)
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if alarms() != 3 {
			t.Errorf("alarms go on: %v", alarms())
		}
	})
}
