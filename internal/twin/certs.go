package twin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// An authority is the twin's throw-away CA with the certificates it gave out.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	server tls.Certificate // the MX
	client tls.Certificate // what Exchange shows a smart host that asks
}

func newAuthority(now time.Time, names []string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("CA key: %w", err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Twin Cloud Services CA-1", Organization: []string{"Postern twin"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	a := &authority{key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	names = append([]string{"mail.protection.outlook.com", "*.mail.protection.outlook.com", "*.mx.microsoft", "localhost"}, names...)
	if a.server, err = a.issue("mail.protection.outlook.com", names, now); err != nil {
		return nil, err
	}
	a.client, err = a.issue("mail.protection.outlook.com", []string{"mail.protection.outlook.com", "*.outbound.protection.outlook.com"}, now)
	return a, err
}

// issue makes a certificate for name and alternative names.
func (a *authority) issue(name string, alt []string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key for %s: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("serial for %s: %w", name, err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: alt, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate for %s: %w", name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}, nil
}

// serverTLS asks for a client certificate, as Exchange does, and takes any.
func (a *authority) serverTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.server}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
}

// CAPEM is the twin's CA certificate: who trusts it can verify the MX, and Exchange's
// client certificate.
func (tw *Twin) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tw.certs.cert.Raw})
}

// Issue makes a certificate of the twin's CA, which its connectors trust, for a
// relay's names. Both are PEM.
func (tw *Twin) Issue(names ...string) (cert, key []byte, err error) {
	c, err := tw.certs.issue(names[0], names, tw.now())
	if err != nil {
		return nil, nil, fmt.Errorf("twin: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("twin: key for %s: %w", names[0], err)
	}
	for _, d := range c.Certificate {
		cert = append(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
