package judge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay/scan"
)

// InProcess judges as Pool does, but in this process and without confining
// anything: for the files that an administrator names on the command line, and
// for tests.
type InProcess struct {
	Func    Func
	Budget  time.Duration // 0: 90 s
	Engines []scan.Engine
	Log     *slog.Logger // nil: silent
	Metric  *metric.Set  // nil: uncounted
}

// Judge is Pool.Judge without a child. A Func that panics on the message or has
// not returned after the budget is ErrPoison; in the latter case its goroutine
// is left behind.
func (p *InProcess) Judge(ctx context.Context, job Job) (*mail.Judgement, error) {
	began := time.Now()
	octets, err := readAll(&job)
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", job.ID, err)
	}
	budget := p.Budget
	if budget <= 0 {
		budget = defaultBudget
	}
	inner, cancel := context.WithTimeoutCause(ctx, budget, errBudget)
	defer cancel()
	j, err := runFunc(inner, p.Func, &job, octets)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("judge %s: %w: %w", job.ID, ErrPoison, err)
	}
	bound(j)
	j.Findings = append(j.Findings, askEngines(ctx, p.Engines, &job, j.Auth.Origin, p.Log, p.Metric)...)
	j.Took = time.Since(began)
	if p.Metric != nil {
		p.Metric.JudgeTime.Observe(j.Took.Seconds())
	}
	return j, nil
}

func runFunc(ctx context.Context, f Func, job *Job, octets []byte) (*mail.Judgement, error) {
	type outcome struct {
		j   *mail.Judgement
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o = outcome{err: fmt.Errorf("%w: panic", errCrash)}
			}
			done <- o
		}()
		o.j = f(ctx, job, octets)
	}()
	select {
	case o := <-done:
		return o.j, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func readAll(job *Job) ([]byte, error) {
	r, err := job.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	octets := make([]byte, job.Size)
	if _, err := io.ReadFull(r, octets); err != nil {
		return nil, &sourceError{err}
	}
	return octets, nil
}
