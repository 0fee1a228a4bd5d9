package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/judge"
	"postern/internal/relay/policy"
	"postern/internal/store"
	"postern/internal/webhook"
)

// maxJudgings is how often judging is tried before the message is held.
const maxJudgings = 3

// judge learns what can be known of m.
func (r *Relay) judge(ctx context.Context, m *message) (*mail.Judgement, error) {
	if r.Judges == nil {
		return &mail.Judgement{MessageID: m.MessageID, Subject: m.Subject, From: m.From,
			Findings: []mail.Finding{{Rule: "judge.off", Detail: "Judging is switched off in the configuration (judge.enabled)."}}}, nil
	}
	found, err := r.Judges.Judge(ctx, judge.Job{
		ID:       m.ID,
		Envelope: m.envelope(),
		Via:      m.Envelope.Via,
		Size:     m.Size,
		Open:     func() (io.ReadCloser, error) { return r.open(ctx, m) },
		Tenant:   r.Directory.About(m.Tenant),
	})
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", m.ID, err)
	}
	return found, nil
}

// unjudged deals with a message that could not be judged: tried again twice, then
// what the tenant chose, which is to hold it unless it chose otherwise.
func (r *Relay) unjudged(ctx context.Context, m *message, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err() // we are stopping: the ledger still has it as accepted
	}
	r.Log.Warn("message could not be judged", "mid", m.ID, "tenant", m.Tenant, "err", cause)
	var changes []store.Change
	var ready []*store.Recipient
	for i := range m.Recipients {
		to := &m.Recipients[i]
		if to.Attempts+1 < maxJudgings && !errors.Is(cause, judge.ErrPoison) {
			to.Attempts++
			changes = append(changes, r.again(m, to, fmt.Sprintf("judging did not work and is repeated: %v", cause)))
			continue
		}
		rules := r.Directory.Rules(m.Tenant)
		d := unjudgedDecision(policy.ActionFor(rules, to.Addr, mail.Unjudged), cause)
		let(rules, policy.Input{Forced: forced(to)}, &d, time.Now())
		if why := forced(to); why != "" {
			d.Action, d.Reasons = mail.Hold, append([]string{why}, d.Reasons...)
		}
		r.decide(m, to, d)
		switch d.Action {
		case mail.Deliver:
			ready = append(ready, to)
		case mail.Defer:
			changes = append(changes, r.again(m, to, d.Reasons[0]))
		default:
			changes = append(changes, r.ended(m, to, d))
		}
	}
	r.Alarm("unjudged", m.Tenant, mail.Say("Messages cannot be judged: %s.", cause))
	if err := r.advance(ctx, changes...); err != nil {
		return fmt.Errorf("hold unjudged %s: %w", m.ID, err)
	}
	r.send(m, ready)
	return nil
}

func unjudgedDecision(action mail.Action, cause error) mail.Decision {
	d := mail.Decision{Verdict: mail.Unjudged, Action: action}
	why := "The message could not be judged, so nobody knows what is in it (%v)."
	if errors.Is(cause, judge.ErrPoison) {
		why = "The message broke the judging process twice, which only damaged or hostile mail does (%v)."
	}
	d.Reasons = []string{fmt.Sprintf(why, cause)}
	return d
}

// decide notes the decision on the row in memory; it is written with the change
// that follows from it.
func (r *Relay) decide(m *message, to *store.Recipient, d mail.Decision) {
	if m.decisions == nil {
		m.decisions = map[int]*mail.Decision{}
	}
	m.decisions[to.N] = &d
	to.Events = append(to.Events[:0:0], store.Event{At: time.Now().UTC(), State: mail.Judged, Text: firstReason(d)})
	r.Metric.Verdicts.WithLabelValues(m.Tenant, string(d.Verdict), string(d.Action)).Inc()
}

