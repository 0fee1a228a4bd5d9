package deliver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/freeport"
	"postern/internal/mail"
)

// freePort is a loopback address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Loopback()
	if err != nil {
		t.Fatal(err)
	}
	return addr.String()
}

// awaitPort waits until something listens there.
func awaitPort(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			return
		}
	}
	t.Fatalf("nothing listens on %s", addr)
}

func sendMany(t *testing.T, s *Sender, mta mail.MTA, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for j := range n / 10 {
				job := jobFor(fmt.Sprintf("Message-ID: <%d.%d@sender.test>\r\n%s", i, j, text), mta)
				if j%5 == 0 {
					job = jobFor("Subject: large\r\n\r\n"+strings.Repeat(".line\nwith\rbare ends\r\n", 10_000), mta)
				}
				if out := s.Send(t.Context(), job); kinds(out) != "delivered" {
					t.Errorf("%+v", out)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPostfixsSinkTakesOurMail(t *testing.T) {
	path, err := exec.LookPath("/usr/sbin/smtp-sink")
	if err != nil {
		t.Skip("Postfix's smtp-sink is not installed")
	}
	for _, flags := range [][]string{nil, {"-p"}, {"-8"}, {"-e"}} { // as it is; no PIPELINING; no 8BITMIME; no ESMTP
		addr := freePort(t)
		args := flags
		if os.Getuid() == 0 {
			args = append(args, "-u", "nobody")
		}
		cmd := exec.Command(path, append(args, addr, "100")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			cmd.Process.Kill()
			cmd.Wait()
		}()
		awaitPort(t, addr)
		s := newSender(t)
		sendMany(t, s, mtaAt(addr, mail.TLSNone), 50)
	}
}

// TestPostfixTakesOurMail runs a Postfix of its own that throws mail away, and
// counts in its log what it has taken.
func TestPostfixTakesOurMail(t *testing.T) {
	if _, err := exec.LookPath("/usr/sbin/postfix"); err != nil || os.Getuid() != 0 {
		t.Skip("needs Postfix and root")
	}
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	addr := freePort(t)
	_, port, _ := net.SplitHostPort(addr)
	for _, d := range []string{"etc", "queue", "data"} {
		os.Mkdir(filepath.Join(dir, d), 0o755)
	}
	owner := exec.Command("chown", "postfix", filepath.Join(dir, "data"))
	if err := owner.Run(); err != nil {
		t.Skip("no user postfix:", err)
	}
	main := fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = postfix.test
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
relay_domains = example.com
relay_transport = discard:
default_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_forbid_bare_newline = yes
smtpd_client_connection_rate_limit = 0
smtputf8_enable = yes
`, dir)
	master := port + ` inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
anvil unix - - n - 1 anvil
discard unix - - n - - discard
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`
	os.WriteFile(filepath.Join(dir, "etc/main.cf"), []byte(main), 0o644)
	os.WriteFile(filepath.Join(dir, "etc/master.cf"), []byte(master), 0o644)
	if out, err := exec.Command("/usr/sbin/postfix", "-c", filepath.Join(dir, "etc"), "start").CombinedOutput(); err != nil {
		t.Skipf("this Postfix does not start: %v %s", err, out)
	}
	defer exec.Command("/usr/sbin/postfix", "-c", filepath.Join(dir, "etc"), "stop").Run()
	awaitPort(t, addr)
	s := newSender(t)
	mta := mtaAt(addr, mail.TLSNone)
	sendMany(t, s, mta, 50)
	job := jobFor(strings.Replace(text, "hello", "grüße", 1), mta)
	job.SMTPUTF8, job.Rcpts = true, []mail.Rcpt{{Addr: "jürgen@example.com", Notify: "NEVER"}, {Addr: "ann@elsewhere.test"}}
	job.Ret, job.EnvID = "HDRS", "QQ314"
	if out := s.Send(t.Context(), job); out[0].Kind != Delivered || !strings.Contains(out[0].Reply, "queued as") {
		t.Errorf("%+v", out)
	}
	want := 52 // the last for two
	got := 0
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && got < want; time.Sleep(100 * time.Millisecond) {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		got = strings.Count(string(log), "status=sent")
	}
	if got != want {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Errorf("Postfix has passed on %d copies, want %d\n%s", got, want, clip(string(log), 3000))
	}
}
