package admin

import (
	"context"
	"time"
)

// lookTime is the longest a look at Exchange may take: a test message has 15 minutes.
const lookTime = 20 * time.Minute

// look is one look at a tenant's Exchange that somebody asked for.
type look struct {
	began time.Time
	done  bool
	err   error
}

// BeginLook starts a look at a tenant's Exchange in the background. It reports
// false while another one at the same tenant is on, whoever asked for it.
func (rs *Runs) BeginLook(tenant string, work func(context.Context) error) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if old := rs.looks[tenant]; old != nil && !old.done {
		return false
	}
	if rs.looks == nil {
		rs.looks = map[string]*look{}
	}
	now := &look{began: time.Now().UTC()}
	rs.looks[tenant] = now
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), lookTime)
		defer cancel()
		err := work(ctx)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		now.done, now.err = true, err
	}()
	return true
}

// Looking tells since when a look is on, zero if none is, and else why the last
// one failed.
func (rs *Runs) Looking(tenant string) (since time.Time, failed error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	switch now := rs.looks[tenant]; {
	case now == nil:
		return time.Time{}, nil
	case !now.done:
		return now.began, nil
	default:
		return time.Time{}, now.err
	}
}
