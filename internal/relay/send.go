package relay

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
	"postern/internal/webhook"
)

// send puts recipients' copies into the queue, one job for each domain and
// decision, since both stand in what is sent.
func (r *Relay) send(m *message, ready []*store.Recipient) {
	if len(ready) == 0 {
		r.uncache(m)
		return
	}
	type group struct {
		domain  string
		verdict mail.Verdict
		score   int
	}
	groups := map[group][]*store.Recipient{}
	for _, to := range ready {
		d := m.decision(to)
		g := group{to.Domain, d.Verdict, d.Score}
		groups[g] = append(groups[g], to)
	}
	var left atomic.Int32
	left.Store(int32(len(groups)))
	done := func() {
		if left.Add(-1) == 0 {
			r.uncache(m)
		}
	}
	for g, rcpts := range groups {
		r.pending.Add(1)
		run := func() deliver.Signal {
			defer r.pending.Add(-1)
			defer done()
			domain, _ := r.Directory.Domain(g.domain) // without MTAs if somebody removed it meanwhile
			return deliver.SignalOf(r.deliver(r.Life, m, rcpts, domain))
		}
		if !r.SendTurn.Submit(m.Tenant, g.domain, run) {
			r.pending.Add(-1)
			r.giveBack(m.only(rcpts))
			done()
		}
	}
}

// deliver sends m to rcpts through the MTAs of domain and writes down what became
// of each.
func (r *Relay) deliver(ctx context.Context, m *message, rcpts []*store.Recipient, domain mail.Domain) []deliver.Outcome {
	began := time.Now()
	ctx, span := r.span(ctx, m, "deliver")
	defer span.End()
	tenant, _ := r.Directory.Tenant(m.Tenant)
	env := m.envelope()
	job := deliver.Job{
		ID:         m.ID,
		Tenant:     m.Tenant,
		From:       env.From,
		SMTPUTF8:   env.SMTPUTF8,
		RequireTLS: env.RequireTLS,
		Body:       env.Body,
		Ret:        env.Ret,
		EnvID:      env.EnvID,
		MTAs:       domain.MTAs,
		Prepend:    r.stamp(m.ID, tenant, &env, m.MessageID, *m.decision(rcpts[0])),
		Size:       m.Size,
		Open:       func() (io.ReadCloser, error) { return r.open(ctx, m) },
	}
	released := false
	for _, to := range rcpts {
		released = released || !to.HeldAt.IsZero()
		job.Rcpts = append(job.Rcpts, mail.Rcpt{Addr: to.Addr, Notify: to.Notify, ORcpt: to.ORcpt})
	}
	if released {
		if open, size, err := r.openReleased(ctx, m); err == nil { // else Send finds the same error and says it
			job.Open, job.Size = open, size
		}
	}
	// The ledger learns of a delivery before the connection takes the next message;
	// it must learn of it even while we are stopping.
	settled := map[int]bool{}
	write := context.WithoutCancel(ctx)
	job.Sent = func(out []deliver.Outcome) {
		r.settleAll(write, m, rcpts, out, settled)
	}
	out := r.Sender.Send(ctx, job)
	r.settleAll(write, m, rcpts, out, settled)
	r.traceDelivery(span, m.decision(rcpts[0]).Verdict, out)
	r.Metric.DeliverTime.Observe(time.Since(began).Seconds())
	return out
}

// settleAll settles what is not settled yet and logs what the ledger refused.
func (r *Relay) settleAll(ctx context.Context, m *message, rcpts []*store.Recipient, out []deliver.Outcome, settled map[int]bool) {
	var todo []*store.Recipient
	var outcomes []deliver.Outcome
	for _, o := range out {
		for _, to := range rcpts {
			if to.Addr == o.Rcpt.Addr && to.ORcpt == o.Rcpt.ORcpt && !settled[to.N] {
				settled[to.N] = true
				todo, outcomes = append(todo, to), append(outcomes, o)
				break
			}
		}
	}
	if err := r.settle(ctx, m, todo, outcomes); err != nil {
		r.Log.Error("delivery could not be written down; it may be repeated", "mid", m.ID, "tenant", m.Tenant, "err", err)
	}
}

