package deliver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
)

// ways are the dialogues a hop can make us use. With everything on offer the
// first message waits for the envelope's replies, the next go out at once.
var ways = map[string][]string{
	"everything":   everything,
	"pipelined":    {"PIPELINING", "8BITMIME"},
	"line by line": {"8BITMIME"},
	"chunks":       {"CHUNKING", "8BITMIME"},
}

func TestWhatTheHopSaysDecides(t *testing.T) {
	for _, tt := range []struct {
		name, at, says string
		kind           Kind
		signal         Signal
		once           bool // the reply is for the message: a second MTA must not be tried
	}{
		{"greeting too busy", "banner", "421 4.3.2 too busy", Deferred, Busy, false},
		{"greeting refuses us", "banner", "554 5.7.1 go away", Deferred, Down, false},
		{"EHLO temporarily refused", "EHLO", "451 4.3.0 later", Deferred, Busy, false},
		{"closing at MAIL", "MAIL", "421 4.4.2 closing", Deferred, Busy, false},
		{"MAIL temporarily refused", "MAIL", "451 4.3.0 later", Deferred, Fine, false},
		{"MAIL throttled", "MAIL", "451 4.7.500 Server busy", Deferred, Busy, false},
		{"MAIL wants TLS", "MAIL", "530 5.7.0 Must issue a STARTTLS command first", Deferred, Busy, false},
		{"MAIL refused", "MAIL", "550 5.7.1 no", Refused, Fine, true},
		{"recipient temporarily refused", "RCPT", "450 4.2.1 later", Deferred, Fine, false},
		{"recipient refused", "RCPT", "550 5.1.10 unknown", Refused, Fine, true},
		{"content temporarily refused", "content", "452 4.3.1 full", Deferred, Busy, false},
		{"content refused", "content", "554 5.6.0 no", Refused, Fine, true},
		{"content answered with 421", "content", "421 4.3.2 stopping", Deferred, Busy, false},
	} {
		for way, offer := range ways {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				h := newHop(t, func(h *hop) { h.offer, h.says = offer, map[string]string{tt.at: tt.says} })
				s := newSender(t)
				out := s.Send(t.Context(), jobFor(text, h.mta))
				if out[0].Kind != tt.kind || out[0].Signal != tt.signal || !strings.HasPrefix(out[0].Reply, tt.says) || out[0].Unsure {
					t.Errorf("alone: %+v", out[0])
				}
				if len(h.messages()) != 0 {
					t.Error("the hop took it")
				}
				second := newHop(t, nil)
				out = s.Send(t.Context(), jobFor(text, h.mta, second.mta))
				if tt.once != (len(second.messages()) == 0) {
					t.Errorf("with a second MTA: %+v, which took %d", out[0], len(second.messages()))
				}
				if want := (map[bool]Kind{true: tt.kind, false: Delivered})[tt.once]; out[0].Kind != want {
					t.Errorf("with a second MTA: %+v", out[0])
				}
			})
		}
	}
}

func TestAConnectionMayBreakAtEveryOctet(t *testing.T) {
	for way, offer := range ways {
		t.Run(way, func(t *testing.T) {
			whole := newHop(t, func(h *hop) { h.offer = offer })
			s := newSender(t)
			s.Send(t.Context(), jobFor(text, whole.mta))
			envelope := 0
			for _, line := range whole.commands() {
				envelope += len(line) + 2
			}
			length := envelope + len(text) + len("Received: by relay.test\r\n") + 20
			second := newHop(t, nil)
			delivered, unsure := 0, 0
			for cut := 1; cut < length; cut++ {
				h := newHop(t, func(h *hop) { h.offer, h.cutRead = offer, cut })
				before := len(second.messages())
				out := s.Send(t.Context(), jobFor(text, h.mta, second.mta))
				copies := len(h.messages()) + len(second.messages()) - before
				switch {
				case out[0].Kind == Delivered && copies == 1:
					delivered++
				case cut > envelope-len("BDAT 103 LAST\r\n") && out[0].Kind == Deferred && out[0].Unsure && len(second.messages()) == before && copies <= 1:
					unsure++
				default:
					t.Fatalf("cut at octet %d of about %d: %d copies, %+v", cut, length, copies, out[0])
				}
				h.kill()
			}
			t.Logf("%d breaks: %d delivered, %d unsure", length-1, delivered, unsure)
		})
	}
}

