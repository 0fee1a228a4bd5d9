package deliver

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/mail"
)

// sink takes mail as fast as it can and keeps nothing: it answers as many
// commands as have come in one write.
func sink(tb testing.TB, offer string) mail.MTA {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go swallow(nc, offer)
		}
	}()
	return mtaAt(ln.Addr().String(), mail.TLSNone)
}

func swallow(nc net.Conn, offer string) {
	defer nc.Close()
	buf := make([]byte, 0, 256<<10)
	out := []byte("220 sink\r\n")
	skip, data := 0, false
	for {
		if _, err := nc.Write(out); err != nil {
			return
		}
		out = out[:0]
		n, err := nc.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		rest := buf
		for len(rest) > 0 {
			if skip > 0 {
				n := min(skip, len(rest))
				rest, skip = rest[n:], skip-n
				if skip == 0 {
					out = append(out, "250 2.0.0 Ok\r\n"...)
				}
				continue
			}
			if data {
				i := bytes.Index(rest, []byte("\r\n.\r\n"))
				if i < 0 {
					rest = rest[max(len(rest)-4, 0):]
					break
				}
				rest, data = rest[i+5:], false
				out = append(out, "250 2.0.0 Ok\r\n"...)
				continue
			}
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			line := rest[:i]
			rest = rest[i+1:]
			switch string(line[:4]) {
			case "EHLO":
				out = append(out, offer...)
			case "BDAT":
				for _, c := range line[5:] {
					if c < '0' || c > '9' {
						break
					}
					skip = skip*10 + int(c-'0')
				}
			case "DATA":
				data = true
				out = append(out, "354 go\r\n"...)
			default:
				out = append(out, "250 2.0.0 Ok\r\n"...)
			}
		}
		buf = buf[:copy(buf[:cap(buf)], rest)]
	}
}

const (
	offerAll  = "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n"
	offerData = "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
)

func BenchmarkSend8KiB(b *testing.B) {
	content := strings.Repeat("A line of ordinary text in an ordinary message, about so long.\r\n", 128)
	for name, offer := range map[string]string{"BDAT": offerAll, "DATA": offerData} {
		b.Run(name, func(b *testing.B) {
			s := newSender(b)
			s.MaxMessages = 1 << 30
			job := jobFor(content, sink(b, offer))
			r := []byte(content)
			job.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r)), nil }
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			b.SetParallelism(10)
			began := time.Now()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if out := s.Send(b.Context(), job); out[0].Kind != Delivered {
						b.Errorf("%+v", out)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "msg/s")
		})
	}
}

func BenchmarkContent(b *testing.B) {
	for name, line := range map[string]string{"clean": "A line of ordinary text in an ordinary message, about so long.\r\n", "bare LF": "A line of ordinary text in an ordinary message, about so long..\n"} {
		b.Run(name, func(b *testing.B) {
			content := []byte(strings.Repeat(line, 16_384)) // 1 MiB
			var pool bufferPool
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				buf := pool.get()
				c := newContent(nil, bytes.NewReader(content), int64(len(content)), buf)
				for last := false; !last; {
					var err error
					if _, last, err = c.next(); err != nil {
						b.Fatal(err)
					}
				}
				pool.put(buf)
			}
		})
	}
}

func TestTheSpeedTestsSinkTakesMail(t *testing.T) {
	for _, offer := range []string{offerAll, offerData} {
		s := newSender(t)
		mta := sink(t, offer)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for _, c := range []string{text, strings.Repeat(text, 5000)} {
					if out := s.Send(t.Context(), jobFor(c, mta)); kinds(out) != "delivered" {
						t.Errorf("%+v", out)
					}
				}
			})
		}
		wg.Wait()
	}
}
