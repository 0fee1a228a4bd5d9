package e2e

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"postern/internal/mail"
)

// TestAPostfixQueueComesThroughKills has a real Postfix with a queue as the client:
// smtp-source fills it, and it hands the mail to the program, which is killed
// again and again. Everything that Postfix considers handed over has to be there.
func TestAPostfixQueueComesThroughKills(t *testing.T) {
	mta := newSink(t)
	mta.stream = true
	p := install(t, settings{judge: true, dns: mta.dns, level: "warn"})
	p.tenant("Contoso", "contoso.test", mta.addr)
	front := startPostfix(t, p)
	var mu sync.Mutex
	arrived, bodies := map[string]int{}, map[[32]byte]int{}
	mta.take = func(d delivered) {
		mu.Lock()
		defer mu.Unlock()
		bodies[d.sum]++
		for _, to := range d.env.To {
			arrived[to.Addr]++
		}
	}
	mta.set(troubles)
	p.start()
	n := kills(t, 20)
	messages := n * perKill
	source := exec.Command("/usr/sbin/smtp-source", "-N", "-s", "10", "-l", "3000", "-m", fmt.Sprint(messages), "-f", "alice@outside.test", "-t", "ann@contoso.test", front.addr)
	if err := source.Start(); err != nil {
		t.Fatal(err)
	}
	l := newLedger() // counts what arrived, for the killer's pace
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				l.acked.Store(mta.taken.Load())
			}
		}
	}()
	k := killer{p: p, mta: mta, l: l}
	for range n {
		k.again(t, time.Now().Add(killLimit))
	}
	close(done)
	if err := source.Wait(); err != nil {
		t.Fatalf("smtp-source: %v", err)
	}
	mta.set(nil)
	waits(t, 3*time.Minute, "Postfix's queue is empty", func() bool { return front.queued(t) == 0 })
	p.drained(time.Minute)
	p.stop()

	held := 0
	for _, row := range p.kept().rows() {
		switch {
		case row.State == mail.Held:
			held++
			arrived[row.To]++
		case row.State != mail.Delivered:
			t.Errorf("mail to %s is still %s", row.To, row.State)
		}
	}
	doubled := 0
	for _, times := range arrived {
		doubled += times - 1
	}
	t.Logf("%d kills, %d of them while starting; %d messages through Postfix, %d arrived or are held (%d), %d twice (at most %d were in flight, %d connections were cut)",
		n, k.early, messages, len(arrived), held, doubled, k.inFlight, mta.cuts.Load())
	if len(arrived) != messages {
		t.Errorf("lost %d", messages-len(arrived))
	}
	if len(bodies) != 1 {
		t.Errorf("smtp-source sends one body, and %d came", len(bodies))
	}
	if int64(doubled) > k.inFlight+mta.cuts.Load() {
		t.Errorf("%d are there twice", doubled)
	}
}

// postfix is a Postfix of the test's own that sends all mail to the program.
type postfix struct{ addr, queue string }

func startPostfix(t *testing.T, p *program) *postfix {
	t.Helper()
	for _, file := range []string{"/usr/sbin/postfix", "/usr/sbin/smtp-source"} {
		if _, err := os.Stat(file); err != nil || os.Getuid() != 0 {
			t.Skipf("needs %s and root: %v", file, err)
		}
	}
	dir, err := os.MkdirTemp("", "postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"", "etc", "queue", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(dir, 0o755)
	if out, err := exec.Command("chown", "postfix", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Skipf("no user postfix: %s", out)
	}
	f := &postfix{addr: freePort(t), queue: filepath.Join(dir, "queue")}
	host, port, _ := net.SplitHostPort(p.smtp)
	own, listen, _ := net.SplitHostPort(f.addr)
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("key", "/^Message-Id:/ PREPEND x-trustifi-creds: "+p.key+"\n")
	put("main.cf", fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = front.outside.test
inet_interfaces = %[2]s
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
relay_domains = contoso.test
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
relayhost = [%[3]s]:%[4]s
relay_transport = smtp
smtp_tls_security_level = encrypt
smtp_header_checks = regexp:%[1]s/etc/key
smtp_destination_concurrency_limit = 20
default_destination_concurrency_failed_cohort_limit = 0
transport_retry_time = 1s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
smtp_host_lookup = native
in_flow_delay = 0
`, dir, own, host, port))
	put("master.cf", listen+` inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
smtp unix - - n - 20 smtp
retry unix - - n - - error
error unix - - n - - error
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`)
	etc := filepath.Join(dir, "etc")
	if out, err := exec.Command("/usr/sbin/postfix", "-c", etc, "start").CombinedOutput(); err != nil {
		t.Skipf("this Postfix does not start: %v %s", err, out)
	}
	t.Cleanup(func() {
		exec.Command("/usr/sbin/postfix", "-c", etc, "stop").Run()
		if t.Failed() {
			t.Logf("Postfix:\n%s", tail(read(t, filepath.Join(dir, "log")), 3000))
		}
	})
	waits(t, time.Minute, "Postfix greets", func() bool { return greets(f.addr) })
	return f
}

// queued is how many messages Postfix has in its queue.
func (f *postfix) queued(t *testing.T) (n int) {
	t.Helper()
	for _, q := range []string{"maildrop", "incoming", "active", "deferred"} {
		filepath.WalkDir(filepath.Join(f.queue, q), func(_ string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil
			}
			// Postfix makes a file executable when the message is whole; what is not is
			// of a client that was never told 250.
			if info, err := e.Info(); err == nil && info.Mode()&0o100 != 0 {
				n++
			}
			return nil // files come and go while we look
		})
	}
	return n
}
