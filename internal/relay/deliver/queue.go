package deliver

import (
	"cmp"
	"context"
	"sync"
	"time"
)

const (
	defaultWorkers = 256
	startParallel  = 4    // deliveries at a time to a destination that has just taken its first; before that, one
	mostParallel   = 20   // the same when all goes well
	mostWaiting    = 1000 // of one destination, in memory; the rest waits in the store
	probeEvery     = 500 * time.Millisecond
	mostProbes     = 4                // at a time for one destination that is silent
	forgetAfter    = 10 * time.Minute // an idle destination's parallelism
)

// Signal is what one delivery says about its destination.
type Signal int

const (
	Fine Signal = iota // the destination takes mail, whatever it said of this message
	Busy               // it asks to be sent less (421, 4.7.x)
	Down               // no MTA of it can be used
)

// SignalOf is the weightiest signal among outcomes.
func SignalOf(outcomes []Outcome) Signal {
	s := Fine
	for _, o := range outcomes {
		s = max(s, o.Signal)
	}
	return s
}

// Queue runs deliveries side by side. Tenants take turns, and within a tenant its
// destinations, so nobody waits for somebody else's slow or dead MTA; an eighth of
// the workers is kept for tenants of which nothing runs. How many
// run at a time for one destination follows what it says (Signal): one, then 4, one
// more for each round of successes, one less for each that says Busy. A destination
// that is Down, or Busy at one at a time, is left alone but for one delivery every half second, the probe;
// the first that succeeds opens it again with 4. The zero value works.
type Queue struct {
	Workers  int                      // deliveries at a time in all, 256 by default; one tenant gets at most half, all probes together a quarter
	Parallel int                      // at most for one destination, 20 by default
	Up       func(destination string) // if not nil, is told when a destination that was down takes mail again: deliveries put off may be tried now

	mu      sync.Mutex
	idle    sync.Cond // running or waiting fell to 0
	tenants map[string]*tenant
	dests   map[string]*destination
	hungry  turns // tenants of which nothing runs, and something may
	fed     turns // tenants of which more may run
	running int
	probing int
	waiting int
	submits int
	closed  bool
}

type tenant struct {
	ready   []*line
	running int
	lines   int
}

// line is what one tenant has for one destination.
type line struct {
	tenant  *tenant
	dest    *destination
	runs    []func() Signal
	inReady bool
}

// destination is shared by the tenants that send to it.
type destination struct {
	name     string
	lines    map[string]*line // by tenant
	running  int
	parallel float64 // allowed at a time; grows by fractions
	strange  bool    // nothing is known of it: one delivery has to find out
	down     bool
	probes   int         // running while it is down
	mayProbe bool        // the next probe's time has come
	timer    *time.Timer // until then
	used     time.Time
	downAt   time.Time
}

// Submit puts run in the line of tenant's mail for destination (a domain, or
// whatever shares its MTAs) and reports true; run is called once, later, from
// another goroutine. It reports false, and nothing is kept, when that line is
// full or the queue is closed: the caller comes again later.
func (q *Queue) Submit(tenantID, dest string, run func() Signal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	l := q.line(tenantID, dest)
	if len(l.runs) >= mostWaiting {
		return false
	}
	l.runs = append(l.runs, run)
	q.waiting++
	q.wake(l)
	q.dispatch()
	return true
}

// Room is how many more deliveries Submit would take for this line now.
func (q *Queue) Room(tenantID, dest string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	if d := q.dests[dest]; d != nil && d.lines[tenantID] != nil {
		return mostWaiting - len(d.lines[tenantID].runs)
	}
	return mostWaiting
}

// Load is what a destination looks like from here.
type Load struct {
	Waiting  int       // deliveries not yet begun
	Running  int       // deliveries going on
	Parallel int       // deliveries allowed at a time
	DownAt   time.Time // since when it is left alone, zero if it is not
}

// Loads returns the destinations that are known now.
func (q *Queue) Loads() map[string]Load {
	q.mu.Lock()
	defer q.mu.Unlock()
	loads := make(map[string]Load, len(q.dests))
	for name, d := range q.dests {
		load := Load{Running: d.running, Parallel: int(d.parallel), DownAt: d.downAt}
		for _, l := range d.lines {
			load.Waiting += len(l.runs)
		}
		loads[name] = load
	}
	return loads
}

// Close takes nothing more, forgets what has not begun (it is in the store) and
// waits until what runs has ended, or ctx has.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, d := range q.dests {
		d.stopTimer()
		for _, l := range d.lines {
			q.waiting -= len(l.runs)
			l.runs = nil
		}
	}
	q.idle.L = &q.mu
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.idle.Broadcast()
	})
	defer stop()
	for q.running > 0 && ctx.Err() == nil {
		q.idle.Wait()
	}
	if q.running > 0 {
		return ctx.Err()
	}
	return nil
}

// line finds or makes the line. q.mu is held, here and below.
func (q *Queue) line(tenantID, dest string) *line {
	if q.tenants == nil {
		q.tenants, q.dests = make(map[string]*tenant), make(map[string]*destination)
	}
	if q.submits++; q.submits%4096 == 0 {
		q.forget(time.Now())
	}
	t := q.tenants[tenantID]
	if t == nil {
		t = new(tenant)
		q.tenants[tenantID] = t
	}
	d := q.dests[dest]
	if d == nil {
		d = &destination{name: dest, lines: make(map[string]*line), parallel: 1, strange: true}
		q.dests[dest] = d
	}
	d.used = time.Now()
	l := d.lines[tenantID]
	if l == nil {
		l = &line{tenant: t, dest: d}
		d.lines[tenantID] = l
		t.lines++
	}
	return l
}

// forget drops what has not been used for long.
func (q *Queue) forget(now time.Time) {
	for name, d := range q.dests {
		if d.running > 0 || now.Sub(d.used) < forgetAfter {
			continue
		}
		waiting := false
		for _, l := range d.lines {
			waiting = waiting || len(l.runs) > 0
		}
		if waiting {
			continue
		}
		for _, l := range d.lines {
			l.tenant.lines--
		}
		d.stopTimer()
		delete(q.dests, name)
	}
	for id, t := range q.tenants {
		if t.lines == 0 && t.running == 0 {
			delete(q.tenants, id)
		}
	}
}

func (d *destination) stopTimer() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (q *Queue) workers() int  { return cmp.Or(q.Workers, defaultWorkers) }
func (q *Queue) parallel() int { return cmp.Or(q.Parallel, mostParallel) }
