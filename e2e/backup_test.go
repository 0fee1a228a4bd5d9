package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/webhook"
)

// TestABackupUnderLoadComesBackOnAnotherMachine loses a machine after a backup that
// was made while mail flowed. What had its 250 before the backup is on the other
// machine, whole; nothing is sent there by itself; what a person releases arrives.
func TestABackupUnderLoadComesBackOnAnotherMachine(t *testing.T) {
	mta, l := newSink(t), newLedger()
	mta.take = l.take
	s := settings{judge: true, dns: mta.dns, level: "warn"}
	p := install(t, s)
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	done := make(chan struct{})
	var feeding sync.WaitGroup
	for i := range 3 {
		feeding.Go(func() { l.feed(t, p, fmt.Sprintf("b%d", i), done) })
	}
	waits(t, time.Minute, "some mail is accepted", func() bool { return l.acked.Load() > 150 })
	mta.set(refuseAll) // so that the backup finds copies on their way
	waits(t, time.Minute, "more mail is accepted", func() bool { return l.acked.Load() > 250 })
	l.mu.Lock()
	before := maps.Clone(l.sent)
	l.mu.Unlock()
	file := filepath.Join(t.TempDir(), "backup")
	var sum struct{ Objects int }
	p.do(&sum, "backup", file)
	close(done)
	feeding.Wait()
	p.do(nil, "verify-data") // beside the running relay
	p.kill()

	q := install(t, s)
	var restored struct{ Messages, Held, Ended int }
	q.do(&restored, "restore", file)
	q.do(nil, "verify-data")
	mta.set(nil)
	q.start()
	arrived := l.count()
	time.Sleep(2 * time.Second)
	if n := l.count(); n != arrived {
		t.Errorf("%d copies were sent by themselves after the restore", n-arrived)
	}
	known := map[string]bool{}
	for _, r := range q.kept().rows() {
		known[r.MessageID+" "+r.To] = true
	}
	missing := 0
	for id, s := range before {
		for _, to := range s.to {
			if s.acked && !known[id+" "+to] {
				missing++
			}
		}
	}
	if missing > 0 || restored.Held == 0 {
		t.Errorf("%d copies accepted before the backup are not in it; %d were on their way", missing, restored.Held)
	}
	q.releaseRestored()
	waits(t, time.Minute, "the queue is empty", func() bool {
		var queue []struct{ ID string }
		q.do(&queue, "queue", "list")
		return len(queue) == 0
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	for copyOf, all := range l.arrived {
		id, _, _ := strings.Cut(copyOf, " ")
		for _, a := range all {
			if a.body != l.sent[id].body {
				t.Errorf("%s arrived altered", copyOf)
			}
		}
	}
	t.Logf("%d messages accepted, %d kept in the backup with %d in the spool, %d copies held by the restore, %d ended meanwhile", l.acked.Load(), restored.Messages, sum.Objects, restored.Held, restored.Ended)
}

// count is how many copies have arrived.
func (l *ledger) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, all := range l.arrived {
		n += len(all)
	}
	return n
}

// releaseRestored releases what the restore held.
func (p *program) releaseRestored() {
	p.t.Helper()
	var held []struct {
		ID      string
		Reasons []string
	}
	p.do(&held, "quarantine", "list", "--limit", "10000")
	args := []string{"quarantine", "release"}
	for _, h := range held {
		if len(h.Reasons) > 0 && strings.HasPrefix(h.Reasons[0], "Restored from the backup") {
			args = append(args, h.ID)
		}
	}
	if len(args) == 2 {
		p.t.Error("the restore held nothing")
		return
	}
	p.do(nil, args...)
}

// TestOtherProgramsAreToldOfHeldMail runs a receiver of webhooks and a collector of
// traces beside the program.
func TestOtherProgramsAreToldOfHeldMail(t *testing.T) {
	const secret = "a secret of more than sixteen"
	var mu sync.Mutex
	var told []webhook.Event
	var traces atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/traces" {
			traces.Add(int64(len(body)))
			w.Header().Set("Content-Type", "application/x-protobuf")
			return
		}
		var e webhook.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if err := webhook.Verify([]byte(secret), r.Header.Get("Postern-Signature"), body, time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e)
	}))
	defer srv.Close()
	mta := newSink(t)
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, []byte(secret+"\n"))
	p := install(t, settings{judge: true, dns: mta.dns, level: "warn", more: fmt.Sprintf("webhooks: [{url: %q, secret_file: %q, allow_private: true}]\ntraces: {endpoint: %q}\n", srv.URL+"/hook", file, srv.URL)})
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	c, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	post, _ := heldLetter("told@outside.test", p.key)
	if a, err := c.send(post); err != nil || a.code != 250 {
		t.Fatal(a, err)
	}
	has := func(event string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range told {
				if e.Event == event && e.Tenant == "contoso" && e.Verdict == mail.Spam {
					return true
				}
			}
			return false
		}
	}
	waits(t, time.Minute, "the receiver is told of a held message", has(webhook.Held))
	var held []struct{ ID string }
	p.do(&held, "quarantine", "list")
	if len(held) != 1 {
		t.Fatalf("held: %v", held)
	}
	p.do(nil, "quarantine", "release", held[0].ID)
	waits(t, time.Minute, "the receiver is told of the release", has(webhook.Released))
	p.stop()
	if traces.Load() == 0 {
		t.Error("no trace was sent")
	}
}
