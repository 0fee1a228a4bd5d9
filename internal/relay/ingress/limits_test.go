package ingress

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/internal/metric"
)

func TestAddressLimitsAreExact(t *testing.T) {
	a := func(n int) string { return strings.Repeat("a", n) }
	domain := func(n int) string { // of labels of 63
		return strings.Repeat(a(63)+".", n/64) + a(n%64)
	}
	for _, tt := range []struct {
		name, path string
		ok         bool
	}{
		{"local part as RFC 5321 has it", a(64) + "@b.c", true},
		{"longest local part", a(256) + "@b.c", true},
		{"local part one over", a(257) + "@b.c", false},
		{"longest quoted local part", `"` + a(254) + `"@b.c`, true},
		{"quoted local part one over", `"` + a(255) + `"@b.c`, false},
		{"longest domain", "a@" + domain(255), true},
		{"domain one over", "a@" + domain(255) + "b", false},
		{"longest label", "a@" + a(63) + ".c", true},
		{"label one over", "a@" + a(64) + ".c", false},
		{"longest path", a(254) + "@" + domain(255), true},
		{"path one over", a(255) + "@" + domain(255), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, command := range []string{"MAIL FROM:", "RCPT TO:"} {
				c := dial(t, serve(t, &Server{Accept: (&inbox{}).accept})).hello()
				if command == "RCPT TO:" {
					c.do("MAIL FROM:<>", "250")
				}
				want := "501 5.1."
				if tt.ok {
					want = "250"
				}
				c.do(command+"<"+tt.path+">", want)
			}
		})
	}
}

func TestCommandLineLimitIsExact(t *testing.T) {
	c := dial(t, serve(t, &Server{Accept: (&inbox{}).accept})).hello()
	pad := func(total int) string { return "NOOP " + strings.Repeat("x", total-len("NOOP \r\n")) }
	c.do(pad(512), "250")
	c.do(pad(maxLine), "250")
	c.do(pad(maxLine+1), "500 5.5.2")
	c.do(pad(3*maxLine), "500 5.5.2")
	// Pipelined commands around an overlong one keep their places.
	c.send("NOOP\r\n" + pad(maxLine+1) + "\r\nVRFY x\r\n" + pad(100_000) + "\r\nHELP\r\n")
	for _, want := range []string{"250", "500", "252", "500", "214"} {
		c.want(want)
	}
	// In the large buffer that is left from content the limit is the same.
	c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 1 LAST\r\nx" + pad(maxLine) + "\r\n" + pad(maxLine+1) + "\r\nVRFY x\r\n")
	for _, want := range []string{"250", "250", "250", "250", "500", "252"} {
		c.want(want)
	}
}

func TestEndlessCommandLineIsHungUpOn(t *testing.T) {
	c := dial(t, serve(t, &Server{Accept: (&inbox{}).accept})).hello()
	go io.Copy(c.conn, io.LimitReader(zeros{}, 2*maxSkip)) // it may fail
	c.want("421 4.7.0")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestThousandRecipientsAndNoMore(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept})).hello()
	c.do("MAIL FROM:<>", "250")
	for i := range 1000 {
		c.send(fmt.Sprintf("RCPT TO:<u%d@b.c>\r\n", i))
	}
	for range 1000 {
		c.want("250 2.1.5")
	}
	c.do("RCPT TO:<onemore@b.c>", "452 4.5.3")
	c.do("BDAT 0 LAST", "250")
	if got := in.all(); len(got[0].env.To) != 1000 || got[0].env.To[999].Addr != "u999@b.c" {
		t.Errorf("%d recipients", len(got[0].env.To))
	}
}

func TestEndlessMessageIsHungUpOn(t *testing.T) {
	in := &inbox{}
	c := dial(t, serve(t, &Server{Accept: in.accept, MaxSize: 1000})).hello()
	c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n")
	c.want("250")
	c.want("250")
	c.want("354")
	go io.Copy(c.conn, io.LimitReader(zeros{}, 4<<20)) // it may fail
	c.want("552 5.3.4")
	c.want("421 4.3.4")
	if in.bodies() != nil {
		t.Error("accepted")
	}
}

// virtual runs a session in virtual time: play writes what the client sends and the
// test gets what the server said and when it hung up.
func virtual(t *testing.T, srv *Server, play func(conn net.Conn)) (said string, after time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, srv)
		begin := time.Now()
		conn, buf, ended := p.dial()
		play(conn)
		<-ended
		said, after = buf.String(), time.Since(begin)
		conn.Close()
		time.Sleep(2 * time.Minute) // until play's goroutines have seen it
	})
	return said, after
}