func TestAWarmConnectionMayBreakAtEveryOctet(t *testing.T) {
	s := newSender(t)
	second := newHop(t, nil)
	unsure := 0
	for cut := 1; ; cut++ {
		first := 0
		h := newHop(t, func(h *hop) { h.cutRead = 1 << 20 })
		if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "delivered" {
			t.Fatalf("%+v", out)
		}
		for _, line := range h.commands() {
			first += len(line) + 2
		}
		first += len(text) + len("Received: by relay.test\r\n")
		h.mu.Lock()
		c := s.pool.idle[route{"acme", h.mta}][0]
		h.mu.Unlock()
		if c.served.IsZero() {
			t.Fatal("not warm")
		}
		h.leftNow(cut)
		before := len(second.messages())
		out := s.Send(t.Context(), jobFor(text, h.mta, second.mta))
		copies := len(h.messages()) - 1 + len(second.messages()) - before
		switch {
		case out[0].Kind == Delivered && copies == 1:
		case out[0].Kind == Deferred && out[0].Unsure && copies <= 1:
			unsure++
		default:
			t.Fatalf("cut after %d octets: %d copies, %+v", cut, copies, out[0])
		}
		h.kill()
		if cut > first {
			break
		}
	}
	t.Logf("%d unsure", unsure)
}

func TestASilentHopIsLeftForTheNextBeforeTheContentOnly(t *testing.T) {
	for way, offer := range ways {
		for _, at := range []string{"banner", "EHLO", "MAIL", "RCPT", "DATA", "content"} {
			if at == "DATA" && !(way == "pipelined" || way == "line by line") {
				continue
			}
			t.Run(at+", "+way, func(t *testing.T) {
				t.Parallel()
				h := newHop(t, func(h *hop) { h.offer, h.says = offer, map[string]string{at: "hang"} })
				second := newHop(t, nil)
				s := newSender(t)
				late := at == "content"
				if late {
					s.Timeouts.DataEnd = time.Second
				} else {
					s.Timeouts.Handover = 700 * time.Millisecond // the last MTA has more time
				}
				began := time.Now()
				out := s.Send(t.Context(), jobFor(text, h.mta, second.mta))
				took := time.Since(began)
				if late && (!out[0].Unsure || out[0].Kind != Deferred || len(second.messages()) != 0) {
					t.Errorf("the content was out: %+v", out[0])
				}
				if !late && (out[0].Kind != Delivered || out[0].MTA != second.mta.Address() || took > 30*time.Second) {
					t.Errorf("after %v: %+v", took, out[0])
				}
			})
		}
	}
}

func TestALostReplyIsOneUnsureOutcome(t *testing.T) {
	for way, offer := range ways {
		h := newHop(t, func(h *hop) { h.offer, h.says = offer, map[string]string{"content": "taken, then rst"} })
		second := newHop(t, nil)
		s := newSender(t)
		out := s.Send(t.Context(), jobFor(text, h.mta, second.mta))
		if out[0].Kind != Deferred || !out[0].Unsure || len(h.messages()) != 1 || len(second.messages()) != 0 {
			t.Errorf("%s: %+v; %d and %d copies", way, out[0], len(h.messages()), len(second.messages()))
		}
	}
}

func TestAnEarlyRefusalOfALargeContentIsHeard(t *testing.T) {
	large := strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", 1<<16) // 4 MiB
	for _, tt := range []struct {
		says string
		want Kind
	}{{"552 5.3.4 too big", Refused}, {"421 4.3.2 stopping", Deferred}} {
		for _, verb := range []string{"BDAT", "line"} {
			h := newHop(t, func(h *hop) {
				if verb == "line" {
					h.offer = ways["pipelined"]
				}
				var n int
				h.act = func(_ *session, v, _ string) string {
					if v == verb {
						if n++; n == 3 {
							return tt.says
						}
					}
					return ""
				}
			})
			s := newSender(t)
			out := s.Send(t.Context(), jobFor(large, h.mta))
			if verb == "line" && out[0].Kind == Deferred && !out[0].Unsure && tt.want == Refused {
				continue // the reset may outrun the reply; then it is tried again, and that is right too
			}
			if out[0].Kind != tt.want || out[0].Unsure {
				t.Errorf("%s at %s: %+v", tt.says, verb, out[0])
			}
		}
	}
}

