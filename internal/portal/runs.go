package portal

import (
	"context"
	"errors"
	"sync"
	"time"

	"postern/internal/exchange"
	"postern/internal/exchange/signin"
)

// runs are the changes of Exchange that go on now, or ended last, one a tenant.
// They belong to this process: after a restart the journal tells how far one got.
type runs struct {
	mu  sync.Mutex
	all map[string]*run
}

// A run is one change of Exchange that a person follows.
type run struct {
	What string // "connect", "apply", "rollback", "protection"

	mu      sync.Mutex
	steps   []runStep
	total   int
	code    *signin.DeviceCode
	done    bool
	problem *exchange.Problem
	notes   []string
	changed chan struct{} // closed at the next change
}

// A runStep is one line of the stepper.
type runStep struct {
	ID    string
	State string // "now", "good", "bad"
	Text  string
	Notes []string
}

// runTime is the longest a run may take: Exchange can be slow to show its changes.
const runTime = 40 * time.Minute

// errBusy means that another change of the same Exchange is on.
var errBusy = &problem{409, "Another change of this Exchange is under way. Wait until it has ended."}

// begin starts work for a tenant in the background, so that closing the page does
// not stop it.
func (rs *runs) begin(tenant, what string, work func(ctx context.Context, r *run) ([]string, error)) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if old := rs.all[tenant]; old != nil && !old.ended() {
		return errBusy
	}
	if rs.all == nil {
		rs.all = map[string]*run{}
	}
	r := &run{What: what, changed: make(chan struct{})}
	rs.all[tenant] = r
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), runTime)
		defer cancel()
		notes, err := work(ctx, r)
		r.end(notes, err)
	}()
	return nil
}

// of is a tenant's run, nil if there was none since the start.
func (rs *runs) of(tenant string) *run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.all[tenant]
}

func (r *run) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

func (r *run) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

// event takes the engine's progress.
func (r *run) event(e exchange.Event) {
	r.change(func() {
		if e.Total > 0 {
			r.total = e.Total
		}
		last := len(r.steps) - 1
		switch {
		case e.State == "start":
			r.steps = append(r.steps, runStep{ID: e.Action, State: "now", Text: e.Text})
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

func (r *run) end(notes []string, err error) {
	var p *exchange.Problem
	var s *signin.Error
	switch {
	case err == nil:
	case errors.As(err, &p):
	case errors.As(err, &s):
		p = &exchange.Problem{Code: s.Kind, Cause: s.Cause, Mend: s.Mend}
	case errors.Is(err, context.DeadlineExceeded):
		p = &exchange.Problem{Code: "time", Cause: "It took too long.", Mend: "Start it again; what was done is kept."}
	default:
		p = &exchange.Problem{Code: "failed", Cause: sentence(err), Mend: "Start it again; what was done is kept."}
	}
	r.change(func() { r.done, r.problem, r.notes, r.code = true, p, notes, nil })
}

// A runView is a run as a page shows it at one moment.
type runView struct {
	What    string
	Steps   []runStep
	Percent int
	Total   int
	Code    *signin.DeviceCode
	Done    bool
	Problem *exchange.Problem
	Notes   []string
}

// view copies what a run is at now, and gives the channel that closes with the
// next change.
func (r *run) view() (runView, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := runView{What: r.What, Steps: append([]runStep(nil), r.steps...), Total: r.total, Code: r.code, Done: r.done, Problem: r.problem, Notes: r.notes}
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

// state is what the journal knows of a tenant's Exchange; it calls nothing.
func (p *Portal) state(ctx context.Context, tenant string) (*exchange.State, error) {
	return p.Exchange.State(ctx, tenant)
}
