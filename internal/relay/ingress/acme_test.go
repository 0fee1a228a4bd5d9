package ingress

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/internal/freeport"
	"postern/internal/metric"
)

// fakeCA is as much of RFC 8555 as one http-01 order needs. It looks at the
// challenge as a real CA does, by HTTP, and signs with its own root.
type fakeCA struct {
	*httptest.Server
	httpPort int
	root     *x509.Certificate
	key      *ecdsa.PrivateKey

	mu         sync.Mutex
	thumbprint string
	name       string
	state      string // of order and authorization: "pending", "ready", "valid"
	looked     string // what the challenge's address gave
	chain      []byte
}

const token = "tokentokentokentokentoken"

func newFakeCA(t *testing.T, httpPort int) *fakeCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(365 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ca := &fakeCA{httpPort: httpPort, root: root, key: key}
	ca.Server = httptest.NewTLSServer(ca)
	t.Cleanup(ca.Close)
	return ca
}

func (ca *fakeCA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Replay-Nonce", fmt.Sprintf("nonce%d", time.Now().UnixNano()))
	var payload struct {
		Identifiers []struct{ Value string }
		CSR         string
	}
	if r.Method == http.MethodPost {
		var jws struct{ Protected, Payload string }
		json.NewDecoder(r.Body).Decode(&jws)
		var protected struct {
			JWK struct{ Crv, Kty, X, Y string }
		}
		json.Unmarshal(unbase64(jws.Protected), &protected)
		if k := protected.JWK; k.X != "" {
			sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":%q,"kty":%q,"x":%q,"y":%q}`, k.Crv, k.Kty, k.X, k.Y)) // RFC 7638 §3
			ca.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
		}
		json.Unmarshal(unbase64(jws.Payload), &payload)
	}
	switch r.URL.Path {
	case "/dir":
		json.NewEncoder(w).Encode(map[string]string{"newNonce": ca.URL + "/nonce", "newAccount": ca.URL + "/account", "newOrder": ca.URL + "/new"})
	case "/account":
		w.Header().Set("Location", ca.URL+"/account/1")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"status":"valid"}`)
	case "/new":
		ca.name, ca.state = payload.Identifiers[0].Value, "pending"
		w.Header().Set("Location", ca.URL+"/order")
		w.WriteHeader(http.StatusCreated)
		ca.order(w)
	case "/order":
		ca.order(w)
	case "/authz":
		ca.authorization(w)
	case "/challenge":
		ca.look()
		ca.challenge(w)
	case "/finalize":
		ca.sign(unbase64(payload.CSR))
		ca.order(w)
	case "/cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Write(ca.chain)
	}
}

func unbase64(s string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return b
}

func (ca *fakeCA) order(w io.Writer) {
	fmt.Fprintf(w, `{"status":%q,"identifiers":[{"type":"dns","value":%q}],"authorizations":[%q],"finalize":%q,"certificate":%q}`,
		ca.state, ca.name, ca.URL+"/authz", ca.URL+"/finalize", ca.URL+"/cert")
}

func (ca *fakeCA) authorization(w io.Writer) {
	status := "pending"
	if ca.state != "pending" {
		status = "valid"
	}
	fmt.Fprintf(w, `{"status":%q,"identifier":{"type":"dns","value":%q},"challenges":[`, status, ca.name)
	ca.challenge(w)
	io.WriteString(w, "]}")
}

func (ca *fakeCA) challenge(w io.Writer) {
	status := "pending"
	if ca.state != "pending" {
		status = "valid"
	}
	fmt.Fprintf(w, `{"type":"http-01","status":%q,"url":%q,"token":%q}`, status, ca.URL+"/challenge", token)
}

// look asks the applicant's port 80 (RFC 8555 §8.3).
func (ca *fakeCA) look() {
	req, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/%s", ca.httpPort, token), nil)
	req.Host = ca.name
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		ca.looked = err.Error()
		return
	}
	defer resp.Body.Close()
	octets, _ := io.ReadAll(resp.Body)
	ca.looked = string(octets)
	if ca.looked == token+"."+ca.thumbprint {
		ca.state = "ready"
	}
}

func (ca *fakeCA) sign(csrDER []byte) {
	csr, err := x509.ParseCertificateRequest(csrDER)
	if err != nil || ca.state != "ready" {
		return
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(90 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.root, csr.PublicKey.(crypto.PublicKey), ca.key)
	if err != nil {
		return
	}
	ca.chain = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})...)
	ca.state = "valid"
}

func TestCertificateByACMEServesMail(t *testing.T) {
	free, err := freeport.Loopback()
	if err != nil {
		t.Fatal(err)
	}
	port := int(free.Port())
	ca := newFakeCA(t, port)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate())

	var log lockedBuffer
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	m := metric.New(prometheus.NewRegistry())
	acme := &ACME{Names: []string{"mx.example.com"}, Dir: t.TempDir(), CA: ca.URL + "/dir", Roots: roots, Host: "127.0.0.1", HTTPPort: port, ALPNPort: -1,
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metric: m}
	if err := acme.Start(ctx); err != nil {
		t.Fatal(err)
	}
	go acme.Watch(ctx, 10*time.Millisecond)
	for deadline := time.Now().Add(time.Minute); acme.Expires().IsZero(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no certificate; the CA saw %q\n%s", ca.looked, log.String())
		}
	}
	if until := time.Until(acme.Expires()); until < 89*24*time.Hour || testutil.ToFloat64(m.CertExpiry) != float64(acme.Expires().Unix()) {
		t.Errorf("expires in %v", until)
	}

	in := &inbox{}
	addr := serve(t, &Server{Accept: in.accept, TLS: &tls.Config{GetCertificate: acme.GetCertificate}})
	trust := x509.NewCertPool()
	trust.AddCert(ca.root)
	for _, sni := range []string{"mx.example.com", "", "other.example"} { // clients that name us, none, and another
		c := dial(t, addr).hello()
		c.startTLS(&tls.Config{ServerName: sni, InsecureSkipVerify: sni != "mx.example.com", RootCAs: trust})
		if got := c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames; strings.Join(got, " ") != "mx.example.com" {
			t.Errorf("with SNI %q served %v", sni, got)
		}
	}
}

func TestACMEWithoutNamesIsAnError(t *testing.T) {
	if err := (&ACME{Dir: t.TempDir()}).Start(context.Background()); err == nil {
		t.Error("no error")
	}
}
