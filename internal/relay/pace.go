package relay

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	aheadOfJudge = 256         // messages of one tenant between accepted and judged before its clients are slowed down
	slowDown     = time.Second // at most, for one message
)

// pace slows down clients that send a tenant's mail faster than it can be judged.
// Their own queue is the better place for a burst: a message that has to wait in
// our ledger costs two more writes and a read. It never refuses anything.
type pace struct {
	mu   sync.Mutex
	room map[string]*semaphore.Weighted // by tenant
}

// wait returns when tenant has room, after slowDown, or when ctx is done. done, which
// must be called once, makes the room free again.
func (p *pace) wait(ctx context.Context, tenant string) (done func()) {
	room := p.of(tenant)
	if !room.TryAcquire(1) {
		ctx, cancel := context.WithTimeout(ctx, slowDown)
		defer cancel()
		if room.Acquire(ctx, 1) != nil {
			return func() {}
		}
	}
	return func() { room.Release(1) }
}

func (p *pace) of(tenant string) *semaphore.Weighted {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.room == nil {
		p.room = make(map[string]*semaphore.Weighted)
	}
	room := p.room[tenant]
	if room == nil {
		room = semaphore.NewWeighted(aheadOfJudge)
		p.room[tenant] = room
	}
	return room
}
