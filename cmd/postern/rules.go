package main

import (
	"context"
	"time"

	"postern/internal/admin"
)

// rulesEvery is how often changes of rules and bypasses are looked at; an alarm is
// due within two minutes (safety.md R47).
const rulesEvery = 20 * time.Second

// watchRules takes back changes that hold far too much, and notes the end of
// bypasses and of observing.
func (s *server) watchRules(ctx context.Context) {
	a := s.o.admin()
	a.Actor = "system"
	breaker := &admin.Breaker{Admin: a}
	tick := time.NewTicker(rulesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		tripped, err := breaker.Round(ctx)
		for _, t := range tripped {
			s.relay.Alarm("policy-breaker", t.Tenant, t.Text)
		}
		if err == nil {
			err = a.EndedBypasses(ctx)
		}
		if err == nil {
			err = a.EndedObserves(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("changes of rules could not be watched", "err", err)
		}
	}
}
