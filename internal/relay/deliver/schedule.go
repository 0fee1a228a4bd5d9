package deliver

import "time"

// wake enters a line, and its tenant, among those whose turn comes. Whether it
// may really run is looked at when its turn has come.
func (q *Queue) wake(l *line) {
	if len(l.runs) == 0 {
		return
	}
	if !l.inReady {
		l.inReady = true
		l.tenant.ready = append(l.tenant.ready, l)
	}
	q.push(l.tenant)
}

// push gives a tenant its turn, before all others if nothing of it runs.
func (q *Queue) push(t *tenant) {
	turn := &q.fed
	if t.running == 0 {
		turn = &q.hungry
	}
	turn.push(t)
}

// turns is a line of tenants in which each stands once.
type turns struct {
	line []*tenant
	in   map[*tenant]bool
}

func (s *turns) push(t *tenant) {
	if s.in[t] {
		return
	}
	if s.in == nil {
		s.in = make(map[*tenant]bool)
	}
	s.in[t] = true
	s.line = append(s.line, t)
}

func (s *turns) pop() *tenant {
	if len(s.line) == 0 {
		return nil
	}
	t := s.line[0]
	s.line = s.line[1:]
	delete(s.in, t)
	return t
}

func (q *Queue) wakeAll(d *destination) {
	for _, l := range d.lines {
		q.wake(l)
	}
}

// dispatch starts all that may run now, one per tenant and turn.
func (q *Queue) dispatch() {
	for q.running < q.workers() {
		t := q.hungry.pop()
		if t != nil && t.running > 0 { // it has got something since
			q.fed.push(t)
			continue
		}
		if t == nil && q.running < q.workers()-q.workers()/8 { // the rest is for those who have nothing
			t = q.fed.pop()
		}
		if t == nil {
			return
		}
		if t.running >= max(q.workers()/2, 1) {
			continue // its turn comes again when one of its own ends
		}
		if l := t.next(q); l != nil {
			q.start(l)
			if len(t.ready) > 0 {
				q.push(t)
			}
		}
	}
}

// next is the tenant's next line that may run, nil if there is none. Lines that
// may not are dropped from its turn; what changes that wakes them again.
func (t *tenant) next(q *Queue) *line {
	for len(t.ready) > 0 {
		l := t.ready[0]
		t.ready = t.ready[1:]
		l.inReady = false
		if len(l.runs) > 0 && q.may(l.dest) {
			return l
		}
		if l.dest.mayProbe && q.probing >= q.mostProbing() {
			q.probeLater(l.dest) // too many other destinations are being probed
		}
	}
	return nil
}

// may reports whether one more delivery to d may start now.
func (q *Queue) may(d *destination) bool {
	if d.down {
		return d.mayProbe && d.probes < mostProbes && q.probing < q.mostProbing()
	}
	return d.running < int(d.parallel)
}

func (q *Queue) mostProbing() int { return max(q.workers()/4, 1) }

func (q *Queue) start(l *line) {
	run := l.runs[0]
	l.runs[0] = nil
	l.runs = l.runs[1:]
	q.waiting--
	d, probe := l.dest, l.dest.down
	if probe {
		d.probes++
		q.probing++
		q.probeLater(d)
	}
	q.running++
	d.running++
	l.tenant.running++
	q.wake(l)
	go func() {
		signal := Down // what a run says that does not come back
		defer func() { q.ended(l, probe, signal) }()
		signal = run()
	}()
}

// ended takes what a delivery learned and starts what may run because of it.
func (q *Queue) ended(l *line, probe bool, signal Signal) {
	q.mu.Lock()
	d := l.dest
	q.running--
	d.running--
	l.tenant.running--
	if probe {
		d.probes--
		q.probing--
	}
	up := q.learn(d, signal)
	q.wakeAll(d)
	if len(l.tenant.ready) > 0 { // it may have had its share of the workers
		q.push(l.tenant)
	}
	q.dispatch()
	if q.running == 0 && q.idle.L != nil {
		q.idle.Broadcast()
	}
	q.mu.Unlock()
	if up && q.Up != nil {
		q.Up(d.name)
	}
}

// learn adapts a destination's parallelism and reports whether it is back.
func (q *Queue) learn(d *destination, signal Signal) (up bool) {
	switch {
	case signal == Fine && d.down:
		d.down, d.downAt, d.strange, d.parallel = false, time.Time{}, false, min(startParallel, float64(q.parallel()))
		d.stopTimer()
		return true
	case signal == Fine && d.strange:
		d.strange, d.parallel = false, min(startParallel, float64(q.parallel()))
	case signal == Fine:
		d.parallel = min(d.parallel+1/d.parallel, float64(q.parallel()))
	case signal == Busy && !d.down && d.parallel >= 2:
		d.parallel-- // a whole round of it leaves one, and one more closes
	case !d.down: // Down, or too busy for even one
		d.down, d.downAt, d.parallel = true, time.Now(), 1
		q.probeLater(d)
	}
	return false
}

// probeLater lets the next probe of a destination that is down start after a
// while.
func (q *Queue) probeLater(d *destination) {
	d.mayProbe = false
	d.stopTimer()
	if q.closed {
		return
	}
	d.timer = time.AfterFunc(probeEvery, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if d.down && !q.closed {
			d.mayProbe = true
			q.wakeAll(d)
			q.dispatch()
		}
	})
}
