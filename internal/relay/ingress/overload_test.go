package ingress

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/internal/mail"
)

// TestMailFlowsUnderOverload is safety.md's overload at a tenth: 200 idle TLS
// sessions, 50 that dribble, refused ones without end, and a client whose mail must
// get through all the while.
func TestMailFlowsUnderOverload(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 300 sessions")
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	discard := func(_ context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
		_, err := io.Copy(io.Discard, body)
		return "ID", err
	}
	t.Run("", func(t *testing.T) { // so that Shutdown comes before the look for leaks
		addr := serve(t, &Server{Accept: discard, TLS: serverConfig(t), Limits: Limits{Sessions: 251, PerAddress: 260}})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		good := dial(t, addr).hello()
		for range 200 {
			c := dial(t, addr).hello()
			c.startTLS(nil)
			c.do("EHLO x", "250-")
		}
		stop := make(chan struct{})
		var busy sync.WaitGroup
		for range 50 {
			c := dial(t, addr).hello()
			c.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n")
			busy.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
						io.WriteString(c.conn, "x")
					}
				}
			})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%d KiB of heap and stacks for a session and its client", (int64(after.HeapInuse+after.StackInuse)-int64(before.HeapInuse+before.StackInuse))/251/1024)
		var refused atomic.Int64
		for range 4 {
			busy.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					conn, err := net.Dial("tcp", addr)
					if err != nil {
						continue
					}
					said, _ := io.ReadAll(conn)
					if strings.HasPrefix(string(said), "421 4.3.2") {
						refused.Add(1)
					}
					conn.Close()
					time.Sleep(2 * time.Millisecond)
				}
			})
		}
		message := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 110) + ".\r\n"
		var took []time.Duration
		for start := time.Now(); time.Since(start) < 500*time.Millisecond || refused.Load() < 20 || len(took) < 20; {
			begin := time.Now()
			good.send("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n")
			good.want("250")
			good.want("250")
			good.want("354")
			good.send(message)
			good.want("250")
			took = append(took, time.Since(begin))
		}
		close(stop)
		busy.Wait()
		slices.Sort(took)
		p99 := took[len(took)*99/100]
		t.Logf("%d messages, p50 %v, p99 %v, %d refused", len(took), took[len(took)/2], p99, refused.Load())
		if p99 > 20*time.Second {
			t.Errorf("p99 %v", p99)
		}
	})
}

// BenchmarkMessages is the server alone: clients that send a prepared batch and read
// replies without looking at them.
func BenchmarkMessages(b *testing.B) {
	content := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 105)
	const envelope = "MAIL FROM:<ann@example.com> SIZE=8190\r\nRCPT TO:<bob@example.net>\r\n"
	for _, bb := range []struct {
		name  string
		tls   bool
		parts []string // the client waits for a reply line of each kind after a part
		lines []int
	}{
		{"DATA", false, []string{envelope + "DATA\r\n", content + ".\r\n"}, []int{3, 1}},
		{"BDAT", false, []string{envelope + "BDAT 8190 LAST\r\n" + content}, []int{3}},
		{"DATA over TLS", true, []string{envelope + "DATA\r\n", content + ".\r\n"}, []int{3, 1}},
		{"BDAT over TLS", true, []string{envelope + "BDAT 8190 LAST\r\n" + content}, []int{3}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			discard := func(_ context.Context, _ *mail.Envelope, body io.Reader) (mail.ID, error) {
				_, err := body.(io.WriterTo).WriteTo(io.Discard)
				return "01ARZ3NDEKTSV4RRFFQ69G5FAV", err
			}
			srv := &Server{Accept: discard}
			if bb.tls {
				srv.TLS = serverConfig(b)
			}
			addr := serve(b, srv)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			b.SetParallelism(10)
			b.RunParallel(func(pb *testing.PB) {
				c := dial(b, addr).hello()
				c.conn.SetDeadline(time.Now().Add(5 * time.Minute))
				if bb.tls {
					c.startTLS(&tls.Config{InsecureSkipVerify: true})
					c.do("EHLO x", "250-")
				}
				var parts [][]byte
				for _, p := range bb.parts {
					parts = append(parts, []byte(p))
				}
				for pb.Next() {
					for i, part := range parts {
						if _, err := c.conn.Write(part); err != nil {
							b.Error(err)
							return
						}
						for range bb.lines[i] {
							if line, err := c.r.ReadSlice('\n'); err != nil || line[0] == '5' || line[0] == '4' {
								b.Errorf("%q, %v", line, err)
								return
							}
						}
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkDots is dot-unstuffing alone, without sockets.
func BenchmarkDots(b *testing.B) {
	lim := Limits{}.withDefaults()
	for _, bb := range []struct{ name, line string }{
		{"76 octets a line", strings.Repeat("x", 76) + "\r\n"},
		{"a dot on each line", ".." + strings.Repeat("x", 74) + "\r\n"},
		{"empty lines", "\r\n"},
	} {
		octets := []byte(strings.Repeat(bb.line, 1<<20/len(bb.line)) + ".\r\n")
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(octets)))
			b.ReportAllocs()
			for b.Loop() {
				w := &wire{}
				w.init(&replay{octets: octets}, &lim)
				w.content()
				if _, err := (&body{src: &dots{wire: w, bol: true}, max: 1 << 40}).WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
				w.release()
			}
		})
	}
}

type replay struct {
	net.Conn
	octets []byte
}

func (r *replay) Read(p []byte) (int, error) {
	n := copy(p, r.octets)
	r.octets = r.octets[n:]
	return n, nil
}

func (*replay) SetReadDeadline(time.Time) error { return nil }
