package store

import (
	"errors"
	"testing"
	"time"
)

func TestNothingExpiresAfterTheClockJumped(t *testing.T) {
	real := time.Now() // has a monotonic part, which Add moves too
	for _, tt := range []struct {
		name string
		runs []time.Duration // between this run and the one before
		jump []time.Duration // of the wall clock in that time
		want []bool
	}{
		{"steady", []time.Duration{0, time.Hour, time.Hour}, []time.Duration{0, 0, 0}, []bool{true, true, true}},
		{"small corrections", []time.Duration{0, time.Hour, time.Hour}, []time.Duration{0, 50 * time.Minute, 50 * time.Minute}, []bool{true, true, true}},
		{"ahead, then steady for a day", []time.Duration{0, time.Hour, 10 * time.Hour, 15 * time.Hour, time.Hour}, []time.Duration{0, 30 * 24 * time.Hour, 0, 0, 0}, []bool{true, false, false, true, true}},
		{"ahead and back", []time.Duration{0, time.Hour, time.Hour, time.Hour}, []time.Duration{0, 48 * time.Hour, 0, -48 * time.Hour}, []bool{true, false, false, true}},
		{"back", []time.Duration{0, time.Hour, time.Hour}, []time.Duration{0, -48 * time.Hour, 0}, []bool{true, false, false}},
		{"ahead twice", []time.Duration{0, time.Hour, 23 * time.Hour, 2 * time.Hour}, []time.Duration{0, 48 * time.Hour, 48 * time.Hour, 0}, []bool{true, false, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c clock
			now := real
			for i, d := range tt.runs {
				now = now.Add(d)
				err := c.check(now, now.Round(0).Add(sum(tt.jump[:i+1])))
				if ok := err == nil; ok != tt.want[i] || !ok && !errors.Is(err, ErrClockJump) {
					t.Errorf("run %d: %v", i, err)
				}
			}
		})
	}
}

func sum(all []time.Duration) (s time.Duration) {
	for _, d := range all {
		s += d
	}
	return s
}
