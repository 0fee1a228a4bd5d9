package judge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay/scan"
)

// ErrPoison means that a message brought down two workers, or took both of them
// longer than the budget. It is to be held: it will do so again.
var ErrPoison = errors.New("message cannot be judged")

const (
	defaultPerWorker = 100              // safety.md R14: fresh per message or at most 100
	defaultBudget    = 90 * time.Second // for one try at one message
	defaultMemory    = 512 << 20        // octets of a child's heap
	maxInFlight      = 32 << 20         // octets of large messages that workers hold at a time, or one that is larger
	idleAfter        = 2 * time.Minute  // before a worker that has nothing to do is let go
)

// Pool judges messages in confined child processes. Its fields are set before
// the first call and not changed after it. It may be used by many goroutines.
type Pool struct {
	Exe         string        // path of this binary
	Args        []string      // that make it call Worker: "judge-worker"
	Size        int           // processes at work at a time; 0: one per CPU
	PerWorker   int           // messages after which a process is replaced; 0: 100
	Budget      time.Duration // for one try at one message; 0: 90 s
	MemoryLimit int64         // octets of a child's heap; 0: 512 MiB
	Resolver    Resolver      // answers the workers' DNS questions; nil: every answer is a temporary error
	Engines     []scan.Engine // asked by this process
	Log         *slog.Logger  // nil: silent
	Metric      *metric.Set   // nil: uncounted

	once     sync.Once
	slots    chan struct{}       // one for each process at work
	inFlight *semaphore.Weighted // octets
	born     chan *child         // replacements that were waited for

	mu       sync.Mutex
	idle     []*child // the last one was used last
	coming   int      // replacements being started that nobody waits for
	waiting  int      // messages that wait for one
	closed   bool
	warnings []string
	warned   bool
	behind   sync.WaitGroup // processes being started or retired in the background
}

func (p *Pool) init() {
	p.once.Do(func() {
		if p.Size <= 0 {
			p.Size = runtime.NumCPU()
		}
		if p.PerWorker <= 0 {
			p.PerWorker = defaultPerWorker
		}
		if p.Budget <= 0 {
			p.Budget = defaultBudget
		}
		if p.MemoryLimit <= 0 {
			p.MemoryLimit = defaultMemory
		}
		p.slots = make(chan struct{}, p.Size)
		p.inFlight = semaphore.NewWeighted(maxInFlight)
		p.born = make(chan *child)
	})
}

// Run starts the workers before the first message comes, lets idle ones go, and
// ends them all when ctx is done. The error is that no worker can be started.
func (p *Pool) Run(ctx context.Context) error {
	p.init()
	defer p.Close()
	for range p.Size {
		c, err := p.start()
		if err != nil {
			return err
		}
		p.give(c)
	}
	tick := time.NewTicker(idleAfter / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.trim(time.Now().Add(-idleAfter))
		}
	}
}

// Close ends all workers that are idle, waits for them, and has the others end
// when they are done. Judge returns an error after it.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		p.behind.Go(c.retire)
	}
	p.behind.Wait()
}

// Warnings says what this system lacks to confine workers, one sentence each. It
// is empty until the first worker has started.
func (p *Pool) Warnings() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.warnings
}

// Judge learns what it can of job's message. A message whose worker dies or is
// too slow is tried once more in a fresh one; after that the error is ErrPoison.
// Every other error is ours, not the message's: try again later. Nothing of job
// is kept.
func (p *Pool) Judge(ctx context.Context, job Job) (*mail.Judgement, error) {
	p.init()
	if job.Size > large { // small ones are few, one for each worker, and need not wait behind it
		weight := min(job.Size, maxInFlight)
		if err := p.inFlight.Acquire(ctx, weight); err != nil {
			return nil, err
		}
		defer p.inFlight.Release(weight)
	}
	began := time.Now()
	wait := p.askEarly(ctx, &job)
	j, err := p.inWorker(ctx, &job)
	more := wait()
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", job.ID, err)
	}
	if more == nil {
		more = askEngines(ctx, p.Engines, &job, j.Auth.Origin, p.Log, p.Metric)
	}
	j.Findings = append(j.Findings, more...)
	j.Took = time.Since(began)
	if p.Metric != nil {
		p.Metric.JudgeTime.Observe(j.Took.Seconds())
	}
	return j, nil
}

