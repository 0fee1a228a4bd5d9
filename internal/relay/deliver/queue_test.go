package deliver

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/mail"
)

// dest is a destination with a mind of its own, in virtual time.
type dest struct {
	mu      sync.Mutex
	signal  Signal
	takes   time.Duration // one delivery
	limit   int           // deliveries at a time above which it says Busy; 0 for none
	running int
	most    int
	done    []time.Time
	failed  int
}

func (d *dest) deliver() Signal {
	d.mu.Lock()
	d.running++
	d.most = max(d.most, d.running)
	signal, takes := d.signal, d.takes
	if signal == Fine && d.limit > 0 && d.running > d.limit {
		signal = Busy
	}
	d.mu.Unlock()
	time.Sleep(takes)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	if signal == Fine {
		d.done = append(d.done, time.Now())
	} else {
		d.failed++
	}
	return signal
}

func (d *dest) set(s Signal) { d.mu.Lock(); d.signal = s; d.mu.Unlock() }

func (d *dest) now() int { d.mu.Lock(); defer d.mu.Unlock(); return d.running }

func (d *dest) peak() int { d.mu.Lock(); defer d.mu.Unlock(); return d.most }

func (d *dest) count() (done, failed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done), d.failed
}

func TestADestinationIsSentMoreWhileAllGoesWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		d := &dest{takes: time.Second}
		for range 1000 {
			q.Submit("acme", "acme.test", d.deliver)
		}
		if synctest.Wait(); d.now() != 1 {
			t.Errorf("%d at once before anything is known, want 1", d.now())
		}
		time.Sleep(1500 * time.Millisecond)
		if d.now() != 4 {
			t.Errorf("%d at once after the first, want 4", d.now())
		}
		time.Sleep(60 * time.Second)
		if d.peak() != 20 {
			t.Errorf("%d at once at most, want 20", d.peak())
		}
		if done, _ := d.count(); done < 850 {
			t.Errorf("%d done in a minute", done)
		}
		q.Close(t.Context())
	})
}

func TestABusyDestinationIsSentLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		d := &dest{takes: time.Second, limit: 6}
		stop := time.Now().Add(10 * time.Minute)
		var feed func()
		feed = func() {
			if time.Now().Before(stop) {
				q.Submit("acme", "acme.test", func() Signal { defer feed(); return d.deliver() })
			}
		}
		for range 40 {
			feed()
		}
		time.Sleep(10*time.Minute + time.Minute)
		done, failed := d.count()
		if done < 2000 || failed > done/4 || d.peak() > 9 {
			t.Errorf("%d delivered, %d told to wait, at most %d at once of the 6 it takes", done, failed, d.peak())
		}
		q.Close(t.Context())
	})
}

func TestADeadDestinationIsProbedAndFlowsWithinASecondOfItsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan string, 1)
		q := Queue{Up: func(d string) { back <- d }}
		d := &dest{takes: 10 * time.Millisecond, signal: Down}
		for range 1000 {
			q.Submit("acme", "acme.test", d.deliver)
		}
		time.Sleep(60 * time.Second)
		if done, failed := d.count(); done != 0 || failed < 100 || failed > 130 {
			t.Errorf("in a minute %d done, %d tried; want about two probes a second", done, failed)
		}
		if load := q.Loads()["acme.test"]; load.DownAt.IsZero() || load.Waiting < 800 {
			t.Errorf("%+v", load)
		}
		d.set(Fine)
		returned := time.Now()
		if name := <-back; name != "acme.test" || time.Since(returned) > time.Second {
			t.Errorf("%s seen to be back after %v", name, time.Since(returned))
		}
		time.Sleep(5 * time.Second)
		if done, _ := d.count(); done < 800 || d.peak() > 20 {
			t.Errorf("%d done in five seconds, %d at once", done, d.peak())
		}
		q.Close(t.Context())
	})
}

func TestASilentDestinationHoldsFewWorkersAndIsSeenToReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		d := &dest{takes: 10 * time.Second, signal: Down} // each attempt waits for the connection
		for range 1000 {
			q.Submit("acme", "acme.test", d.deliver)
		}
		time.Sleep(time.Minute)
		d.mu.Lock()
		if d.most > startParallel {
			t.Errorf("%d workers wait for it", d.most)
		}
		d.takes, d.signal = 10*time.Millisecond, Fine
		d.mu.Unlock()
		time.Sleep(4 * time.Second)
		if done, _ := d.count(); done < 500 {
			t.Errorf("%d done four seconds after its return", done)
		}
		q.Close(t.Context())
	})
}

