package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// startPostern sets one tenant up by the command line, as an administrator would.
func startPostern(w *world, dir string, judging bool) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "postern.yaml")
	text := fmt.Sprintf(`hostname: relay.test
data: %s
smtp: {listen: ["127.0.0.1:%s"], tls: {cert: %s, key: %s}, per_address: 1000}
dns: {server: %q}
relay: {sources: [any]}
deliver: {allow_loopback: true}
judge: {enabled: %v}
metrics: {listen: "127.0.0.1:%s"}
log: {level: warn, format: text}
`, filepath.Join(dir, "data"), port, w.cert, w.key, w.dns, judging, metrics)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	var out []byte
	for _, args := range [][]string{
		{"tenant", "add", "bench"},
		{"domain", "add", "rcpt.test", "--tenant", "bench", "--mta", fmt.Sprintf("127.0.0.1:%d,tls=none", w.sink.port())},
		{"--json", "domain", "enable", "rcpt.test"},
	} {
		cmd := exec.Command(w.postern, append([]string{"-c", conf}, args...)...)
		if out, err = cmd.Output(); err != nil {
			return nil, fmt.Errorf("postern %v: %w: %s", args, err, out)
		}
	}
	var enabled struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(out, &enabled); err != nil {
		return nil, fmt.Errorf("postern domain enable: %w", err)
	}
	pid, err := spawn(dir, w.postern, "-c", conf, "serve")
	if err != nil {
		return nil, err
	}
	r := &running{addr: "127.0.0.1:" + port, header: "x-trustifi-creds: " + enabled.Key + "\r\n", roots: tree{pid},
		held: func() int64 { return heldBy("http://127.0.0.1:" + metrics + "/metrics") }}
	return r, reach(r.addr, dir)
}

// heldBy is how many messages that Postern holds, by its own count: it does not
// deliver what it judges to be spam or worse.
func heldBy(url string) (n int64) {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "postern_held_total{") {
			v, _ := strconv.ParseFloat(value, 64)
			n += int64(v)
		}
	}
	return n
}
