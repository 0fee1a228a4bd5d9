package ingress

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/mail"
)

// inbox is an Accept that keeps what arrived in full.
type inbox struct {
	mu   sync.Mutex
	got  []received
	read int // Accept calls whose body ended in any way
}

type received struct {
	env  *mail.Envelope
	body string
}

func (in *inbox) accept(_ context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
	octets, err := io.ReadAll(body)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.read++
	if err != nil {
		return "", err
	}
	in.got = append(in.got, received{env, string(octets)})
	return "01ARZ3NDEKTSV4RRFFQ69G5FAV", nil
}

func (in *inbox) all() []received {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]received(nil), in.got...)
}

func (in *inbox) bodies() []string {
	var b []string
	for _, r := range in.all() {
		b = append(b, r.body)
	}
	return b
}

// serve starts srv on loopback and returns its address. It is shut down at the
// test's end, and must then come to an end.
func serve(t testing.TB, srv *Server) string {
	t.Helper()
	if srv.Hostname == "" {
		srv.Hostname = "mx.test"
	}
	if srv.Log == nil {
		srv.Log = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// client is the other side, octet by octet.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newClient(t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client {
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(octets string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, octets); err != nil {
		c.t.Fatalf("send %.40q: %v", octets, err)
	}
}

// reply is the next whole reply, its lines joined with "|".
func (c *client) reply() (string, error) {
	var lines []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return strings.Join(append(lines, line), "|"), err
		}
		if !strings.HasSuffix(line, "\r\n") {
			return line, errors.New("reply without CRLF")
		}
		lines = append(lines, line[:len(line)-2])
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "|"), nil
		}
	}
}

func (c *client) want(prefix string) string {
	c.t.Helper()
	got, err := c.reply()
	if err != nil || !strings.HasPrefix(got, prefix) {
		c.t.Fatalf("reply %q, %v; want %q", got, err, prefix)
	}
	return got
}

// do sends a command and wants a reply.
func (c *client) do(command, prefix string) string {
	c.t.Helper()
	c.send(command + "\r\n")
	got, err := c.reply()
	if err != nil || !strings.HasPrefix(got, prefix) {
		c.t.Fatalf("%.80q: reply %q, %v; want %q", command, got, err, prefix)
	}
	return got
}

// hello brings the session behind EHLO.
func (c *client) hello() *client {
	c.t.Helper()
	c.want("220 ")
	c.do("EHLO client.test", "250-")
	return c
}

// closed wants the connection to be at its end.
func (c *client) closed() {
	c.t.Helper()
	if got, err := c.reply(); err == nil {
		c.t.Fatalf("connection still open: %q", got)
	}
}

// everything is what the server says until it closes.
func (c *client) everything() string {
	all, _ := io.ReadAll(c.r)
	return string(all)
}

// startTLS upgrades the client.
func (c *client) startTLS(config *tls.Config) {
	c.t.Helper()
	c.do("STARTTLS", "220 ")
	c.handshake(config)
}

func (c *client) handshake(config *tls.Config) {
	c.t.Helper()
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true} // the test's own certificate
	}
	conn := tls.Client(c.conn, config)
	if err := conn.Handshake(); err != nil {
		c.t.Fatalf("handshake: %v", err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
}

// pemPair is a fresh self-signed certificate for name and its key.
func pemPair(t testing.TB, name string, notAfter time.Time) (cert, key []byte) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-2 * 365 * 24 * time.Hour),
		NotAfter:     notAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func pair(t testing.TB, name string) tls.Certificate {
	t.Helper()
	cert, key := pemPair(t, name, time.Now().Add(365*24*time.Hour))
	p, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serverConfig(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{pair(t, "mx.test")}}
}

func TestMessageArrivesAsSent(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept})).hello()
	before := time.Now().Add(-time.Second)
	c.do("MAIL FROM:<Ann@Example.com> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1", "250 2.1.0")
	c.do(`RCPT TO:<"a b"@example.net> NOTIFY=success,delay ORCPT=rfc822;a+2Bb@example.net`, "250 2.1.5")
	c.do("RCPT TO:<@relay.test,@b.test:bob@example.net>", "250 2.1.5")
	c.do("DATA", "354 ")
	c.do("Subject: x\r\n\r\n..dot\r\n.\rcr\r\nlf\nnul\x00\r\n.", "250 2.0.0 Ok: queued as 01ARZ3NDEKTSV4RRFFQ69G5FAV")
	c.do("QUIT", "221 2.0.0")
	c.closed()

	got := in.all()
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	if want := "Subject: x\r\n\r\n.dot\r\n\rcr\r\nlf\nnul\x00\r\n"; got[0].body != want {
		t.Errorf("body %q, want %q", got[0].body, want)
	}
	env := *got[0].env
	if env.Received.Before(before) || env.Received.Location() != time.UTC {
		t.Errorf("Received %v", env.Received)
	}
	if env.From != "Ann@Example.com" || env.Size != 100 || env.Body != "8BITMIME" || env.Ret != "HDRS" || env.EnvID != "QQ+2B1" ||
		env.HELO != "client.test" || env.Client.String() != "127.0.0.1" || env.TLS != (mail.TLS{}) || env.SMTPUTF8 {
		t.Errorf("envelope %+v", env)
	}
	want := []mail.Rcpt{
		{Addr: `"a b"@example.net`, Notify: "SUCCESS,DELAY", ORcpt: "rfc822;a+2Bb@example.net"},
		{Addr: "bob@example.net"},
	}
	if len(env.To) != 2 || env.To[0] != want[0] || env.To[1] != want[1] {
		t.Errorf("recipients %+v", env.To)
	}
}

func TestPipelinedBatchIsAnsweredAtOnce(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept})).hello()
	c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n")
	buf := make([]byte, 4096)
	n, err := c.conn.Read(buf)
	if err != nil || bytes.Count(buf[:n], []byte("\r\n")) != 4 {
		t.Fatalf("first read: %q, %v", buf[:n], err)
	}
	c.send("x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 3 LAST\r\ny\r\nQUIT\r\n")
	for _, want := range []string{"250 2.0.0 Ok: queued", "250 2.1.0", "250 2.1.5", "250 2.0.0 Ok: queued", "221 "} {
		c.want(want)
	}
	if got := in.bodies(); len(got) != 2 || got[0] != "x\r\n" || got[1] != "y\r\n" {
		t.Errorf("bodies %q", got)
	}
}
