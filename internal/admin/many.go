package admin

import (
	"context"
	"time"
)

// ManyReleases is how many copies somebody releases within a quarter of an hour
// before it counts as many (safety.md R45): small bites are no way round.
const (
	ManyReleases  = 50
	releaseWindow = 15 * time.Minute
)

// Releasing counts n releases of somebody, a session's or a token's id, unless they
// would be more than ManyReleases with those of the last quarter of an hour; then few
// is false and nothing is counted.
func (a *Admin) Releasing(ctx context.Context, who string, n int) (few bool, err error) {
	now := a.now()
	return a.Store.Allow(ctx, now, now.Add(-releaseWindow), map[string]int{"releases of " + who: ManyReleases}, n)
}
