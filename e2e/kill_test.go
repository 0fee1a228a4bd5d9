package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/postgrestest"
)

const (
	perKill   = 200 // messages between two kills, on average
	sessions  = 20
	killLimit = 20 * time.Minute
)

// kills is how often a test kills the program: POSTERN_KILLS, or a part of 100.
func kills(t *testing.T, part int) int {
	t.Helper()
	n := 100
	if text := os.Getenv("POSTERN_KILLS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("POSTERN_KILLS: %v", err)
		}
	}
	if testing.Short() {
		n = min(n, 10)
	}
	return max(1, n*part/100)
}

// ledger is written outside the program: what was handed over, what of it got a
// 250, and what arrived.
type ledger struct {
	mu      sync.Mutex
	sent    map[string]sent // by Message-ID without <>
	arrived map[string][]arrival
	acked   atomic.Int64
	resent  atomic.Int64
}

type sent struct {
	body  [32]byte
	to    []string
	acked bool
}

type arrival struct {
	body  [32]byte
	under string // the program's own name of the message, from its Received field
}

func newLedger() *ledger {
	return &ledger{sent: map[string]sent{}, arrived: map[string][]arrival{}}
}

// take is the sink's side.
func (l *ledger) take(d delivered) {
	h := headerOf(d.raw)
	id := strings.Trim(h.First("Message-ID"), "<>")
	_, under, _ := strings.Cut(h.First("Received"), " id ")
	under, _, _ = strings.Cut(strings.TrimLeft(under, " \t"), "\t")
	under, _, _ = strings.Cut(under, ";")
	sum := sha256.Sum256(body(d.raw))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, to := range d.env.To {
		copyOf := id + " " + to.Addr
		l.arrived[copyOf] = append(l.arrived[copyOf], arrival{sum, strings.TrimSpace(under)})
	}
}

// heldText is held, and can be released, which malware cannot.
const heldText = "POSTERN" + "*TEST*SPAM*8RV2"

const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// letter is a message of which no other has the Message-ID: mostly short, some for
// two recipients, some larger than what rides in the ledger, some to be held.
func letter(id, key string) (posting, sent) {
	p := posting{from: "alice@outside.test", to: []string{"ann@contoso.test"}}
	if rand.IntN(10) == 0 {
		p.to = append(p.to, "bob@contoso.test")
	}
	size := 200 + rand.IntN(6000)
	switch n := rand.IntN(100); {
	case n == 0:
		size = 260<<10 + rand.IntN(300<<10)
	case n < 3:
		return heldLetter(id, key)
	}
	if rand.IntN(3) == 0 {
		p.bdat = 4 << 10
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "x-trustifi-creds: %s\r\nFrom: Alice <alice@outside.test>\r\nTo: ann@contoso.test\r\nSubject: letter %s\r\nDate: Mon, 5 Jan 2026 10:15:00 +0000\r\nMessage-ID: <%s>\r\n\r\n", key, id, id)
	for start := b.Len(); b.Len()-start < size; {
		b.WriteString("Dear Ann, the figures of the quarter are " + strconv.Itoa(rand.Int()) + ", as agreed.\r\n.and a dot\r\n")
	}
	p.raw = b.Bytes()
	return p, sent{body: sha256.Sum256(body(p.raw)), to: p.to}
}

// heldLetter is a letter that every judge holds.
func heldLetter(id, key string) (posting, sent) {
	p := posting{from: "alice@outside.test", to: []string{"ann@contoso.test"}}
	p.raw = fmt.Appendf(nil, "x-trustifi-creds: %s\r\nFrom: Alice <alice@outside.test>\r\nTo: ann@contoso.test\r\nSubject: letter %s\r\nDate: Mon, 5 Jan 2026 10:15:00 +0000\r\nMessage-ID: <%s>\r\n"+
		"Content-Type: text/plain\r\n\r\n%s\r\n", key, id, id, heldText)
	return p, sent{body: sha256.Sum256(body(p.raw)), to: p.to}
}

