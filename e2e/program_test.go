package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/internal/freeport"
)

var binary string // of the program under test

func TestMain(m *testing.M) {
	code, err := withBinary(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func withBinary(run func() int) (int, error) {
	if binary = os.Getenv("POSTERN_BIN"); binary != "" {
		return run(), nil
	}
	dir, err := os.MkdirTemp("", "postern-bin-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "postern")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/postern")
	build.Dir, build.Env = repoRoot(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return run(), nil
}

// repoRoot is the folder of go.mod.
func repoRoot() string {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	return "."
}

// program is one installation of Postern: a configuration file, a data folder and
// the process that serves, if one runs.
type program struct {
	t        *testing.T
	dir      string
	conf     string
	database string // as in the configuration
	smtp     string // where it takes mail
	metrics  string
	log      string // standard error of all its lives
	key      string // relay key of the tenant that enable printed
	token    string
	serving  *exec.Cmd
	ended    chan error
}

const relayHost = "relay.postern.test"

// settings are what differs between installations.
type settings struct {
	judge    bool
	database string // a DSN; the embedded one by default
	dns      string // host:port of a resolver
	level    string // of the log; "info" by default
	sources  string // relay.sources; the loopback by default
	more     string // further YAML lines, at the top level
	smtp     string // further lines of the smtp section
	deliver  string // further lines of the deliver section
}

// install writes a configuration as an administrator would.
func install(t *testing.T, s settings) *program {
	t.Helper()
	p := &program{t: t, dir: t.TempDir(), smtp: freePort(t), metrics: freePort(t)}
	p.conf, p.log = filepath.Join(p.dir, "postern.yaml"), filepath.Join(p.dir, "stderr.log")
	p.writePair(relayHost)
	write(t, filepath.Join(p.dir, "ca.pem"), authorityPEM())
	p.configure(s)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of the program:\n%s", tail(read(t, p.log), 6000))
		}
	})
	return p
}

func (p *program) configure(s settings) {
	def := func(v *string, to string) {
		if *v == "" {
			*v = to
		}
	}
	if p.database = s.database; s.database != "" {
		s.more += fmt.Sprintf("database: %q\n", s.database)
	}
	def(&s.level, "info")
	def(&s.sources, "127.0.0.0/8")
	def(&s.dns, "127.0.0.1:9") // nobody answers
	write(p.t, p.conf, fmt.Appendf(nil, `hostname: %s
data: %s
smtp:
  listen: ["%s"]
  tls: {cert: "%s/cert.pem", key: "%s/key.pem"}
%smetrics: {listen: "%s"}
dns: {server: "%s"}
relay: {sources: ["%s"]}
deliver:
  ca_file: "%s/ca.pem"
  allow_loopback: true
  retry_first: 200ms
%sjudge: {enabled: %v}
log: {level: %s}
%s`, relayHost, p.data(), p.smtp, p.dir, p.dir, s.smtp, p.metrics, s.dns, s.sources, p.dir, s.deliver, s.judge, s.level, s.more))
}

func (p *program) data() string { return filepath.Join(p.dir, "data") }

// writePair makes a new certificate of the tests' authority for the program.
func (p *program) writePair(name string) {
	cert, key := issue(p.t, name)
	write(p.t, filepath.Join(p.dir, "cert.pem"), cert)
	write(p.t, filepath.Join(p.dir, "key.pem"), key)
}

// tenant adds a tenant with one enabled domain, and remembers its key and token.
func (p *program) tenant(name, domain string, mtas ...string) {
	p.t.Helper()
	var added struct{ Token string }
	p.do(&added, "tenant", "add", name)
	args := []string{"domain", "add", domain, "--tenant", name}
	for _, m := range mtas {
		args = append(args, "--mta", m)
	}
	p.do(nil, args...)
	var enabled struct{ Key string }
	p.do(&enabled, "domain", "enable", domain)
	if enabled.Key == "" || added.Token == "" {
		p.t.Fatalf("tenant %s has key %q and token %q", name, enabled.Key, added.Token)
	}
	p.key, p.token = enabled.Key, added.Token
}

// outcome is how a verb ended.
type outcome struct {
	code   int
	stdout []byte
	stderr string
}

// run runs a verb.
func (p *program) run(args ...string) outcome {
	p.t.Helper()
	return runIn(p.t, p.dir, append([]string{"--config", p.conf}, args...)...)
}

func runIn(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errOut bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("postern %s: %v: %s", strings.Join(args, " "), errors.Join(err, ctx.Err()), errOut.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), out.Bytes(), errOut.String()}
}

// do runs a verb that has to work, and reads its JSON into v unless v is nil.
func (p *program) do(v any, args ...string) {
	p.t.Helper()
	o := p.run(append([]string{"--json"}, args...)...)
	if o.code != 0 {
		p.t.Fatalf("postern %s: exit %d: %s", strings.Join(args, " "), o.code, o.stderr)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(o.stdout, v); err != nil {
		p.t.Fatalf("postern %s printed no JSON: %v\n%s", strings.Join(args, " "), err, o.stdout)
	}
}

// launch starts serve and does not wait for it.
func (p *program) launch(env ...string) {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(binary, "serve", "--config", p.conf)
	cmd.Dir, cmd.Stderr, cmd.Stdout, cmd.Env = p.dir, log, log, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p.serving, p.ended = cmd, ended
}

// start starts serve and waits until it greets; it tells how long that took.
func (p *program) start() time.Duration {
	p.t.Helper()
	began := time.Now()
	p.launch()
	p.awaitGreeting(time.Minute)
	return time.Since(began)
}

func (p *program) awaitGreeting(patience time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if greets(p.smtp) {
			return
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			p.t.Fatalf("serve ended: %v\n%s", err, tail(read(p.t, p.log), 3000))
		default:
		}
		if time.Now().After(end) {
			p.t.Fatalf("serve did not greet within %s", patience)
		}
	}
}

func greets(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 3)
	_, err = io.ReadFull(conn, buf)
	return err == nil && string(buf) == "220"
}

// kill ends the serving process as a crash would: nothing is said to its workers.
func (p *program) kill() {
	if p.serving == nil {
		return
	}
	p.serving.Process.Kill()
	<-p.ended
	p.serving = nil
}

// stop ends the serving process with SIGTERM and wants exit code 0.
func (p *program) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case err := <-p.ended:
		p.serving = nil
		if err != nil {
			p.t.Errorf("serve after SIGTERM: %v", err)
		}
	case <-time.After(2 * time.Minute):
		p.t.Fatal("serve did not end within two minutes of SIGTERM")
	}
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.serving.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// web asks the metrics listener.
func (p *program) web(path string) (int, string) {
	p.t.Helper()
	r, err := http.Get("http://" + p.metrics + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// family are the process ids of pid's children.
func family(pid int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		_, after, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(after); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, n)
		}
	}
	return pids
}

// alive reports whether pid is a process that still runs, that is, no zombie.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// freePort is a loopback address that nobody listens on, nor has while the program
// is down.
func freePort(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Loopback()
	if err != nil {
		t.Fatal(err)
	}
	return addr.String()
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// waits until f holds.
func waits(t *testing.T, patience time.Duration, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
