package judge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay/scan"
)

func TestMessagesAreJudgedInAChild(t *testing.T) {
	p := newPool(t, nil)
	for _, size := range []int{0, 1, 3000, smallMessage, smallMessage + 1, 5 << 20} {
		j, err := p.Judge(t.Context(), jobOf(strings.Repeat("x", size)))
		if err != nil || j.Subject != fmt.Sprint(size) {
			t.Fatalf("%d octets: %+v, %v", size, j, err)
		}
	}
}

func TestAChildAsksItsParentForDNS(t *testing.T) {
	p := newPool(t, nil)
	for verb, want := range map[string]string{
		"txt a.example":       "[txt of a.example] <nil>",
		"txt missing.example": "[] lookup missing.example: no such host",
		"all a.example":       "1mx.example.10 <nil>[{192.0.2.1 } {2001:db8::1 }] <nil>[ptr.example.] <nil>",
		"ask x.example":       errQuestions.Error(),
	} {
		j, err := p.Judge(t.Context(), jobOf(verb))
		if err != nil || j.From != want {
			t.Errorf("%s: %+v, %v; want %q", verb, j, err, want)
		}
	}
}

func TestAMessageThatKillsItsWorkerTwiceIsPoison(t *testing.T) {
	for _, verb := range []string{"crash", "eat", "overflow", "exit", "babble", "spin", "sleep", "txt slow.example"} {
		t.Run(verb, func(t *testing.T) {
			set := metric.New(prometheus.NewRegistry())
			p := newPool(t, func(p *Pool) {
				if !raceDetector { // which needs far more
					p.MemoryLimit = 64 << 20
				} else if verb == "eat" {
					t.Skip("the race detector's memory cannot be limited")
				}
				p.Metric = set
			})
			if _, err := p.Judge(t.Context(), jobOf("fine")); err != nil {
				t.Fatal(err)
			}
			budget := p.Budget
			if verb != "eat" && verb != "overflow" { // which take what they take
				p.Budget = time.Second
			}
			_, err := p.Judge(t.Context(), jobOf(verb))
			if !errors.Is(err, ErrPoison) {
				t.Errorf("got %v, want ErrPoison", err)
			}
			t.Log(err)
			p.Budget = budget
			lost := testutil.ToFloat64(set.Workers.WithLabelValues("crashed")) + testutil.ToFloat64(set.Workers.WithLabelValues("timeout"))
			if lost != 2 {
				t.Errorf("%v workers lost, want 2", lost)
			}
			if j, err := p.Judge(t.Context(), jobOf("after")); err != nil || j.MessageID != "1" {
				t.Errorf("the next message: %+v, %v", j, err)
			}
		})
	}
}

