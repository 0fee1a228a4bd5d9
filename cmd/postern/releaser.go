package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"postern/internal/metric"
	"postern/internal/relay"
	"postern/internal/relay/judge"
)

// releaser is a relay for releases from here, with webhooks told and, unless judging
// is off, a judge for a last look. done ends it.
func (c *console) releaser(o *opened) (r *relay.Relay, done func(), err error) {
	hooks, err := newHooks(o)
	if err != nil {
		return nil, nil, err
	}
	with := relayOptions{notify: hooks.Emit}
	var pool *judge.Pool
	if *o.conf.Judge.Enabled {
		if pool, err = newPool(o, o.log, metric.New(prometheus.NewRegistry())); err != nil {
			return nil, nil, err
		}
		with.judges = pool
	}
	done = func() {
		if r != nil {
			r.Sender.Close()
		}
		if pool != nil {
			pool.Close()
		}
		closeHooks(c, hooks)
	}
	if r, err = newRelay(c.ctx, o, with); err != nil {
		done()
		return nil, nil, err
	}
	return r, done, nil
}