func firstReason(d mail.Decision) string {
	if len(d.Reasons) == 0 {
		return string(d.Verdict)
	}
	return string(d.Verdict) + ": " + d.Reasons[0]
}

// change is the next change of a row: what was decided in memory and not written
// yet goes with it.
func (m *message) change(to *store.Recipient, state mail.State, text string) store.Change {
	c := store.Change{
		Message:   m.ID,
		Tenant:    m.Tenant,
		N:         to.N,
		State:     state,
		Judgement: m.judgement,
		Attempts:  to.Attempts,
		Fence:     to.Fence,
		Events:    append(to.Events, store.Event{At: time.Now().UTC(), State: state, Text: text}),
	}
	if d, ok := m.decisions[to.N]; ok {
		c.Decision, c.Trial = d, m.trials[to.N]
	}
	to.Events = nil
	return c
}

// fresh makes Events of rows that come from the ledger hold only what is new.
func (m *message) fresh() {
	for i := range m.Recipients {
		m.Recipients[i].Events = nil
	}
}

// again is the change of a recipient whose judging is to be repeated.
func (r *Relay) again(m *message, to *store.Recipient, why string) store.Change {
	delete(m.decisions, to.N)
	c := m.change(to, mail.Accepted, why)
	c.NextAt = time.Now().Add(r.Retry.judging())
	return c
}

// ended is the change of a recipient whose copy is held or dropped.
func (r *Relay) ended(m *message, to *store.Recipient, d mail.Decision) store.Change {
	if d.Action == mail.Drop {
		return m.change(to, mail.Dropped, fmt.Sprintf("dropped by a rule: %s", firstReason(d)))
	}
	return r.held(m, to, d.Verdict, firstReason(d))
}

// advance writes changes and lets go of octets that nobody needs any more.
func (r *Relay) advance(ctx context.Context, changes ...store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	finished, err := r.Store.Advance(ctx, changes...)
	if err != nil {
		return err
	}
	for _, id := range finished {
		r.discard(ctx, id)
	}
	for _, c := range changes {
		if c.State == mail.Held {
			r.notify(webhook.Held, c)
		}
	}
	return nil
}

// notify tells the webhooks of a change that is in the ledger.
func (r *Relay) notify(event string, c store.Change) {
	if r.Notify == nil {
		return
	}
	e := webhook.Event{Event: event, Tenant: c.Tenant, Message: c.Message, Rcpt: &c.N}
	if c.Decision != nil {
		e.Verdict, e.Score = c.Decision.Verdict, c.Decision.Score
	}
	r.Notify(e)
}

// discard removes large content. What stays behind after an error is found by the
// spool's sweeper.
func (r *Relay) discard(ctx context.Context, id mail.ID) {
	if err := r.Spool.Delete(ctx, id); err != nil {
		r.Log.Warn("content stays in the spool until the next sweep", "mid", id, "err", err)
	}
}

// Alarm tells the people who run Postern. It never stops the mail.
func (r *Relay) Alarm(kind, tenant string, what mail.Sentence) {
	text := what.String()
	r.Metric.Alarms.WithLabelValues(kind).Inc()
	if err := r.Store.Raise(context.Background(), kind, tenant, what); err != nil {
		r.Log.Error("alarm could not be stored", "kind", kind, "tenant", tenant, "err", err)
	}
	r.Log.Warn("alarm", "kind", kind, "tenant", tenant, "text", text)
	if r.Notify != nil {
		r.Notify(webhook.Event{Event: webhook.Alarm, Tenant: tenant, Kind: kind, Text: text})
	}
}

// envelope is the message's envelope with its recipients.
func (m *message) envelope() mail.Envelope {
	env := m.Envelope
	env.To = make([]mail.Rcpt, len(m.Recipients))
	for i, to := range m.Recipients {
		env.To[i] = mail.Rcpt{Addr: to.Addr, Notify: to.Notify, ORcpt: to.ORcpt}
	}
	return env
}
