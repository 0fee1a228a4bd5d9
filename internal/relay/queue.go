package relay

import (
	"context"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/admit"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

const (
	claimBatch  = 200             // due recipients that the reconciler takes at a time
	maxPending  = 4000            // messages in memory between accepted and sent; more wait in the ledger
	giveBackFor = 3 * time.Second // that they wait at least
)

// begin starts the way of a message that was just accepted.
func (r *Relay) begin(m *message) {
	r.Metric.Accepted.WithLabelValues(m.Tenant).Inc()
	r.Metric.Octets.Add(float64(m.Size))
	m.fresh()
	if m.Note != "" {
		r.record(m)
		return
	}
	judged := func() {}
	if r.Judges != nil {
		judged = r.Guard.pace.wait(r.Life, m.Tenant) // it is on disk; only the client's next message waits
	}
	r.turn(m, judged)
}

// touch writes down that a relay key is in use, once a minute at most: who rotates
// keys waits for that.
func (r *Relay) touch(a admit.Admission) {
	now := time.Now()
	minute := now.Unix() / 60
	if a.KeyID == "" {
		return
	}
	if was, _ := r.touched.Swap(a.KeyID, minute); was == minute {
		return
	}
	go func() {
		if err := r.Store.TouchKey(context.WithoutCancel(r.Life), a.Tenant.ID, a.KeyID, now); err != nil {
			r.Log.Warn("use of a relay key could not be written down", "key", a.KeyID, "err", err)
		}
	}()
}

// record ends the way of a message that is only written down.
func (r *Relay) record(m *message) {
	changes := make([]store.Change, 0, len(m.Recipients))
	for i := range m.Recipients {
		changes = append(changes, m.change(&m.Recipients[i], mail.Dropped, m.Note))
	}
	if err := r.advance(context.WithoutCancel(r.Life), changes...); err != nil {
		r.Log.Error("recorded message could not be ended", "mid", m.ID, "err", err)
	}
	r.uncache(m)
}

// turn waits for m's turn to be judged, fairly among tenants, and calls judged
// when it has been, or has gone back to the ledger. With judging switched off there
// is nothing to wait for.
func (r *Relay) turn(m *message, judged func()) {
	if r.Judges == nil {
		r.process(m)
		return
	}
	r.pending.Add(1)
	run := func() deliver.Signal {
		defer r.pending.Add(-1)
		defer judged()
		r.process(m)
		return deliver.Fine
	}
	if r.pending.Load() > maxPending || !r.JudgeTurn.Submit(m.Tenant, "judge", run) {
		r.pending.Add(-1)
		r.giveBack(m)
		judged()
	}
}

func (r *Relay) process(m *message) {
	if err := r.Process(r.Life, m); err != nil && r.Life.Err() == nil {
		r.Log.Error("message stays in the ledger and is taken up again", "mid", m.ID, "tenant", m.Tenant, "err", err)
	}
}

// giveBack leaves m to the ledger when too much is in memory; the reconciler finds
// it again.
func (r *Relay) giveBack(m *message) {
	r.uncache(m)
	changes := make([]store.Change, 0, len(m.Recipients))
	for i := range m.Recipients {
		to := &m.Recipients[i]
		state := mail.Accepted
		if _, decided := m.decisions[to.N]; decided || to.State == mail.Delivering {
			state = mail.Delivering
		}
		c := m.change(to, state, "waiting for its turn")
		c.NextAt = time.Now().Add(giveBackFor)
		changes = append(changes, c)
	}
	if err := r.advance(context.WithoutCancel(r.Life), changes...); err != nil {
		r.Log.Error("message waits until its lease ends", "mid", m.ID, "tenant", m.Tenant, "err", err)
	}
}

// Run is the reconciler: it takes up what is due, be it a retry or what a crash
// left, until ctx is done.
func (r *Relay) Run(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	depth := time.Now()
	for {
		n, err := r.reconcile(ctx)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("the ledger could not be read; tried again", "err", err)
		}
		if time.Since(depth) > 5*time.Second {
			depth = time.Now()
			r.gauge(ctx)
		}
		if n == claimBatch {
			continue // there is more
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Relay) reconcile(ctx context.Context) (int, error) {
	if r.pending.Load() > maxPending/2 {
		return 0, nil
	}
	due, err := r.Store.Claim(ctx, time.Now(), claimBatch)
	n := 0
	for i := range due {
		n += len(due[i].Recipients)
		r.takeUp(&due[i])
	}
	return n, err
}

// takeUp goes on where a message was left.
func (r *Relay) takeUp(w *store.Work) {
	m := &message{Message: w.Message}
	m.Recipients = w.Recipients
	m.fresh()
	if m.Note != "" {
		r.record(m)
		return
	}
	var judged, raw []store.Recipient
	for _, to := range m.Recipients {
		if to.State == mail.Delivering || to.State == mail.Judged {
			judged = append(judged, to)
		} else {
			raw = append(raw, to)
		}
	}
	if len(judged) > 0 {
		part := m.with(judged)
		ready := make([]*store.Recipient, 0, len(judged))
		for i := range part.Recipients {
			ready = append(ready, &part.Recipients[i])
		}
		r.send(part, ready)
	}
	if len(raw) > 0 {
		r.turn(m.with(raw), func() {})
	}
}

// with is m for some of its recipients.
func (m *message) with(rcpts []store.Recipient) *message {
	row := *m.Message
	row.Recipients = rcpts
	return &message{Message: &row, octets: m.octets, judgement: m.judgement}
}

func (r *Relay) gauge(ctx context.Context) {
	depth, err := r.Store.QueueDepth(ctx)
	if err != nil {
		return
	}
	for _, s := range []mail.State{mail.Accepted, mail.Judged, mail.Delivering} {
		r.Metric.Queue.WithLabelValues(string(s)).Set(float64(depth[s]))
	}
}
