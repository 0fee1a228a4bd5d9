package relay

import (
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/mail"
)

// Guard refuses mail early and for a while, before something runs out.
type Guard struct {
	PerTenant int                                  // messages of one tenant being accepted at a time; 0: 500
	Free      func() (free, total uint64, _ error) // octets of the disk that mail is stored on
	Failed    func() error                         // of the store: after a failed sync nothing is taken any more

	full    atomic.Bool
	checked atomic.Int64 // Unix ms

	mu     sync.Mutex
	within map[string]int
	pace   pace
}

var (
	errDiskFull = &mail.Reply{Code: 452, Enhanced: "4.3.1", Text: "Insufficient system storage, try again later"}
	errStorage  = &mail.Reply{Code: 451, Enhanced: "4.3.0", Text: "Storage is not available, try again later"}
	errBusy     = &mail.Reply{Code: 452, Enhanced: "4.3.2", Text: "Too many messages at a time, try again later"}
)

// Reserve is how much of a disk of this size stays free: a tenth, at most 2 GiB,
// so that the ledger, the audit log and the queue can go on.
func Reserve(total uint64) uint64 { return min(total/10, 2<<30) }

// Room says whether there is room for another message; the error is a *mail.Reply.
// The disk is looked at once a second at most.
func (g *Guard) Room() error {
	if g.Failed != nil && g.Failed() != nil {
		return errStorage
	}
	if g.Free == nil {
		return nil
	}
	now := time.Now().UnixMilli()
	if last := g.checked.Load(); now-last >= 1000 && g.checked.CompareAndSwap(last, now) {
		free, total, err := g.Free()
		g.full.Store(err == nil && free < Reserve(total))
	}
	if g.full.Load() {
		return errDiskFull
	}
	return nil
}

// Enter counts a message of tenant in; leave counts it out.
func (g *Guard) Enter(tenant string) (leave func(), err error) {
	limit := g.PerTenant
	if limit == 0 {
		limit = 500
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.within == nil {
		g.within = map[string]int{}
	}
	if g.within[tenant] >= limit {
		return nil, errBusy
	}
	g.within[tenant]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.within[tenant]--; g.within[tenant] == 0 {
			delete(g.within, tenant)
		}
	}, nil
}
