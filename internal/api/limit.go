package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How much is answered. A token that asks faster is put off; an address that
// brings wrong tokens only is told so less often, while right ones always pass.
const (
	perSecond   = 20 // calls of one token, in the long run
	burst       = 100
	wrongEvery  = 2 * time.Second // wrong tokens of one address, in the long run
	wrongBurst  = 30
	noteEvery   = time.Minute // entries in the audit log about refusals of one token
	mostLimited = 10_000      // remembered at a time
)

// limits remember who asked how often.
type limits struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

// allow counts one thing that key does and reports whether it may.
func (l *limits) allow(key string, per rate.Limit, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]*rate.Limiter{}
	}
	one := l.all[key]
	if one == nil {
		if len(l.all) >= mostLimited {
			l.forget()
		}
		one = rate.NewLimiter(per, most)
		l.all[key] = one
	}
	return one.Allow()
}

// forget drops those who may do all again, which is the same as not knowing them;
// if everybody is at it, it begins anew.
func (l *limits) forget() {
	for key, one := range l.all {
		if one.Tokens() >= float64(one.Burst()) {
			delete(l.all, key)
		}
	}
	if len(l.all) >= mostLimited {
		clear(l.all)
	}
}