// feed hands in messages until done is closed, each until it has its 250, as a
// real MTA does: what got no 250 is sent again.
func (l *ledger) feed(t *testing.T, p *program, name string, done <-chan struct{}) {
	var c *client
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		id := fmt.Sprintf("%s.%d@outside.test", name, n)
		post, note := letter(id, p.key)
		l.note(id, note)
		for try := 0; ; try++ {
			if try > 0 {
				l.resent.Add(1)
			}
			a, err := answer{}, error(nil)
			if c == nil {
				c, err = dial(p.smtp, false)
			}
			if err == nil {
				a, err = c.send(post)
			}
			if err == nil && a.code == 250 {
				note.acked = true
				l.note(id, note)
				l.acked.Add(1)
				break
			}
			if a.code/100 == 5 {
				t.Errorf("%s was refused for good: %s", id, a)
				return
			}
			if c != nil && (err != nil || a.code == 421) {
				c.close()
				c = nil
			}
			select {
			case <-done:
				return // it got no 250: nobody has to have it
			case <-time.After(time.Duration(20+rand.IntN(80)) * time.Millisecond):
			}
		}
	}
}

func (l *ledger) note(id string, s sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[id] = s
}

func TestNothingIsLostWhenTheProgramIsKilled(t *testing.T) {
	for _, tt := range []struct {
		name     string
		database func(testing.TB) string
		judge    bool
		part     int
	}{
		{"with judging", sqlite, true, 60},
		{"with judging switched off", sqlite, false, 20},
		{"on PostgreSQL", postgrestest.Database, true, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := kills(t, tt.part)
			killAndReconcile(t, settings{judge: tt.judge, database: tt.database(t)}, n, int64(n*perKill))
		})
	}
}

func TestNothingIsDoubledWithoutAKill(t *testing.T) {
	killAndReconcile(t, settings{judge: true}, 0, 2000)
}

// sqlite is the embedded database, which has no DSN.
func sqlite(testing.TB) string { return "" }

// killAndReconcile feeds about n messages, kills the program so many times at
// random moments, and compares the ledgers.
func killAndReconcile(t *testing.T, s settings, kills int, n int64) {
	mta, l := newSink(t), newLedger()
	mta.take = l.take
	mta.set(troubles)
	if kills == 0 {
		mta.set(func(env *mail.Envelope) (error, bool) { // without cut connections, which may double
			err, _ := troubles(env)
			return err, false
		})
	}
	s.dns, s.level = mta.dns, "warn"
	p := install(t, s)
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()

	done := make(chan struct{})
	var feeders sync.WaitGroup
	for i := range sessions {
		feeders.Go(func() { l.feed(t, p, fmt.Sprintf("k%d", i), done) })
	}
	deadline := time.Now().Add(killLimit)
	k := killer{p: p, mta: mta, l: l}
	for range kills {
		k.again(t, deadline)
	}
	waits(t, time.Until(deadline), fmt.Sprintf("%d messages", n), func() bool { return l.acked.Load() >= n })
	close(done)
	feeders.Wait()
	mta.set(nil)
	waits(t, 5*time.Minute, "the queue is empty", func() bool {
		var queue []struct{ ID string }
		p.do(&queue, "queue", "list")
		return len(queue) == 0
	})
	p.stop()
	r := l.reconcile(t, p)
	if s.judge && kills > 3 && k.workers == 0 {
		t.Error("there was never a worker of the judge that could have outlived a kill")
	}
	t.Logf("%d kills, %d of them while starting, %d workers died with it; %d messages with 250 (%d sent again), %d copies delivered, %d held", kills, k.early, k.workers, l.acked.Load(), l.resent.Load(), r.delivered, r.held)
	t.Logf("lost %d, altered %d, taken twice %d, delivered twice %d (at most %d were in flight at a kill, %d connections were cut)", r.lost, r.altered, r.takenTwice, r.doubled, k.inFlight, mta.cuts.Load())
	if len(k.restarts) > 0 {
		slices.Sort(k.restarts)
		t.Logf("from start to 220: median %s, longest %s", k.restarts[len(k.restarts)/2].Round(time.Millisecond), k.restarts[len(k.restarts)-1].Round(time.Millisecond))
	}
	if r.lost+r.altered+r.takenTwice > 0 {
		t.Errorf("lost %d, altered %d, taken twice %d", r.lost, r.altered, r.takenTwice)
	}
	if bound := k.inFlight + mta.cuts.Load(); int64(r.doubled) > bound {
		t.Errorf("%d messages were delivered twice, and at most %d were in flight", r.doubled, bound)
	}
}

