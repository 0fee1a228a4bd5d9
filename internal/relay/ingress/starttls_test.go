package ingress

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestPlaintextBehindSTARTTLSIsNeverRun sends what an attacker in the middle would,
// in one segment with STARTTLS, and then makes the handshake as the victim would.
func TestPlaintextBehindSTARTTLSIsNeverRun(t *testing.T) {
	const message = "MAIL FROM:<evil@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nevil\r\n.\r\n"
	probes := []string{
		"NOOP\r\n",
		"NOOP",
		"\r\n",
		"\n",
		"EHLO evil.test\r\n",
		"EHLO evil.test\r\n" + message,
		message,
		"HELO evil.test\r\n" + message,
		"MAIL FROM:<evil@b.c>\r\n",
		"MAIL FROM:<evil@b.c>\r\nRCPT TO:<d@e.f>\r\n",
		"MAIL FROM:<evil@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n",
		"EHLO evil.test\r\nMAIL FROM:<evil@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 100 LAST\r\n",
		"EHLO evil.test\r\nMAIL FROM:<evil@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 4 LAST\r\nevil",
		"BDAT 5000 LAST\r\n",
		"BDAT 4 LAST\r\nevil",
		"RSET\r\n",
		"QUIT\r\n",
		"STARTTLS\r\n",
		"STARTTLS\r\nSTARTTLS\r\n",
		"STARTTLS\r\n" + message,
		"AUTH PLAIN AGEAYg==\r\n",
		"AUTH LOGIN\r\n",
		"XCLIENT ADDR=192.0.2.1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"VRFY ann\r\n",
		"HELP\r\n",
		"\x16\x03\x01\x00\x05hello",
		strings.Repeat("NOOP\r\n", 300),
		strings.Repeat("x", 3000),
		"EHLO evil.test\r\nSTARTTLS\r\nEHLO evil.test\r\n" + message,
	}
	if len(probes) < 25 {
		t.Fatal("too few probes")
	}
	in := &inbox{}
	addr := serve(t, &Server{Accept: in.accept, TLS: serverConfig(t)})
	for _, probe := range probes {
		t.Run(strings.ToValidUTF8(probe[:min(len(probe), 30)], "?"), func(t *testing.T) {
			c := dial(t, addr).hello()
			c.send("STARTTLS\r\n" + probe)
			if got := c.want("220 2.0.0"); got == "" || c.r.Buffered() > 0 {
				t.Fatalf("%d octets behind the reply in plaintext", c.r.Buffered())
			}
			c.handshake(nil)
			// What was said in plaintext has no answer and left no trace.
			c.do("NOOP", "250 2.0.0 Ok")
			c.do("MAIL FROM:<a@b.c>", "503 5.5.1 Send EHLO")
			c.do("RCPT TO:<d@e.f>", "503")
			c.do("EHLO victim.test", "250-mx.test")
			c.do("RCPT TO:<d@e.f>", "503")
			c.do("QUIT", "221")
		})
	}
	if got := in.bodies(); len(got) != 0 {
		t.Errorf("accepted %q", got)
	}
}

// TestPlaintextInTheHandshakeEndsTheSession: injected after the 220, it is no TLS.
func TestPlaintextInTheHandshakeEndsTheSession(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept, TLS: serverConfig(t)})).hello()
	c.do("STARTTLS", "220")
	c.send("EHLO evil.test\r\nMAIL FROM:<evil@b.c>\r\n")
	if said := c.everything(); strings.Contains(said, "250") {
		t.Errorf("server said %q", said)
	}
}

func TestTransactionBeforeTLSIsForgotten(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept, TLS: serverConfig(t)})).hello()
	c.do("MAIL FROM:<evil@b.c>", "250")
	c.do("STARTTLS", "503 5.5.1")
	c.do("RSET", "250")
	c.startTLS(nil)
	c.do("RCPT TO:<d@e.f>", "503")
	c.do("DATA", "503")
}

func TestTLSVersionsAndTheClientsCertificate(t *testing.T) {
	in := &inbox{}
	addr := serve(t, &Server{Accept: in.accept, TLS: serverConfig(t)})
	for _, tt := range []struct {
		name    string
		version uint16
		want    string
	}{
		{"TLS 1.2", tls.VersionTLS12, "TLSv1.2"},
		{"TLS 1.3", tls.VersionTLS13, "TLSv1.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr).hello()
			c.startTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tt.version, MaxVersion: tt.version,
				Certificates: []tls.Certificate{pair(t, "mail.protection.outlook.com")}, ClientSessionCache: tls.NewLRUClientSessionCache(1)})
			c.do("EHLO x", "250-")
			c.do("MAIL FROM:<>", "250")
			c.do("RCPT TO:<d@e.f>", "250")
			c.do("BDAT 0 LAST", "250")
			got := in.all()
			if env := got[len(got)-1].env; env.TLS.Version != tt.want || env.TLS.Peer != "mail.protection.outlook.com" || !strings.HasPrefix(env.TLS.Cipher, "TLS_") {
				t.Errorf("envelope says %+v", env.TLS)
			}
		})
	}
	t.Run("TLS 1.1 is refused", func(t *testing.T) {
		c := dial(t, addr).hello()
		c.do("STARTTLS", "220")
		if err := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
			t.Error("handshake succeeded")
		}
	})
	t.Run("no session is resumed", func(t *testing.T) {
		config := &tls.Config{InsecureSkipVerify: true, ServerName: "mx.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for range 2 {
			c := dial(t, addr).hello()
			c.startTLS(config)
			c.do("EHLO x", "250-")
			if c.conn.(*tls.Conn).ConnectionState().DidResume {
				t.Error("resumed")
			}
		}
	})
}

func TestEarlyTalkerIsRefused(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept, Limits: Limits{Greet: time.Minute}}))
	c.send("EHLO x\r\nMAIL FROM:<>\r\n")
	c.want("554 ")
	c.closed()
}

func TestAPatientClientIsGreeted(t *testing.T) {
	c := dial(t, serve(t, &Server{Accept: (&inbox{}).accept, Limits: Limits{Greet: 50 * time.Millisecond}}))
	c.want("220 ")
}

func TestWaitingSeesWhatHasArrived(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := dial(t, l.Addr().String())
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if waiting(c.conn) {
		t.Error("nothing has arrived yet")
	}
	io.WriteString(other, "x")
	eventually(t, func() bool { return waiting(c.conn) })
}
