package deliver

import (
	"cmp"
	"time"
)

const (
	defaultFirst = 5 * time.Minute // until the second attempt
	mostBackoff  = 12              // times the first: an hour by default
)

// Backoff is how long to wait after attempt number n (1 is the first) failed:
// first (5 min by default), doubled each time up to twelve times that. RFC 5321
// §4.5.4.1 recommends 30 minutes; the hop here is the tenant's own and a delay is
// noticed.
func Backoff(attempt int, first time.Duration) time.Duration {
	first = cmp.Or(first, defaultFirst)
	return min(first<<min(max(attempt-1, 0), 8), mostBackoff*first)
}

// Spread changes d by up to a tenth either way, for a random r in [0, 1), so that
// what failed together is not tried together again.
func Spread(d time.Duration, r float64) time.Duration {
	return d + time.Duration((r-0.5)*0.2*float64(d))
}
