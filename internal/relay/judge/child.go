package judge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// child is one worker process as its parent sees it. One goroutine at a time
// uses it.
type child struct {
	cmd      *exec.Cmd
	in       *os.File // its standard input
	w        *frameWriter
	r        *bufio.Reader
	out      *os.File // its standard output
	crash    *tail
	exited   chan struct{}
	tenants  map[*scan.About]int // it knows of
	served   int
	idleAt   time.Time
	killOnce sync.Once
}

// helloTime is how long a new child may take to be ready.
const helloTime = 10 * time.Second

// start runs exe as a worker and waits until it is confined.
func start(exe string, args []string, s setup) (*child, hello, error) {
	var h hello
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, h, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		inR.Close()
		inW.Close()
		return nil, h, err
	}
	grow(inW)
	c := &child{in: inW, out: outR, w: &frameWriter{w: inW}, r: bufio.NewReaderSize(outR, 16<<10), crash: &tail{}, exited: make(chan struct{}), tenants: make(map[*scan.About]int)}
	c.cmd = exec.Command(exe, args...)
	c.cmd.Env = []string{"GOMAXPROCS=1", "GOGC=200"} // from its first moment as tune has it; nothing of ours
	c.cmd.Dir = "/"
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = inR, outW, c.crash
	c.cmd.WaitDelay = time.Second
	err = c.cmd.Start()
	inR.Close()
	outW.Close()
	if err != nil {
		inW.Close()
		outR.Close()
		return nil, h, fmt.Errorf("start judge worker: %w", err)
	}
	go func() {
		c.cmd.Wait() //nolint:errcheck // how it ended is told by its last words
		close(c.exited)
	}()
	timer := time.AfterFunc(helloTime, c.kill)
	defer timer.Stop()
	if err := c.greet(s, &h); err != nil {
		c.kill()
		<-c.exited
		return nil, h, fmt.Errorf("start judge worker: %w (%s)", err, c.crash.lastWords())
	}
	return c, h, nil
}

func (c *child) greet(s setup, h *hello) error {
	if err := c.w.send(kindSetup, s); err != nil {
		return err
	}
	k, body, err := readFrame(c.r, maxFrame)
	if err != nil || k != kindHello {
		return orFrame(err)
	}
	return json.Unmarshal(body, h)
}

// judge gives the child one message and answers its questions until the result
// is there, budget is spent or ctx is done. After an error the child is of no
// more use and has been killed.
func (c *child) judge(ctx context.Context, job *Job, budget time.Duration, dns Resolver) (*mail.Judgement, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, budget, errBudget)
	defer cancel()
	stop := context.AfterFunc(ctx, c.kill)
	j, err := c.exchange(ctx, job, dns)
	if !stop() && err == nil {
		err = context.Cause(ctx) // killed in the same moment
	}
	if err == nil {
		c.served++
		return j, nil
	}
	c.kill()
	<-c.exited
	var src *sourceError
	switch {
	case errors.As(err, &src):
		return nil, err
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("%w: %s: %w", errCrash, c.crash.lastWords(), err)
}

// errBudget and errCrash are the two ways in which a message can bring down its
// worker.
var (
	errBudget = errors.New("judging took too long")
	errCrash  = errors.New("judge worker died")
)

func (c *child) exchange(ctx context.Context, job *Job, dns Resolver) (*mail.Judgement, error) {
	octets, err := job.Open()
	if err != nil {
		return nil, &sourceError{err}
	}
	err = c.send(job, octets)
	octets.Close()
	if err != nil {
		return nil, err
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for asked := 0; ; {
		k, body, err := readFrame(c.r, maxFrame)
		if err != nil {
			return nil, err
		}
		switch k {
		case kindResult:
			j := new(mail.Judgement)
			if err := json.Unmarshal(body, j); err != nil {
				return nil, fmt.Errorf("%w: result: %w", errFrame, err)
			}
			bound(j)
			return j, nil
		case kindAsk:
			var q question
			if err := json.Unmarshal(body, &q); err != nil {
				return nil, fmt.Errorf("%w: question: %w", errFrame, err)
			}
			if asked++; asked > maxQuestions {
				return nil, fmt.Errorf("%w: more than %d questions", errFrame, maxQuestions)
			}
			asking.Go(func() {
				// If this fails the child is gone, which the reader will notice.
				_ = c.w.send(kindAnswer, ask(ctx, dns, q))
			})
		default:
			return nil, fmt.Errorf("%w: kind %q", errFrame, byte(k))
		}
	}
}

// send hands over job and, before the first one of its tenant, the tenant.
func (c *child) send(job *Job, octets io.Reader) error {
	tenant := c.tenants[job.Tenant]
	if job.Tenant != nil && tenant == 0 {
		tenant = len(c.tenants) + 1
		if err := c.w.send(kindTenant, tenantFrame{tenant, job.Tenant}); err != nil {
			return err
		}
		c.tenants[job.Tenant] = tenant
	}
	return c.w.sendAll(kindJob, jobFrame{job.ID, job.Envelope, job.Via, tenant}, job.Size, octets)
}

// maxLookup bounds one DNS answer; a resolver that hangs must not keep the
// worker's other questions.
const maxLookup = 20 * time.Second

func ask(ctx context.Context, dns Resolver, q question) answer {
	if dns == nil {
		return answer{N: q.N, Err: "no resolver", Temporary: true}
	}
	ctx, cancel := context.WithTimeout(ctx, maxLookup)
	defer cancel()
	return reply(ctx, dns, q)
}

func (c *child) kill() {
	c.killOnce.Do(func() {
		c.cmd.Process.Kill() //nolint:errcheck // it may have ended by itself
		c.in.Close()
		c.out.Close()
	})
}

// retire lets the child end by itself and sees to it that it does.
func (c *child) retire() {
	c.in.Close()
	select {
	case <-c.exited:
	case <-time.After(2 * time.Second):
	}
	c.kill()
	<-c.exited
}

// tail keeps the beginning of what a child said before it died.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[:min(len(p), 4096-len(t.buf))]...)
	return len(p), nil
}

var _ io.Writer = (*tail)(nil)

// lastWords is the line that says why the Go runtime gave up. Other lines and the
// values of panics of our own may quote the message and must not reach a log.
func (t *tail) lastWords() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range bytes.Lines(t.buf) {
		s := strings.TrimSpace(string(line))
		for _, known := range []string{"fatal error: ", "panic: runtime error: ", "runtime: ", "SIG", "judge-worker: "} {
			if strings.HasPrefix(s, known) {
				return cut(s, 200)
			}
		}
		if strings.HasPrefix(s, "panic: ") {
			return "panic"
		}
	}
	return "no last words"
}
