package e2e

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLargeMessagesAreNotHeldInMemory hands in many large messages at a time and
// watches the memory of the program and its workers.
func TestLargeMessagesAreNotHeldInMemory(t *testing.T) {
	for _, tt := range []struct {
		name      string
		parallel  int
		octets    int64
		judge     bool
		long      bool
		most      int64 // MiB of the program with its workers
		mostAlone int64 // MiB of the program without them
	}{
		{"10 of 20 MiB judged", 10, 20 << 20, true, false, 512, 150},
		{"50 of 100 MiB judged", 50, 100 << 20, true, true, 512, 512},
		{"50 of 100 MiB not judged", 50, 100 << 20, false, true, 512, 512},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.long && os.Getenv("POSTERN_LONG") != "1" {
				t.Skip("gigabytes: set POSTERN_LONG=1")
			}
			mta := newSink(t)
			mta.stream = true
			taken := mta.collect()
			p := install(t, settings{judge: tt.judge, dns: mta.dns, level: "warn", smtp: "  per_address: 200\n"})
			p.tenant("Contoso", "contoso.test", mta.addr)
			p.start()
			time.Sleep(500 * time.Millisecond)
			watch := p.watch()
			began := time.Now()
			want := map[[32]byte]bool{}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range tt.parallel {
				wg.Go(func() {
					sum, err := p.pour(i, tt.octets)
					if err != nil {
						t.Errorf("message %d: %v", i, err)
					}
					mu.Lock()
					want[sum] = true
					mu.Unlock()
				})
			}
			wg.Wait()
			accepted := time.Since(began)
			p.drained(10 * time.Minute)
			all, alone := watch()
			t.Logf("%d messages of %d MiB: accepted in %s, ended in %s; memory at most %d MiB, %d MiB of it without the workers", tt.parallel, tt.octets>>20,
				accepted.Round(time.Second), time.Since(began).Round(time.Second), all>>20, alone>>20)
			if all>>20 > tt.most || alone>>20 > tt.mostAlone {
				t.Errorf("memory is %d MiB, %d MiB without the workers; want at most %d and %d", all>>20, alone>>20, tt.most, tt.mostAlone)
			}
			arrived := taken()
			for _, d := range arrived {
				if !want[d.sum] {
					t.Errorf("a body arrived altered: %s", d)
				}
			}
			var held []struct{ Reasons []string }
			p.do(&held, "quarantine", "list")
			if len(held)+len(arrived) != tt.parallel {
				t.Errorf("%d arrived and %d are held of %d", len(arrived), len(held), tt.parallel)
			}
			if len(held) > 0 {
				t.Logf("%d are held, the first because: %q", len(held), held[0].Reasons)
			}
			p.stop()
		})
	}
}

// pour hands in one message that is made while it is sent, and returns the sum of
// its body.
func (p *program) pour(n int, octets int64) (sum [32]byte, err error) {
	c, err := dial(p.smtp, false)
	if err != nil {
		return sum, err
	}
	defer c.close()
	for _, line := range []string{"MAIL FROM:<alice@outside.test>", "RCPT TO:<ann@contoso.test>", "DATA"} {
		if a, err := c.say("%s", line); err != nil || a.code/100 > 3 {
			return sum, fmt.Errorf("%s: %s: %w", line, a, orUnexpected(err))
		}
	}
	c.conn.SetDeadline(time.Now().Add(10 * time.Minute))
	boundary := fmt.Sprintf("b%d", n)
	fmt.Fprintf(c.conn, "x-trustifi-creds: %s\r\nFrom: alice@outside.test\r\nTo: ann@contoso.test\r\nSubject: the plans\r\nMessage-ID: <large.%d@outside.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n", p.key, n, boundary)
	h := sha256.New()
	w := io.MultiWriter(c.conn, h)
	fmt.Fprintf(w, "--%s\r\n\r\nAnn, the plans.\r\n--%s\r\nContent-Type: application/octet-stream; name=plans.dwg\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, boundary)
	block := []byte(strings.Repeat(strings.Repeat("QUJD", 18)+"QUJ"+strconv.Itoa(n%10)+"\r\n", 800))
	for sent := int64(0); sent < octets; sent += int64(len(block)) {
		if _, err := w.Write(block); err != nil {
			return sum, err
		}
	}
	fmt.Fprintf(w, "--%s--\r\n", boundary)
	io.WriteString(c.conn, ".\r\n")
	a, err := c.answer()
	if err == nil && a.code != 250 {
		err = fmt.Errorf("answered %s", a)
	}
	return [32]byte(h.Sum(nil)), err
}

// watch samples the memory of the program until the returned function is called,
// which gives the most of the program with its workers, and of it alone.
func (p *program) watch() func() (all, alone int64) {
	pid := p.serving.Process.Pid
	done := make(chan struct{})
	var wg sync.WaitGroup
	var all, alone int64
	wg.Go(func() {
		for {
			own := resident(pid)
			sum := own
			for _, child := range family(pid) {
				sum += resident(child)
			}
			all, alone = max(all, sum), max(alone, own)
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return func() (int64, int64) {
		close(done)
		wg.Wait()
		return all, alone
	}
}

// resident are the octets of memory that a process has, 0 if it is gone.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if f := strings.Fields(string(text)); err == nil && len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
}

// bodySum sums what follows the header of a message that streams by.
type bodySum struct {
	h      hash.Hash
	body   bool
	window string
}

func (b *bodySum) Write(p []byte) (int, error) {
	if b.body {
		return b.h.Write(p)
	}
	b.window += string(p)
	if _, after, ok := strings.Cut(b.window, "\r\n\r\n"); ok {
		b.body, b.window = true, ""
		io.WriteString(b.h, after)
	}
	return len(p), nil
}