func TestNobodyWaitsForAnotherTenantsDeadOrSlowMTA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{Workers: 40}
		for i := range 20 { // twenty tenants with silent MTAs, and one very slow one with many domains
			d := &dest{takes: 10 * time.Second, signal: Down}
			for range 200 {
				q.Submit(fmt.Sprint("dead", i), fmt.Sprint("dead", i), d.deliver)
			}
			slow := &dest{takes: time.Hour}
			for range 20 {
				q.Submit("slow", fmt.Sprint("slow", i), slow.deliver)
			}
		}
		var waits []time.Duration
		var mu sync.Mutex
		good := &dest{takes: 50 * time.Millisecond}
		for range 600 {
			began := time.Now()
			q.Submit("good", "good.test", func() Signal {
				mu.Lock()
				waits = append(waits, time.Since(began))
				mu.Unlock()
				return good.deliver()
			})
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(waits)
		if len(waits) != 600 {
			t.Fatalf("%d of 600 were tried", len(waits))
		}
		if p99 := waits[len(waits)*99/100]; p99 > 10*time.Millisecond {
			t.Errorf("the good tenant's mail waited %v (99th percentile)", p99)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if err := q.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestTenantsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Queue{Workers: 2}
		var order []string
		var mu sync.Mutex
		run := func(tenant string) func() Signal {
			return func() Signal {
				mu.Lock()
				order = append(order, tenant)
				mu.Unlock()
				time.Sleep(time.Second)
				return Fine
			}
		}
		for range 100 {
			q.Submit("loud", "loud.test", run("loud"))
		}
		synctest.Wait()
		for range 5 {
			q.Submit("quiet", "quiet.test", run("quiet"))
		}
		time.Sleep(12 * time.Second)
		quiet := 0
		mu.Lock()
		for _, who := range order[:min(len(order), 14)] {
			if who == "quiet" {
				quiet++
			}
		}
		mu.Unlock()
		if quiet != 5 {
			t.Errorf("%v", order)
		}
		q.Close(t.Context())
	})
}

func TestALineIsBoundedAndAClosedQueueTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		block := make(chan struct{})
		taken := 0
		for q.Submit("a", "a.test", func() Signal { <-block; return Fine }) {
			if taken++; taken > 5000 {
				t.Fatal("no bound")
			}
		}
		if taken != mostWaiting+1 || q.Room("a", "a.test") != 0 || q.Room("b", "a.test") != mostWaiting {
			t.Errorf("took %d", taken)
		}
		var ended atomic.Bool
		go func() {
			time.Sleep(time.Minute)
			ended.Store(true)
			close(block)
		}()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Close(short); err == nil {
			t.Error("Close did not say that something still runs")
		}
		if err := q.Close(t.Context()); err != nil || !ended.Load() {
			t.Errorf("Close did not wait: %v", err)
		}
		if q.Submit("a", "a.test", func() Signal { return Fine }) || q.Room("a", "a.test") != 0 {
			t.Error("a closed queue took something")
		}
	})
}

func TestEveryDeliveryRunsOnceWhateverIsSaid(t *testing.T) {
	q := Queue{Workers: 16}
	var ran [2000]atomic.Int32
	var wg sync.WaitGroup
	for i := range ran {
		wg.Add(1)
		for !q.Submit(fmt.Sprint("t", i%7), fmt.Sprint("d", i%13), func() Signal {
			defer wg.Done()
			ran[i].Add(1)
			return Signal([]Signal{Fine, Fine, Fine, Fine, Busy}[i%5])
		}) {
			time.Sleep(time.Millisecond)
		}
	}
	wg.Wait()
	for i := range ran {
		if n := ran[i].Load(); n != 1 {
			t.Errorf("delivery %d ran %d times", i, n)
		}
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotUsedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		for i := range 5000 {
			q.Submit(fmt.Sprint("t", i), fmt.Sprint("d", i), func() Signal { return Fine })
			time.Sleep(time.Second)
		}
		if n, m := len(q.Loads()), len(q.tenants); n > 2000 || m > 2000 {
			t.Errorf("%d destinations and %d tenants are remembered", n, m)
		}
		q.Close(t.Context())
	})
}

func TestBackoffGrowsToAnHour(t *testing.T) {
	var got []time.Duration
	for n := range 8 {
		got = append(got, Backoff(n, 0))
	}
	m := time.Minute
	if want := []time.Duration{5 * m, 5 * m, 10 * m, 20 * m, 40 * m, 60 * m, 60 * m, 60 * m}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if d := Backoff(1000, time.Second); d != 12*time.Second {
		t.Errorf("%v", d)
	}
	for r, want := range map[float64]time.Duration{0: 9 * m, 0.5: 10 * m, 1: 11 * m} {
		if got := Spread(10*m, r); got != want {
			t.Errorf("spread by %v: %v, want %v", r, got, want)
		}
	}
}

func TestTheWeightiestSignalCounts(t *testing.T) {
	if s := SignalOf([]Outcome{{Signal: Fine}, {Signal: Down}, {Signal: Busy, Rcpt: mail.Rcpt{Addr: "a"}}}); s != Down {
		t.Error(s)
	}
	if SignalOf(nil) != Fine {
		t.Error("nothing said is not fine")
	}
}