func TestAFaultOfOursIsNoPoison(t *testing.T) {
	p := newPool(t, nil)
	broken := jobOf("")
	broken.Open = func() (io.ReadCloser, error) { return nil, errors.New("disk") }
	short := jobOf("abc")
	short.Size = 4
	shortBig := jobOf(strings.Repeat("x", 1<<20))
	shortBig.Size++
	for name, job := range map[string]Job{"unreadable": broken, "short": short, "short and big": shortBig} {
		if _, err := p.Judge(t.Context(), job); err == nil || errors.Is(err, ErrPoison) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Judge(ctx, jobOf("sleep")); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrPoison) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := p.Judge(t.Context(), jobOf("fine")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAChildCannotFloodItsParent(t *testing.T) {
	p := newPool(t, nil)
	j, err := p.Judge(t.Context(), jobOf("flood"))
	if err != nil {
		t.Fatal(err)
	}
	last := j.Findings[len(j.Findings)-1]
	if len(j.Findings) != maxFindings || last.Rule != "judge.findings.limit" || j.Findings[0].Score != 100 {
		t.Errorf("%d findings, the first %+v, the last %+v", len(j.Findings), j.Findings[0], last)
	}
}

func TestWorkersRetire(t *testing.T) {
	set := metric.New(prometheus.NewRegistry())
	p := newPool(t, func(p *Pool) { p.PerWorker, p.Metric, p.Size = 5, set, 1 })
	for i := range 20 {
		j, err := p.Judge(t.Context(), jobOf("fine"))
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if fmt.Sscan(j.MessageID, &n); n > 5 {
			t.Errorf("message %d was number %d of its worker", i, n)
		}
	}
	if got := testutil.ToFloat64(set.Workers.WithLabelValues("retired")); got < 2 || got > 4 {
		t.Errorf("%v retired, want 2 to 4", got) // one that takes over early has served less when the last message comes
	}
}

func TestManyAtOnce(t *testing.T) {
	p := newPool(t, func(p *Pool) { p.PerWorker = 7 })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 10 {
				verb := fmt.Sprintf("txt m%d-%d.example", i, k)
				if j, err := p.Judge(t.Context(), jobOf(verb)); err != nil || !strings.Contains(j.From, verb[4:]) {
					t.Errorf("%s: %+v, %v", verb, j, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOneWorkerIsStartedForEachThatRetires(t *testing.T) {
	const messages, each = 400, 10
	set := metric.New(prometheus.NewRegistry())
	p := newPool(t, func(p *Pool) { p.PerWorker, p.Metric, p.Size = each, set, 2 })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range messages / 4 {
				if _, err := p.Judge(t.Context(), jobOf("fine")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	p.Close()
	started := testutil.ToFloat64(set.Workers.WithLabelValues("started"))
	if least := float64(messages / each); started < least || started > least+2 {
		t.Errorf("%v workers were started for %d messages of %d each", started, messages, each)
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p := newPool(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for range 3 {
		if _, err := p.Judge(ctx, jobOf("fine")); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := p.Judge(t.Context(), jobOf("late")); err == nil {
		t.Error("a closed pool judges")
	}
}

type engine struct {
	name  string
	found []mail.Finding
	err   error
	saw   *mail.Origin
}

func (e engine) Name() string { return e.name }
func (e engine) Check(_ context.Context, _ *mail.Envelope, origin mail.Origin, _ int64, open func() (io.ReadCloser, error)) ([]mail.Finding, error) {
	*e.saw = origin
	if _, err := open(); err != nil {
		return nil, err
	}
	return e.found, e.err
}

func TestEnginesAddTheirFindings(t *testing.T) {
	var saw mail.Origin
	p := newPool(t, func(p *Pool) {
		p.Engines = []scan.Engine{
			engine{"av", []mail.Finding{{Rule: "av.found", Class: mail.Malware, Score: 100}}, nil, &saw},
			engine{"down", nil, errors.New("connection refused"), new(mail.Origin)},
		}
	})
	for _, via := range []mail.Architecture{mail.ViaMX, mail.ViaRelay} {
		job := jobOf("fine")
		job.Via = via
		j, err := p.Judge(t.Context(), job)
		if err != nil || len(j.Findings) != 2 || j.Findings[0].Rule != "av.found" || j.Findings[1].Rule != "engine.down.error" || j.Findings[1].Class != mail.Unjudged {
			t.Errorf("%s: %+v, %v", via, j, err)
		}
		if peer := saw.IP == job.Envelope.Client; peer != (via == mail.ViaMX) {
			t.Errorf("%s: engines were told %v", via, saw.IP)
		}
	}
}

func TestInProcess(t *testing.T) {
	p := &InProcess{Func: hostile(zone{}), Budget: time.Second}
	if j, err := p.Judge(t.Context(), jobOf("txt a.example")); err != nil || !strings.Contains(j.From, "txt of a.example") {
		t.Errorf("%+v, %v", j, err)
	}
	for _, verb := range []string{"crash", "txt slow.example"} {
		if _, err := p.Judge(t.Context(), jobOf(verb)); err != nil && !errors.Is(err, ErrPoison) {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestAPanickingStageLeavesAFinding(t *testing.T) {
	s := Stages{
		Parse: func([]byte) *mail.Message { panic("parse") },
		Auth:  func(context.Context, *mail.Envelope, mail.Architecture, []byte) mail.Auth { panic("auth") },
		Scan:  &scan.Runner{},
	}
	job := jobOf("")
	j := s.Judge(t.Context(), &job, []byte("Subject: hello\r\nMessage-ID: <a@b>\r\n\r\n"))
	if len(j.Findings) != 2 || j.Findings[0].Rule != "engine.parse.error" || j.Findings[1].Rule != "engine.mailauth.error" || j.Subject != "hello" || j.MessageID != "a@b" {
		t.Errorf("got %+v", j)
	}
}

func BenchmarkOverhead(b *testing.B) {
	p := newPool(b, func(p *Pool) { p.PerWorker = 1 << 30 })
	job := jobOf(strings.Repeat("x", 8<<10))
	for b.Loop() {
		if _, err := p.Judge(b.Context(), job); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOverheadParallel(b *testing.B) {
	p := newPool(b, func(p *Pool) { p.PerWorker = 1 << 30; p.Size = runtime.NumCPU() })
	b.RunParallel(func(pb *testing.PB) {
		job := jobOf(strings.Repeat("x", 8<<10))
		for pb.Next() {
			if _, err := p.Judge(b.Context(), job); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkStart(b *testing.B) {
	p := newPool(b, nil)
	p.init()
	for b.Loop() {
		c, err := p.start()
		if err != nil {
			b.Fatal(err)
		}
		c.retire()
	}
}

// A cgo build starts threads through the C library, which gives up for good on a
// filter that refuses clone3 in another way than an old kernel does.
func TestAConfinedWorkerMayStartThreads(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector's runtime starts threads in its own way")
	}
	p := newPool(t, nil)
	for range 3 {
		if _, err := p.Judge(t.Context(), jobOf("threads")); err != nil {
			t.Fatal(err)
		}
	}
}
