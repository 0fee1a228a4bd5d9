// Package metric names every figure Postern exposes to Prometheus. Stages count
// through the fields; nobody registers a figure of their own.
package metric

import "github.com/prometheus/client_golang/prometheus"

// Set is all figures of one process. Label values come from short fixed lists or
// are tenant ids, never from mail.
type Set struct {
	Sessions    prometheus.Gauge       // SMTP sessions open now
	Connects    *prometheus.CounterVec // result: "served", "limit", "tls-failed"
	Replies     *prometheus.CounterVec // code: our answers to the end of a message, "250", "451" ...
	Accepted    *prometheus.CounterVec // tenant
	Octets      prometheus.Counter     // accepted
	AcceptTime  prometheus.Histogram   // seconds from the end of the content to our reply
	Verdicts    *prometheus.CounterVec // tenant, verdict, action
	JudgeTime   prometheus.Histogram   // seconds
	Workers     *prometheus.CounterVec // event: "started", "crashed", "timeout", "retired"
	Engines     *prometheus.CounterVec // engine, result: "ok", "error"
	Deliveries  *prometheus.CounterVec // tenant, result: "delivered", "deferred", "refused"
	DeliverTime prometheus.Histogram   // seconds of one delivery attempt
	Queue       *prometheus.GaugeVec   // state: recipients not yet terminal
	Held        *prometheus.CounterVec // tenant, verdict
	Released    *prometheus.CounterVec // tenant
	Alarms      *prometheus.CounterVec // kind
	Lookups     *prometheus.CounterVec // result: "hit", "ok", "error"
	CertExpiry  prometheus.Gauge       // seconds since 1970 at which the SMTP certificate ends
}

// New makes a Set and registers it with reg.
func New(reg prometheus.Registerer) *Set {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "postern", Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "postern", Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	seconds := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "postern", Name: name, Help: help,
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 120}})
		reg.MustRegister(h)
		return h
	}
	octets := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "postern", Name: "accepted_octets_total", Help: "Octets of accepted messages."})
	queue := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "postern", Name: "queue_recipients", Help: "Recipients not yet delivered or held, by state."}, []string{"state"})
	reg.MustRegister(octets, queue)
	return &Set{
		Sessions:    gauge("smtp_sessions", "SMTP sessions open now."),
		Connects:    counter("smtp_connects_total", "SMTP connections by result.", "result"),
		Replies:     counter("smtp_message_replies_total", "Answers to the end of a message, by code.", "code"),
		Accepted:    counter("accepted_total", "Messages accepted.", "tenant"),
		Octets:      octets,
		AcceptTime:  seconds("accept_seconds", "From the end of the content to our reply."),
		Verdicts:    counter("verdicts_total", "Verdicts by recipient.", "tenant", "verdict", "action"),
		JudgeTime:   seconds("judge_seconds", "Judging one message."),
		Workers:     counter("judge_workers_total", "Judge worker processes by event.", "event"),
		Engines:     counter("engine_calls_total", "Calls of outside engines.", "engine", "result"),
		Deliveries:  counter("deliveries_total", "Delivery attempts by recipient.", "tenant", "result"),
		DeliverTime: seconds("deliver_seconds", "One delivery attempt."),
		Queue:       queue,
		Held:        counter("held_total", "Recipients' copies held.", "tenant", "verdict"),
		Released:    counter("released_total", "Recipients' copies released.", "tenant"),
		Alarms:      counter("alarms_total", "Alarms raised.", "kind"),
		Lookups:     counter("dns_lookups_total", "DNS look-ups.", "result"),
		CertExpiry:  gauge("smtp_certificate_expiry_timestamp_seconds", "When the SMTP certificate ends."),
	}
}