func TestAHopThatStopsReadingIsGivenUp(t *testing.T) {
	large := strings.Repeat(strings.Repeat("x", 78)+"\r\n", 1<<18) // 20 MiB, more than sockets buffer
	for way, offer := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := newHop(t, func(h *hop) {
				h.offer = offer
				n := 0
				h.act = func(s *session, verb, _ string) string {
					if verb == "BDAT" || verb == "line" {
						if n++; n > 2 {
							time.Sleep(5 * time.Second) // reads next to nothing from now on
						}
					}
					return ""
				}
			})
			s := newSender(t)
			s.Timeouts.DataBlock, s.Timeouts.DataEnd = time.Second, time.Second
			began := time.Now()
			out := s.Send(t.Context(), jobFor(large, h.mta))
			if out[0].Kind != Deferred || out[0].Unsure || time.Since(began) > 30*time.Second {
				t.Errorf("after %v: %+v", time.Since(began), out[0])
			}
		})
	}
}

func TestEachRecipientHasAnOutcomeOfItsOwn(t *testing.T) {
	for way, offer := range ways {
		h := newHop(t, func(h *hop) {
			h.offer = offer
			h.act = func(_ *session, verb, line string) string {
				switch {
				case verb != "RCPT":
				case strings.Contains(line, "gone@"):
					return "550 5.1.10 unknown"
				case strings.Contains(line, "full@"):
					return "452 4.2.2 mailbox full"
				}
				return ""
			}
		})
		s := newSender(t)
		job := jobFor(text, h.mta)
		job.Rcpts = []mail.Rcpt{{Addr: "gone@example.com"}, {Addr: "Ann.B@example.com"}, {Addr: "full@example.com"}, {Addr: "bob@example.com"}, {Addr: "e\r\nvil@example.com"}}
		out := s.Send(t.Context(), job)
		if got := kinds(out); got != "refused delivered deferred delivered undeliverable" {
			t.Errorf("%s: %s", way, got)
		}
		if m := h.messages(); len(m) != 1 || len(m[0].rcpts) != 2 || !strings.Contains(m[0].rcpts[0], "<Ann.B@example.com>") {
			t.Errorf("%s: %+v", way, m)
		}
		for i, o := range out {
			if o.Rcpt != job.Rcpts[i] {
				t.Errorf("%s: outcome %d is for %s", way, i, o.Rcpt.Addr)
			}
		}
	}
}

func TestManyRecipientsGoInSeveralTransactions(t *testing.T) {
	job := jobFor(text)
	for i := range 250 {
		job.Rcpts = append(job.Rcpts, mail.Rcpt{Addr: fmt.Sprintf("r%d@example.com", i)})
	}
	for name, tt := range map[string]struct {
		most  int
		offer []string
		want  int
	}{
		"a hundred at a time":        {1000, everything, 3},
		"as many as LIMITS says":     {1000, append([]string{"LIMITS RCPTMAX=50"}, everything...), 6},
		"as many as it takes (452)":  {40, everything, 7},
		"as many, line by line, 452": {40, ways["line by line"], 7},
	} {
		h := newHop(t, func(h *hop) {
			h.offer = tt.offer
			h.act = func(s *session, verb, _ string) string {
				if verb == "RCPT" && len(s.msg.rcpts) >= tt.most {
					return "452 4.5.3 too many recipients"
				}
				return ""
			}
		})
		job.MTAs = []mail.MTA{h.mta}
		s := newSender(t)
		out := s.Send(t.Context(), job)
		seen := map[string]int{}
		for _, m := range h.messages() {
			for _, r := range m.rcpts {
				seen[r]++
			}
		}
		if strings.Count(kinds(out), "delivered") != 251 || len(h.messages()) != tt.want || len(seen) != 251 {
			t.Errorf("%s: %d transactions, %d recipients", name, len(h.messages()), len(seen))
		}
	}
}