// settle writes down what became of each recipient.
func (r *Relay) settle(ctx context.Context, m *message, rcpts []*store.Recipient, out []deliver.Outcome) error {
	changes := make([]store.Change, 0, len(rcpts))
	for i, to := range rcpts {
		o := out[i]
		var c store.Change
		switch o.Kind {
		case deliver.Delivered:
			c = m.change(to, mail.Delivered, fmt.Sprintf("%s answered: %s", o.MTA, o.Reply))
		case deliver.Deferred:
			c = r.deferred(m, to, o)
		default:
			c = r.refused(m, to, o)
		}
		c.MTA, c.Reply = o.MTA, o.Reply
		changes = append(changes, c)
		r.Metric.Deliveries.WithLabelValues(m.Tenant, string(o.Kind)).Inc()
	}
	if err := r.advance(ctx, changes...); err != nil {
		return err
	}
	for i, c := range changes {
		if c.State != mail.Delivered {
			continue
		}
		if !rcpts[i].HeldAt.IsZero() {
			r.notify(webhook.Released, c)
		}
		r.notify(webhook.Delivered, c)
	}
	return nil
}

// deferred tries again later, until the message is too old: then it is held with
// an alarm, and nobody outside gets a bounce (product.md M15).
func (r *Relay) deferred(m *message, to *store.Recipient, o deliver.Outcome) store.Change {
	to.Attempts++
	if time.Since(m.Received) > r.Retry.lifetime() {
		if m.own() {
			return r.lost(m, to, fmt.Sprintf("The last answer was: %s", o.Reply))
		}
		why := fmt.Sprintf("It could not be delivered for %s; the last answer was: %s", r.Retry.lifetime().Round(time.Minute), o.Reply)
		r.Alarm("undelivered", m.Tenant, mail.Say("Mail for %s could not be delivered for too long and is held. Last answer: %s", to.Domain, o.Reply))
		return r.heldInstead(m, to, why)
	}
	c := m.change(to, mail.Delivering, fmt.Sprintf("not delivered yet, to be tried again: %s", o.Reply))
	c.NextAt = time.Now().Add(deliver.Backoff(to.Attempts, r.Retry.First))
	return c
}

// refused holds what the MTA will never take, with its own words.
func (r *Relay) refused(m *message, to *store.Recipient, o deliver.Outcome) store.Change {
	if m.own() {
		return r.lost(m, to, fmt.Sprintf("The MTA refused it: %s", o.Reply))
	}
	r.Alarm("mta-refused", m.Tenant, mail.Say("The MTA of %s refused mail for good; it is held. Its answer: %s", to.Domain, o.Reply))
	return r.heldInstead(m, to, fmt.Sprintf("The MTA refused it for good: %s", o.Reply))
}

// heldInstead holds a copy that was to be delivered; the verdict stays.
func (r *Relay) heldInstead(m *message, to *store.Recipient, why string) store.Change {
	d := m.decision(to)
	d.Action, d.Reasons = mail.Hold, append([]string{why}, d.Reasons...)
	return r.held(m, to, d.Verdict, why)
}

// decision is what was decided for a recipient, now or before a restart. Each
// recipient's stands alone, so that their deliveries need no lock.
func (m *message) decision(to *store.Recipient) *mail.Decision {
	d, ok := m.decisions[to.N]
	if !ok {
		d = &mail.Decision{Verdict: to.Verdict, Action: to.Action, Score: to.Score, Reasons: to.Reasons}
		if m.decisions == nil {
			m.decisions = map[int]*mail.Decision{}
		}
		m.decisions[to.N] = d
	}
	return d
}