// killer kills the program and starts it again.
type killer struct {
	p        *program
	mta      *sink
	l        *ledger
	early    int   // kills while it started
	workers  int   // that had to die with it
	inFlight int64 // connections to the sink at kills: as many messages were on the wire at most
	restarts []time.Duration
}

func (k *killer) again(t *testing.T, deadline time.Time) {
	t.Helper()
	if time.Now().After(deadline) {
		t.Fatalf("the kills did not end within %s", killLimit)
	}
	if rand.IntN(4) == 0 { // once more while it starts
		k.kill(t)
		k.early++
		k.p.launch()
		time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
	} else {
		goal, late := k.l.acked.Load()+rand.Int64N(2*perKill*4/3), time.Now().Add(5*time.Second)
		for k.l.acked.Load() < goal && time.Now().Before(late) {
			time.Sleep(time.Millisecond)
		}
	}
	k.kill(t)
	k.restarts = append(k.restarts, k.p.start())
}

// kill kills the program and sees that its workers die with it.
func (k *killer) kill(t *testing.T) {
	t.Helper()
	workers := family(k.p.serving.Process.Pid)
	k.workers += len(workers)
	k.inFlight += k.mta.open.Load()
	k.p.kill()
	waits(t, time.Minute, "the judge's workers die with the program", func() bool { return !slices.ContainsFunc(workers, alive) })
}

// result is what the comparison of the ledgers gave.
type result struct{ lost, altered, takenTwice, doubled, delivered, held int }

func (l *ledger) reconcile(t *testing.T, p *program) (r result) {
	t.Helper()
	keep := p.kept()
	held := map[string]bool{}
	for _, row := range keep.rows() {
		switch row.State {
		case mail.Held:
			id := strings.Trim(row.MessageID, "<>")
			held[id+" "+row.To] = true
			if want := l.sent[id].body; sha256.Sum256(body(keep.content(row.Tenant, row.ID))) != want {
				r.altered++
				t.Errorf("held copy %s of %s is altered", row.ID, id)
			}
		case mail.Delivered:
		default:
			t.Errorf("%s to %s is still %s", row.MessageID, row.To, row.State)
		}
	}
	for id, s := range l.sent {
		again := 0
		for _, to := range s.to {
			got := l.arrived[id+" "+to]
			r.delivered += len(got)
			again = max(again, len(got)-1) // copies travel together
			if held[id+" "+to] {
				r.held++
			} else if len(got) == 0 && s.acked {
				r.lost++
				t.Errorf("lost: %s to %s", id, to)
			}
			names := map[string]bool{}
			for _, a := range got {
				names[a.under] = true
				if !mail.ID(a.under).Valid() {
					t.Fatalf("%s came with the name %q", id, a.under)
				}
				if a.body != s.body {
					r.altered++
					t.Errorf("altered: %s to %s", id, to)
				}
			}
			if len(names) > 1 {
				r.takenTwice++
				t.Errorf("taken twice: %s to %s as %v", id, to, names)
			}
		}
		r.doubled += again
	}
	return r
}
