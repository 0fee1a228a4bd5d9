package relay

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestATenantAheadOfTheJudgeIsSlowedDownAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		took := func(tenant string) (time.Duration, func()) {
			began := time.Now()
			done := p.wait(t.Context(), tenant)
			return time.Since(began), done
		}
		var done func()
		for range aheadOfJudge {
			var waited time.Duration
			if waited, done = took("busy"); waited != 0 {
				t.Fatalf("waited %v while there was room", waited)
			}
		}
		if waited, leave := took("busy"); waited != slowDown {
			t.Errorf("without room: waited %v, want %v", waited, slowDown)
		} else {
			leave() // had no room, so it frees none
		}
		if waited, _ := took("quiet"); waited != 0 {
			t.Errorf("another tenant waited %v", waited)
		}
		time.AfterFunc(slowDown/10, done)
		if waited, _ := took("busy"); waited != slowDown/10 {
			t.Errorf("waited %v for a message that was judged after %v", waited, slowDown/10)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if began := time.Now(); p.wait(ctx, "busy") == nil || time.Since(began) != 0 {
			t.Error("waited although we are stopping")
		}
	})
}