func TestAnIncompleteContentIsNeverCompleted(t *testing.T) {
	large := strings.Repeat("a line of the stored content\r\n", 10_000)
	for way, offer := range ways {
		for name, spoil := range map[string]func(*Job){
			"too short": func(j *Job) { j.Size++ },
			"too long":  func(j *Job) { j.Size-- },
			"cannot be opened": func(j *Job) {
				j.Open = func() (io.ReadCloser, error) { return nil, errors.New("disk on fire") }
			},
			"breaks": func(j *Job) {
				j.Open = func() (io.ReadCloser, error) {
					return io.NopCloser(io.MultiReader(strings.NewReader(large[:len(large)-9]), broken{})), nil
				}
			},
		} {
			h := newHop(t, func(h *hop) { h.offer = offer })
			second := newHop(t, nil)
			s := newSender(t)
			job := jobFor(large, h.mta, second.mta)
			spoil(&job)
			out := s.Send(t.Context(), job)
			if out[0].Kind != Deferred || !strings.Contains(out[0].Reply, "stored content") || out[0].Signal != Fine || len(h.messages())+len(second.messages()) > 0 {
				t.Errorf("%s, %s: %+v", name, way, out[0])
			}
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestAConnectionThatDiedInThePoolCostsNothing(t *testing.T) {
	h := newHop(t, nil)
	s := newSender(t)
	for range 20 {
		if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "delivered" {
			t.Fatalf("%+v", out)
		}
		h.kill()
		h.revive()
		time.Sleep(time.Millisecond)
	}
	if n := len(h.messages()); n != 20 {
		t.Errorf("%d copies", n)
	}
}

func TestA421ForAnOldConnectionLeadsToANewOne(t *testing.T) {
	for way, offer := range ways {
		h := newHop(t, func(h *hop) {
			h.offer = offer
			served := map[int]int{}
			h.act = func(s *session, verb, _ string) string {
				if verb == "MAIL" && s.msg.mail != "" {
					served[s.n]++
				}
				if verb == "MAIL" && served[s.n] > 2 {
					return "421 4.7.0 too many messages on this connection"
				}
				return ""
			}
		})
		s := newSender(t)
		for range 9 {
			if out := s.Send(t.Context(), jobFor(text, h.mta)); kinds(out) != "delivered" {
				t.Fatalf("%s: %+v", way, out)
			}
		}
		if len(h.messages()) != 9 {
			t.Errorf("%s: %d copies", way, len(h.messages()))
		}
	}
}

func TestTheDeliveredMarkComesBeforeTheNextMessage(t *testing.T) {
	h := newHop(t, nil)
	s := newSender(t)
	var mu sync.Mutex
	marked := 0
	for n := range 20 {
		job := jobFor(text, h.mta)
		job.Sent = func(out []Outcome) {
			mu.Lock()
			defer mu.Unlock()
			if kinds(out) != "delivered" || len(h.messages()) != n+1 || len(s.pool.idle) != 0 {
				t.Errorf("message %d: %+v", n, out)
			}
			marked++
		}
		s.Send(t.Context(), job)
	}
	if marked != 20 || h.connections() != 1 {
		t.Errorf("%d marks over %d connections", marked, h.connections())
	}
}

func TestTheNextMTATakesOverAndTheFirstIsUsedAgain(t *testing.T) {
	first, second, third := newHop(t, nil), newHop(t, nil), newHop(t, nil)
	s := newSender(t)
	now := time.Now()
	var mu sync.Mutex
	s.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	job := jobFor(text, first.mta, second.mta, third.mta)
	send := func(want *hop) {
		t.Helper()
		out := s.Send(t.Context(), job)
		if kinds(out) != "delivered" || out[0].MTA != want.mta.Address() {
			t.Fatalf("%+v, want it from %s", out, want.mta.Address())
		}
	}
	send(first)
	first.kill()
	send(second)
	second.kill()
	send(third)
	first.revive()
	send(third) // nobody has looked yet
	pass(16 * time.Second)
	for deadline := time.Now().Add(time.Minute); ; {
		out := s.Send(t.Context(), job)
		if kinds(out) != "delivered" {
			t.Fatalf("%+v", out)
		}
		if out[0].MTA == first.mta.Address() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the first MTA is back but not used")
		}
		time.Sleep(5 * time.Millisecond)
	}
	send(first)
}

func TestWithTheDefaultsTheThirdMTATakesOverWithinThirtySeconds(t *testing.T) {
	d := Timeouts{}.orDefault()
	if worst := 2 * d.Handover; worst > 25*time.Second {
		t.Errorf("two silent MTAs cost %v before the third is tried", worst)
	}
	for name, got := range map[string][2]time.Duration{ // RFC 5321 §4.5.3.2
		"greeting": {d.Greeting, 5 * time.Minute}, "MAIL": {d.Mail, 5 * time.Minute}, "RCPT": {d.Rcpt, 5 * time.Minute},
		"DATA": {d.DataInit, 2 * time.Minute}, "block": {d.DataBlock, 3 * time.Minute}, "end": {d.DataEnd, 10 * time.Minute},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, RFC 5321 says %v", name, got[0], got[1])
		}
	}
}

func TestASilentHostIsLeftWithinItsTime(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // connects, never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	mute := mtaAt(ln.Addr().String(), mail.TLSNone)
	h := newHop(t, nil)
	s := newSender(t)
	s.Timeouts.Handover = 700 * time.Millisecond
	began := time.Now()
	out := s.Send(t.Context(), jobFor(text, mute, h.mta))
	if took := time.Since(began); kinds(out) != "delivered" || took < 600*time.Millisecond || took > 30*time.Second {
		t.Errorf("after %v: %+v", took, out)
	}
	if out = s.Send(t.Context(), jobFor(text, mute, h.mta)); kinds(out) != "delivered" {
		t.Errorf("%+v", out)
	}
	tried := 0
	for ln.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)); ; tried++ {
		nc, err := ln.Accept()
		if err != nil {
			break
		}
		nc.Close()
	}
	if tried != 1 {
		t.Errorf("the mute MTA was tried %d times: the second message waited for it again", tried)
	}
}

