package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"postern/internal/mail"
)

// TestAReleaseThatIsKilledHappensOnce kills the release, the relay beside it, or
// both at random moments. A held message stays held or is released; twice only
// if its delivery was on the wire.
func TestAReleaseThatIsKilledHappensOnce(t *testing.T) {
	mta, l := newSink(t), newLedger()
	mta.take = l.take
	mta.set(func(env *mail.Envelope) (error, bool) { // so slow that many kills find a delivery on the wire
		if env != nil {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		}
		return nil, false
	})
	p := install(t, settings{judge: true, dns: mta.dns, level: "warn"})
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	n := kills(t, 40)
	p.fillQuarantine(l, n)

	var held []struct{ ID string }
	waits(t, time.Minute, "all are held", func() bool {
		p.do(&held, "quarantine", "list")
		return len(held) == n
	})
	killed, bound := 0, 0
	for i, h := range held {
		cmd := exec.Command(binary, "--config", p.conf, "--json", "quarantine", "release", h.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond) // it is judged again first
		switch i % 3 {
		case 0: // the release alone
			cmd.Process.Kill()
		case 1: // the relay alone: the release has to work without it
			p.kill()
		case 2:
			p.kill()
			cmd.Process.Kill()
		}
		if cmd.Wait() != nil {
			killed++
		}
		bound++
		if p.serving == nil {
			p.start()
		}
	}
	waits(t, 3*time.Minute, "what was interrupted goes on", func() bool {
		var queue []struct{ ID string }
		p.do(&queue, "queue", "list")
		return len(queue) == 0
	})
	p.stop()
	r := l.reconcile(t, p)
	t.Logf("%d releases, %d of them killed: %d copies delivered, %d still held; lost %d, altered %d, delivered twice %d", n, killed, r.delivered, r.held, r.lost, r.altered, r.doubled)
	if r.lost+r.altered+r.takenTwice > 0 || r.doubled > bound {
		t.Errorf("lost %d, altered %d, doubled %d", r.lost, r.altered, r.doubled)
	}
	if r.delivered == 0 || killed == 0 {
		t.Errorf("%d were delivered and %d killed: the test saw nothing", r.delivered, killed)
	}
}

// fillQuarantine hands in n messages that are held, over one session.
func (p *program) fillQuarantine(l *ledger, n int) {
	p.t.Helper()
	c, err := dial(p.smtp, false)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.close()
	for i := range n {
		id := fmt.Sprintf("held.%d@outside.test", i)
		post, note := heldLetter(id, p.key)
		note.acked = true
		l.note(id, note)
		if a, err := c.send(post); err != nil || a.code != 250 {
			p.t.Fatalf("%s: %s, %v", id, a, err)
		}
	}
}
