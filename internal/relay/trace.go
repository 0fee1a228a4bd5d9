package relay

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// One message is one trace: "accept", the root, then "judge" and "deliver", each
// as often as it was done. The trace's id is the message's id, whose 128 bits are
// as many, so that what a restart or another node does later still belongs to it,
// and nothing has to be stored. No attribute holds an address, a subject or words
// of anybody outside.

// span begins a part of m's way. Without a Tracer it costs nothing.
func (r *Relay) span(ctx context.Context, m *message, name string) (context.Context, trace.Span) {
	if r.Tracer == nil {
		return ctx, trace.SpanFromContext(context.Background()) // the one that does nothing
	}
	return r.Tracer.Start(trace.ContextWithRemoteSpanContext(ctx, rootOf(m.ID)), name, trace.WithAttributes(attributes(m)...))
}

func attributes(m *message) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("postern.id", string(m.ID)),
		attribute.String("postern.tenant", m.Tenant),
		attribute.Int64("postern.size", m.Size),
		attribute.Int("postern.recipients", len(m.Recipients)),
	}
}

// traceAccept is the root, told when it is over: before that the message had no id.
func (r *Relay) traceAccept(ctx context.Context, m *message, began time.Time) {
	if r.Tracer == nil {
		return
	}
	ctx = context.WithValue(ctx, rootKey{}, rootOf(m.ID))
	_, span := r.Tracer.Start(ctx, "accept", trace.WithNewRoot(), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes(m)...))
	span.End()
}

func (r *Relay) traceDecision(span trace.Span, to *store.Recipient, d mail.Decision) {
	if r.Tracer == nil {
		return
	}
	span.AddEvent("decided", trace.WithAttributes(
		attribute.Int("postern.recipient", to.N),
		attribute.String("postern.verdict", string(d.Verdict)),
		attribute.String("postern.action", string(d.Action)),
		attribute.Int("postern.score", d.Score)))
}

func (r *Relay) traceDelivery(span trace.Span, verdict mail.Verdict, out []deliver.Outcome) {
	if r.Tracer == nil {
		return
	}
	span.SetAttributes(attribute.String("postern.verdict", string(verdict)))
	for _, o := range out {
		span.AddEvent(string(o.Kind))
		if o.Kind != deliver.Delivered {
			span.SetStatus(codes.Error, string(o.Kind))
		}
	}
}

// rootKey carries a root span's ids to TraceIDs.
type rootKey struct{}

// rootOf is the root span of a message's trace.
func rootOf(id mail.ID) trace.SpanContext {
	u, err := ulid.ParseStrict(string(id))
	if err != nil {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(u), SpanID: trace.SpanID(u[8:]), TraceFlags: trace.FlagsSampled, Remote: true})
}

// TraceIDs gives spans their ids: a message's root the message's own, others random
// ones. It is the tracer's go.opentelemetry.io/otel/sdk/trace.IDGenerator.
type TraceIDs struct{}

// NewIDs is for a root span.
func (t TraceIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if root, ok := ctx.Value(rootKey{}).(trace.SpanContext); ok && root.IsValid() {
		return root.TraceID(), root.SpanID()
	}
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()|1) // never zero
	return id, t.NewSpanID(ctx, id)
}

// NewSpanID is for a child.
func (TraceIDs) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