func TestAPooledConnectionThatFallsSilentIsWaitedForOnce(t *testing.T) {
	var stopped atomic.Bool
	h := newHop(t, func(h *hop) {
		h.offer = ways["pipelined"]
		h.act = func(*session, string, string) string {
			if stopped.Load() {
				return "hang"
			}
			return ""
		}
	})
	second := newHop(t, nil)
	s := newSender(t)
	s.Timeouts.Handover = 3 * time.Second // the first message must get through to it, on a busy machine too
	job := jobFor(text, h.mta, second.mta)
	if out := s.Send(t.Context(), job); kinds(out) != "delivered" {
		t.Fatalf("%+v", out)
	}
	stopped.Store(true) // as SIGSTOP would
	out := s.Send(t.Context(), job)
	if kinds(out) != "delivered" || out[0].MTA != second.mta.Address() || h.connections() != 1 {
		t.Errorf("%d connections: %+v", h.connections(), out)
	}
}

func TestAllMTAsDeadIsToldInWords(t *testing.T) {
	a, b := newHop(t, nil), newHop(t, func(h *hop) { h.says = map[string]string{"banner": "close"} })
	a.kill()
	s := newSender(t)
	out := s.Send(t.Context(), jobFor(text, a.mta, b.mta))
	want := fmt.Sprintf("%s: connect: connection refused; %s: the connection: the MTA closed the connection", a.mta.Address(), b.mta.Address())
	if kinds(out) != "deferred" || out[0].Signal != Down || !strings.Contains(out[0].Reply, "connection refused") || !strings.Contains(out[0].Reply, "closed the connection") {
		t.Errorf("%+v, want %q", out[0], want)
	}
	if out := s.Send(t.Context(), jobFor(text)); kinds(out) != "deferred" || out[0].Reply != "the domain has no MTA" {
		t.Errorf("%+v", out)
	}
}
