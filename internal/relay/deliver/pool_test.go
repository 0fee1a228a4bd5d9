package deliver

import (
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/internal/mail"
)

func TestConnectionsAreSharedOnlyWithinATenant(t *testing.T) {
	h := newHop(t, nil)
	s := newSender(t)
	for _, tenant := range []string{"a", "b", "a", "b", "a"} {
		job := jobFor(text, h.mta)
		job.Tenant = tenant
		s.Send(t.Context(), job)
	}
	if h.connections() != 2 || len(h.messages()) != 5 {
		t.Errorf("%d messages over %d connections", len(h.messages()), h.connections())
	}
}

func TestAConnectionServesOnlySoManyMessagesAndSoLong(t *testing.T) {
	h := newHop(t, nil)
	s := newSender(t)
	s.MaxMessages = 3
	for range 9 {
		s.Send(t.Context(), jobFor(text, h.mta))
	}
	if h.connections() != 3 {
		t.Errorf("%d connections for 9 messages, 3 each", h.connections())
	}
	s = newSender(t)
	s.Idle = 30 * time.Millisecond
	before := h.connections()
	s.Send(t.Context(), jobFor(text, h.mta))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s.pool.size() == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("an idle connection is kept for ever")
		}
	}
	s.Send(t.Context(), jobFor(text, h.mta))
	if h.connections() != before+2 {
		t.Errorf("%d connections", h.connections()-before)
	}
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	h := newHop(t, nil)
	ignore := goleak.IgnoreCurrent()
	s := &Sender{AllowLoopback: true, Timeouts: impatient}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { s.Send(t.Context(), jobFor(text, h.mta)) })
	}
	wg.Wait()
	s.Close()
	s.Close()
	if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "delivered" {
		t.Errorf("%+v", out)
	}
	quits := strings.Count(strings.Join(h.commands(), "\n"), "QUIT")
	if quits == 0 {
		t.Error("no connection was ended with QUIT")
	}
	h.kill()
	goleak.VerifyNone(t, ignore)
}

func TestAHundredMebibytesPassInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 400 MiB")
	}
	const size = 100 << 20
	for way, offer := range ways {
		h := newHop(t, func(h *hop) { h.offer, h.discard = offer, true })
		if !strings.Contains(strings.Join(offer, " "), "CHUNKING") {
			continue // the test's own hop keeps DATA in memory
		}
		s := newSender(t)
		s.Timeouts = Timeouts{}
		job := jobFor("", h.mta)
		job.Size = size
		job.Open = func() (io.ReadCloser, error) { return io.NopCloser(&lines{left: size}), nil }
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		out := s.Send(t.Context(), job)
		runtime.ReadMemStats(&after)
		if kinds(out) != "delivered" {
			t.Fatalf("%s: %+v", way, out)
		}
		// the hop allocates each chunk once, and so much is read besides
		if ours := int64(after.TotalAlloc-before.TotalAlloc) - size; ours > 24<<20 {
			t.Errorf("%s: %d MiB allocated besides the hop's own", way, ours>>20)
		}
	}
}

// lines is so many octets of text lines.
type lines struct{ left int64 }

func (l *lines) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), l.left, 64)
	copy(p[:n], "0123456789012345678901234567890123456789012345678901234567890.\r\n")
	if n == 64 || n == l.left {
		l.left -= n
		return int(n), nil
	}
	l.left -= n
	return int(n), nil
}

func TestManySendersAtOnceShareNothingTheyShouldNot(t *testing.T) {
	hops := []*hop{newHop(t, nil), newHop(t, func(h *hop) { h.offer = ways["pipelined"] }), newHop(t, func(h *hop) { h.offer = nil })}
	s := newSender(t)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			h := hops[i%3]
			job := jobFor(text, h.mta)
			job.Rcpts = append(job.Rcpts, mail.Rcpt{Addr: "bob@example.com"})
			if out := s.Send(t.Context(), job); kinds(out) != "delivered delivered" {
				t.Errorf("%+v", out)
			}
		})
	}
	wg.Wait()
	for _, h := range hops {
		if len(h.messages()) != 100 {
			t.Errorf("%d messages, want 100", len(h.messages()))
		}
	}
}