// askEarly asks the engines beside the worker where the origin needs no reading
// of the message, and returns how to wait for their findings.
func (p *Pool) askEarly(ctx context.Context, job *Job) (wait func() []mail.Finding) {
	if job.Via != mail.ViaMX || len(p.Engines) == 0 {
		return func() []mail.Finding { return nil }
	}
	origin := mail.Origin{IP: job.Envelope.Client, HELO: job.Envelope.HELO, MailFrom: job.Envelope.From, Source: "peer"}
	found := make(chan []mail.Finding, 1)
	go func() { found <- askEngines(ctx, p.Engines, job, origin, p.Log, p.Metric) }()
	return func() []mail.Finding { return <-found }
}

// inWorker tries twice.
func (p *Pool) inWorker(ctx context.Context, job *Job) (*mail.Judgement, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	var last error
	for try := range 2 {
		c, err := p.take(try > 0)
		if err != nil {
			return nil, err
		}
		j, err := c.judge(ctx, job, p.Budget, p.Resolver)
		if err == nil {
			p.give(c)
			return j, nil
		}
		last = err
		switch {
		case errors.Is(err, errBudget):
			p.count("timeout")
		case errors.Is(err, errCrash):
			p.count("crashed")
		default:
			return nil, err // the message could not be read, or ctx is done
		}
		if p.Log != nil {
			p.Log.Warn("judge worker lost", "mid", job.ID, "try", try+1, "err", err)
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrPoison, last)
}

// take is an idle worker, one that is being started as a replacement, or a new
// one. A retry gets a new one, so that nothing an earlier message did to it can
// play a part.
func (p *Pool) take(fresh bool) (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errors.New("judge pool is closed")
	}
	if n := len(p.idle); n > 0 && !fresh {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		select {
		case <-c.exited: // killed from outside meanwhile
			c.kill()
			return p.start()
		default:
			return c, nil
		}
	}
	if p.coming > 0 && !fresh { // sooner there than another one
		p.coming--
		p.waiting++
		p.mu.Unlock()
		if c := <-p.born; c != nil {
			return c, nil
		}
		return p.start()
	}
	p.mu.Unlock()
	return p.start()
}

// give takes a worker back. One that has served its time is let go and replaced
// in the background, so that the next message need not wait for the whole start.
func (p *Pool) give(c *child) {
	if c.served >= p.PerWorker {
		p.count("retired")
		p.mu.Lock()
		enough := p.closed || len(p.idle)+p.coming >= p.Size
		if !enough {
			p.coming++
		}
		p.mu.Unlock()
		p.behind.Go(func() {
			if !enough {
				n, _ := p.start() // an error comes again when the next message wants a worker, and is told then
				p.arrive(n)
			}
			c.retire()
		})
		return
	}
	c.idleAt = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.Size {
		p.behind.Go(c.retire)
		return
	}
	p.idle = append(p.idle, c)
}

// arrive hands a replacement, nil if it could not be started, to whoever waits for
// one.
func (p *Pool) arrive(c *child) {
	p.mu.Lock()
	if p.waiting > 0 {
		p.waiting--
		p.mu.Unlock()
		p.born <- c
		return
	}
	p.coming--
	p.mu.Unlock()
	if c != nil {
		p.give(c)
	}
}

// trim lets go of workers not used since before, but keeps one.
func (p *Pool) trim(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 1 && p.idle[0].idleAt.Before(before) {
		p.behind.Go(p.idle[0].retire)
		p.idle = p.idle[1:]
	}
}

func (p *Pool) start() (*child, error) {
	c, h, err := start(p.Exe, p.Args, setup{Confine: true, Memory: p.MemoryLimit})
	if err != nil {
		return nil, err
	}
	p.count("started")
	p.mu.Lock()
	first := !p.warned
	p.warned = true
	if first {
		p.warnings = h.Warnings
	}
	p.mu.Unlock()
	if first && p.Log != nil {
		for _, w := range h.Warnings {
			p.Log.Warn("judge workers are less confined than they should be", "why", w)
		}
	}
	return c, nil
}

func (p *Pool) count(event string) {
	if p.Metric != nil {
		p.Metric.Workers.WithLabelValues(event).Inc()
	}
}
