// Package lineartest measures that the time a parser takes grows with its input
// and no faster (safety R16, P11). It is for tests only.
package lineartest

import (
	"math"
	"syscall"
	"testing"
	"time"
)

const (
	most   = 2.3 // times as long for twice the input
	runs   = 5
	tries  = 10
	moment = 300 * time.Microsecond // less than this says nothing
)

// Check takes the processor time of what prepare returns for inputs of size n and
// of 2n, and wants the second to be no more than 2.3 times the first. The best of
// several runs counts, and the pair is tried again a little later if it is over:
// what a busy neighbour, a cache that ends or fresh memory adds comes and goes, what
// is quadratic takes four times as long every time.
func Check(t *testing.T, n int, prepare func(n int) func()) (twice time.Duration) {
	t.Helper()
	one, two := prepare(n), prepare(2*n)
	var once time.Duration
	for try := range tries {
		time.Sleep(time.Duration(try) * 50 * time.Millisecond)
		once, twice = fastest(one), fastest(two)
		if twice < moment || float64(twice) <= most*float64(once) {
			return twice
		}
	}
	t.Errorf("twice the input takes %.2f times as long: %v for %d, %v for %d", float64(twice)/float64(once), once, n, twice, 2*n)
	return twice
}

// fastest is the best of a few runs.
func fastest(run func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for range runs {
		start := Processor()
		run()
		best = min(best, Processor()-start)
	}
	return best
}

// Processor is the processor time that this process has used.
func Processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no way to fail but a wrong address
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
