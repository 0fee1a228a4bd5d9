package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/internal/exchange"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
)

// Runs are the changes of Exchange that go on now, or ended last, one a tenant,
// whoever began them. They belong to this process: after a restart the journal
// tells how far one got.
type Runs struct {
	mu    sync.Mutex
	all   map[string]*Run
	looks map[string]*look
}

// A Run is one change of Exchange that a person or a program follows.
type Run struct {
	ID      string
	Tenant  string
	What    string // "connect", "apply", "rollback", "protection", "enable-protection"
	By      string // who began it
	Started time.Time

	mu      sync.Mutex
	steps   []RunStep
	total   int
	code    *signin.DeviceCode
	ended   time.Time
	problem *exchange.Problem
	notes   []mail.Sentence
	changed chan struct{} // closed at the next change
}

// A RunStep is one thing that a run does.
type RunStep struct {
	ID    string
	State string // "now", "good", "bad"
	Text  mail.Sentence
	Notes []mail.Sentence
}

// runTime is the longest a run may take: Exchange can be slow to show its changes.
const runTime = 40 * time.Minute

// ErrBusy means that another change of the same Exchange is on.
var ErrBusy = mail.Refuse("another change of this Exchange is under way: wait until it has ended")

// Begin starts work for a tenant in the background, so that whoever asked for it
// may go. The error is ErrBusy while another run of the tenant is on.
func (rs *Runs) Begin(tenant, what, by string, work func(ctx context.Context, r *Run) (notes []mail.Sentence, err error)) (*Run, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if old := rs.all[tenant]; old != nil && !old.done() {
		return nil, ErrBusy
	}
	if rs.all == nil {
		rs.all = map[string]*Run{}
	}
	r := &Run{ID: string(mail.NewID()), Tenant: tenant, What: what, By: by, Started: time.Now().UTC(), changed: make(chan struct{})}
	rs.all[tenant] = r
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), runTime)
		defer cancel()
		notes, err := work(ctx, r)
		r.end(notes, err)
	}()
	return r, nil
}

// Of is a tenant's last run, nil if there was none since the start.
func (rs *Runs) Of(tenant string) *Run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.all[tenant]
}

func (r *Run) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.ended.IsZero()
}

func (r *Run) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

// show tells which code is to be typed in at Microsoft.
func (r *Run) show(code signin.DeviceCode) { r.change(func() { r.code = &code }) }

// event takes the engine's progress.
func (r *Run) event(e exchange.Event) {
	r.change(func() {
		if e.Total > 0 {
			r.total = e.Total
		}
		last := len(r.steps) - 1
		switch {
		case e.State == "start":
			r.steps = append(r.steps, RunStep{ID: e.Action, State: "now", Text: e.Text})
		case last < 0:
		case e.State == "done":
			r.steps[last].State, r.steps[last].Text = "good", e.Text
		case e.State == "failed":
			r.steps[last].State = "bad"
		default:
			r.steps[last].Notes = append(r.steps[last].Notes, e.Text)
		}
	})
}

func (r *Run) end(notes []mail.Sentence, err error) {
	r.change(func() { r.ended, r.problem, r.notes, r.code = time.Now().UTC(), explainRun(err), notes, nil })
}

// explainRun tells a person why a run failed, nil if it did not.
func explainRun(err error) *exchange.Problem {
	var p *exchange.Problem
	var s *signin.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.As(err, &s):
		return exchange.NewProblem(s.Kind, s.Cause, s.Mend, err)
	case errors.Is(err, context.DeadlineExceeded):
		return exchange.NewProblem("time", mail.Say("It took too long."), mail.Say("Start it again; what was done is kept."), err)
	}
	return exchange.NewProblem("failed", mail.Told(err), mail.Say("Start it again; what was done is kept."), err)
}

// Sentence makes an error of this package, which is written for people, one that
// stands by itself.
func Sentence(err error) string {
	s := err.Error()
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// A RunView is a run at one moment.
type RunView struct {
	What    string
	Steps   []RunStep
	Percent int
	Total   int
	Code    *signin.DeviceCode
	Done    bool
	Ended   time.Time
	Problem *exchange.Problem
	Notes   []mail.Sentence
}

// View copies what a run is at now, and gives the channel that closes with the
// next change.
func (r *Run) View() (RunView, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := RunView{What: r.What, Steps: slices.Clone(r.steps), Total: r.total, Code: r.code, Done: !r.ended.IsZero(), Ended: r.ended, Problem: r.problem, Notes: r.notes}
	good := 0
	for _, s := range v.Steps {
		if s.State == "good" {
			good++
		}
	}
	if v.Total > 0 {
		v.Percent = min(100, good*100/v.Total)
	}
	return v, r.changed
}
