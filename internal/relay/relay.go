package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay/admit"
	"postern/internal/relay/deliver"
	"postern/internal/relay/judge"
	"postern/internal/relay/policy"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/internal/webhook"
)

// Relay joins the stages. All fields but those marked are required.
type Relay struct {
	Hostname  string // in our Received field
	Gate      *admit.Gate
	Directory *Directory
	Store     *store.Store
	Spool     *spool.Spool
	Judges    Judges         // nil: judging is switched off, everything is delivered as unjudged
	JudgeTurn *deliver.Queue // whose turn it is to be judged
	Sender    *deliver.Sender
	SendTurn  *deliver.Queue // whose turn it is to be sent
	Guard     *Guard
	Allowance *Allowance // limits of tenants; nil: there are none
	Retry     Retry
	Life      context.Context // ends when the process is to stop
	Log       *slog.Logger
	Metric    *metric.Set
	Notify    func(webhook.Event) // told of alarms, held and delivered copies; must not wait; nil: nobody is told
	Tracer    trace.Tracer        // nil: no traces

	cached  atomic.Int64 // octets of accepted messages in memory
	pending atomic.Int64 // messages in memory between accepted and sent
	touched sync.Map     // key id to the minute in which its use was written down
}

// Judges is the judge's side of judge.Pool.
type Judges interface {
	Judge(ctx context.Context, job judge.Job) (*mail.Judgement, error)
}

// Retry says how long and how often the relay tries.
type Retry struct {
	First     time.Duration // pause after the first failed delivery, default 5 minutes
	Lifetime  time.Duration // after which an undelivered message is held with an alarm, default 5 days (RFC 5321 §4.5.4.1)
	Judging   time.Duration // pause after a failed judging, default 30 s
	Retention time.Duration // how long a held message is kept, default 30 days
}

const (
	defaultLifetime  = 5 * 24 * time.Hour
	defaultJudging   = 30 * time.Second
	defaultRetention = 30 * 24 * time.Hour
)

func (t Retry) lifetime() time.Duration  { return cmp.Or(t.Lifetime, defaultLifetime) }
func (t Retry) judging() time.Duration   { return cmp.Or(t.Judging, defaultJudging) }
func (t Retry) retention() time.Duration { return cmp.Or(t.Retention, defaultRetention) }

// Accept takes responsibility for one message. After a nil error it is ours:
// octets and one ledger row per recipient are on disk and survive a power cut
// (RFC 5321 §4.2.5, §6.1), and id is its name. A *mail.Reply refuses it for the
// reason it carries; after any other error the client still owns it and is told
// 451 4.3.0.
func (r *Relay) Accept(ctx context.Context, env *mail.Envelope, body io.Reader) (id mail.ID, err error) {
	began := time.Now()
	if err := r.Guard.Room(); err != nil {
		return "", err
	}
	res, err := r.Gate.Message(env, body)
	if err != nil {
		return "", err
	}
	for _, a := range res.Admissions {
		if err := r.Allowance.Take(ctx, a.Tenant, len(env.To)); err != nil {
			return "", err
		}
	}
	leave, err := r.Guard.Enter(res.Admissions[0].Tenant.ID)
	if err != nil {
		return "", err
	}
	defer leave()
	batch, err := r.take(ctx, env, res)
	if err != nil {
		return "", fmt.Errorf("take message for %s: %w", res.Admissions[0].Tenant.ID, err)
	}
	if again, err := r.Store.Seen(ctx, batch[0].Tenant, batch[0].Digest, resendWindow); err != nil || again != "" {
		r.forget(batch)
		return again, err
	}
	for i, m := range batch {
		if err := r.Store.Accept(ctx, m.Message); err != nil {
			r.forget(batch[i:])
			return "", fmt.Errorf("commit message for %s: %w", m.Tenant, err)
		}
		r.traceAccept(ctx, m, began)
		r.touch(res.Admissions[i])
		r.begin(m)
	}
	return batch[0].ID, nil
}

// Process judges an accepted message and acts on the verdict, recipient by
// recipient. It may run again after a crash: each step is repeatable.
func (r *Relay) Process(ctx context.Context, m *message) error {
	if m.own() {
		r.pass(m)
		return nil
	}
	ctx, span := r.span(ctx, m, "judge")
	defer span.End()
	found, err := r.judge(ctx, m)
	if err != nil {
		return r.unjudged(ctx, m, err)
	}
	m.judgement = found
	rules := r.Directory.Rules(m.Tenant)
	var held []store.Change
	var ready []*store.Recipient
	for i := range m.Recipients {
		to := &m.Recipients[i]
		in := policy.Input{
			Findings:     found.Findings,
			Auth:         found.Auth,
			EnvelopeFrom: found.Auth.Origin.MailFrom,
			HeaderFrom:   found.From,
			Rcpt:         to.Addr,
			Forced:       forced(to),
		}
		d := policy.Decide(rules, in)
		let(rules, in, &d, time.Now())
		m.try(to, rules, in)
		r.decide(m, to, d)
		r.traceDecision(span, to, d)
		switch d.Action {
		case mail.Deliver:
			ready = append(ready, to)
		case mail.Defer:
			held = append(held, r.again(m, to, "judging is to be repeated"))
		default:
			held = append(held, r.ended(m, to, d))
		}
	}
	if err := r.advance(ctx, held...); err != nil {
		return fmt.Errorf("hold %s: %w", m.ID, err)
	}
	r.send(m, ready)
	return nil
}

// Release sends one recipient's held copy on, once however often it is asked for:
// the ledger lets only one caller from held to delivering. Before that the message
// is judged again. The outcome carries the MTA's own reply. When the MTA cannot
// take it now, the queue goes on trying. The error is store.ErrNotHeld when there
// is nothing to release, ErrMalware, ErrPhish or ErrUnjudged when it must not leave.
func (r *Relay) Release(ctx context.Context, o Order) (deliver.Outcome, error) {
	m, err := r.load(ctx, o.Tenant, o.ID) // of this tenant, or of nobody
	if err != nil {
		return deliver.Outcome{}, err
	}
	to := m.recipient(o.N)
	if to == nil {
		return deliver.Outcome{}, fmt.Errorf("release %s/%d: %w", o.ID, o.N, store.ErrNotFound)
	}
	if err := r.rescan(ctx, m, to, o); err != nil {
		return deliver.Outcome{}, fmt.Errorf("release %s/%d: %w", o.ID, o.N, err)
	}
	if err := r.unhold(ctx, o); err != nil {
		return deliver.Outcome{}, fmt.Errorf("release %s/%d: %w", o.ID, o.N, err)
	}
	to.Fence, to.Attempts = 0, 0 // the lease is this process's
	domain, ok := r.Directory.Domain(to.Domain)
	if !ok || len(domain.MTAs) == 0 {
		out := deliver.Outcome{Kind: deliver.Deferred, Reply: "the recipient's domain has no MTA: enter one, then the message is sent"}
		return out, r.settle(ctx, m, []*store.Recipient{to}, []deliver.Outcome{out})
	}
	out := r.deliver(ctx, m, []*store.Recipient{to}, domain)
	if len(out) == 0 {
		return deliver.Outcome{}, errors.New("delivery gave no outcome")
	}
	r.Metric.Released.WithLabelValues(o.Tenant).Inc()
	return out[0], nil
}