func TestSilentClientsAreSentAway(t *testing.T) {
	lines := func(conn net.Conn, lines ...string) {
		for _, l := range lines {
			io.WriteString(conn, l+"\r\n")
		}
	}
	drip := func(conn net.Conn, every time.Duration, octets string) {
		go func() {
			for {
				time.Sleep(every)
				if _, err := io.WriteString(conn, octets); err != nil {
					return
				}
			}
		}()
	}
	message := []string{"EHLO x", "MAIL FROM:<>", "RCPT TO:<a@b.c>"}
	for _, tt := range []struct {
		name  string
		play  func(conn net.Conn)
		after time.Duration
	}{
		{"says nothing", func(net.Conn) {}, 5 * time.Minute},
		{"one octet of a command every 10 s", func(c net.Conn) { drip(c, 10*time.Second, "x") }, 5 * time.Minute},
		{"only NOOP, every minute", func(c net.Conn) { drip(c, time.Minute, "NOOP\r\n") }, 10 * time.Minute},
		{"silent within a transaction", func(c net.Conn) { lines(c, message...) }, 5 * time.Minute},
		{"silent after DATA", func(c net.Conn) { lines(c, append(message, "DATA")...) }, 3 * time.Minute},
		{"one octet of content every 10 s", func(c net.Conn) {
			lines(c, append(message, "DATA")...)
			drip(c, 10*time.Second, "x")
		}, 3 * time.Minute},
		{"499 octets a second of content", func(c net.Conn) {
			lines(c, append(message, "DATA")...)
			drip(c, time.Second, strings.Repeat("x", 499))
		}, 3 * time.Minute},
		{"one octet of a chunk every 10 s", func(c net.Conn) {
			lines(c, append(message, "BDAT 1000000 LAST")...)
			drip(c, 10*time.Second, "x")
		}, 3 * time.Minute},
		{"silent between chunks", func(c net.Conn) {
			lines(c, append(message, "BDAT 0")...)
		}, 5 * time.Minute},
		{"one octet of a refused chunk every 10 s", func(c net.Conn) {
			lines(c, "BDAT 1000000 LAST")
			drip(c, 10*time.Second, "x")
		}, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &inbox{}
			said, after := virtual(t, &Server{Accept: in.accept, Log: slog.New(slog.DiscardHandler)}, tt.play)
			if !strings.HasSuffix(said, "421 4.4.2 mx.test Timeout, closing connection\r\n") {
				t.Errorf("server said %q", said)
			}
			if after < tt.after || after > tt.after+5*time.Second {
				t.Errorf("after %v, want %v", after, tt.after)
			}
			if in.bodies() != nil {
				t.Error("accepted")
			}
		})
	}
}

func TestSlowButSteadyClientIsServed(t *testing.T) {
	in := &inbox{}
	said, after := virtual(t, &Server{Accept: in.accept, Log: slog.New(slog.DiscardHandler)}, func(conn net.Conn) {
		io.WriteString(conn, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n")
		for range 1000 {
			time.Sleep(time.Second)
			io.WriteString(conn, strings.Repeat("x", 504))
		}
		io.WriteString(conn, "\r\n.\r\nQUIT\r\n")
	})
	if got := in.bodies(); len(got) != 1 || len(got[0]) != 504_002 || after < 1000*time.Second {
		t.Errorf("after %v: %d messages; server said %q", after, len(got), said)
	}
}

func TestClientThatDoesNotReadIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := servePipes(t, &Server{Accept: (&inbox{}).accept})
		ours, theirs := net.Pipe()
		p.conns <- theirs
		begin := time.Now()
		ours.Read(make([]byte, 4)) // "220 ", and then no more
		_, err := ours.Write([]byte("NOOP\r\n"))
		for err == nil {
			_, err = ours.Write([]byte("NOOP\r\n"))
		}
		if after := time.Since(begin); after < 5*time.Minute || after > 6*time.Minute {
			t.Errorf("after %v", after)
		}
		ours.Close()
	})
}

func TestTooManySessions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		want   string
	}{
		{"of everybody", Limits{Sessions: 20}, "421 4.3.2 mx.test"},
		{"of one address", Limits{PerAddress: 20}, "421 4.7.0 mx.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log lockedBuffer
			m := metric.New(prometheus.NewRegistry())
			srv := &Server{Accept: (&inbox{}).accept, Limits: tt.limits, Log: slog.New(slog.NewTextHandler(&log, nil)), Metric: m}
			addr := serve(t, srv)
			var open []*client
			for range 20 {
				open = append(open, dial(t, addr).hello())
			}
			for range 30 {
				c := dial(t, addr)
				c.want(tt.want)
				c.closed()
			}
			if got := strings.Count(log.String(), "connection refused"); got != 1 {
				t.Errorf("logged %d times in less than a minute:\n%s", got, log.String())
			}
			if got := testutil.ToFloat64(m.Connects.WithLabelValues("limit")); got != 30 {
				t.Errorf("counted %v refusals", got)
			}
			if got := testutil.ToFloat64(m.Sessions); got != 20 {
				t.Errorf("%v sessions open", got)
			}
			open[0].do("QUIT", "221") // the others are unharmed, and one place is free
			eventually(t, func() bool { return srv.Sessions() == 19 })
			dial(t, addr).hello().do("QUIT", "221")
		})
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to be")
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAddressesOfOneIPv6NetworkCountTogether(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"192.0.2.1", "192.0.2.1"},
	} {
		if peerKey(addrOf(tcp(tt.a))) != peerKey(addrOf(tcp(tt.b))) {
			t.Errorf("%s and %s are counted apart", tt.a, tt.b)
		}
	}
	for _, tt := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:3::1"},
		{"192.0.2.1", "192.0.2.2"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2"},
	} {
		if peerKey(addrOf(tcp(tt.a))) == peerKey(addrOf(tcp(tt.b))) {
			t.Errorf("%s and %s are counted together", tt.a, tt.b)
		}
	}
}

func tcp(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1} }

func TestRepeatedWarningIsSaidOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		var q quiet
		for range 300 { // 5 minutes
			q.warn(logger, "connection refused", "cause", "a")
			q.warn(logger, "connection refused", "cause", "b")
			time.Sleep(time.Second)
		}
		if n := strings.Count(log.String(), "cause=a"); n != 5 {
			t.Errorf("said %d times in 5 minutes", n)
		}
		if !strings.Contains(log.String(), "omitted=59") {
			t.Errorf("what was left out is not told:\n%s", log.String())
		}
	})
}
